"""Other programs' weights files to minstyle's: recognise format and network, read, add the input's normalisation."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import LayerError, MinstyleError, WeightsError
from ..files import check_outputs, check_writable
from ..network.codes import Codes
from ..network.layers import BLOCKS, block_of, canonical, layer_names
from ..network.weightfile import Weights, is_weights_file, read_weights, write_weights
from .checksums import digest
from .formats import CAFFE_IN_TORCH, NORMALISATIONS, Normalisation, find_format
from .quantise import quantise
from .readers.tensors import Layers

Part = TypeVar("Part")
LONGEST = 500  # letters of an error: a damaged file's names can be of any length


def convert(
    source: str | Path,
    target: str | Path,
    *,
    network: str | None = None,
    through: str | None = None,
    normalisation: str | None = None,
    dtype: Any = np.float32,
    bits: int | None = None,
    licence: str = "",
    origin: str = "",
) -> Weights:
    """Convert a VGG16 or VGG19 of any known format, ours among them, to ``target``; returns what was written.

    The format is recognised from the content, the network from its layers; ``network`` only has to agree. Layers after
    ``through`` are left out. ``normalisation`` ("caffe", "caffe-rgb", "torchvision") replaces the one that belongs to
    the format. ``bits``, 1 to 8: kernels become codes, see ``quantise``; kernels that are codes in ``source`` stay as
    they are otherwise. ``origin`` names the source in the file (default: the file's name).
    Raises WeightsError, FileError; ``target`` is written whole or not at all.
    """
    source = Path(source)
    if not source.is_file():
        raise WeightsError(f"{source} not found: expected a file with VGG weights")
    check_outputs([Path(target)], [source])
    check_writable(target)
    if normalisation not in (None, *NORMALISATIONS):
        raise WeightsError(f"unknown normalisation {normalisation!r}: known are {', '.join(NORMALISATIONS)}")
    if bits not in (None, *range(1, 9)):
        raise WeightsError(f"bits: expected 1 to 8, got {bits}")
    weights = read_any(source, licence=licence, origin=origin)
    with _naming(source):
        if network not in (None, weights.network):
            raise WeightsError(f"expected {network}, found the layers of {weights.network}")
        if normalisation:
            weights = dataclasses.replace(weights, **NORMALISATIONS[normalisation])
        weights = _up_to(weights, through)
        weights = weights if bits is None else _quantised(weights, bits)
        write_weights(target, weights, dtype)
    return weights


def read_any(source: Path, *, licence: str = "", origin: str = "") -> Weights:
    """The weights of a file of any known format, ours among them. Raises WeightsError that names the file."""
    with _naming(source):
        return read_weights(source) if is_weights_file(source) else _foreign(source, licence, origin)


def _foreign(source: Path, licence: str, origin: str) -> Weights:
    checksum = digest(source)
    found, normalisation = _read(source)
    if checksum.startswith(CAFFE_IN_TORCH):
        normalisation = NORMALISATIONS["caffe"]
    kernels = {name: kernel.decode() if isinstance(kernel, Codes) else kernel for name, (kernel, _) in found.items()}
    return Weights(
        network=_recognise(found),
        layers={name: (kernels[name], bias) for name, (_, bias) in found.items()},
        codes={name: kernel for name, (kernel, _) in found.items() if isinstance(kernel, Codes)},
        source=f"{origin or source.name}, converted {datetime.date.today().isoformat()}",
        source_sha256=checksum,
        licence=licence or "not stated by the source file",
        **normalisation,
    )


@contextlib.contextmanager
def _naming(source: Path) -> Iterator[None]:
    """Turns errors in reading into one line that begins with the file's name."""
    try:
        yield
    except WeightsError as error:
        text = " ".join(str(error).removeprefix(f"{source}: ").split())
        raise WeightsError(f"{source}: {text if len(text) <= LONGEST else text[:LONGEST] + ' ...'}") from None
    except OSError as error:
        if isinstance(error, MinstyleError):
            raise
        raise WeightsError(f"{source}: cannot be read ({error.strerror or error})") from error


def _read(source: Path) -> tuple[Layers, Normalisation]:
    """Layers and normalisation of a file; whatever its reader raises becomes a WeightsError."""
    found = None
    try:
        found = find_format(source)
        return found.read(source)
    except (MinstyleError, PermissionError):
        raise
    except MemoryError:
        raise WeightsError("asks for more memory than there is") from None
    except Exception as error:  # a broken file makes libraries raise almost anything
        name = "file of a known format" if found is None else f"{found.name} file"
        raise WeightsError(f"not a whole {name} ({type(error).__name__}: {error})") from error


def _recognise(layers: Layers) -> str:
    """The network whose convolutions these are, from their names."""
    counts = Counter(block_of(name) for name in layers)
    for network in BLOCKS:
        if list(layers) == [name for name in layer_names(network) if "conv" in name]:
            return network
    have = "-".join(str(counts[block]) for block in sorted(counts))
    want = ", ".join(f"{name} has {'-'.join(map(str, blocks))}" for name, blocks in BLOCKS.items())
    raise WeightsError(f"convolutions by block: {have}; expected a whole VGG, numbered without a gap ({want})")


def _up_to(weights: Weights, through: str | None) -> Weights:
    """The weights of the layers up to and including ``through``."""
    if through is None:
        return weights
    last, names = canonical(through), list(weights.layers)
    if last not in names:
        raise LayerError(f"unknown layer {through!r} of {weights.network}: known are {', '.join(names)}")
    kept = names[: names.index(last) + 1]

    def cut(parts: Mapping[str, Part]) -> dict[str, Part]:
        return {name: part for name, part in parts.items() if name in kept}

    return dataclasses.replace(weights, layers=cut(weights.layers), codes=cut(weights.codes),
                               projections=cut(weights.projections))  # fmt: skip


def quantisation_errors(source: str | Path, quantised: Weights) -> list[str]:
    """A line a layer: its kernel's relative error against the source's, |k' - k| / |k| in the 2-norm."""
    exact = read_any(Path(source))
    lines = []
    for name, (kernel, _) in quantised.layers.items():
        k = exact.layers[name][0].astype(np.float64)
        lines.append(f"{name:14}{float(np.linalg.norm(kernel - k) / (np.linalg.norm(k) or 1)):8.2%}")
    return lines


def _quantised(weights: Weights, bits: int) -> Weights:
    """The weights with every kernel as codes of that many bits."""
    codes = {name: Codes(*quantise(kernel, bits)) for name, (kernel, _) in weights.layers.items()}
    layers = {name: (codes[name].decode(), bias) for name, (_, bias) in weights.layers.items()}
    text = f"{weights.source}; kernels quantised by k-means to {2**bits} values a layer"
    return dataclasses.replace(weights, layers=layers, codes=codes, source=text)
