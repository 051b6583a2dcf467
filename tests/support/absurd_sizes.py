"""Files of every format but HDF5 that declare absurd sizes, or unpack to them."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.support.foreign_arrays import caffe, matconvnet_new, message, python2_array, varint
from tests.support.foreign_files import torch_stream
from tests.support.small import random_weights
from tests.support.torch_records import Stored, tensor, zip_of

TINY = random_weights("vgg16", (2, 2, 2, 2, 2))


def npy(shape: str, descr: str = "<f4", data: bytes = bytes(64)) -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + data


def npz(**records: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in records.items():
            archive.writestr(f"{name}.npy", data)
    return file.getvalue()


def pickled_bytes(declared: int, there: int) -> bytes:
    return b"\x80\4\x8e" + struct.pack("<Q", declared) + bytes(there) + b"."


def table(dtype: str, shape: list[int], end: int) -> bytes:
    text = json.dumps({"conv1_1.weight": {"dtype": dtype, "shape": shape, "data_offsets": [0, end]}}).encode()
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
    "npz, arrays packed a thousandfold": lambda _: npz(
        **{f"conv{b}_{i}_W": npy("(3, 3, 512, 512)", data=bytes(9437184)) for b in (1, 2) for i in range(1, 10)}
    ),
    "npz, longer than it says": lambda _: npz(conv2_1_W=npy("(1,)", data=bytes(3 * 10**8))),
    "npz, a pickle packed a thousandfold": lambda _: npz(conv1_1=npy("()", "|O", pickled_bytes(3 * 10**8, 3 * 10**8))),
    "npy, pickle's bytes": lambda _: npy("()", "|O", pickled_bytes(HUGE, 0)),
    "npy, array": lambda _: npy(
        "()", "|O", b"\x80\2" + python2_array(b"(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", b"f4", b"<", b"U\0") + b"."
    ),
    "pickle, text": lambda _: b"\x80\2}(T\xff\xff\xff\x7fa.",
    "pickle, memo": lambda _: b"\x80\2}r\xff\xff\xff\x7f.",
    "safetensors, table": lambda _: b"\0\0\0\0\0\0\0\0{}" + bytes(8),
    "safetensors, table of 4 GB": lambda _: struct.pack("<Q", 2**31)[:4] + b"\0\0\0\0{" + bytes(99),
    "safetensors, shape": lambda _: table("F32", [HUGE, 3], 64),
    "safetensors, places": lambda _: table("F32", [16], HUGE),
    "safetensors, integers": lambda _: table("I32", [16], 64),
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
    "stream, length": lambda p: torch_stream(p, TINY).read_bytes().replace(
        struct.pack("<q", 36), struct.pack("<q", HUGE)
    ),
    "zip, length": lambda _: zip_of({"features.0.weight": tensor(Stored(HUGE), 0, (HUGE,), (1,))}),
    "zip, one storage a thousand times": lambda _: zip_of(
        {f"{i}.features.{i}.weight": tensor(Stored(2_000_000), 0, (2_000_000,), (1,)) for i in range(900)},
        bytes(8_000_000),
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
ABSURD["mat, millions of elements"] = lambda p: mat(p, struct.pack("<2i", 1, 27), struct.pack("<2i", 2**20, 2**10))
