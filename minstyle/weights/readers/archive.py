"""Zip archives from strangers, for the readers of PyTorch's and NumPy's files.

The table of contents is checked before any record is read, and nothing is unpacked to disk.
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ...errors import WeightsError

MAX_TABLE = 1 << 20  # bytes of the table of contents; a network's has some thousand
_LEADS_OUT = re.compile(r"[/\\]|[A-Za-z]:|(?:.*[/\\])?\.\.(?:[/\\]|$)|.*[\0\r\n]", re.DOTALL)


class _Guarded(io.BufferedReader):
    """A file that refuses large reads until ``whole`` is set: zipfile reads the table of contents in one piece."""

    whole = False

    def read(self, size: int | None = -1, /) -> bytes:
        if not self.whole and size is not None and size > MAX_TABLE:
            raise WeightsError(f"an archive whose table of contents has {size} bytes; expected at most {MAX_TABLE}")
        return super().read(size)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive at ``path``, checked to have no two records of one name and none that leads out of it.

    Raises WeightsError, and what zipfile raises for damaged archives.
    """
    with _Guarded(io.FileIO(path)) as file, zipfile.ZipFile(file) as archive:
        file.whole = True
        names = archive.namelist()
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise WeightsError(f"record {twice[0]!r}: twice in the archive")
        if outside := next((name for name in names if _LEADS_OUT.match(name)), None):
            raise WeightsError(f"record {outside!r}: a name that leads out of the archive")
        yield archive
