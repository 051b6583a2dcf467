"""The front of both command lines: what they print, which nobody's file can forge, and how they end."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from typing import TextIO, cast

from .errors import LONGEST, MinstyleError, short
from .signals import StopAtOnceError, code_of

LINE = 2000  # characters of a line that are shown

# What a terminal takes for a command or a writing direction, and line ends of any kind, by Unicode's categories.
_UNSHOWN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # belong to words of some scripts, and to emoji
# A word, or what stands in quotes, as values do in messages; an apostrophe within a word opens none.
_LONG = re.compile(rf"(?<!\w)'[^']{{{LONGEST},}}'|\"[^\"]{{{LONGEST},}}\"|\S{{{LONGEST},}}")


class OutputError(MinstyleError, OSError):
    """Standard output cannot be written. ``seen_enough``: who reads it has gone, as ``head`` does."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(f"cannot write to standard output: {reason.strerror or reason}")
        self.seen_enough = isinstance(reason, BrokenPipeError)


def shown(text: str, *, whole: bool = False) -> str:
    """``text`` in one line that moves no cursor: what is not to be shown as escapes, long values without their middle.

    ``whole``: however long it is.
    """
    if whole:
        return "".join(map(_escaped, text))
    brief = _LONG.sub(lambda found: short(found[0]), "".join(map(_escaped, text)))
    return brief if len(brief) <= LINE else f"{brief[:LINE]}..."


def _escaped(letter: str) -> str:
    unshown = unicodedata.category(letter) in _UNSHOWN and letter not in _JOINERS
    return letter.encode("unicode_escape").decode() if unshown else letter


def say(*lines: str, whole: bool = False) -> None:
    """Print lines, see ``shown``, to standard output; raises OutputError.

    Letters that its encoding lacks stand as escapes, as Python has it on standard error.
    """
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    text = "\n".join(shown(line, whole=whole) for line in lines)
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except OSError as error:
        raise OutputError(error) from error


def tell(*lines: str, whole: bool = False) -> None:
    """Print lines, see ``shown``, to standard error."""
    print("\n".join(shown(line, whole=whole) for line in lines), file=sys.stderr, flush=True)


def fail(name: str, message: str, *more: str) -> int:
    """Tell an error of the program of that name in a line, and ``more`` of what to do; returns the exit code."""
    tell(f"{name}: error: {' '.join(message.split())}", *more)
    return 2


def reason(error: BaseException) -> str:
    """What is said of an error."""
    if isinstance(error, MemoryError):
        return "not enough memory for a picture of this size: try a smaller --size"
    if isinstance(error, MinstyleError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return f"{type(error).__name__}: {error}"


def run(name: str, command: Callable[[], int]) -> int:
    """Call the command of that name; returns its exit code: 2 after an error told in one line, 128 + a signal's number.

    A standard error that is closed, full or broken ends nothing; who no longer reads standard output has seen enough.
    """
    with _usable_streams():
        try:
            try:
                return command()
            finally:
                _flush()
        except OutputError as error:
            return 0 if error.seen_enough else fail(name, reason(error))
        except (MinstyleError, OSError, MemoryError) as error:
            return fail(name, reason(error))
        except (KeyboardInterrupt, StopAtOnceError) as error:
            tell(f"{name}: {'stopped at once' if isinstance(error, StopAtOnceError) else 'interrupted'}")
            return code_of(error)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError as error:
        raise OutputError(error) from error


class _Lenient:
    """A stream that drops what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # a ValueError: it was closed meanwhile
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


class _Closed(io.TextIOBase):
    """A standard output that is closed: what was asked for on it is lost, which is an error."""

    def write(self, text: str) -> int:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


@contextlib.contextmanager
def _usable_streams() -> Iterator[None]:
    """Streams in the place of closed ones; a standard error whose failures nobody hears of."""
    while (nowhere := os.open(os.devnull, os.O_RDWR)) < 3:
        pass  # it has the number of one that was closed, which no file is to get that something is written to
    before = sys.stdout, sys.stderr
    with open(nowhere, "w", encoding="utf-8") as empty:
        sys.stdout = before[0] or cast(TextIO, _Closed())
        sys.stderr = cast(TextIO, _Lenient(before[1] or empty))
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            for stream in filter(None, before):
                try:
                    stream.flush()
                except (OSError, ValueError):  # Python would say so at its end, and end with 120
                    with contextlib.suppress(OSError, ValueError):
                        os.dup2(nowhere, stream.fileno())
