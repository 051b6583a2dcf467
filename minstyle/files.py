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

    Raises FileError, with the system's reason, when the folder or the disk refuses.
    """
    path = Path(path)
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


def check_writable(path: str | Path) -> None:
    """Raise FileError now, before an hour of work, if a file at ``path`` could not be written later."""
    path = Path(path)
    folder = path.parent
    if not folder.exists():
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
