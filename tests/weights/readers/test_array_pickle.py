"""weights/readers/array_pickle.py: pickled dictionaries of arrays are read; anything more is refused unrun."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.weights.readers.array_pickle import read_array_pickle
from tests.support.damaged import flipped_files, outcomes_in_child
from tests.support.foreign_arrays import flax_tree
from tests.support.harmful_pickles import HARM, Call
from tests.support.memory import peak_memory
from tests.support.small import random_weights

READER = "minstyle.weights.readers.array_pickle.read_array_pickle"
RECONSTRUCT: Any = np.zeros(1).__reduce__()[0]


def refusal(path: Path) -> str:
    """The message with which ``path`` is refused: one line that begins with the file."""
    with pytest.raises(WeightsError) as caught:
        read_array_pickle(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) == 1
    return message


def saved(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "vgg16.ckpt").write_bytes(content)
    return tmp_path / "vgg16.ckpt"


# ---------------------------------------------------------------- reading


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8", ">f2", ">f4", ">f8"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_of_every_float_type_are_read_equal(tmp_path: Path, protocol: int, dtype: str) -> None:
    values = np.random.default_rng(0).standard_normal((3, 3, 2, 5)).astype(dtype)
    layouts = {"C": values, "F": np.asfortranarray(values), "view": values[::2, :, :, ::-1], "flat": values.ravel()}
    arrays = read_array_pickle(saved(tmp_path, pickle.dumps({"a": layouts, "top": values}, protocol)))
    assert set(arrays) == {"a/C", "a/F", "a/view", "a/flat", "top"}
    for name, expected in {**{f"a/{key}": value for key, value in layouts.items()}, "top": values}.items():
        np.testing.assert_array_equal(arrays[name], expected)
        assert arrays[name].dtype == np.dtype(dtype).newbyteorder("="), "native from here on"


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_the_published_layout_is_read_whichever_numpy_wrote_it(tmp_path: Path, module: bytes) -> None:
    layers = random_weights("vgg16", (2, 3, 2, 3, 2)).layers
    content = re.sub(rb"cnumpy\.(_core|core)\.multiarray\n", b"c" + module + b"\n", pickle.dumps(flax_tree(layers), 3))
    assert b"c" + module + b"\n" in content
    arrays = read_array_pickle(saved(tmp_path, content))
    assert len(arrays) == 2 * len(layers)
    for i, (kernel, bias) in enumerate(layers.values()):
        np.testing.assert_array_equal(arrays[f"VGG16_0/Conv_{i}/kernel"], kernel)
        np.testing.assert_array_equal(arrays[f"VGG16_0/Conv_{i}/bias"], bias)


# ---------------------------------------------------------------- pickles that would run something


def tree_with(harm: Any, place: str) -> Any:
    """``harm`` at a place in a tree of arrays."""
    objects = np.empty(1, dtype=object)
    objects[0] = harm
    good = np.zeros((2, 2), np.float32)
    state = (1, (1,), np.dtype("f4"), False, b"abcd")
    return {
        "top": harm,
        "value": {"VGG16_0": {"kernel": good, "bias": harm}},
        "key": {"a": good, harm: good},
        "list": {"a": [good, (harm,)]},
        "object array": {"a": objects},
        "argument": {"a": Call(RECONSTRUCT, np.ndarray, (0,), harm)},
        "state": {"a": Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(*state[:4], harm))},
        "shape": {"a": Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (harm,), *state[2:]))},
        "type": {"a": Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, (1,), harm, *state[3:]))},
        "type's name": {"a": Call(np.dtype, harm)},
        "type's state": {"a": Call(np.dtype, "f4", False, True, state=(3, harm, None, None, None, -1, -1, 0))},
    }[place]


PLACES = ("top", "value", "key", "list", "object array", "argument", "state", "shape", "type", "type's name",
          "type's state")  # fmt: skip


@pytest.mark.parametrize("name", list(HARM))
def test_the_harmful_pickles_do_harm_a_trusting_unpickler(tmp_path: Path, name: str) -> None:
    content = pickle.dumps(tree_with(HARM[name](str(tmp_path / "sentinel")), "value"), 4)
    pickle.loads(content)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", list(HARM))
def test_no_pickle_runs_anything(tmp_path: Path, name: str, protocol: int) -> None:
    path = saved(tmp_path, pickle.dumps(tree_with(HARM[name](str(tmp_path / "sentinel")), "value"), protocol))
    assert re.search(r"the pickle names [\w.]+; only arrays and tensors are admitted", refusal(path))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", PLACES)
def test_no_pickle_runs_anything_wherever_it_hides(tmp_path: Path, place: str, protocol: int) -> None:
    harm = HARM["builtins.exec"](str(tmp_path / "sentinel"))
    path = saved(tmp_path, pickle.dumps(tree_with(harm, place), protocol))
    refusal(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [
    b"cos\nsystem\n(S'touch SENTINEL'\ntR.", b"(S'touch SENTINEL'\nios\nsystem\n.", b"cnumpy\n__builtins__\n.",
    b"(cos\nsystem\nS'touch SENTINEL'\no.", b"\x8c\x05os\nos\x8c\x06system\x93.", b"c__builtin__\neval\n(S'1'\ntR.",
    b"cnumpy\nload\n(S'SENTINEL'\ntR.", b"cnumpy.core.multiarray\nfrombuffer\n(S'abcd'\ntR.",
    b"cnumpy.core.multiarray\nfromfile\n(S'SENTINEL'\ntR.", b"cbuiltins\ngetattr\n(cnumpy\nndarray\nS'tofile'\ntR.",
    b"\x8c\x02os\x8c\x06system\x93.", b"cnumpy\nndarray.tofile\n.", b"S'persistent'\nQ.",
    b"Ppersistent\n.", b"\x82\x01.", b"I1\n.",
])  # fmt: skip
def test_hand_made_pickles_are_refused(tmp_path: Path, text: bytes) -> None:
    path = saved(tmp_path, b"\x80\x04" + text.replace(b"SENTINEL", str(tmp_path / "sentinel").encode()))
    refusal(path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_array_class_in_the_file_cannot_be_changed_for_later_files(tmp_path: Path) -> None:
    """BUILD sets attributes of what lies on the stack, here of the reader's own stand-ins for NumPy's names."""
    good = pickle.dumps({"a": np.arange(3.0)}, 4)
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct"):
        state = b"(N}S'__setstate__'\nNs}S'__init__'\nNst"
        path = saved(tmp_path, b"\x80\x04c" + name + b"\n" + state + b"b.")
        refusal(path)
        np.testing.assert_array_equal(read_array_pickle(saved(tmp_path, good))["a"], np.arange(3.0))


# ---------------------------------------------------------------- pickles that are no dictionaries of float arrays


@pytest.mark.parametrize("tree", [
    [np.zeros(3)], (np.zeros(3),), 3, None, "text", b"bytes", {"a": 1.0}, {"a": None}, {"a": [3.0]},
    {"a": {"b": "text"}}, {1: np.zeros(3)}, {b"a": np.zeros(3)}, {None: np.zeros(3)}, {"a": {("b",): np.zeros(3)}},
    np.dtype("f4"), {"a": np.dtype("f4")}, {"a": np.ndarray}, {"a": np.float32(1)},
], ids=repr)  # fmt: skip
@pytest.mark.parametrize("protocol", [3, 5])
def test_other_structures_are_refused(tmp_path: Path, tree: Any, protocol: int) -> None:
    refusal(saved(tmp_path, pickle.dumps(tree, protocol)))


@pytest.mark.parametrize(("dtype", "named"), [
    ("i4", "i4"), ("u1", "u1"), ("?", "b1"), ("c8", "c8"), ("U3", "U3"), ("S3", "S3"), ("M8[s]", "M8"), ("V4", "V4"),
    ([("x", "f4")], "V4"),
])  # fmt: skip
@pytest.mark.parametrize("protocol", [3, 4])
def test_other_types_are_refused_by_name(tmp_path: Path, dtype: Any, named: str, protocol: int) -> None:
    path = saved(tmp_path, pickle.dumps({"a": np.zeros(3, dtype)}, protocol))
    assert f"expected floating-point arrays, got type {named!r}" in refusal(path)


@pytest.mark.parametrize(("shape", "data"), [
    ((2, 3), b"\0" * 20), ((2, 3), b"\0" * 28), ((), b""), ((2**40,), b"\0" * 8), ((2**62, 4), b""), ((-1,), b"\0" * 4),
    ((-2, -3), b"\0" * 24), ((-(2**40),), b""), ((1.5, 2), b"\0" * 12), ("ab", b"\0" * 8), (2, b"\0" * 8), ((2,), None),
    (("a", "b"), b"\0" * 4), ((None,), b""), ({2: 2}, "text"), ((2,), "text"), ((2,), [0.0, 0.0]),
    ((1,) * 70, b"\0" * 4), ((10**5000,), b""),
], ids=lambda value: type(value).__name__)  # fmt: skip
def test_a_shape_that_does_not_fit_its_bytes_is_refused_without_memory(tmp_path: Path, shape: Any, data: Any) -> None:
    array = Call(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, shape, np.dtype("<f4"), False, data))
    path = saved(tmp_path, pickle.dumps({"a": array}, 4))
    with peak_memory(below=1e6):
        refusal(path)


def nested(depth: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"a": np.zeros(3)}
    for _ in range(depth):
        tree = {"a": tree}
    return tree


def test_dictionaries_within_dictionaries_without_end_are_refused(tmp_path: Path) -> None:
    endless: dict[str, Any] = {"a": np.zeros(3)}
    endless["b"] = endless
    for tree in (endless, nested(100)):
        refusal(saved(tmp_path, pickle.dumps(tree, 4)))


def test_a_small_file_cannot_stand_for_a_hundred_thousand_arrays(tmp_path: Path) -> None:
    tree: Any = np.zeros(1, np.float32)
    for _ in range(5):
        tree = {f"{i}": tree for i in range(10)}
    path = saved(tmp_path, pickle.dumps(tree, 4))
    assert path.stat().st_size < 2000
    refusal(path)


@pytest.mark.parametrize("content", [
    b"\x80\x02}r\x00\x00\x80\x00.", b"\x80\x04\x8e" + (2**34).to_bytes(8, "little") + b"abcd.",
    b"\x80\x05\x96" + (2**34).to_bytes(8, "little") + b"abcd.", b"\x80\x04\x95" + (2**34).to_bytes(8, "little") + b"}.",
], ids=["a memo of millions", "bytes", "bytearray", "frame"])  # fmt: skip
def test_a_few_bytes_cannot_ask_for_much_memory(tmp_path: Path, content: bytes) -> None:
    path = saved(tmp_path, content)
    with peak_memory(below=64e6):
        refusal(path)


def test_deep_nesting_does_not_crash_the_reader(tmp_path: Path) -> None:
    """Python's own hash of a tuple in a tuple in a tuple ... has no limit but the stack's end."""
    (tmp_path / "deep").write_bytes(b"\x80\x04})" + b"\x85" * 1_000_000 + b"K\x01s.")
    assert outcomes_in_child(READER, tmp_path) == {"deep": "refused"}


# ---------------------------------------------------------------- damaged files


@pytest.mark.parametrize("protocol", [3, 4])
def test_a_file_cut_anywhere_is_refused(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps(flax_tree(random_weights("vgg16", (2, 3, 2, 3, 2)).layers), protocol)
    for k in range(64):
        refusal(saved(tmp_path, content[: len(content) * k // 64]))
    refusal(saved(tmp_path, content[:-1]))


@pytest.mark.parametrize("protocol", [3, 4])
def test_flipped_bits_are_refused_or_leave_arrays(tmp_path: Path, protocol: int) -> None:
    content = pickle.dumps(flax_tree(random_weights("vgg16", (2, 1, 1, 1, 2)).layers), protocol)
    outcomes = outcomes_in_child(READER, flipped_files(saved(tmp_path, content), 400))
    assert set(outcomes.values()) == {"refused", "valid"}
