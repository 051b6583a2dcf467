"""Edits that make a file of HDF5 weights one that harms: links that lead elsewhere or nowhere, lies about sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.support.small import random_weights

TINY = random_weights("vgg16", (2, 2, 2, 2, 2))
LAYER, KERNEL = "block2_conv1", "block2_conv1/block2_conv1/kernel:0"
Edit = Callable[[h5py.File, Path], object]


def replace(file: h5py.File, name: str, value: object) -> None:
    del file[name]
    file[name] = value


def virtual(file: h5py.File, folder: Path) -> None:
    """A dataset whose numbers lie in another file."""
    layout = h5py.VirtualLayout((3, 3, 2, 2), "f4")
    layout[:] = h5py.VirtualSource(folder / "secret.h5", "kernel", (3, 3, 2, 2))
    del file[KERNEL]
    file.create_virtual_dataset(KERNEL, layout)


def external(file: h5py.File, folder: Path) -> None:
    """A dataset whose numbers are the bytes of another file."""
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 2, 2), "f4", external=[(str(folder / "secret.h5"), 0, 144)])


def packed(file: h5py.File, _: Path) -> None:
    """A piece that unpacks to far more than it should: HDF5 unpacks it to the end."""
    del file[KERNEL]
    made = file.create_dataset(KERNEL, (3, 3, 512, 512), "f4", chunks=(3, 3, 512, 512), compression=9)
    made[()] = 0


def pieces(file: h5py.File, _: Path) -> None:
    del file[KERNEL]
    file.create_dataset(KERNEL, (3, 3, 512, 512), "f4", chunks=(1, 1, 1, 1))


def loop(file: h5py.File, _: Path) -> None:
    """A group that holds itself."""
    for name in ("model_weights", "layers", "vgg16"):
        file[name] = file["/"]
    del file[KERNEL]
    for i in range(5):
        file[f"{LAYER}/{LAYER}/{i}"] = file[LAYER]


def ring(file: h5py.File, _: Path) -> None:
    replace(file, LAYER, h5py.SoftLink("/block3_conv1"))
    replace(file, "block3_conv1", h5py.SoftLink(f"/{LAYER}"))


def many(file: h5py.File, _: Path) -> None:
    for i in range(5_000):
        file.create_group(f"{LAYER}/{i}")


def wide(file: h5py.File, _: Path) -> None:
    for i in range(5_000):
        file.create_group(f"{i}")


def deep(file: h5py.File, _: Path) -> None:
    del file[KERNEL]
    file[f"{LAYER}/" + "/".join("a" * 3000) + "/kernel"] = np.zeros((3, 3, 2, 2), "f4")


def layers(file: h5py.File, _: Path) -> None:
    """Each of them small enough, all of them too large; their numbers were never written."""
    for i in range(900):
        file.create_dataset(f"model/conv2d_{i}/vars/0", (3, 3, 512, 512), "f4")
        file.create_dataset(f"model/conv2d_{i}/vars/1", (512,), "f4")
    for name in [name for name in file if name.startswith("block") and name != "block1_pool"]:
        del file[name]


def typed(dtype: object) -> Edit:
    def edit(file: h5py.File, _: Path) -> None:
        del file[KERNEL]
        file.create_dataset(KERNEL, (3, 3, 2, 2), dtype)

    return edit


HOSTILE: dict[str, Edit] = {
    "external link": lambda file, folder: replace(file, LAYER, h5py.ExternalLink(folder / "secret.h5", "/")),
    "external kernel": lambda file, folder: replace(file, KERNEL, h5py.ExternalLink(folder / "secret.h5", "kernel")),
    "external link to a device": lambda file, _: replace(file, LAYER, h5py.ExternalLink("/dev/zero", "/")),
    "external link to itself": lambda file, _: replace(file, LAYER, h5py.ExternalLink(file.filename, LAYER)),
    "soft link to itself": lambda file, _: replace(file, LAYER, h5py.SoftLink(f"/{LAYER}")),
    "soft links in a ring": ring,
    "soft link to nowhere": lambda file, _: replace(file, LAYER, h5py.SoftLink("/nowhere")),
    "soft link to another layer": lambda file, _: replace(file, LAYER, h5py.SoftLink("/block1_conv2")),
    "virtual": virtual,
    "external storage": external,
    "packed": packed,
    "pieces": pieces,
    "group in itself": loop,
    "many members": many,
    "many layers": wide,
    "deep": deep,
    "many large layers": layers,
    "integers": typed("i4"),
    "compound": typed([("a", "f4"), ("b", "f4")]),
    "complex": typed("c8"),
    "texts": typed(h5py.string_dtype()),
    "ragged": typed(h5py.vlen_dtype(np.float32)),
    "references": typed(h5py.ref_dtype),
    "arrays": typed(np.dtype(("f4", (1000, 1000)))),
    "opaque": typed("V4"),
    "huge": lambda file, _: (file.pop(KERNEL), file.create_dataset(KERNEL, (3, 3, 2**20, 2**20), "f4")),
    "infinite": lambda file, _: file[KERNEL].__setitem__((0, 0, 0, 0), np.inf),
    "no number": lambda file, _: file[KERNEL].__setitem__((0, 0, 0, 0), np.nan),
}  # fmt: skip
