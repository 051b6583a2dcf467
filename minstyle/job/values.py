"""Options' values: texts of the command line become numbers and names, or are refused as they were typed."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable
from typing import Any

from ..network.layers import canonical
from ..recipe.settings import EXPECTED, MAX_WEIGHT, expectation, expected_number, shown

ORIGINAL = -(2**62)  # among sizes: the photograph's own
_UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}

Refused = argparse.ArgumentTypeError


def of_field(field: dataclasses.Field[Any]) -> Callable[[str], Any]:
    """What reads the text of an option that is a field of the recipe: its type and range are the field's."""
    parse = field.metadata["parse"]
    expected = EXPECTED.get(parse, "")

    def convert(text: str) -> Any:
        try:
            value = parse(text)
        except ValueError:
            raise Refused(f"expected {expected}, got {shown(text)}") from None
        # Choices are argparse's to check.
        wanted = "" if parse is str else expectation(field, value)[0]
        if wanted:
            raise Refused(f"expected {wanted}, got {shown(text)}")
        return value

    def sizes(text: str) -> tuple[int, ...]:
        """ "128,original" -> (128, ORIGINAL)"""
        parts = text.split(",")
        given = [part for part in parts if part.strip() != "original"]
        try:
            numbers = iter(convert(",".join(given)) if given else ())
        except Refused as error:
            raise Refused(f"{str(error).split(', got')[0]}, or original, got {shown(text)}") from None
        return tuple(ORIGINAL if part.strip() == "original" else next(numbers) for part in parts)

    return sizes if field.name == "sizes" else convert


def weighted(text: str) -> dict[str, float | None]:
    """ "block1_conv1:0.5,block2_conv1" -> {"block1_conv1": 0.5, "block2_conv1": None}; conv1_1 is block1_conv1"""
    found: dict[str, float | None] = {}
    for part in text.split(","):
        name, colon, number = part.partition(":")
        name = canonical(name)
        if name in found:
            raise Refused(f"expected each name once, got {shown(name)[1:-1]} twice")
        found[name] = _weight(name, number) if colon else None
    return found


def _weight(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Refused(f"expected a number after {shown(name)[1:-1]}:, got {shown(text)}") from None
    if expected := expected_number(value, 0, MAX_WEIGHT):
        raise Refused(f"weight of {shown(name)[1:-1]}: expected {expected}, got {shown(text)}")
    return value


def device_of(text: str) -> str:
    """ "cuda", as PyTorch calls it, is "gpu"."""
    return "gpu" if text == "cuda" else text


def positive(text: str) -> int:
    if not text.isdecimal() or len(text) > 9 or int(text) < 1:
        raise Refused(f"expected a whole number of 1 or more, got {shown(text)}")
    return int(text)


def bytes_of(text: str) -> int:
    """ "4G" -> 4_000_000_000"""
    number, factor = text, 1.0
    if text[-1:].upper() in _UNITS:
        number, factor = text[:-1], _UNITS[text[-1:].upper()]
    if not re.fullmatch(r"\d{1,15}(\.\d{1,3})?", number) or float(number) == 0:
        raise Refused(f"expected bytes, as in 4G or 500M, got {shown(text)}")
    return round(float(number) * factor)


def quality(text: str) -> int:
    if not text.isdecimal() or len(text) > 3 or not 1 <= int(text) <= 100:
        raise Refused(f"expected a whole number from 1 to 100, got {shown(text)}")
    return int(text)
