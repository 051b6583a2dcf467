"""VGG files of programs whose formats hold plain arrays: MATLAB's (by scipy), NumPy's, Caffe's (byte by byte)."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from minstyle.network.weightfile import Weights

SCIPY, NUMPY = f"scipy {scipy.__version__}", f"numpy {np.__version__}"
MEAN = np.array([123.68, 116.779, 103.939])


def short(layer: str) -> str:
    """block1_conv1 -> conv1_1, as Caffe names it."""
    return f"conv{layer[5]}_{layer[-1]}"


# ---------------------------------------------------------------- MATLAB


def objects(items: list[Any]) -> np.ndarray:
    """A row of objects, which scipy writes as a cell array."""
    row = np.empty((1, len(items)), dtype=object)
    for i, item in enumerate(items):
        row[0, i] = item
    return row


def matconvnet_new(path: Path, weights: Weights, compressed: bool = False) -> Path:
    layers: list[Any] = []
    for layer, (kernel, bias) in weights.layers.items():
        arrays = objects([kernel, bias.reshape(-1, 1)])
        layers.append({"type": "conv", "name": short(layer), "weights": arrays, "stride": [1.0, 1.0], "pad": 1.0})
        layers.append({"type": "relu", "name": "relu" + short(layer)[4:]})
    layers.append({"type": "softmax", "name": "prob"})
    classes = {"name": objects(["n01440764"]), "description": objects(["tench, Tinca tinca"])}
    normalization = {"imageSize": [224.0, 224.0, 3.0], "averageImage": MEAN.astype("f4").reshape(1, 1, 3)}
    data = {"layers": objects(layers), "meta": {"classes": classes, "normalization": normalization}}
    scipy.io.savemat(path, data, do_compression=compressed)
    return path


def matconvnet_old(path: Path, weights: Weights, compressed: bool = True) -> Path:
    layers: list[Any] = []
    for layer, (kernel, bias) in weights.layers.items():
        arrays = {"filters": kernel, "biases": bias.reshape(1, -1)}
        layers.append({**arrays, "name": short(layer), "type": "conv"})
    image = np.broadcast_to(MEAN.astype("f4"), (224, 224, 3))
    normalization = {"averageImage": image, "interpolation": "bilinear", "keepAspect": np.uint8(1)}
    data = {"classes": {"name": objects(["n01440764"])}, "normalization": normalization, "layers": objects(layers)}
    scipy.io.savemat(path, data, do_compression=compressed)
    return path


def matconvnet_new_compressed(path: Path, weights: Weights) -> Path:
    return matconvnet_new(path, weights, compressed=True)


# ---------------------------------------------------------------- NumPy


def numpy_npz(path: Path, weights: Weights) -> Path:
    """The names of the TensorFlow conversion, whose first kernel takes RGB."""
    arrays = {
        f"{short(layer)}_{part}": a
        for layer, pair in weights.layers.items()
        for part, a in zip("Wb", pair, strict=True)
    }
    with open(path, "wb") as file:
        np.savez(file, **arrays, fc6_W=np.ones((8, 3)), fc6_b=np.ones(3))
    return path


def numpy_npz_pairs(path: Path, weights: Weights) -> Path:
    with open(path, "wb") as file:
        np.savez_compressed(file, **{short(layer): objects(list(pair))[0] for layer, pair in weights.layers.items()})
    return path


def numpy_npy(path: Path, weights: Weights) -> Path:
    tree = {short(layer): list(pair) for layer, pair in weights.layers.items()}
    with open(path, "wb") as file:
        np.save(file, {**tree, "fc6": [np.ones((8, 3), "f4"), np.ones(3, "f4")]}, allow_pickle=True)
    return path


def numpy_npy_named(path: Path, weights: Weights) -> Path:
    tree = {short(layer): {"weights": kernel, "biases": bias} for layer, (kernel, bias) in weights.layers.items()}
    with open(path, "wb") as file:
        np.save(file, tree, allow_pickle=True)
    return path


def python2_text(data: bytes) -> bytes:
    return b"U" + bytes([len(data)]) + data if len(data) < 256 else b"T" + struct.pack("<I", len(data)) + data


def python2_array(shape: bytes, dtype: bytes, order: bytes, content: bytes) -> bytes:
    """An array as Python 2's cPickle wrote it in protocol 2."""
    kind = b"cnumpy\ndtype\n" + python2_text(dtype) + b"K\0K\1\x87R(K\3" + python2_text(order) + b"NNNJ\xff\xff\xff\xff"
    begin = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85U\1b\x87R(K\1"
    return begin + shape + kind + b"J\xff\xff\xff\xffK\0tb\x89" + content + b"tb"


def numpy_npy_python2(path: Path, weights: Weights) -> Path:
    """As the file that many programs of 2016 used was written: {"conv1_1": [weights, biases]} by Python 2."""
    entries = b""
    for layer, pair in weights.layers.items():
        arrays = b""
        for array in pair:
            shape = b"(" + b"".join(b"M" + struct.pack("<H", n) for n in array.shape) + b"t"
            arrays += python2_array(shape, b"f4", b"<", python2_text(array.astype("<f4").tobytes()))
        entries += python2_text(short(layer).encode()) + b"](" + arrays + b"e"
    tree = python2_array(b")", b"O8", b"|", b"]}(" + entries + b"ua")
    header = b"{'descr': 'O', 'fortran_order': False, 'shape': (), }"
    header += b" " * (-(len(header) + 11) % 16) + b"\n"
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + b"\x80\2" + tree + b".")
    return path


