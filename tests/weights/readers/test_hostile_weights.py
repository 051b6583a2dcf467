"""Weights files made to harm: pickles that would run code, archives and tensors that lie."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from minstyle.errors import WeightsError
from minstyle.weights.convert import convert
from minstyle.weights.readers.torch_file import STREAM_MAGIC
from tests.support.conversions import edited, refusal
from tests.support.foreign_files import state_dict, torch_zip
from tests.support.harmful_pickles import HARM, Call
from tests.support.hostile import judge
from tests.support.small import random_weights
from tests.support.torch_records import Stored, tensor, zip_of

TINY = random_weights("vgg16", (2, 2, 2, 2, 2))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "ours.h5"


# ---------------------------------------------------------------- code


def object_array(harm: Any) -> np.ndarray:
    array = np.empty((), dtype=object)
    array[()] = {"conv1_1": [harm, np.zeros(3)]}
    return array


def saved_npz(path: Path, harm: Any) -> None:
    with open(path, "wb") as file:
        np.savez_compressed(file, conv1_1=object_array(harm))


def saved_npy(path: Path, harm: Any) -> None:
    with open(path, "wb") as file:
        np.save(file, object_array(harm), allow_pickle=True)


CARRIERS: dict[str, Callable[[Path, Any], object]] = {
    "zip": lambda path, harm: torch.save({**state_dict(TINY), "more": harm}, path),
    "zip, all of it": lambda path, harm: torch.save(harm, path),
    "zip, nested": lambda path, harm: torch.save({"state_dict": {"features.0.weight": [harm]}}, path),
    "zip, protocol 4": lambda path, harm: torch.save({"more": harm}, path, pickle_protocol=4),
    "stream": lambda path, harm: torch.save({"more": harm}, path, _use_new_zipfile_serialization=False),
    "stream, a key": lambda path, harm: torch.save({harm: 3}, path, _use_new_zipfile_serialization=False),
    "npy": saved_npy,
    "npz": saved_npz,
    "pickle": lambda path, harm: path.write_bytes(pickle.dumps({"conv1_1": harm}, 4)),
}


@pytest.mark.parametrize("carrier", list(CARRIERS))
@pytest.mark.parametrize("name", list(HARM))
def test_no_file_runs_anything(tmp_path: Path, target: Path, name: str, carrier: str) -> None:
    CARRIERS[carrier](tmp_path / "weights", HARM[name](str(tmp_path / "sentinel")))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert "only arrays and tensors are admitted" in refusal(tmp_path / "weights", target)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("carrier", list(CARRIERS))
def test_chains_of_reduce_are_refused_at_the_first_name(tmp_path: Path, target: Path, carrier: str) -> None:
    sentinel = str(tmp_path / "sentinel")
    chain = Call(getattr, Call(__import__, "os"), "system")
    CARRIERS[carrier](tmp_path / "weights", Call(list, Call(map, chain, (f"touch {sentinel}",))))
    refusal(tmp_path / "weights", target)
    assert not Path(sentinel).exists()


@pytest.mark.parametrize("network", [torch.nn.Conv2d(1, 1, 1), torch.nn.Sequential()])
def test_a_whole_module_is_refused_by_name(tmp_path: Path, target: Path, network: torch.nn.Module) -> None:
    torch.save(network, tmp_path / "weights")
    assert f"names torch.nn.modules.{'conv.Conv2d' if len(list(network.parameters())) else 'container.Sequential'}" in (
        refusal(tmp_path / "weights", target)
    )


# ---------------------------------------------------------------- tensors that reach beyond their numbers


@pytest.mark.parametrize("bad", [
    tensor(Stored(4), 1, (4,), (1,)), tensor(Stored(4), -1, (4,), (1,)), tensor(Stored(4), 0, (4,), (2,)),
    tensor(Stored(4), 0, (4,), (-1,)), tensor(Stored(4), 0, (2, 3), (1, 1)), tensor(Stored(4), 0, (-1,), (1,)),
    tensor(Stored(4), 0, (2**40,), (0,)), tensor(Stored(4), 0, (2**31, 2**31, 4), (0, 0, 0)),
    tensor(Stored(4), 0, (1,) * 70, (1,) * 70), tensor(Stored(4), 0, (1.5,), (1,)), tensor(Stored(4), 0, (4,), ()),
    tensor(Stored(2**40), 0, (4,), (1,)), tensor(Stored(-4), 0, (4,), (1,)), tensor(Stored(3), 0, (3,), (1,)),
    tensor(Stored(4, torch.LongStorage), 0, (4,), (1,)), tensor(Stored(4, torch.FloatStorage, "../0"), 0, (4,), (1,)),
    tensor(Stored(4, torch.FloatStorage, 0), 0, (4,), (1,)), tensor(Stored("4"), 0, (4,), (1,)),
    tensor(Stored(4, "FloatStorage"), 0, (4,), (1,)), tensor(Stored(4, torch.FloatStorage, "0", (0, 4)), 0, (4,), (1,)),
    tensor(b"0", 0, (4,), (1,)), tensor(Stored(True), 0, (1,), (1,)), [tensor(Stored(4), 0, (4,), (1,))], Stored(4),
])  # fmt: skip
def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(tmp_path: Path, target: Path, bad: Any) -> None:
    (tmp_path / "weights").write_bytes(zip_of({"features.0.weight": bad}))
    refusal(tmp_path / "weights", target)


# ---------------------------------------------------------------- archives


def rezipped(path: Path, edit: Callable[[zipfile.ZipFile, zipfile.ZipInfo, bytes], None]) -> bytes:
    """The archive at ``path``, each of its records written by ``edit``."""
    file = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(file, "w") as new:
        for record in old.infolist():
            edit(new, record, old.read(record))
    return file.getvalue()


ZIPS: dict[str, tuple[Callable[[zipfile.ZipFile, zipfile.ZipInfo, bytes], Any], str]] = {
    "absolute": (lambda new, record, data: new.writestr("/" + record.filename, data), "leads out"),
    "upwards": (lambda new, record, data: new.writestr("../" + record.filename, data), "leads out"),
    "upwards within": (lambda new, record, data: new.writestr("a/../../" + record.filename, data), "leads out"),
    "backslash": (lambda new, record, data: new.writestr("..\\" + record.filename, data), "leads out"),
    "drive": (lambda new, record, data: new.writestr("C:" + record.filename, data), "leads out"),
    "packed": (lambda new, record, data: new.writestr(record.filename, data, zipfile.ZIP_DEFLATED), "compressed"),
    "bzip2": (lambda new, record, data: new.writestr(record.filename, data, zipfile.ZIP_BZIP2), "compressed"),
    "short": (lambda new, record, data: new.writestr(record.filename, data[:-4]), ""),
    "long": (lambda new, record, data: new.writestr(record.filename, data + bytes(4 * ("/data/" in record.filename))),
             "expected at most"),
    "no numbers": (lambda new, record, data: "/data/" in record.filename or new.writestr(record.filename, data),
                   "found none"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(ZIPS))
def test_archives_with_tricks_are_refused(tmp_path: Path, target: Path, case: str) -> None:
    edit, expected = ZIPS[case]
    path = torch_zip(tmp_path / "weights", TINY)
    path.write_bytes(rezipped(path, edit))
    assert expected in refusal(path, target)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_records_of_one_name_or_one_place_are_refused(tmp_path: Path, target: Path) -> None:
    path = torch_zip(tmp_path / "weights", TINY)
    good = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(archive.namelist()[0], b"other")
    assert "twice in the archive" in refusal(path, target)
    path.write_bytes(good)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("second/data.pkl", b"other")
    assert "expected one data.pkl" in refusal(path, target)
    # All storages' entries lead to the first storage's place.
    table = good.index(b"PK\1\2")
    with zipfile.ZipFile(path) as archive:
        places = [record.header_offset for record in archive.infolist() if "/data/" in record.filename]
    overlapping = good[:table] + good[table:].replace(struct.pack("<I", places[2]), struct.pack("<I", places[0]))
    path.write_bytes(overlapping)
    refusal(path, target)


def test_what_is_refused_leaves_no_half_written_file(tmp_path: Path, target: Path) -> None:
    path = torch_zip(tmp_path / "weights", edited(TINY, "block5_conv3", bias=np.full(2, 1e5, "f4")))
    target.write_text("older")
    with pytest.raises(WeightsError):
        convert(path, target, dtype="float16")
    assert target.read_text() == "older"
    assert [path.name for path in target.parent.iterdir()] == [target.name]


# Opcodes by hand, since no honest pickler writes these: a text, a number, a tuple, a name.
def text(value: str) -> bytes:
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def number(value: int) -> bytes:
    return b"J" + value.to_bytes(4, "little", signed=True)


def group(*parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


STORAGE = group(text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), number(27)) + b"Q"
TENSOR = (
    name("torch._utils", "_rebuild_tensor_v2") + group(STORAGE, number(0), group(number(27)), group(number(1))) + b"R"
)
DOUBLED = b")" + b"".join(b"q" + bytes([k]) + b"h" + bytes([k]) + b"\x86" for k in range(40))  # 2**40 empty tuples
FLOATS = name("numpy", "dtype") + group(text("f4")) + b"R"
FAR = b"}(" + text("shape") + group(number(10**6)) + text("strides") + group(number(10**5)) + b"u"

BY_HAND = {
    "a tensor's shape, written over after the check": TENSOR + FAR + b"b",
    "a storage's length, written over": STORAGE + b"}(" + text("length") + number(10**9) + b"ub",
    "a method of a stand-in's class, written over": name("torch._utils", "_rebuild_tensor_v2")
    + group(b"N", b"}" + text("view") + name("torch", "FloatStorage") + b"s") + b"b",
    "a state for a type": name("torch", "FloatStorage") + group(number(3), text(">")) + b"b",
    "a call of a type": name("torch", "FloatStorage") + group(number(3)) + b"R",
    "a call of a tensor": TENSOR + b")R",
    "a key that takes for ever to hash": b"}" + DOUBLED + b"Ns",
    "keys that take for ever to hash": b"}(" + DOUBLED + b"Nu",
    "a shape that takes for ever to print": name("torch._utils", "_rebuild_tensor_v2")
    + group(STORAGE, number(0), DOUBLED, b")") + b"R",
    "a type that takes for ever to print": name("numpy", "dtype") + group(DOUBLED) + b"R",
    "an encoding that takes for ever to print": name("_codecs", "encode") + group(text("a"), DOUBLED) + b"R",
    "pairs that take for ever to hash": name("collections", "OrderedDict") + group(b"](" + group(DOUBLED, b"N") + b"e")
    + b"R",
    "a shape with a text in it": name("numpy", "ndarray") + b")R"
    + group(number(1), group(text("x" * 10), number(20_000_000)), FLOATS, b"\x89", b"C\x04abcd") + b"b",
}  # fmt: skip


@pytest.mark.parametrize("program", list(BY_HAND))
def test_programs_that_misuse_the_stand_ins_are_refused_at_once(tmp_path: Path, program: str) -> None:
    pickled = b"\x80\x03" + BY_HAND[program] + b"."
    (tmp_path / "bare").write_bytes(pickled)
    (tmp_path / "stream").write_bytes(STREAM_MAGIC + b"\x80\x02M\xe9\x03." + b"\x80\x02}." + pickled + b"\x80\x02].")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("a/data.pkl", pickled)
        archive.writestr("a/data/0", bytes(27 * 4))
    verdict = judge([tmp_path / "bare", tmp_path / "stream", tmp_path / "zip"])
    assert (verdict.refused, verdict.valid) == (3, 0)
