"""PyTorch files put together record by record: storages, tensors, archives, true or not."""

from __future__ import annotations

import io
import pickle
import zipfile
from typing import Any

import torch

from tests.support.harmful_pickles import Call


class Stored:
    """Stands for a storage in a pickle that is put together here."""

    def __init__(self, length: Any, kind: Any = torch.FloatStorage, key: Any = "0", *more: Any) -> None:
        self.pid = ("storage", kind, key, "cpu", length, *more)


class Pickler(pickle.Pickler):
    """Writes storages as PyTorch does."""

    def persistent_id(self, value: Any) -> Any:
        return value.pid if isinstance(value, Stored) else None


def zip_of(content: Any, numbers: bytes = bytes(16)) -> bytes:
    file, data = io.BytesIO(), io.BytesIO()
    Pickler(data, 2).dump(content)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        archive.writestr("archive/data/0", numbers)
    return file.getvalue()


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Any:
    return Call(torch._utils._rebuild_tensor_v2, storage, offset, shape, strides, False, {})
