"""A setting of a recipe: a dataclass field that knows its help text, how to read it from a text, and what it may be.

The command line's options are made from these, so that a default and its help text stand in one place.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

from ..errors import RecipeError, require

MAX_WHOLE_NUMBER = 2**31 - 1  # within what every library takes


def whole_numbers(text: str) -> tuple[int, ...]:
    """ "128,256" -> (128, 256); raises ValueError."""
    return tuple(int(part) for part in text.split(","))


def numbers(text: str) -> tuple[float, ...]:
    """ "3,0.5" -> (3.0, 0.5); raises ValueError."""
    return tuple(float(part) for part in text.split(","))


def windows(text: str) -> tuple[tuple[float, ...], ...]:
    """ "0,0,0.5,1/0,0,1,1" -> ((0, 0, 0.5, 1), (0, 0, 1, 1)); raises ValueError."""
    return tuple(numbers(part) for part in text.split("/"))


# What each parser expects, for the line about a wrong value.
EXPECTED: dict[Callable[[str], Any], str] = {
    int: "a whole number",
    float: "a number",
    whole_numbers: "whole numbers, as in 400 or 128,256",
    numbers: "numbers, as in 1 or 3,7",
    windows: "left,top,right,bottom in parts of the picture, as in 0,0,0.5,1; for several pictures with / between them",
}


def setting(
    help: str,
    parse: Callable[[str], Any],
    *,
    group: str,
    default: Any,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    flag: str | None = None,
    metavar: str | None = None,
) -> Any:
    """A field that is also an option of the command line, called ``flag`` or after the field."""
    metadata = dict(help=help, parse=parse, group=group, minimum=minimum, maximum=maximum, choices=choices)
    return dataclasses.field(default=default, metadata=dict(metadata, flag=flag, metavar=metavar))


def is_many(field: dataclasses.Field[Any]) -> bool:
    """Whether the setting is a tuple: a single value stands for a tuple of one."""
    return field.metadata.get("parse") in (whole_numbers, numbers, windows)


def check_setting(field: dataclasses.Field[Any], value: Any) -> None:
    """Type, choices and range of one setting, as its metadata says. Raises RecipeError."""
    name, data = field.name, field.metadata
    parse = data["parse"]
    if parse is str:
        check(value in data["choices"], name, " or ".join(data["choices"]), value)
    elif parse is windows:
        check(isinstance(value, tuple) and all(_is_window(w) for w in value), name,
              "left < right and top < bottom from 0 to 1 for each", value)  # fmt: skip
    elif is_many(field):
        whole = parse is whole_numbers
        kind = "whole numbers" if whole else "numbers"
        check(isinstance(value, tuple) and (len(value) > 0 or field.default == ()), name, kind, value)
        for number in value:
            check_number(name, number, data["minimum"], data["maximum"], whole=whole)
    elif value is not None or field.default is not None:
        check_number(name, value, data["minimum"], data["maximum"], whole=parse is int)


def check_number(name: str, value: Any, minimum: float, maximum: float | None = None, whole: bool = False) -> None:
    """Raises RecipeError that names the number and its range."""
    kind = "a whole number" if whole else "a number"
    good = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
    good = good and minimum <= value <= (MAX_WHOLE_NUMBER if whole else sys.float_info.max)
    good = good and (maximum is None or value <= maximum)
    span = f"of {minimum} or more" if maximum is None else f"from {minimum} to {maximum}"
    check(good, name, f"{kind} {span}", value)


def check(condition: bool, name: str, expected: str, actual: object) -> None:
    require(condition, name, expected, repr(actual), RecipeError)


def _is_window(window: Any) -> bool:
    if not isinstance(window, tuple) or len(window) != 4:
        return False
    if not all(isinstance(x, (int, float)) and not isinstance(x, bool) and 0 <= x <= 1 for x in window):
        return False
    left, top, right, bottom = window
    return bool(left < right and top < bottom)
