"""Sheets: several pictures as one, in a grid with a label under each."""

from __future__ import annotations

import contextlib
import math
import textwrap
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..errors import ImageError, require
from . import resize

PAPER = (242, 242, 242)  # neutral and light: beside it no picture's colours shift
LOWEST = 32  # pixels of a row of pictures
WIDEST = 2.0  # width over height of a picture's place: wider ones are made lower
LINE = 1.35  # from line to line, over the height of the letters
MAX_LINE_LENGTH = 300  # characters of a label's line that are looked at

Labelled = tuple[str, np.ndarray]  # label, image (H, W, 3)


def grid(
    pictures: Sequence[Labelled],
    *,
    columns: int | None = None,
    height: int = 256,
    background: tuple[int, int, int] = PAPER,
) -> np.ndarray:
    """The pictures in rows, read like a page, each with its label under it -> image (H, W, 3), float32, 0..255.

    ``pictures`` are (label, image (h, w, 3)); a label may have several lines, and what is too long for its column is
    shortened in the middle. Pictures keep their aspect: each is made ``height`` pixels high, or 2 ``height`` wide
    where it would be wider. ``columns`` None makes the sheet near square.
    Raises ImageError for no pictures, arrays that are no images, a height below 32, columns below 1.
    """
    require(len(pictures) > 0, "sheet", "at least one picture", "none", ImageError)
    require(height >= LOWEST, "height of a sheet's pictures", f"{LOWEST} or more", height, ImageError)
    require(columns is None or columns >= 1, "columns of a sheet", "1 or more", columns, ImageError)
    tiles = [fit(image, height, label) for label, image in pictures]
    labels = [_readable(label) for label, _ in pictures]
    font, size = _font(height), _letters(height)
    spacing = Spacing(
        gap=round(LINE * size), caption=size // 2, line=round(LINE * size), narrowest=max(9 * size, height // 2)
    )
    shapes = [tile.shape[:2] for tile in tiles]
    lines = [len(label) for label in labels]
    layout = arrange(shapes, lines, columns or near_square(shapes, lines, spacing), spacing)
    page = Image.new("RGB", (layout.width, layout.height), background)
    draw, ink = ImageDraw.Draw(page), _ink(background)
    for tile, label, place in zip(tiles, labels, layout.places, strict=True):
        page.paste(Image.fromarray(tile), (place.left, place.top))
        for i, line in enumerate(label):
            middle = place.column + place.column_width / 2, place.caption + i * spacing.line
            draw.text(middle, _shortened(line, font, place.column_width), fill=ink, font=font, anchor="ma")
    return np.asarray(page, dtype=np.float32)


def fit(image: np.ndarray, height: int, name: str = "picture") -> np.ndarray:
    """The image as the grid shows it: (h, w, 3) uint8, its aspect kept, within ``height`` x 2 ``height`` pixels.

    Raises ImageError for an array that is no image.
    """
    good = isinstance(image, np.ndarray) and image.ndim == 3 and image.shape[2] == 3 and image.size > 0
    require(good, name, "an image (H, W, 3)", getattr(image, "shape", type(image)), ImageError)
    require(bool(np.isfinite(image).all()), name, "finite pixels", "NaN or infinite ones", ImageError)
    scale = min(height / image.shape[0], WIDEST * height / image.shape[1])
    h, w = (max(1, round(scale * n)) for n in image.shape[:2])
    small: np.ndarray = np.clip(np.rint(resize(image, h, w)), 0, 255).astype(np.uint8)
    return small


def note(text: str, height: int, width: int, background: tuple[int, int, int] = (222, 222, 222)) -> np.ndarray:
    """A text in the place of a picture: image (height, width, 3), its words wrapped, cut off where it is full."""
    font, size = _font(height), _letters(height)
    letters = max(1, int((width - 2 * size) / font.getlength("n")))
    room = max(1, int((height - 2 * size) / (LINE * size)))
    lines = textwrap.wrap(" ".join(_readable(text)), letters, max_lines=room, placeholder=" …")
    page = Image.new("RGB", (width, height), background)
    draw = ImageDraw.Draw(page)
    for i, line in enumerate(lines):
        line = _shortened(line, font, max(1, width - size))
        draw.text((size, size + i * LINE * size), line, fill=_ink(background), font=font)
    return np.asarray(page, dtype=np.float32)


