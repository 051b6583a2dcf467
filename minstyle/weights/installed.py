"""Installed networks: list them beside what can be fetched, verify a file, measure its loading, remove it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import FileError, WeightsError, short
from ..network.layers import BLOCKS
from ..network.vgg import Network
from ..network.weightfile import Weights, read_weights
from .checksums import digest
from .locate import NAMES, embedded_folder, first_file, folders, given_folder
from .sources import SOURCES, megabytes

BROKEN = "broken"


def describe_all(weights_dir: str | Path | None = None, *, sources: bool = False) -> list[str]:
    """The lines of ``list``: the files in the folders that are searched; with ``sources`` also these, and what is had.

    Folders that cannot be read are told in any case.
    """
    rows, places, closed = [], [], []
    for folder in folders(weights_dir):
        try:
            files = sorted(name for name in os.listdir(folder) if name.endswith(".h5") and not name.startswith("."))
        except FileNotFoundError:
            files = []
        except OSError as error:
            closed.append(f"  {folder}: cannot be read: {error.strerror}")
            places.append(closed[-1])
            continue
        places.append(f"  {folder}: {', '.join(files) or 'nothing'}")
        rows += [_row(folder / name) for name in files]
    if not sources:
        brief = [(*row[:3], f"{row[4]}: {row[3]}" if row[0] == BROKEN else row[4]) for row in rows]
        more = f"fetch gets {' and '.join(SOURCES)}; list --sources says where from, and where to"
        return [*_installed(("network", "layers", "size", "path"), brief), *closed, more]
    offers = [
        (source.network, source.name, megabytes(source.size), source.licence)
        for sources_of_one in SOURCES.values()
        for source in sources_of_one
    ]
    return [
        *_installed(("network", "layers", "size", "source", "path"), rows),
        "folders that are searched, in order:",
        *places,
        "available with python -m minstyle.weights fetch NETWORK [--source SOURCE]:",
        *_table(("network", "source", "size", "licence"), offers),
    ]


def _installed(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["installed:", *_table(head, rows)] if rows else ["installed: nothing"]


def _row(path: Path) -> tuple[str, ...]:
    try:
        size, weights = megabytes(path.stat().st_size), read_weights(path)
    except (WeightsError, OSError) as error:
        return (BROKEN, "", "", short(str(error).removeprefix(f"{path}: ")), str(path))
    source = textwrap.shorten(weights.source, 40, placeholder=" ...")
    place = f"{path}{' (comes with minstyle)' if _comes_along(path) else ''}"
    return (_name(weights, path), str(len(weights.layers)), size, source, place)


def _name(weights: Weights, path: Path) -> str:
    """What --network calls it, and of a small network in whose place it is."""
    if not weights.projections:
        return short(weights.network)
    name = path.stem if path.stem in NAMES else path.name
    return f"{name} (a small network, in place of {short(weights.network)})"


def _comes_along(path: Path) -> bool:
    return path.resolve().parent == embedded_folder().resolve()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines with columns of one width; the last is left as long as it is."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head) - 1)] + [0]
    return ["  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]


def verify(path: Path) -> list[str]:
    """Read the whole file, check it as for a run, and describe it. Raises WeightsError."""
    weights = read_weights(path)
    try:
        Network(weights)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
    facts = {
        "file": f"{path} ({megabytes(path.stat().st_size)})",
        "SHA-256": digest(path),
        "network": _name(weights, path),
        "layers": _layers(weights),
        "channels": " ".join(str(bias.size) for _, bias in weights.layers.values()),
        **({"projections": _projections(weights)} if weights.projections else {}),
        **({"kernels": _codebooks(weights)} if weights.codes else {}),
        "dtype": ", ".join(sorted({array.dtype.name for array in _arrays(weights)})),
        "normalisation": f"(image - mean) / std, mean {_triple(weights.mean)}, std {_triple(weights.std)} (RGB, "
        f"0..255), then {weights.channel_order}",
        "source": textwrap.shorten(weights.source, 380, placeholder=" ..."),
        **({"source's SHA-256": short(weights.source_sha256)} if weights.source_sha256 else {}),
        "licence": short(weights.licence),
    }
    return [f"{name:18}{text}" for name, text in facts.items()]


def _arrays(weights: Weights) -> list[np.ndarray]:
    return [array for name in weights.layers for array in weights.parts(name).values()]


def _projections(weights: Weights) -> str:
    """Of a small network: at which layers, and with how many coordinates."""
    return ", ".join(f"{name} ({matrix.shape[1]})" for name, matrix in weights.projections.items())


def _codebooks(weights: Weights) -> str:
    """Of kernels that are stored as codes: how many numbers they stand for."""
    sizes = sorted({codes.codebook.size for codes in weights.codes.values()})
    return f"{len(weights.codes)} as codes, of {' or '.join(map(str, sizes))} numbers each"


def _layers(weights: Weights) -> str:
    names = list(weights.layers)
    whole = "all" if len(names) == sum(BLOCKS[weights.network]) else "the first"
    return f"{whole} {len(names)}, {names[0]} to {names[-1]}"


def _triple(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


def time_loading(path: Path) -> str:
    """How long the file takes to become a network, and what memory that takes beyond the weights' own size.

    Measured in a fresh process, so that nothing that this one did before counts. Raises WeightsError.
    """
    code = "import sys; from minstyle.weights.installed import measure; print(measure(sys.argv[1]))"
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        last = (run.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise WeightsError(f"{path}: cannot be loaded in a process of its own ({last})")
    seconds, size, beyond = json.loads(run.stdout)
    memory = "not measured on this system" if beyond is None else megabytes(beyond)
    return f"{seconds:.2f} s, weights {megabytes(size)}, peak memory beyond them {memory}"


def measure(path: str) -> str:
    """[seconds to load, bytes of the weights, peak bytes beyond them or null], as JSON."""
    before = _memory("VmRSS")
    start = time.perf_counter()
    weights = read_weights(path)
    network = Network(weights)
    seconds = time.perf_counter() - start
    decoded = [array for pair in weights.layers.values() for array in pair] + list(weights.projections.values())
    size = sum(array.size for array in decoded) * network.dtype.itemsize
    peak = _memory("VmHWM")
    return json.dumps([seconds, size, None if before is None or peak is None else peak - before - size])


def _memory(name: str) -> int | None:
    """This process's memory in bytes by Linux's name for it; None on other systems."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(name)), None)


def find_installed(network: str, weights_dir: str | Path | None = None) -> Path:
    """The file that ``network`` is read from: in ``weights_dir``, or in the first folder.

    Raises WeightsError where there is none, or only the one that comes with minstyle.
    """
    places = folders() if weights_dir is None else [given_folder(weights_dir)]
    if (path := first_file((network,), places)) is None:
        raise WeightsError(f"{network} is not installed in {', '.join(map(str, places))}; nothing to remove")
    if _comes_along(path):
        raise WeightsError(f"{path} comes with minstyle and is kept: only files that you installed are removed")
    return path


def remove(path: Path) -> None:
    """Remove a weights file. Raises FileError."""
    try:
        path.unlink()
    except OSError as error:
        raise FileError(f"cannot remove {path}: {error.strerror or error}") from error
