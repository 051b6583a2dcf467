"""A setting of a recipe: a dataclass field that knows its help text, how to read it from a text, and what it may be.

The command line's options are made from these, so that a default and its help text stand in one place.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import sys
import textwrap
from collections.abc import Callable
from typing import Any

from ..errors import RecipeError, require

MAX_WHOLE_NUMBER = 2**31 - 1  # within what every library takes
MAX_WEIGHT = 1e12  # that float32 can sum what it multiplies, on any picture; the programs that are known have up to 1e6
MOST_SHOWN = 200  # characters of a value in an error
MOST_VALUES = 256  # of a setting that is a tuple
MAX_DIGITS = 400  # of a whole number in JSON


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
    windows: "left,top,right,bottom as fractions of the picture, as in 0,0,0.5,1; with / between pictures",
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
    also: tuple[str, ...] = (),
    metavar: str | None = None,
) -> Any:
    """A field that is also an option of the command line, called ``flag`` or after the field, and ``also`` these."""
    metadata = dict(help=help, parse=parse, group=group, minimum=minimum, maximum=maximum, choices=choices)
    return dataclasses.field(default=default, metadata=dict(metadata, flag=flag, also=also, metavar=metavar))


def explained(cls: type[Any]) -> type[Any]:
    """The dataclass, with the help text of each of its settings in its docstring."""
    fields = [field for field in dataclasses.fields(cls) if "help" in field.metadata]
    width = 2 + max(len(field.name) for field in fields)
    lines = [textwrap.fill(f"{field.name:{width}}{field.metadata['help']}", 100, initial_indent="    ",
                           subsequent_indent=" " * (4 + width)) for field in fields]  # fmt: skip
    cls.__doc__ = "\n".join([(cls.__doc__ or "").rstrip(), "", *lines, ""])
    return cls


def is_many(field: dataclasses.Field[Any]) -> bool:
    """Whether the setting is a tuple: a single value stands for a tuple of one."""
    return field.metadata.get("parse") in (whole_numbers, numbers, windows)


def choices_of(settings: type, name: str) -> tuple[str, ...]:
    """The values that a dataclass's field of that name, one with a fixed set of them, may have."""
    choices: tuple[str, ...] = {field.name: field for field in dataclasses.fields(settings)}[name].metadata["choices"]
    return choices


def check_setting(field: dataclasses.Field[Any], value: Any) -> None:
    """Raises RecipeError unless a setting has the type, the choices and the range that its metadata says."""
    expected, wrong = expectation(field, value)
    if expected:
        raise RecipeError(f"{field.name}: expected {expected}, got {shown(wrong)}{_without_quotes(field, value)}")


def _without_quotes(field: dataclasses.Field[Any], value: Any) -> str:
    """ "; write 64, without quotes" for the text "64" of a setting that is a number."""
    parse = field.metadata["parse"]
    if not isinstance(value, str) or parse is str or len(value) > MOST_SHOWN:
        return ""
    with contextlib.suppress(ValueError):
        number = parse(value)
        return f"; write {number[0] if isinstance(number, tuple) and len(number) == 1 else number}, without quotes"
    return ""


def expectation(field: dataclasses.Field[Any], value: Any) -> tuple[str, Any]:
    """What was expected of a setting in place of ``value``, and the part of it that is wrong; ("", None) if none is."""
    data = field.metadata
    parse, expected, wrong = data["parse"], "", value
    if parse is str:
        expected = "" if value in data["choices"] else " or ".join(data["choices"])
    elif is_many(field):
        whole = parse is whole_numbers
        if not isinstance(value, tuple) or (not value and field.default != ()):
            expected = "windows" if parse is windows else "whole numbers" if whole else "numbers"
        elif len(value) > MOST_VALUES:
            expected, wrong = f"at most {MOST_VALUES} values", len(value)
        elif parse is windows:
            expected = "" if all(map(_is_window, value)) else "left < right and top < bottom from 0 to 1 for each"
        else:
            spans = ((expected_number(number, data["minimum"], data["maximum"], whole), number) for number in value)
            expected, wrong = next((found for found in spans if found[0]), ("", None))
    elif value is not None or field.default is not None:
        expected = expected_number(value, data["minimum"], data["maximum"], parse is int)
    return expected, wrong if expected else None


def check_number(name: str, value: Any, minimum: float, maximum: float | None = None, whole: bool = False) -> None:
    """Raises RecipeError that names the number and its range."""
    expected = expected_number(value, minimum, maximum, whole)
    check(not expected, name, expected, value)


def expected_number(value: Any, minimum: float, maximum: float | None, whole: bool = False) -> str:
    """What was expected in place of ``value``; "" if it is a number in its range."""
    good = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
    good = good and minimum <= value <= (MAX_WHOLE_NUMBER if whole else sys.float_info.max)
    if good and (maximum is None or value <= maximum):
        return ""
    span = f"of {minimum} or more" if maximum is None else f"from {minimum} to {short(maximum)}"
    return f"{'a whole number' if whole else 'a number'} {span}"


def short(number: float) -> str:
    """ "1e+12" for 1e12, "100000" for 100000"""
    return f"{number:g}" if isinstance(number, float) else str(number)


def check(condition: bool, name: str, expected: str, actual: object) -> None:
    require(condition, name, expected, shown(actual), RecipeError)


def shown(value: object) -> str:
    """A value for an error's line, which it must not fill."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."


def _is_window(window: Any) -> bool:
    if not isinstance(window, tuple) or len(window) != 4:
        return False
    if not all(isinstance(x, (int, float)) and not isinstance(x, bool) and 0 <= x <= 1 for x in window):
        return False
    left, top, right, bottom = window
    return bool(left < right and top < bottom)


def json_number(text: str) -> Any:
    """A JSON number; one that no number can hold as its text, by which the line that refuses it calls it."""
    if not text.lstrip("-").isdecimal():
        return float(text) if math.isfinite(float(text)) else text
    return int(text) if len(text) <= MAX_DIGITS else text


def json_value(value: Any, depth: int = 0) -> Any:
    """A value of JSON with its lists as tuples; raises ValueError for lists in lists in lists."""
    if not isinstance(value, list):
        return value
    if depth == 2:
        raise ValueError("expected lists nested at most two deep, got deeper ones")
    return tuple(json_value(part, depth + 1) for part in value)
