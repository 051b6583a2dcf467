"""The state of a run in a file, "minstyle-state 1": an archive of NumPy arrays, nothing packed, nothing pickled.

Each array is a ``.npy`` record. ``text`` has JSON in UTF-8: ``format``, ``version``, the
state's numbers, ``about``, what the writer says of the run, and for each part of the history its stage, shape and names
of terms; the losses, and each term's share, are the arrays ``history0`` and so on, (evaluations, 1 + terms). What a
file declares is checked against its length before memory is asked for; the archive's checksums tell damage.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, to_host
from ..errors import CheckpointError, FileError, WeightsError
from ..files import replacing
from ..optimize.adam import AdamState
from ..optimize.lbfgs_state import LbfgsState
from ..weights.readers import archive
from .minimise import Midway
from .result import Record
from .state import RunState
from .statearchive import Records, check, count_of, no_number, number_of

FORMAT, VERSION = "minstyle-state", 1
_MAX_TEXT = 1 << 20  # bytes
_MAX_EVALUATIONS = 1 << 20
_MAX_PAIRS = 1000
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, MemoryError,
           EOFError, zipfile.BadZipFile, struct.error, WeightsError)  # fmt: skip


def save_state(state: RunState, path: str | Path) -> None:
    """Write where a run stands, for ``load_state``; the file is whole or absent. Raises FileError."""
    with replacing(path) as temporary:
        write_state(state, temporary)


def load_state(path: str | Path) -> RunState:
    """What ``save_state``, or a checkpoint, has written. Raises CheckpointError, which names what is wrong."""
    return read_state(path)[0]


def write_state(state: RunState, path: str | Path, about: Mapping[str, Any] | None = None) -> None:
    """Write the state as far as it need not be computed again, and ``about``, JSON, right at ``path``, to the disk.

    No array is copied. Raises FileError.
    """
    parts = _history_parts(state.history[: state.done])
    arrays = dict(_arrays(state))
    arrays |= {f"history{i}": np.array(part.pop("losses"), np.float64) for i, part in enumerate(parts)}
    text = {"format": FORMAT, "version": VERSION, "about": dict(about or {}), "history": parts, **_numbers(state)}
    arrays["text"] = np.frombuffer(json.dumps(text, allow_nan=False).encode(), np.uint8)
    try:
        with open(path, "wb") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as zipped:
                for name, array in arrays.items():
                    with zipped.open(f"{name}.npy", "w", force_zip64=True) as record:
                        np.lib.format.write_array(record, to_host(array), allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error


def state_bytes(state: RunState) -> int:
    """About how long the file of a state is."""
    return sum(array.nbytes for _, array in _arrays(state))


def read_state(path: str | Path) -> tuple[RunState, dict[str, Any]]:
    """(the state, what its writer said about the run). Raises CheckpointError that names the file."""
    try:
        with archive.opened(Path(path)) as zipped:
            return _read(zipped, os.path.getsize(path))
    except FileNotFoundError:
        raise CheckpointError(f"{path} not found: expected the checkpoint of a run") from None
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {' '.join(str(error).split())}") from None
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(f"{path}: not a whole checkpoint ({reason})") from error


# What is written


def _numbers(state: RunState) -> dict[str, Any]:
    midway, kind = state.midway, {AdamState: "adam", LbfgsState: "lbfgs"}
    numbers: dict[str, Any] = {
        "stage": state.stage,
        "round": state.round,
        "before": state.before,
        "seconds": state.seconds,
        "best_loss": None if state.best is None else state.best_loss,
        "adam": None if state.adam_state is None else _counts(state.adam_state),
        "midway": None,
    }
    if midway is not None:
        numbers["midway"] = {"evaluations": midway.evaluations, "iterations": midway.iterations,
                             "kind": kind[type(midway.state)], **_counts(midway.state)}  # fmt: skip
    return numbers


def _counts(state: AdamState | LbfgsState) -> dict[str, Any]:
    if isinstance(state, AdamState):
        return {"steps": state.steps, "averaged": state.averaged}
    return {"order": state.order, "scale": state.scale, "losses": state.losses, "loss": state.loss}


def _arrays(state: RunState) -> Iterator[tuple[str, Array]]:
    named = [("image", state.image), ("best", state.best)]
    if state.adam_state is not None:
        named += _of_adam("adam", state.adam_state)
    if state.midway is not None:
        of, named = state.midway.state, [*named, ("x", state.midway.x)]
        if isinstance(of, AdamState):
            named += _of_adam("midway", of)
        else:
            named += [("gradient", of.gradient), ("products", of.products), ("slopes", of.slopes)]
            # Pairs that are not in use have not been told, or are to be overwritten.
            named += [(f"{what}{i}", rows[i]) for what, rows in (("step", of.steps), ("change", of.changes))
                      for i in of.order]  # fmt: skip
    return ((name, array) for name, array in named if array is not None)


def _of_adam(prefix: str, state: AdamState) -> list[tuple[str, Array]]:
    return [(f"{prefix}_{name}", getattr(state, name)) for name in ("first", "second", "average")]


def _history_parts(history: Sequence[Record]) -> list[dict[str, Any]]:
    """Records of the same stage, shape and terms, one after another, as one part."""
    parts = itertools.groupby(history, key=lambda record: (record.stage, record.shape, tuple(record.terms)))
    return [
        {"stage": stage, "shape": shape, "terms": names,
         "losses": [[record.loss, *record.terms.values()] for record in records]}
        for (stage, shape, names), records in parts
    ]  # fmt: skip


# What is read


def _read(zipped: zipfile.ZipFile, size: int) -> tuple[RunState, dict[str, Any]]:
    records = Records(zipped, size)
    if records.has("text"):
        length = zipped.getinfo("text.npy").file_size
        check(length <= _MAX_TEXT, "text", f"at most {_MAX_TEXT} bytes", length)
    text = json.loads(records.array("text", "u").tobytes(), parse_constant=no_number)
    check(isinstance(text, dict) and text.get("format") == FORMAT, "format", FORMAT, "another")
    check(text["version"] == VERSION, "version", VERSION, text["version"])
    check(isinstance(text["about"], dict), "about", "an object", type(text["about"]).__name__)
    image, best = (records.image(name) if records.has(name) else None for name in ("image", "best"))
    history = _history(records, text["history"])
    state = RunState(count_of(text, "stage"), count_of(text, "round"), image, best=best, history=history)
    state.before, state.seconds = count_of(text, "before"), number_of(text, "seconds")
    if best is not None:
        state.best_loss = number_of(text, "best_loss")
    if text["adam"] is not None:
        check(image is not None or best is not None, "adam", "an image beside it", "none")
        state.adam_state = _adam(records, "adam", records.array("adam_first"), text["adam"])
    if text["midway"] is not None:
        state.midway = _midway(records, text["midway"])
    good = state.done == len(history) and (best is not None or not history)
    check(good, "history", f"{state.done} evaluations, and their best image", len(history))
    return state, text["about"]


def _midway(records: Records, numbers: dict[str, Any]) -> Midway:
    x, kind = records.image("x"), numbers["kind"]
    check(kind in ("adam", "lbfgs"), "midway", "adam or lbfgs", str(kind)[:40])
    state = _adam(records, "midway", x, numbers) if kind == "adam" else _lbfgs(records, x, numbers)
    return Midway(x, state, count_of(numbers, "evaluations"), count_of(numbers, "iterations"))


def _adam(records: Records, prefix: str, x: np.ndarray, numbers: dict[str, Any]) -> AdamState:
    names = [f"{prefix}_{name}" for name in ("first", "second", "average")]
    first, second, average = (records.image(name, x) if records.has(name) else None for name in names)
    check(first is not None and second is not None, prefix, "two moments", "fewer")
    assert second is not None
    check(bool((second >= 0).all()), names[1], "numbers from 0", "smaller ones")
    return AdamState(first, second, count_of(numbers, "steps"), average, count_of(numbers, "averaged"))


def _lbfgs(records: Records, x: np.ndarray, numbers: dict[str, Any]) -> LbfgsState:
    slopes = records.array("slopes")
    pairs = slopes.size
    check(slopes.ndim == 1 and 1 <= pairs <= _MAX_PAIRS, "slopes", f"1 to {_MAX_PAIRS} numbers", slopes.shape)
    products = records.array("products", shape=(pairs, pairs))
    good = slopes.dtype == products.dtype == np.float64
    check(good, "products", "float64", (products.dtype, slopes.dtype))
    order, losses = numbers["order"], numbers["losses"]
    good = isinstance(order, list) and all(type(i) is int and 0 <= i < pairs for i in order)
    check(good and len(set(order)) == len(order), "order", f"different numbers below {pairs}", str(order)[:60])
    check(isinstance(losses, list) and len(losses) <= 20, "losses", "at most 20 numbers", str(losses)[:60])
    rows = {what: np.zeros((pairs, x.size), x.dtype) for what in ("step", "change")}
    for what, array in rows.items():
        for i in order:
            row = records.array(f"{what}{i}", shape=(x.size,))
            check(row.dtype == x.dtype, f"{what}{i}", x.dtype, row.dtype)
            array[i] = row
    latest = [number_of({"losses": loss}, "losses") for loss in losses]
    loss, gradient = number_of(numbers, "loss"), records.image("gradient", x)
    scale = number_of(numbers, "scale")
    return LbfgsState(x, loss, gradient, rows["step"], rows["change"], products, slopes, order, scale, latest)


def _history(records: Records, parts: Any) -> list[Record]:
    check(isinstance(parts, list), "history", "a list", type(parts).__name__)
    history: list[Record] = []
    for i, part in enumerate(parts):
        names, shape = part["terms"], part["shape"]
        good = isinstance(names, list) and all(isinstance(name, str) and name.isprintable() for name in names)
        check(good, "history", "names of terms", str(names)[:60])
        good = isinstance(shape, list) and len(shape) == 2 and all(type(side) is int and side > 0 for side in shape)
        check(good, "history", "a shape (height, width)", str(shape)[:60])
        losses, stage = records.array(f"history{i}"), count_of(part, "stage")
        good = losses.ndim == 2 and losses.shape[1] == 1 + len(names)
        check(good, f"history{i}", f"{1 + len(names)} columns", losses.shape)
        total = len(history) + len(losses)
        check(total <= _MAX_EVALUATIONS, "history", f"at most {_MAX_EVALUATIONS} evaluations", total)
        for loss, *terms in losses.tolist():
            named = dict(zip(names, terms, strict=True))
            history.append(Record(len(history) + 1, (shape[0], shape[1]), loss, named, stage))
    return history