def flax_tree(layers: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """The layout of the published VGG16 pickle."""
    pairs = enumerate(layers.values())
    return {"VGG16_0": {f"Conv_{i}": {"kernel": kernel, "bias": bias} for i, (kernel, bias) in pairs}}


def array_pickle(path: Path, weights: Weights, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(flax_tree(weights.layers), protocol))
    return path


def published_pickle(path: Path, weights: Weights) -> Path:
    """In the protocol of the published file."""
    return array_pickle(path, weights, 3)


# ---------------------------------------------------------------- Caffe


def varint(n: int) -> bytes:
    parts = b""
    while n > 127:
        parts, n = parts + bytes([n & 127 | 128]), n >> 7
    return parts + bytes([n])


def message(number: int, content: bytes) -> bytes:
    """A field that holds bytes: a text, packed numbers, a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def caffe_blob(array: np.ndarray, old: bool = True, packed: bool = True, double: bool = False) -> bytes:
    """A BlobProto: shape as num, channels, height, width or as BlobShape, numbers packed or one by one."""
    if old:
        four = (1,) * (4 - array.ndim) + array.shape
        shape = b"".join(integer(i, n) for i, n in enumerate(four, start=1))
    else:
        shape = message(7, message(1, b"".join(varint(n) for n in array.shape)))
    number, data = (8, array.astype("<f8").tobytes()) if double else (5, array.astype("<f4").tobytes())
    if packed:
        return shape + message(number, data)
    key, size = (varint(number << 3 | 1), 8) if double else (varint(number << 3 | 5), 4)
    return shape + b"".join(key + data[i : i + size] for i in range(0, len(data), size))


def caffe(weights: Weights, old: bool = True, **options: bool) -> bytes:
    """A NetParameter: V1LayerParameters (layers = 2) or LayerParameters (layer = 100), ReLU and pooling among them."""
    field, name, blobs, kind = (2, 4, 6, integer(5, 4)) if old else (100, 1, 7, message(2, b"Convolution"))
    content = message(1, b"VGG_ILSVRC_19_layers")
    for layer, (kernel, bias) in weights.layers.items():
        arrays = (np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias)
        bytes_of = b"".join(message(blobs, caffe_blob(array, old, **options)) for array in arrays)
        content += message(field, message(name, short(layer).encode()) + kind + bytes_of)
        content += message(field, message(name, b"relu" + short(layer)[4:].encode()))
    fc6 = message(blobs, caffe_blob(np.ones((3, 8), "f4"), old))
    return content + message(field, message(name, b"fc6") + fc6)


def caffe_old(path: Path, weights: Weights) -> Path:
    path.write_bytes(caffe(weights))
    return path


def caffe_new(path: Path, weights: Weights) -> Path:
    path.write_bytes(caffe(weights, old=False))
    return path


def caffe_unpacked(path: Path, weights: Weights) -> Path:
    path.write_bytes(caffe(weights, packed=False))
    return path


def caffe_double(path: Path, weights: Weights) -> Path:
    path.write_bytes(caffe(weights, old=False, double=True, packed=False))
    return path
