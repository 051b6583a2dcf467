"""Weights files made to harm: pickles that would run code, archives and tables that lie, sizes beyond all memory."""

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
import safetensors.numpy
import torch

from minstyle.errors import WeightsError
from minstyle.weights import convert

from .conftest import random_weights
from .foreign_arrays import caffe, matconvnet_new, message, python2_array, varint
from .foreign_files import FOREIGN, Foreign, state_dict, torch_stream, torch_zip
from .hostile import judge
from .test_array_pickle import HARM, Call
from .test_convert import edited, refusal

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
    CARRIERS[carrier](tmp_path / "weights", [Call(Call, chain), Call(map, chain, [f"touch {sentinel}"]), chain])
    refusal(tmp_path / "weights", target)
    assert not Path(sentinel).exists()


@pytest.mark.parametrize("network", [torch.nn.Conv2d(1, 1, 1), torch.nn.Sequential()])
def test_a_whole_module_is_refused_by_name(tmp_path: Path, target: Path, network: torch.nn.Module) -> None:
    torch.save(network, tmp_path / "weights")
    assert f"names torch.nn.modules.{'conv.Conv2d' if len(list(network.parameters())) else 'container.Sequential'}" in (
        refusal(tmp_path / "weights", target)
    )


# ---------------------------------------------------------------- tensors that reach beyond their numbers


class Pickler(pickle.Pickler):
    """Writes tensors and storages as PyTorch does, of any shape."""

    def persistent_id(self, value: Any) -> Any:
        return value.pid if isinstance(value, Stored) else None


class Stored:
    def __init__(self, length: Any, kind: Any = torch.FloatStorage, key: Any = "0", *more: Any) -> None:
        self.pid = ("storage", kind, key, "cpu", length, *more)


def zip_of(content: Any, numbers: bytes = bytes(16)) -> bytes:
    file, data = io.BytesIO(), io.BytesIO()
    Pickler(data, 2).dump(content)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        archive.writestr("archive/data/0", numbers)
    return file.getvalue()


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Any:
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, False, {})  # type: ignore[attr-defined]


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


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if "Keras 3" not in kind.author], ids=str)
def test_kernels_that_are_no_numbers_are_refused(tmp_path: Path, target: Path, kind: Foreign, value: float) -> None:
    kernel = np.full((3, 3, 2, 2), value, "f4")
    source = kind.write(tmp_path / "weights", edited(TINY, "block3_conv2", kernel))
    assert "block3_conv2/kernel: expected finite numbers, got NaN or infinite ones" in refusal(source, target)


