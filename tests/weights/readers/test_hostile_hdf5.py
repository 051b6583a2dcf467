"""HDF5 files made to harm, as Keras's and as minstyle's own: links that lead elsewhere or nowhere, lies about sizes."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.errors import WeightsError
from minstyle.network.weightfile import read_weights, write_weights
from tests.support import hostile_hdf5
from tests.support.foreign_keras import write_keras
from tests.support.hostile import judge
from tests.support.hostile_hdf5 import HOSTILE, KERNEL, LAYER, TINY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Beside the files: one that is nobody's business."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["kernel"], file["bias"] = np.ones((3, 3, 2, 2), "f4"), np.ones(2, "f4")
    return tmp_path


def test_every_hostile_file_is_refused(folder: Path) -> None:
    for name, edit in HOSTILE.items():
        path = write_keras(folder / name, TINY)
        with h5py.File(path, "r+") as file:
            edit(file, folder)
    verdict = judge([folder / name for name in HOSTILE])
    assert (verdict.refused, verdict.valid) == (len(HOSTILE), 0)


@pytest.mark.parametrize("name", [name for name in HOSTILE if name not in ("group in itself", "many members", "deep")])
def test_so_is_every_file_of_our_own_format(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "ours.h5"
    write_weights(path, TINY)
    monkeypatch.setattr(hostile_hdf5, "KERNEL", f"{LAYER}/kernel")
    with h5py.File(path, "r+") as file:
        HOSTILE[name](file, folder)
    with pytest.raises(WeightsError) as caught:
        read_weights(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_bomb_is_refused_before_it_is_unpacked(folder: Path) -> None:
    """A piece of 600 kB, 600 MB when it is unpacked."""
    path = write_keras(folder / "bomb.h5", TINY)
    with h5py.File(path, "r+") as file:
        del file[KERNEL]
        made = file.create_dataset(KERNEL, (3, 3, 2, 2), "f4", chunks=(3, 3, 2, 2), compression=9)
        packer = zlib.compressobj(9)
        bomb = b"".join(packer.compress(bytes(10**7)) for _ in range(60)) + packer.flush()
        made.id.write_direct_chunk((0, 0, 0, 0), bomb)
    assert os.path.getsize(path) < 2_000_000
    verdict = judge([path])
    assert verdict.refused == 1
    assert verdict.slowest < 1
