"""The recipe in a picture file: a text chunk of PNG, the description of TIFF, the EXIF user comment elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import ImageError
from .metadata import DESCRIPTION, EXIF_IFD, LABEL, USER_COMMENT
from .opening import opened

KEY = "minstyle"
MAX_RECIPE_LENGTH = 1 << 20  # characters; a recipe has some thousands


def ascii_text(text: str) -> str:
    """The text with every character beyond ASCII as JSON's escape: it means the same to a JSON reader in any format."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def read_text(path: str | Path) -> str | None:
    """The text that ``save_picture`` stored under "minstyle", as it was given; None where the file has none.

    Raises ImageError for a file that is no picture, or a text longer than a million characters.
    """
    path = Path(path)
    with opened(path) as picture:
        text = _of_png(picture) if picture.format == "PNG" else _of_comment(picture)
        if text is not None and len(text) > MAX_RECIPE_LENGTH:
            raise ImageError(f"{path}: its recipe has {len(text):,} characters, expected at most {MAX_RECIPE_LENGTH:,}")
        return text


def _of_png(picture: Image.Image) -> str | None:
    if KEY not in picture.info:
        picture.load()  # a program that saved it again may have moved the text behind the pixels
    text = picture.info.get(KEY)
    return None if text is None else str(text)


def _of_comment(picture: Any) -> str | None:
    if picture.format == "TIFF":
        stored = picture.tag_v2.get(DESCRIPTION, "")
    else:
        stored = picture.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
        if isinstance(stored, bytes):
            stored = stored[8:].decode("ascii", "replace") if stored.startswith(b"ASCII\0\0\0") else ""
    text = str(stored).rstrip("\0")
    return text.removeprefix(LABEL) if text.startswith(LABEL) else None
