"""What is to be painted, a row each: all photographs by all styles, one by one, or as a table says."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RecipeError, require
from ..job.recipefile import text_of
from ..job.variants import parse_change
from ..suggest import did_you_mean

_MOST = 100_000  # rows
_COLUMNS = ("content", "style", "out", "mask", "recipe")  # the others are settings


@dataclass(frozen=True)
class Row:
    """A photograph, its styles, and what else a table says of it; ``settings`` are fields of the recipe."""

    content: Path
    styles: tuple[Path, ...]
    out: str | None = None
    recipe: str | None = None
    masks: tuple[Path, ...] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def rows_of(contents: Sequence[Path], styles: Sequence[Path], one_by_one: bool) -> list[Row]:
    """All by all, or each photograph with the style in its place. Raises RecipeError for lists of unlike length."""
    if not one_by_one:
        return [Row(content, (style,)) for content in contents for style in styles]
    count = f"{len(contents)} styles, as many as photographs"
    require(len(contents) == len(styles), "--zip", count, len(styles), RecipeError)
    return [Row(content, (style,)) for content, style in zip(contents, styles, strict=True)]


def rows_of_table(path: Path) -> list[Row]:
    """The rows of a JSON file (a list of objects) or a CSV file (its first line has the names).

    ``content`` and ``style`` are files, beside the table unless they are absolute; several styles, which are mixed,
    are a list, in CSV parted by ";". ``out`` is the picture's name, ``mask`` those of content and styles, ``recipe``
    what --recipe takes; every other name is a field of the recipe. Raises RecipeError, which names the row.
    """
    text = text_of(path, "a table")
    if "\0" in text or "\\u0000" in text:  # in no file's name
        raise RecipeError(f"{path}: expected a table, got zero bytes")
    found = _json(path, text) if path.suffix.lower() == ".json" else _csv(path, text)
    require(0 < len(found) <= _MOST, f"{path}", f"1 to {_MOST} rows", len(found), RecipeError)
    rows = []
    for number, cells in enumerate(found, start=1):
        try:
            rows.append(_row(cells, path.parent))
        except RecipeError as error:
            raise RecipeError(f"{path}, row {number}: {error}") from None
    return rows


def _json(path: Path, text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: expected JSON ({' '.join(str(error).split())[:200]})") from None
    good = isinstance(found, list) and all(isinstance(row, dict) for row in found)
    require(good, f"{path}", "a list of objects", type(found).__name__, RecipeError)
    return list(found)


def _csv(path: Path, text: str) -> list[dict[str, Any]]:
    lines = text.lstrip("\ufeff").splitlines()
    try:
        reader = csv.DictReader(lines, dialect=csv.Sniffer().sniff(lines[0], ",\t") if lines else "excel")
    except csv.Error:  # one column only
        reader = csv.DictReader(lines)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise RecipeError(f"{path}: expected CSV ({error})") from None
    for number, row in enumerate(rows, start=1):
        require(None not in row, f"{path}, row {number}", f"{len(reader.fieldnames or ())} cells", "more", RecipeError)
    return [{(name or "").strip(): cell.strip() for name, cell in row.items() if cell and cell.strip()} for row in rows]


def _row(cells: Mapping[str, Any], folder: Path) -> Row:
    rest = dict(cells)

    def one(name: str) -> str | None:
        value: str | None = rest.pop(name, None)
        good = value is None or (isinstance(value, str) and 0 < len(value) < 5000)
        require(good, name, "a text", repr(value)[:60], RecipeError)
        return value

    def several(name: str) -> tuple[Path, ...]:
        value = rest.pop(name, None)
        parts = value.split(";") if isinstance(value, str) else value or []
        good = isinstance(parts, list) and all(isinstance(part, str) and 0 < len(part) < 5000 for part in parts)
        require(good, name, "file names", repr(value)[:60], RecipeError)
        return tuple(folder / part.strip() for part in parts)

    content, styles, masks, out, recipe = one("content"), several("style"), several("mask"), one("out"), one("recipe")
    if content is None or not styles:
        near = next(filter(None, (did_you_mean(name, ("content", "style")) for name in rest)), "")
        got = ", ".join(cells) or "nothing"
        raise RecipeError(f"expected content and style, got {got}{'; ' if near else ''}{near.strip()}")
    settings = dict(parse_change(name, _text(value), _COLUMNS) for name, value in rest.items())
    return Row(folder / content, styles, out, recipe, masks or None, settings)


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
