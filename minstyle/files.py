"""Files are written beside their place under a temporary name and renamed into it: none is ever half there."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
import unicodedata
from collections.abc import Hashable, Iterable, Iterator, Sequence
from pathlib import Path

from .errors import FileError

_OURS = re.compile(r"\.minstyle\.[0-9a-f]{8}(\.[^.]*)?")  # the names of temporary files and folders
_DAY = 86_400.0  # seconds


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` on success, remove it on any error.

    Of a symbolic link the file that it points to is replaced. The new file is on the disk before it takes the name, and
    has the permissions, and as far as the system allows the owner, of the one that it replaces. Raises FileError, with
    the system's reason, when the folder or the disk refuses, or is not there, and for a pipe or a device.
    """
    path = _place(Path(path))
    # The suffix stays last: writers choose their format by it.
    temporary = path.with_name(f"{_own_name()}{path.suffix}")
    try:
        yield temporary
        _finish(temporary, path)
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _own_name() -> str:
    return f".minstyle.{secrets.token_hex(4)}"


def _target(path: Path) -> Path:
    """The file itself that a path leads to. Raises FileError where it is none."""
    with _named(path):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            kind = os.stat(path).st_mode
            if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):  # writing by rename would put a file in its place
                raise FileError(f"cannot write {path}: it is a pipe or a device; name a file")
        return Path(os.path.realpath(path)) if os.path.islink(path) else path


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """The system's errors as FileErrors that name the path."""
    try:
        yield
    except FileError:
        raise
    except (OSError, ValueError) as error:  # a ValueError: a zero byte in the name
        raise FileError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error


def _finish(temporary: Path, path: Path) -> None:
    """Bring a file that is written to the disk, and give it permissions and owner of ``path``, if that is there."""
    with open(temporary, "rb+") as file:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
                raise
    with contextlib.suppress(OSError):
        before = os.stat(path)
        with contextlib.suppress(OSError, AttributeError):  # for root alone; unknown to Windows
            os.chown(temporary, before.st_uid, before.st_gid)
        os.chmod(temporary, before.st_mode & 0o777)


def check_writable(path: str | Path) -> None:
    """Raise FileError now, before an hour of work, if a file at ``path`` could not be written later.

    Temporary files that a killed process left in its folder, a day ago or more, are removed.
    """
    path = Path(path)
    folder = _place(path).parent
    probe = folder / _own_name()
    with _named(path):  # permission bits do not tell for every user and file system: try
        probe.touch(exist_ok=False)
        probe.unlink()
    _clear(folder)


def check_open(path: str | Path) -> None:
    """Raise FileError now if a file at ``path`` could not be opened later, to be written in its place, line by line."""
    path = Path(path)
    target = _place(path)
    with _named(path):
        there = target.exists()
        with open(target, "ab"):
            pass
        if not there:
            target.unlink()


def _place(path: Path) -> Path:
    """``_target``, in a folder that is there. Raises FileError, also for a folder."""
    target = _target(path)
    folder = target.parent
    with _named(path):
        there = folder.exists()
    if not there:
        raise FileError(f"cannot write {path}: the folder {folder} does not exist; make it first")
    if not folder.is_dir():
        raise FileError(f"cannot write {path}: {folder} is not a folder")
    if os.path.isdir(path):
        raise FileError(f"cannot write {path}: it is a folder; name a file in it")
    return target


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder of its own in the system's folder for temporary files, removed at the end. Raises OSError.

    What a killed process left there, a day ago or more, is removed too.
    """
    _clear(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{_own_name()}.") as folder:
        yield Path(folder)


def _clear(folder: Path) -> None:
    """Remove our temporary files and folders of which nothing was written for a day: their process was killed."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]:
            with contextlib.suppress(OSError):
                status = path.lstat()
                is_folder = stat.S_ISDIR(status.st_mode)
                written = [status.st_mtime, *(file.lstat().st_mtime for file in (path.iterdir() if is_folder else ()))]
                own = status.st_uid == getattr(os, "geteuid", lambda: 0)()
                if own and time.time() - max(written) > _DAY:
                    if is_folder:
                        shutil.rmtree(path, ignore_errors=True)
                    elif stat.S_ISREG(status.st_mode):
                        path.unlink()


def check_outputs(written: Sequence[Path], read: Iterable[Path]) -> None:
    """Raise FileError where a file to write is one that is read, or two of them are one, whatever their names."""
    inputs = {_identity(path) for path in read if os.path.exists(path)}
    before = set[Hashable]()
    for path in written:
        own = _identity(path)
        if own in inputs:
            raise FileError(f"{path} is one of the files that are read: write to another")
        if own in before:
            raise FileError(f"{path} would be written twice: give each file a name of its own")
        before.add(own)


def _identity(path: str | Path) -> Hashable:
    """What all paths have in common that lead to one file, or would if it were there.

    Of files that are there the system knows; else upper and lower case are taken as the same: some systems take them
    so, some folders do not.
    """
    if os.path.exists(path):
        status = os.stat(path)
        return status.st_dev, status.st_ino
    folder, name = os.path.split(os.path.realpath(path))
    place = _identity(folder) if os.path.isdir(folder) else folder
    return place, unicodedata.normalize("NFC", name.casefold())
