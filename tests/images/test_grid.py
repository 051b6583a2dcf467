"""images/grid.py: where pictures and labels stand, whatever their shapes and letters."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minstyle.errors import ImageError
from minstyle.images.grid import PAPER, Layout, Spacing, arrange, fit, grid, near_square, note
from tests.support.small import picture

RED, BLUE = (200.0, 20.0, 30.0), (20.0, 40.0, 210.0)


def plain(height: int, width: int, colour: tuple[float, float, float] = RED) -> np.ndarray:
    return np.broadcast_to(np.array(colour, np.float32), (height, width, 3)).copy()


def box_of(sheet: np.ndarray, colour: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the pixels of a colour, which must fill their box."""
    rows, columns = np.nonzero((sheet == np.array(colour)).all(axis=2))
    top, left = rows.min(), columns.min()
    height, width = rows.max() - top + 1, columns.max() - left + 1
    assert len(rows) == height * width
    return int(top), int(left), int(height), int(width)


def inked(sheet: np.ndarray, background: tuple[int, int, int] = PAPER) -> np.ndarray:
    """Where the sheet is neither paper nor one of the two colours: its letters."""
    return np.logical_and.reduce([(sheet != np.array(colour)).any(axis=2) for colour in (background, RED, BLUE)])


# Geometry

shapes = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 600)), min_size=1, max_size=30)
spacings = st.builds(Spacing, *(st.integers(1, 60) for _ in range(4)))


@given(st.data(), shapes, st.integers(1, 40), spacings)
def test_cells_lie_apart_and_within_the_sheet(
    data: st.DataObject, shapes: list[tuple[int, int]], columns: int, spacing: Spacing
) -> None:
    lines = data.draw(st.lists(st.integers(1, 5), min_size=len(shapes), max_size=len(shapes)))
    layout = arrange(shapes, lines, columns, spacing)
    used = np.zeros((layout.height, layout.width), bool)
    for (h, w), count, place in zip(shapes, lines, layout.places, strict=True):
        rows = slice(place.top, place.caption + count * spacing.line)  # the picture and its label
        cell = slice(place.column, place.column + place.column_width)
        assert not used[rows, cell].any()
        used[rows, cell] = True
        assert place.caption == place.top + h + spacing.caption
        assert place.column <= place.left
        assert place.left + w <= place.column + place.column_width
        assert place.column_width >= spacing.narrowest
    edge = spacing.gap
    assert not used[:edge].any()
    assert not used[-edge:].any()
    assert not used[:, :edge].any()
    assert not used[:, -edge:].any()


@given(shapes, st.integers(1, 12))
def test_a_sheet_reads_like_a_page(shapes: list[tuple[int, int]], columns: int) -> None:
    places = arrange(shapes, [1] * len(shapes), columns, Spacing(5, 5, 5, 5)).places
    assert [(place.caption, place.column) for place in places] == sorted((p.caption, p.column) for p in places)
    for i, place in enumerate(places):
        assert place.column == places[i % columns].column


@pytest.mark.parametrize("count", range(1, 41))
@pytest.mark.parametrize("shape", [(256, 256), (256, 384), (256, 170)], ids=str)
def test_the_layout_is_near_square_by_default(count: int, shape: tuple[int, int]) -> None:
    spacing = Spacing(20, 8, 20, 128)
    columns = near_square([shape] * count, [1] * count, spacing)
    layout: Layout = arrange([shape] * count, [1] * count, columns, spacing)
    if count > 2:
        assert 0.5 < layout.width / layout.height < 2
    empty = -count % columns
    assert empty < columns, "no row without a picture"
    assert empty <= count / 2


@given(st.integers(1, 4000), st.integers(1, 4000), st.integers(32, 100))
@settings(max_examples=40, deadline=None)
def test_a_picture_fits_its_place_and_keeps_its_aspect(h: int, w: int, height: int) -> None:
    tile = fit(np.zeros((h, w, 3), np.float32), height)
    high, wide = tile.shape[:2]
    assert high == height or wide == 2 * height
    assert 1 <= high <= height
    assert 1 <= wide <= 2 * height
    scale = min(height / h, 2 * height / w)
    assert abs(high - scale * h) <= max(0.5, 1 - scale * h)
    assert abs(wide - scale * w) <= max(0.5, 1 - scale * w)