# Where things stand


@dataclass(frozen=True)
class Spacing:
    """In pixels: between cells and around all, from a picture to its label, a label's line, the narrowest column."""

    gap: int
    caption: int
    line: int
    narrowest: int


@dataclass(frozen=True)
class Place:
    """A picture's corner, its column's left edge and width, the top of its label."""

    top: int
    left: int
    column: int
    column_width: int
    caption: int


@dataclass(frozen=True)
class Layout:
    """Size of the whole sheet and each picture's place."""

    height: int
    width: int
    places: tuple[Place, ...]


def arrange(shapes: Sequence[tuple[int, int]], lines: Sequence[int], columns: int, spacing: Spacing) -> Layout:
    """Pictures of ``shapes`` (height, width), with labels of so many lines, in rows of ``columns``.

    A column is as wide as its widest picture, a row as high as its highest and its longest label. Pictures stand on
    the floor of their cells, in the middle, the labels of a row on one line.
    """
    columns = min(columns, len(shapes))
    widths = [max(spacing.narrowest, *(w for _, w in shapes[c::columns])) for c in range(columns)]
    lefts = [spacing.gap + sum(widths[:c]) + c * spacing.gap for c in range(columns)]
    places, top = [], spacing.gap
    for first in range(0, len(shapes), columns):
        row = shapes[first : first + columns]
        high = max(h for h, _ in row)
        caption = top + high + spacing.caption
        for c, (h, w) in enumerate(row):
            corner = top + high - h, lefts[c] + (widths[c] - w) // 2
            places.append(Place(*corner, lefts[c], widths[c], caption))
        top = caption + max(lines[first : first + columns]) * spacing.line + spacing.gap
    return Layout(top, lefts[-1] + widths[-1] + spacing.gap, tuple(places))


def near_square(shapes: Sequence[tuple[int, int]], lines: Sequence[int], spacing: Spacing) -> int:
    """The number of columns that makes a sheet near square with few empty cells."""

    def badness(columns: int) -> float:
        layout = arrange(shapes, lines, columns, spacing)
        rows = math.ceil(len(shapes) / columns)
        empty = 1 - len(shapes) / (rows * columns)
        return abs(math.log(layout.width / layout.height)) + empty

    most = min(len(shapes), 4 * math.isqrt(len(shapes)) + 3)  # of pictures at most twice as wide as high
    return min(range(most, 0, -1), key=badness)


# Letters


def _letters(height: int) -> int:
    """Pixels of the letters beside pictures of that height: readable when the sheet is shown as large as a screen."""
    return max(12, height // 17)


def _font(height: int) -> ImageFont.FreeTypeFont:
    with contextlib.suppress(ImportError):
        font = ImageFont.load_default(_letters(height))
        if isinstance(font, ImageFont.FreeTypeFont):
            return font
    raise ImageError("labels need a Pillow that was built with FreeType, as its own packages are")


def _ink(background: tuple[int, int, int]) -> tuple[int, int, int]:
    return (40, 40, 40) if sum(background) > 3 * 110 else (225, 225, 225)


def _readable(text: str) -> list[str]:
    """The lines of a label in letters that the font has: others lose their accents or become question marks."""
    font = _font(LOWEST)
    missing = bytes(font.getmask("\uffff"))

    def has(letter: str) -> bool:
        return letter == " " or (letter.isprintable() and bytes(font.getmask(letter)) != missing)

    def letter_for(letter: str) -> str:
        plain = unicodedata.normalize("NFKD", letter)[:1]
        return letter if has(letter) else plain if has(plain) else "?"

    whole = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    return ["".join(map(letter_for, _cut(line.expandtabs(2), MAX_LINE_LENGTH))) for line in whole.split("\n")]


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of its two ends as ``width`` pixels hold: file names and settings differ at their ends."""
    whole, kept = text, len(text)
    while kept > 1 and font.getlength(text) > width:
        kept -= 1
        text = _cut(whole, kept)
    return text


def _cut(text: str, length: int) -> str:
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return text[: length - 1 - end] + "…" + text[len(text) - end :]
