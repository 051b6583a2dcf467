"""How much memory this process has, and how much more it may have: the machine's, a container's, ulimit's.

Linux tells all of it. Elsewhere only some is known, and what is not known sets no limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from dataclasses import dataclass
from pathlib import Path

_PAGE = 4096
_UNLIMITED = 1 << 60  # cgroups version 1 write "no limit" as a number of about this size


@dataclass(frozen=True)
class Room:
    """Bytes that this process may come to have in all, those that it has now among them, and what sets that limit."""

    bytes: int
    limit: str


def tightest(most: int | None) -> Room | None:
    """The tighter of what there is and ``most`` bytes, the limit that the user set; None where neither is known."""
    limits = [room(), None if most is None else Room(most, "--memory")]
    return min((limit for limit in limits if limit is not None), key=lambda limit: limit.bytes, default=None)


def resident() -> int:
    """Bytes of memory that this process has now; where the system does not tell, the most that it ever had, or 0."""
    pages = _numbers(Path("/proc/self/statm"))
    return pages[1] * _page() if len(pages) > 1 else peak()


def peak() -> int:
    """The most bytes of memory that this process ever had; 0 where the system does not tell."""
    # Not ru_maxrss where it can be helped: Linux hands that on to what a large process starts.
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    try:
        import resource  # not on Windows
    except ImportError:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def give_back() -> None:
    """Return to the system what the C library's heap keeps of freed arrays, so that ``resident`` is what is in use."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # GNU's library has it
        ctypes.CDLL(None).malloc_trim(0)


def room(root: Path = Path("/")) -> Room | None:
    """The tightest of the limits that are set; None where none is known. ``root`` is where /proc and /sys are."""
    now = resident()
    limits = [*_of_ulimit(now), *_of_cgroups(root, now), *_of_machine(root, now)]
    return min(limits, key=lambda limit: limit.bytes, default=None)


def _of_machine(root: Path, now: int) -> list[Room]:
    """Memory that is available without taking it from other programs, and what the swap space has room for."""
    told = dict(line.split(":", 1) for line in _text(root / "proc/meminfo").splitlines() if ":" in line)
    with contextlib.suppress(KeyError, ValueError):
        kilobytes = [int(told[name].split()[0]) for name in ("MemAvailable", "SwapFree")]
        return [Room(now + 1024 * sum(kilobytes), "this machine")]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # no Windows; without Linux's /proc, all there is
        return [Room(os.sysconf("SC_PHYS_PAGES") * _page(), "this machine")]
    return []


def _of_ulimit(now: int) -> list[Room]:
    """What ``ulimit -v`` and ``ulimit -d`` leave: they count addresses, so what is reserved already is subtracted."""
    try:
        import resource  # not on Windows
    except ImportError:
        return []
    found = []
    pages = _numbers(Path("/proc/self/statm"))  # size, resident, shared, text, 0, data and stack
    for limit, flag, used in ((resource.RLIMIT_AS, "-v", 0), (resource.RLIMIT_DATA, "-d", 5)):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY:
            reserved = pages[used] * _page() if len(pages) > used else now
            found.append(Room(now + max(0, most - reserved), f"ulimit {flag}"))
    return found


def _of_cgroups(root: Path, now: int) -> list[Room]:
    """What the control groups of this process, and those above them, leave: containers, batch systems, systemd."""
    found = []
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":  # version 2
            base, most, used, cache = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in controllers.split(","):
            base, most, used = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cache = "total_inactive_file"
        else:
            continue
        folder = base / path.lstrip("/")
        # In a container the path may be the host's: then there is nothing at its end, and its own group is the base.
        for group in [folder, *folder.parents]:
            limit = _numbers(group / most)
            if limit and limit[0] < _UNLIMITED:
                cached = [line.split()[1] for line in _text(group / "memory.stat").splitlines()
                          if line.startswith(f"{cache} ")]  # fmt: skip
                taken = sum(_numbers(group / used)[:1]) - sum(map(int, cached))  # cached files give way
                found.append(Room(now + max(0, limit[0] - taken), "its control group"))
            if group == base:
                break
    return found


def _page() -> int:
    with contextlib.suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PAGE_SIZE")
    return _PAGE


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""


def _numbers(path: Path) -> list[int]:
    """The whole numbers that a file begins with; none where it says "max" or is not there."""
    found = []
    for word in _text(path).split():
        if not word.isdecimal():
            break
        found.append(int(word))
    return found
