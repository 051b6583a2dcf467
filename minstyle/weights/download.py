"""Download a source's file over HTTP: retried after errors that may pass, its length and checksum verified.

requests handles redirects, proxies and certificates.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from tqdm import tqdm

from ..errors import FileError, WeightsError, short
from .checksums import check_sum
from .sources import Download

TRIES = 3
PAUSE = 1.0  # seconds before the second try, twice as long before each further one
TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte; patience.py has the limit of the whole
LARGEST = 600_000_000  # bytes that a source of unknown size may have
PATIENCE, SLOWEST = 120, 10_000  # seconds that a whole download may take, and bytes a second beside them
_CHUNK = 1 << 14  # bytes: small beside what a slow line brings in a minute
_PASSING = {408, 429}  # statuses after which a later request may succeed; so may all from 500

Say = Callable[[str], None]


class UnreachableError(WeightsError):
    """A source that gave no answer at all."""


class _BrokenError(WeightsError):
    """An answer that is cut short, or that asks to come back later."""


class _Sink:
    """A file that moves the bar, and takes no more bytes than the source has."""

    def __init__(self, file: IO[bytes], bar: Any, limit: int) -> None:
        self._file, self._bar, self._limit = file, bar, limit
        self.count = 0

    def write(self, data: bytes) -> None:
        self.count += len(data)
        if self.count > self._limit:
            raise _BrokenError(f"wrong length: expected {self._limit} bytes, got more")
        self._file.write(data)
        self._bar.update(len(data))


def allowed_seconds(size: int) -> float:
    """Seconds that a download of ``size`` bytes may take."""
    return PATIENCE + size / SLOWEST


def download(source: Download, folder: Path, say: Say, bar: bool = False) -> Path:
    """The file of ``source`` in ``folder``, its length and checksum checked. ``say`` is told of further tries.

    Raises UnreachableError, WeightsError, FileError.
    """
    path = folder / source.file_name
    for attempt in range(TRIES):
        try:
            _get(source, path, bar)
            break
        except (UnreachableError, _BrokenError) as error:
            if attempt == TRIES - 1:
                raise
            pause = PAUSE * 2**attempt
            say(f"{source.name}: {error}; trying again in {pause:g} s")
            time.sleep(pause)
    if source.checksum is not None:
        check_sum(path, source.checksum)
    return path


def _get(source: Download, path: Path, bar: bool) -> None:
    """One try. Raises UnreachableError or _BrokenError where another may help, WeightsError where not, FileError."""
    import requests  # here, with what imports it: it takes a noticeable part of the time of `import minstyle`

    from .patience import LEAST, patient_session

    answer: requests.Response | None = None
    settings = {"unit": "B", "unit_scale": True, "dynamic_ncols": True, "delay": 0.2, "disable": not bar,
                "mininterval": 0.1 if sys.stderr.isatty() else 10.0}  # fmt: skip
    most, host = source.size or LARGEST, urlsplit(source.url).netloc
    slow = _BrokenError(f"{host} is too slow, with less than {LEAST:,} bytes in a minute")
    late = WeightsError(f"{host} is too slow: not done in {allowed_seconds(most) / 60:.0f} minutes")
    try:
        with open(path, "wb") as file, tqdm(total=source.size, desc=source.name, **settings) as progress:
            sink = _Sink(file, progress, most)
            with patient_session(lambda: sink.count, allowed_seconds(most), slow, late) as session:
                answer = session.get(source.url, stream=True, timeout=TIMEOUT)
                answer.raise_for_status()
                int(answer.headers.get("Content-Length", 0))  # a ValueError for an answer that is broken there
                for data in answer.iter_content(_CHUNK):
                    sink.write(data)
    except WeightsError:
        raise
    except (requests.RequestException, ValueError) as error:
        raise _explain(error, source.url, answer is not None) from error
    except OSError as error:
        raise FileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if answer is not None:
            answer.close()
    if source.size not in (None, sink.count):
        raise _BrokenError(f"wrong length: expected {source.size} bytes, got {sink.count}")


def _explain(error: Exception, url: str, answered: bool) -> WeightsError:
    """What an error of requests means in our words."""
    import requests

    request, response = getattr(error, "request", None), getattr(error, "response", None)
    host = urlsplit(getattr(request, "url", None) or url).netloc
    if isinstance(error, requests.HTTPError) and response is not None:
        passing = response.status_code >= 500 or response.status_code in _PASSING
        return (_BrokenError if passing else WeightsError)(
            f"{host} answers {response.status_code} {short(response.reason)}"
        )
    if answered:
        return _BrokenError(f"the answer of {host} broke off ({_root(error)})")
    if isinstance(error, requests.ConnectionError | requests.Timeout):
        return UnreachableError(f"no answer from {host} ({_root(error)})")
    return WeightsError(f"{url}: {_root(error)}")


def _root(error: BaseException) -> str:
    """The first cause of an error, in one line."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    text = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return " ".join(text.split())
