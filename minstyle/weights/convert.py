"""Other programs' weights files to minstyle's: recognise format and network, read, add the input's normalisation."""

from __future__ import annotations

import contextlib
import datetime
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import LayerError, MinstyleError, WeightsError
from ..files import check_writable
from ..network.layers import BLOCKS, canonical, layer_names
from ..network.weightfile import Weights, write_weights
from .checksums import digest
from .formats import CAFFE_IN_TORCH, NORMALISATIONS, Normalisation, find_format
from .readers.tensors import Layers

LONGEST = 500  # letters of an error: a damaged file's names can be of any length


def convert(
    source: str | Path,
    target: str | Path,
    *,
    network: str | None = None,
    through: str | None = None,
    normalisation: str | None = None,
    dtype: Any = np.float32,
    licence: str = "",
    origin: str = "",
) -> Weights:
    """Convert a published VGG16 or VGG19 of any known format to ``target``; returns what was written.

    The format is recognised from the content, the network from its layers; ``network`` only has to agree. Layers after
    ``through`` are left out. ``normalisation`` ("caffe", "caffe-rgb", "torchvision") replaces the one that belongs to
    the format. ``origin`` names the source in the file (default: the file's name).
    Raises WeightsError, FileError; ``target`` is written whole or not at all.
    """
    source = Path(source)
    if not source.is_file():
        raise WeightsError(f"{source} not found: expected a file with VGG weights")
    check_writable(target)
    if normalisation not in (None, *NORMALISATIONS):
        raise WeightsError(f"unknown normalisation {normalisation!r}: known are {', '.join(NORMALISATIONS)}")
    with _naming(source):
        checksum = digest(source)
        layers, own = _read(source)
        recognised = _recognise(layers)
        if network not in (None, recognised):
            raise WeightsError(f"expected {network}, found the layers of {recognised}")
        if checksum.startswith(CAFFE_IN_TORCH):
            own = NORMALISATIONS["caffe"]
        weights = Weights(
            network=recognised,
            layers=_up_to(layers, through, recognised),
            source=f"{origin or source.name}, converted {datetime.date.today().isoformat()}",
            source_sha256=checksum,
            licence=licence or "not stated by the source file",
            **(NORMALISATIONS[normalisation] if normalisation else own),
        )
        write_weights(target, weights, dtype)
    return weights


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
    counts = Counter(int(name[5]) for name in layers)
    for network in BLOCKS:
        if list(layers) == [name for name in layer_names(network) if "conv" in name]:
            return network
    have = "-".join(str(counts[block]) for block in sorted(counts))
    want = ", ".join(f"{name} has {'-'.join(map(str, blocks))}" for name, blocks in BLOCKS.items())
    raise WeightsError(f"convolutions by block: {have}; expected a whole VGG, numbered without a gap ({want})")


def _up_to(layers: Layers, through: str | None, network: str) -> Layers:
    """The layers up to and including ``through``."""
    if through is None:
        return layers
    last = canonical(through)
    if last not in layers:
        raise LayerError(f"unknown layer {through!r} of {network}: known are {', '.join(layers)}")
    names = list(layers)
    return {name: layers[name] for name in names[: names.index(last) + 1]}
