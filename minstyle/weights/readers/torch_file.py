"""Read PyTorch's state dictionaries without PyTorch: the zip form (since 1.6) and the stream form before it."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...errors import WeightsError
from . import archive
from .pickles import Storage, Tensor, load_pickle
from .tensors import Allowance, Tensors, is_wanted

# What a stream begins with: the pickle of PyTorch's magic number.
STREAM_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_PROTOCOL = 1001
_MAX_PICKLES = 1 << 24  # bytes of all pickles of a file; those of VGG19 have 10 thousand


def read_torch_zip(path: Path) -> Tensors:
    """Convolution kernels (out, in, 3, 3) and biases of the state dictionary in a zip file, by name.

    Nothing is unpacked to disk. PyTorch stores its records uncompressed; compressed ones are refused, so that a record
    cannot be larger than the file. Raises WeightsError.
    """
    with archive.opened(path) as zipped:
        pickles = [name for name in zipped.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise WeightsError(f"expected one data.pkl in the archive, found {len(pickles)}")
        folder = pickles[0].removesuffix("data.pkl")
        order = _record(zipped, f"{folder}byteorder") if f"{folder}byteorder" in zipped.namelist() else b"little"
        if order not in (b"little", b"big"):
            raise WeightsError(f"byteorder: expected little or big, got {order[:20]!r}")
        state = load_pickle(_record(zipped, pickles[0]))
        return _tensors(
            state, lambda storage: _as_numbers(_record(zipped, f"{folder}data/{storage.key}", storage), storage, order)
        )


def _record(zipped: zipfile.ZipFile, name: str, storage: Storage | None = None) -> bytes:
    """A record's content: a storage's numbers, or something small."""
    try:
        record = zipped.getinfo(name)
    except KeyError:
        raise WeightsError(f"expected a record {name!r} in the archive, found none") from None
    if record.compress_type != zipfile.ZIP_STORED or record.file_size != record.compress_size:
        raise WeightsError(f"record {name!r}: compressed, which PyTorch's never are")
    most = storage.length * storage.dtype.itemsize if storage else _MAX_PICKLES
    if record.file_size > most:
        raise WeightsError(f"record {name!r}: expected at most {most} bytes, got {record.file_size}")
    return zipped.read(record)


def read_torch_stream(path: Path) -> Tensors:
    """The same of the older form: pickles of a magic number, a version, the system, the state and the storages' keys,
    then each storage as its length and its numbers. Raises WeightsError.
    """
    with open(path, "rb") as file:
        pickles = io.BytesIO(file.read(_MAX_PICKLES))
        pickles.seek(len(STREAM_MAGIC))
        if load_pickle(pickles) != _PROTOCOL:
            raise WeightsError(f"expected protocol {_PROTOCOL} of PyTorch's stream form")
        storages: dict[str, Storage] = {}
        system, state, keys = load_pickle(pickles), load_pickle(pickles, storages), load_pickle(pickles)
        texts = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        if not texts or sorted(keys) != sorted(storages) or not isinstance(system, dict):
            raise WeightsError("expected the system and the keys of all storages, found others")
        order = b"little" if system.get("little_endian", True) else b"big"
        file.seek(pickles.tell())
        places = {key: _skip(file, storages[key], order) for key in keys}

        def numbers(storage: Storage) -> np.ndarray:
            file.seek(places[storage.key])
            return _as_numbers(file.read(storage.length * storage.dtype.itemsize), storage, order)

        return _tensors(state, numbers)


def _skip(file: BinaryIO, storage: Storage, order: bytes) -> int:
    """Go behind a storage; returns where its numbers begin. Raises WeightsError unless it is as long as it should."""
    length, place = int.from_bytes(file.read(8), "big" if order == b"big" else "little"), file.tell()
    end = place + storage.length * storage.dtype.itemsize
    if length != storage.length or end > os.fstat(file.fileno()).st_size:
        raise WeightsError(f"storage {storage.key!r}: expected {storage.length} numbers, got {length} or a cut file")
    file.seek(end)
    return place


def _as_numbers(data: bytes, storage: Storage, order: bytes) -> np.ndarray:
    if len(data) != storage.length * storage.dtype.itemsize:
        raise WeightsError(f"storage {storage.key!r}: expected {storage.length} numbers, got {len(data)} bytes")
    return np.frombuffer(data, dtype=storage.dtype.newbyteorder(">" if order == b"big" else "<"))


def _state_dict(state: Any) -> dict[str, Tensor]:
    """The tensors by name, of a state dictionary or of {"state_dict": ...}; what else is in it is passed over."""
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise WeightsError(f"expected a state dictionary, got {type(state).__name__}")
    return {name: value for name, value in state.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _tensors(state: Any, numbers: Callable[[Storage], np.ndarray]) -> Tensors:
    allowance, tensors = Allowance(), {}
    for name, tensor in _state_dict(state).items():
        if is_wanted(name):
            allowance.take(name, tensor.storage.dtype, (tensor.storage.length,))
            tensors[name] = tensor.view(numbers(tensor.storage))
    return tensors
