"""Whether a picture fits into the memory that is there: large pictures are read, bombs are refused by their headers."""

from __future__ import annotations

from pathlib import Path

from ..errors import ImageError

MAX_PIXELS = 178_956_970  # where Pillow calls a file a bomb; a poster of 1 m2 at 300 dots per inch has 140 million
_WORK = 32  # bytes a pixel of the image in floats, and of the copy that turning or a profile makes of it
_SHRINKING = 8  # of one channel in floats, where it is shrunk at once
_MEMORY = "/proc/meminfo"
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container


def check_room(name: str, height: int, width: int, stored: int, whole: bool = True) -> None:
    """Raise ImageError for a picture of ``stored`` bytes a pixel that is a bomb, or larger than the memory allows.

    ``whole``: whether it is to be an image as large as it is stored.
    """
    if height * width > MAX_PIXELS:
        raise ImageError(f"{name}: {width} x {height}, larger than {MAX_PIXELS:,} pixels; make it smaller")
    needed, free = height * width * (stored + (_WORK if whole else _SHRINKING)), free_memory()
    if free is not None and needed > free:
        raise ImageError(f"{name}: {width} x {height} pixels need {needed / 1e9:.1f} GB of memory, {free / 1e9:.1f} GB "
                         "are free; make it smaller")  # fmt: skip


def free_memory() -> int | None:
    """Bytes that this process may take, by the machine and by the limit of its container; None: not known."""
    return min((n for n in (_available(), *map(_limit, _LIMITS)) if n is not None), default=None)


def _available() -> int | None:
    try:
        lines = Path(_MEMORY).read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):  # no Linux
        return None


def _limit(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):  # no container, or "max"
        return None
