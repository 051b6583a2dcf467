"""Files are written beside their place under a temporary name and renamed into it: none is ever half there."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from .errors import FileError


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of ``path``; rename it to ``path`` on success, remove it on any error.

    Of a symbolic link the file that it points to is replaced. Raises FileError, with the system's reason, when the
    folder or the disk refuses.
    """
    path = _target(Path(path))
    # The suffix stays last: writers choose their format by it.
    temporary = path.with_name(f".minstyle.{secrets.token_hex(4)}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _target(path: Path) -> Path:
    return Path(os.path.realpath(path)) if os.path.islink(path) else path


def check_writable(path: str | Path) -> None:
    """Raise FileError now, before an hour of work, if a file at ``path`` could not be written later."""
    path = Path(path)
    folder = _target(path).parent
    try:
        there = folder.exists()
    except OSError as error:  # a folder above it is closed
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    if not there:
        raise FileError(f"cannot write {path}: the folder {folder} does not exist; make it first")
    if not folder.is_dir():
        raise FileError(f"cannot write {path}: {folder} is not a folder")
    if os.path.isdir(path):  # unlike Path's own, false for a name that is too long
        raise FileError(f"cannot write {path}: it is a folder; name a file in it")
    probe = folder / f".minstyle.{secrets.token_hex(4)}"
    try:
        with contextlib.suppress(FileNotFoundError):
            path.lstat()  # a name that is too long
        probe.touch(exist_ok=False)  # permission bits do not tell for every user and file system: try
        probe.unlink()
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
