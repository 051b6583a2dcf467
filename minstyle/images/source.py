"""Where a picture comes from: a path, bytes, or a file object; each becomes a stream that can be read twice."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import IO

from ..errors import ImageError

Source = str | Path | bytes | IO[bytes]
IN_MEMORY = "the picture in memory"  # its name in messages


@contextlib.contextmanager
def stream_of(source: Source) -> Iterator[tuple[IO[bytes], str]]:
    """A stream of the whole file, at its beginning, and the name that messages call it by.

    A file object is read from where it stands, and not closed. Raises ImageError with the true reason for what cannot
    be opened or read, MemoryError.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        yield BytesIO(source), IN_MEMORY
    elif isinstance(source, str | Path):
        with _opened(Path(source)) as stream:
            yield stream, str(source)
    elif hasattr(source, "read"):
        name = getattr(source, "name", None)
        name = name if isinstance(name, str) else IN_MEMORY
        yield BytesIO(_bytes_of(source, name)), name
    else:
        raise ImageError(f"expected a path, bytes or a file object of a picture, got {type(source).__name__}")


def _bytes_of(file: IO[bytes], name: str) -> bytes:
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # ValueError: closed, or text that is no text
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f'{name} cannot be read ({reason}); give a file that is open with "rb"') from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ImageError(f'{name}: expected a file of bytes, got one of {type(data).__name__}; open it with "rb"')
    return data


def _opened(path: Path) -> IO[bytes]:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISREG(mode):
            return open(path, "rb")
    except FileNotFoundError as error:
        if address := re.fullmatch(r"(https?:/)/?(.*)", str(path)):  # a Path has one "/" of the two
            raise ImageError(f"{address[1]}/{address[2]} is a web address, and minstyle does not download "
                             "pictures: save it to a file and name that") from error  # fmt: skip
        raise ImageError(f"{path} not found: expected a picture file") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise ImageError(f"{path} cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(mode):
        raise ImageError(f"{path} is a folder: expected a picture file; name one in it")
    raise ImageError(f"{path} is a pipe or a device, which cannot be read twice: save the picture to a file")