def npy(shape: str, descr: str = "<f4", data: bytes = bytes(64)) -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def npz(**records: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in records.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def table(**tensors: Any) -> bytes:
    import json

    text = json.dumps(tensors).encode()
    return struct.pack("<Q", len(text)) + text + bytes(64)


def blob(*fields: bytes) -> bytes:
    layer = message(1, b"conv1_1") + message(7, b"".join(fields))
    return message(1, b"net") + message(100, layer)


def onnx_with(*shape: int, kind: int = 1) -> bytes:
    dims = b"".join(b"\x08" + varint(n % 2**64) for n in shape)
    array = message(5, dims + b"\x10" + varint(kind) + message(8, b"k") + message(9, bytes(64)))
    node = message(1, message(1, b"x") + message(1, b"k") + message(1, b"k2") + message(4, b"Conv"))
    return b"\x08\x09" + message(7, node + array)


def mat(path: Path, old: bytes, new: bytes) -> bytes:
    data = matconvnet_new(path, TINY).read_bytes()
    assert old in data
    return data.replace(old, new)


HUGE = 2**40
ABSURD: dict[str, Callable[[Path], bytes]] = {
    "npz, shape": lambda _: npz(conv1_1_W=npy(f"({HUGE}, 3)")),
    "npz, below nothing": lambda _: npz(conv1_1_W=npy("(-1,)", data=bytes(10**8))),
    "npz, axes": lambda _: npz(conv1_1_W=npy("(1,) * 70")),
    "npz, many axes": lambda _: npz(conv1_1_W=npy(f"({'1, ' * 70})")),
    "npz, text": lambda _: npz(conv1_1_W=npy("(3,)", f"<U{2**28}")),
    "npz, header": lambda _: npz(conv1_1_W=b"\x93NUMPY\2\0" + struct.pack("<I", 2**31) + b" " * 10**7),
    "npz, packed a thousandfold": lambda _: npz(**{f"conv1_{i}_W": npy("(3, 3, 512, 512)", data=bytes(9437184))
                                                   for i in range(1, 10)}, conv2_1_W=npy("(1,)", data=bytes(5 * 10**8))),
    "npz, a pickle packed a thousandfold": lambda _: npz(conv1_1=npy("()", "|O", b"\x80\4\x8e" + struct.pack("<Q", 4 * 10**8) + bytes(4 * 10**8) + b".")),
    "npy, pickle's bytes": lambda _: npy("()", "|O", b"\x80\4\x8e" + struct.pack("<Q", HUGE) + b"."),
    "npy, array": lambda _: npy("()", "|O", b"\x80\2" + python2_array(b"(J\xff\xff\xff\x7f\x8a\5\0\0\0\0\1t", b"f4", b"<", b"U\0") + b"."),
    "pickle, text": lambda _: b"\x80\2}(T\xff\xff\xff\x7fa.",
    "pickle, memo": lambda _: b"\x80\2}r\xff\xff\xff\x7f.",
    "safetensors, table": lambda _: b"\0\0\0\0\0\0\0\0{}" + bytes(8),
    "safetensors, table of 4 GB": lambda _: struct.pack("<Q", 2**31)[:4] + b"\0\0\0\0{" + bytes(99),
    "safetensors, shape": lambda _: table(**{"conv1_1.weight": {"dtype": "F32", "shape": [HUGE, 3], "data_offsets": [0, 64]}}),
    "safetensors, places": lambda _: table(**{"conv1_1.weight": {"dtype": "F32", "shape": [16], "data_offsets": [0, HUGE]}}),
    "safetensors, integers": lambda _: table(**{"conv1_1.weight": {"dtype": "I32", "shape": [16], "data_offsets": [0, 64]}}),
    "Caffe, old shape": lambda _: blob(b"\x08" + varint(HUGE), message(5, bytes(64))),
    "Caffe, below nothing": lambda _: blob(b"\x08" + varint(2**64 - 1), message(5, bytes(64))),
    "Caffe, new shape": lambda _: blob(message(7, message(1, varint(HUGE) * 3)), message(5, bytes(64))),
    "Caffe, axes": lambda _: blob(message(7, message(1, b"\1" * 10**6)), message(5, bytes(4))),
    "Caffe, more than there is": lambda _: message(1, b"n") + b"\xa2\6" + varint(HUGE) + bytes(64),
    "Caffe, millions of fields": lambda _: message(1, b"n") + b"\x12\0" * 5_000_000,
    "Caffe, millions of numbers": lambda _: blob(b"\x45" + bytes(4) + b"\x2d\0\0\0\0" * 3_000_000),
    "Caffe, integer without end": lambda _: message(1, b"n") + b"\xff" * 100,
    "Caffe, layers over and over": lambda _: caffe(TINY) * 50,
    "ONNX, shape": lambda _: onnx_with(HUGE, HUGE),
    "ONNX, below nothing": lambda _: onnx_with(-1, 16),
    "ONNX, axes": lambda _: onnx_with(*(1,) * 10**5),
    "ONNX, integers": lambda _: onnx_with(16, kind=7),
    "ONNX, millions of nodes": lambda _: b"\x08\x09" + message(7, b"\x0a\0" * 10_000_000),
    "ONNX, graphs over and over": lambda _: b"\x08\x09" + message(7, b"") * 5_000_000,
    "mat, shape": lambda p: mat(p, struct.pack("<4i", 3, 3, 2, 2), struct.pack("<4i", 2**30, 2**30, 2**30, 2)),
    "mat, below nothing": lambda p: mat(p, struct.pack("<4i", 3, 3, 2, 2), struct.pack("<4i", -3, -3, 2, 2)),
    "mat, size": lambda p: mat(p, struct.pack("<II", 7, 144), struct.pack("<II", 7, 2**32 - 8)),
    "stream, length": lambda p: torch_stream(p, TINY).read_bytes().replace(struct.pack("<q", 36), struct.pack("<q", HUGE)),
    "zip, length": lambda _: zip_of({"features.0.weight": tensor(Stored(HUGE), 0, (HUGE,), (1,))}),
    "zip, one storage a thousand times": lambda _: zip_of(
        {f"{i}.features.{i}.weight": tensor(Stored(2_000_000), 0, (2_000_000,), (1,)) for i in range(900)}, bytes(8_000_000)
    ),
}  # fmt: skip


def nested_matrices(depth: int) -> bytes:
    """A cell in a cell in a cell ..., which ends scipy's reader and its process."""

    def element(kind: int, data: bytes) -> bytes:
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    begin = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"")
    sizes = [len(begin) * n + 8 * (n - 1) for n in range(depth, 0, -1)]
    top = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"layers")
    cells = b"".join(struct.pack("<II", 14, size) + begin for size in sizes)
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 256) + b"IM"
    return header + struct.pack("<II", 14, len(top) + len(cells)) + top + cells


ABSURD["mat, nested"] = lambda _: nested_matrices(100_000)
ABSURD["mat, millions of elements"] = lambda p: mat(p, struct.pack("<2i", 1, 33), struct.pack("<2i", 2**20, 2**10))


def test_absurd_sizes_are_refused_without_time_or_memory(tmp_path: Path) -> None:
    for i, (name, make) in enumerate(ABSURD.items()):
        content = make(tmp_path / "made")
        (tmp_path / f"{i:02} {name}").write_bytes(content)
    (tmp_path / "made").unlink()
    verdict = judge(sorted(tmp_path.iterdir()))
    assert (verdict.refused, verdict.valid) == (len(ABSURD), 0)


def many_records(count: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i}", b"")
    return file.getvalue()


def test_an_archive_of_a_hundred_thousand_records_is_refused_by_its_table(tmp_path: Path, target: Path) -> None:
    (tmp_path / "weights").write_bytes(many_records(30_000))
    assert "table of contents" in refusal(tmp_path / "weights", target)


def test_what_is_refused_leaves_no_half_written_file(tmp_path: Path, target: Path) -> None:
    path = torch_zip(tmp_path / "weights", edited(TINY, "block5_conv3", bias=np.full(2, 1e39)))
    target.write_text("older")
    with pytest.raises(WeightsError):
        convert(path, target, dtype="float16")
    assert target.read_text() == "older"
    assert [path.name for path in target.parent.iterdir()] == [target.name]
    assert safetensors.numpy.__name__  # the reader is there