# Pixels


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((40, 60), (64, 96)), ((1, 1), (64, 64)), ((1, 3000), (1, 128)), ((3000, 1), (64, 1)), ((2000, 3000), (64, 96))],
    ids=str,
)
def test_one_picture_keeps_its_aspect_and_colour(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    sheet = grid([("a", plain(*shape))], height=64)
    assert sheet.dtype == np.float32
    top, left, height, width = box_of(sheet, RED)
    assert (height, width) == expected
    assert abs((left + width / 2) - sheet.shape[1] / 2) <= 1, "in the middle"
    assert inked(sheet).any()
    assert inked(sheet)[: top + height].sum() == 0, "the label stands below"


def test_columns_are_as_asked() -> None:
    pictures = [("", plain(64, 64, BLUE)), ("", plain(64, 64, RED))]
    for columns, beside in ((1, False), (2, True), (9, True)):
        sheet = grid(pictures, height=64, columns=columns)
        (top1, left1, _, _), (top2, left2, _, _) = box_of(sheet, BLUE), box_of(sheet, RED)
        assert (top1 == top2, left1 < left2) == (beside, beside)


def test_many_pictures_all_stand_there() -> None:
    sheet = grid([(str(i), plain(32, 32, (i, 10.0, 90.0))) for i in range(150)], height=32)
    for i in range(150):
        assert box_of(sheet, (i, 10.0, 90.0))[2:] == (32, 32)
    assert 0.5 < sheet.shape[1] / sheet.shape[0] < 2


def test_the_grid_shows_the_pictures_themselves() -> None:
    image = picture(64, 96)
    sheet = grid([("x", image)], height=64)
    paper = (sheet == np.array(PAPER)).all(axis=2)
    top, left = np.nonzero(~paper)[0].min(), np.nonzero(~paper[:64])[1].min()
    np.testing.assert_array_equal(sheet[top : top + 64, left : left + 96], np.rint(image))


@pytest.mark.parametrize(("background", "dark"), [(PAPER, True), ((255, 255, 255), True), ((20, 20, 20), False)])
def test_letters_stand_out_from_the_background(background: tuple[int, int, int], dark: bool) -> None:
    sheet = grid([("label", plain(64, 64))], height=64, background=background)
    assert tuple(sheet[0, 0]) == background
    values = sheet[inked(sheet, background)]
    contrast = background[0] - values.min() if dark else values.max() - background[0]
    assert contrast > 150


def label_of(text: str, height: int = 64) -> np.ndarray:
    """The inked pixels of the label alone."""
    sheet = grid([(text, plain(64, 64))], height=height)
    top, _, high, _ = box_of(sheet, RED)
    return inked(sheet)[top + high :]


def test_letters_grow_with_the_pictures_and_are_never_tiny() -> None:
    heights = []
    for height in (32, 256, 512, 1024):
        rows = np.nonzero(label_of("H", height).any(axis=1))[0]
        heights.append(rows.max() - rows.min() + 1)
    assert heights == sorted(heights)
    assert heights[0] >= 8, "a capital is three quarters of 12 pixels"
    assert heights[-1] >= 1024 / 17 * 0.6


def test_a_label_has_as_many_lines_as_it_says() -> None:
    for count in (1, 2, 3):
        rows = label_of("\n".join(["H"] * count)).any(axis=1)
        assert np.sum(rows[1:] & ~rows[:-1]) == count


@pytest.mark.parametrize("length", [30, 500, 100_000])
def test_a_long_label_is_shortened_in_the_middle(length: int) -> None:
    text = label_of("a" + "m" * length + "b")
    np.testing.assert_array_equal(text.shape, label_of("a").shape)
    assert text.any()
    other = label_of("a" + "m" * length + "H")
    assert (text != other).any(), "its end is still there"
    assert not text[:, :2].any()
    assert not text[:, -2:].any()


@pytest.mark.parametrize(("text", "same"), [
    ("café", "cafe"), ("cafe\u0301", "cafe"), ("Ångström", "Angstrom"), ("東京", "??"),
    ("\udcff", "?"), ("a\x07b", "a?b"), ("\uffff", "?"), ("½", "1"), ("a\tb", "a b"), ("🎨", "?"),
])  # fmt: skip
def test_letters_that_the_font_lacks_are_replaced(text: str, same: str) -> None:
    np.testing.assert_array_equal(label_of(text), label_of(same))


@given(st.text(st.characters(codec=None), max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_label(text: str) -> None:
    sheet = grid([(text, plain(32, 32))], height=32)
    assert np.isfinite(sheet).all()
    assert box_of(sheet, RED)[2:] == (32, 32)


def test_a_label_without_letters_is_no_fault() -> None:
    assert not label_of("").any()
    assert not label_of("\n").any()


@pytest.mark.parametrize(("pictures", "settings", "words"), [
    ([], {}, "at least one picture, got none"),
    ([("a", np.zeros((4, 4)))], {}, r"a: expected an image \(H, W, 3\), got \(4, 4\)"),
    ([("a", np.zeros((0, 4, 3)))], {}, r"got \(0, 4, 3\)"),
    ([("a", "no image")], {}, "got <class 'str'>"),
    ([("a", np.full((4, 4, 3), np.nan))], {}, "a: expected finite pixels"),
    ([("a", np.zeros((4, 4, 3)))], {"height": 31}, "height of a sheet's pictures: expected 32 or more, got 31"),
    ([("a", np.zeros((4, 4, 3)))], {"columns": 0}, "columns of a sheet: expected 1 or more, got 0"),
])  # fmt: skip
def test_what_makes_no_sheet_is_refused(pictures: Any, settings: dict[str, int], words: str) -> None:
    with pytest.raises(ImageError, match=words):
        grid(pictures, **settings)


def test_pillow_without_its_letters_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(size: float) -> None:
        raise ImportError("The _imagingft C module is not installed")

    monkeypatch.setattr("minstyle.images.grid.ImageFont.load_default", refuse)
    with pytest.raises(ImageError, match=re.escape("labels need a Pillow that was built with FreeType")):
        grid([("a", plain(4, 4))])


# A text in the place of a picture


@pytest.mark.parametrize("size", [(256, 384), (128, 128), (32, 16), (40, 2000), (2000, 40), (1, 1)], ids=str)
@pytest.mark.parametrize("text", ["", "short", "words " * 200, "m" * 1000, "東京 " * 9])
def test_a_note_is_an_image_of_that_size(size: tuple[int, int], text: str) -> None:
    image = note(text, *size)
    assert image.shape == (*size, 3)
    assert (len(np.unique(image)) > 1) <= (text != "")
    if min(size) >= 128:
        assert (len(np.unique(image)) > 1) == (text != "")
        assert len(np.unique(np.concatenate([image[:, :4], image[:, -4:]]))) == 1, "nothing runs out at its sides"
        assert len(np.unique(image[-4:])) == 1
