"""The file format "minstyle-weights 1": a VGG network in HDF5, read, written, verified.

Root attributes: ``format`` ("minstyle-weights"), ``version`` (1), ``network`` ("vgg16", "vgg19"), ``mean`` and ``std``
(3 each, RGB order, in 0..255 units: the network wants (image - mean) / std), ``channel_order`` ("RGB" or "BGR": the
order in which the first kernel wants its input), ``source``, ``source_sha256``, ``licence``. Texts are UTF-8 of fixed
length: on some damaged files HDF5's reader of variable-length texts never returns.
One group a layer, ``block1_conv1`` and so on, with ``kernel`` (3, 3, Cin, Cout) and ``bias`` (Cout,), both float32 or
float16. A ``kernel`` of uint8 are codes: a ``codebook`` of up to 256 float32 beside it has the numbers that they stand
for. A network that imitates a wider one may have ``projection`` (Cout, K) in some groups too: the linear map from
the layer's features to orthonormal coordinates of the wider network's, in which losses are to be computed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..errors import WeightsError, require
from ..files import replacing
from .codes import Codes

FORMAT = "minstyle-weights"
VERSION = 1
LAYER_NAME = re.compile(r"block[1-9]_conv[1-9]")
MAX_PER_FILE = 1 << 25  # in one file; VGG19 has 20 million
MAX_LAYERS = 100
MAX_COORDINATES = 512  # the channels of the widest layer of a VGG
_TEXTS = ("network", "channel_order", "source", "source_sha256", "licence")


@dataclass(frozen=True)
class Weights:
    """A network's numbers and where they come from, checked on construction (WeightsError says what is wrong).

    ``layers`` maps names to (kernel (3, 3, Cin, Cout), bias (Cout,)), in network order; ``projections`` some of the
    names to (Cout, K). ``codes`` has those kernels once more that are stored as codes.
    """

    network: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    channel_order: str
    layers: Mapping[str, tuple[np.ndarray, np.ndarray]] = field(repr=False)
    source: str = ""
    source_sha256: str = ""
    licence: str = ""
    projections: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)
    codes: Mapping[str, Codes] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        _check(self.channel_order in ("RGB", "BGR"), "channel_order", "RGB or BGR", self.channel_order)
        for name, triple in (("mean", self.mean), ("std", self.std)):
            good = len(triple) == 3 and bool(np.isfinite(triple).all())
            _check(good, name, "three finite numbers", triple)
        _check(min(self.std) > 0, "std", "numbers above 0", self.std)
        _check(bool(self.layers), "layers", "at least one layer", "none")
        channels = 3
        for name, (kernel, bias) in self.layers.items():
            _check(LAYER_NAME.fullmatch(name) is not None, "layers", "names like block1_conv1", name)
            good = kernel.ndim == 4 and kernel.shape[:3] == (3, 3, channels) and kernel.shape[3] > 0
            _check(good, f"{name}/kernel", f"shape (3, 3, {channels}, Cout)", kernel.shape)
            channels = kernel.shape[3]
            _check(bias.shape == (channels,), f"{name}/bias", f"shape ({channels},)", bias.shape)
            self._check_numbers(name, kernel=kernel, bias=bias)
        for name, projection in self.projections.items():
            _check(name in self.layers, f"{name}/projection", "that of a layer of the network", "none of that name")
            width = self.layers[name][1].size
            good = projection.ndim == 2 and projection.shape[0] == width and 0 < projection.shape[1] <= MAX_COORDINATES
            _check(good, f"{name}/projection", f"shape ({width}, K), K up to {MAX_COORDINATES}", projection.shape)
            self._check_numbers(name, projection=projection)
        for name, codes in self.codes.items():
            same = name in self.layers and np.array_equal(codes.decode(), self.layers[name][0])
            _check(same, f"{name}/kernel", "the kernel that its codes stand for", "another")

    @staticmethod
    def _check_numbers(name: str, **parts: np.ndarray) -> None:
        for part, array in parts.items():
            _check(array.dtype.kind == "f", f"{name}/{part}", "floating-point numbers", array.dtype)
            finite = bool(np.isfinite(array).all())
            _check(finite, f"{name}/{part}", "finite numbers", "NaN or infinite ones")

    def parts(self, name: str) -> dict[str, np.ndarray]:
        """The arrays of a layer by name, as they are stored: kernel, bias, codebook and projection where there are."""
        kernel, bias = self.layers[name]
        found = {"kernel": kernel, "bias": bias}
        if name in self.codes:
            found |= {"kernel": self.codes[name].codes, "codebook": self.codes[name].codebook}
        return {**found, "projection": self.projections[name]} if name in self.projections else found


def write_weights(path: str | Path, weights: Weights, dtype: Any = np.float32) -> None:
    """Write ``weights`` to ``path`` (by rename: a file is whole or absent). Raises FileError, WeightsError.

    ``dtype`` is that of all numbers but codes and codebooks, which are stored as they are.
    """
    dtype = np.dtype(dtype)
    _check(dtype in (np.float32, np.float16), "dtype", "float32 or float16", dtype)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["version"] = VERSION
        for name, text in {"format": FORMAT, **{name: getattr(weights, name) for name in _TEXTS}}.items():
            data = text.encode()
            file.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(len(data), 1)))
        file.attrs["mean"], file.attrs["std"] = weights.mean, weights.std
        for name in weights.layers:
            group = file.create_group(name)
            for part, array in weights.parts(name).items():
                with np.errstate(over="ignore"):  # said in our own words on the next line
                    stored = array if part == "codebook" or array.dtype == np.uint8 else array.astype(dtype)
                finite = bool(np.isfinite(stored).all())
                _check(finite, f"{name}/{part}", f"values within {dtype}'s range", "larger ones")
                group.create_dataset(part, data=stored)


def read_weights(path: str | Path) -> Weights:
    """Read and verify a weights file. Raises WeightsError naming the file and what is wrong with it."""
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path} not found: expected a weights file; see python -m minstyle.weights --help")
    try:
        with h5py.File(path, "r") as file:
            return _read(file)
    except WeightsError as error:
        raise WeightsError(f"{path}: {' '.join(str(error).split())}") from None
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(
            f"{path}: not a whole HDF5 file ({reason}). Convert or fetch it again: python -m minstyle.weights --help"
        ) from error


def is_weights_file(path: str | Path) -> bool:
    """Whether an HDF5 file says that it is of this format."""
    try:
        with h5py.File(path, "r") as file:
            return bool(_text(file, "format") == FORMAT)
    except (WeightsError, OSError, RuntimeError, ValueError, TypeError, KeyError):
        return False


def _read(file: h5py.File) -> Weights:
    if _text(file, "format") != FORMAT:
        raise WeightsError(
            "an HDF5 file, but not of format minstyle-weights. Convert it: python -m minstyle.weights convert SRC DST"
        )
    _check(_attribute(file, "version") == VERSION, "version", VERSION, _attribute(file, "version"))
    texts = {name: _text(file, name) for name in _TEXTS}
    for name, text in texts.items():
        _check(isinstance(text, str), f"attribute {name}", "a text", text)
    mean, std = _three(file, "mean"), _three(file, "std")
    _check(len(file) <= MAX_LAYERS, "layers", f"at most {MAX_LAYERS}", len(file))
    # Names sort in network order: block1_conv1, block1_conv2, block2_conv1, ...
    datasets = {name: _datasets(file, name) for name in sorted(file)}
    # Declared sizes cost nothing: they are checked before memory is asked for them.
    sizes = {f"{name}/{part}": dataset.size for name, parts in datasets.items() for part, dataset in parts.items()}
    declared, largest = sum(sizes.values()), max(sizes, key=lambda name: sizes[name], default="")
    _check(declared <= MAX_PER_FILE, largest, f"at most {MAX_PER_FILE} numbers in the file", declared)
    arrays = {name: {part: dataset[()] for part, dataset in parts.items()} for name, parts in datasets.items()}
    coded = {name: parts for name, parts in arrays.items() if "codebook" in parts}
    codes = {name: Codes.of(name, parts["kernel"], parts["codebook"]) for name, parts in coded.items()}
    kernels = {name: codes[name].decode() if name in codes else parts["kernel"] for name, parts in arrays.items()}
    layers = {name: (kernels[name], parts["bias"]) for name, parts in arrays.items()}
    projections = {name: parts["projection"] for name, parts in arrays.items() if "projection" in parts}
    return Weights(mean=mean, std=std, layers=layers, projections=projections, codes=codes, **texts)


def _attribute(file: h5py.File, name: str) -> Any:
    """The attribute ``name``, None if there is none. Only numbers and fixed-length texts are read from the file."""
    if name not in file.attrs:
        return None
    dtype = file.attrs.get_id(name).dtype
    _check(
        dtype.kind in "Sfiu",
        f"attribute {name}",
        "numbers or a text of fixed length (fetch or convert the file again)",
        dtype,
    )
    return file.attrs[name]


def _three(file: h5py.File, name: str) -> tuple[float, float, float]:
    """The attribute ``name``, three numbers."""
    value = np.asarray(_attribute(file, name))
    shown = value.tolist() if value.size <= 16 else value.shape
    numbers = value.astype(np.float64).ravel().tolist() if value.dtype.kind in "fiu" and value.size <= 16 else []
    _check(len(numbers) == 3, name, "three finite numbers", tuple(numbers) or shown)
    return numbers[0], numbers[1], numbers[2]


def _text(file: h5py.File, name: str) -> Any:
    """The attribute ``name``, a fixed-length text as str; None if there is none."""
    value = _attribute(file, name)
    return value.decode() if isinstance(value, bytes) else value


def member(group: Any, name: str) -> Any:
    """What an HDF5 group itself holds under ``name``, else None.

    Soft and external links are not followed, and external and virtual datasets, whose numbers lie elsewhere, are left
    out: a weights file needs none of them. Chunked datasets, the only ones that can be compressed, raise WeightsError:
    HDF5 would unpack a chunk of a megabyte to gigabytes before its size could be checked.
    """
    if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
        return None
    found = group[name]
    if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
        return None
    whole = not isinstance(found, h5py.Dataset) or found.chunks is None
    _check(whole, found.name.strip("/"), "a dataset in one piece (h5repack -f NONE -l CONTI makes it so)", "pieces")
    return found


def _datasets(file: h5py.File, layer: str) -> dict[str, h5py.Dataset]:
    """A layer's datasets by name; kernel and bias must be there."""
    others = [part for part in ("codebook", "projection") if part in file[layer]]
    return {part: _dataset(file, layer, part, "codebook" in others) for part in ("kernel", "bias", *others)}


def _dataset(file: h5py.File, layer: str, part: str, coded: bool) -> h5py.Dataset:
    dataset = member(member(file, layer), part)
    _check(isinstance(dataset, h5py.Dataset), f"{layer}/{part}", "a dataset", "nothing of the kind")
    kinds = ["uint8"] if coded and part == "kernel" else ["float32"] if part == "codebook" else ["float32", "float16"]
    _check(dataset.dtype in kinds, f"{layer}/{part}", " or ".join(kinds), dataset.dtype)
    _check(dataset.size is not None, f"{layer}/{part}", "numbers", "none")
    return dataset


def _check(condition: bool, where: str, expected: object, actual: object) -> None:
    require(condition, where, expected, actual, WeightsError)
