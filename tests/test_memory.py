"""memory.py: what limits there are, read from files as systems write them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minstyle import memory

GIGABYTE = 10**9


def written(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


MACHINE = {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:  6000000 kB\nSwapFree:  1000000 kB"}
VERSION_2 = {
    "proc/self/cgroup": "0::/batch/job7",
    "sys/fs/cgroup/batch/job7/memory.max": "max",
    "sys/fs/cgroup/batch/memory.max": 2 * GIGABYTE,
    "sys/fs/cgroup/batch/memory.current": GIGABYTE,
    "sys/fs/cgroup/batch/memory.stat": "anon 5\ninactive_file 400000000\nactive_file 3",
}
VERSION_1 = {
    "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/docker/abc",  # in the container there is no such folder
    "sys/fs/cgroup/memory/memory.limit_in_bytes": 3 * GIGABYTE,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": GIGABYTE,
    "sys/fs/cgroup/memory/memory.stat": "cache 9\ntotal_inactive_file 500000000",
}
UNLIMITED = {
    "proc/self/cgroup": "4:memory:/",
    "sys/fs/cgroup/memory/memory.limit_in_bytes": 9223372036854771712,
    "sys/fs/cgroup/memory/memory.usage_in_bytes": GIGABYTE,
}


@pytest.mark.parametrize(("files", "more", "limit"), [
    (MACHINE, 7_000_000 * 1024, "this machine"),
    (MACHINE | VERSION_2, 1_400_000_000, "its control group"),
    (MACHINE | VERSION_1, 2_500_000_000, "its control group"),
    (MACHINE | UNLIMITED, 7_000_000 * 1024, "this machine"),
], ids=["machine", "version 2", "version 1", "no limit"])  # fmt: skip
def test_the_tightest_limit_counts(tmp_path: Path, files: dict[str, object], more: int, limit: str) -> None:
    there = memory.room(written(tmp_path, files))
    assert there is not None
    assert there.limit == limit
    assert there.bytes - memory.resident() == pytest.approx(more, abs=50e6)


def test_a_full_group_leaves_nothing(tmp_path: Path) -> None:
    full = VERSION_2 | {"sys/fs/cgroup/batch/memory.current": 3 * GIGABYTE}
    there = memory.room(written(tmp_path, full))
    assert there is not None
    assert there.bytes == pytest.approx(memory.resident(), abs=50e6)


@pytest.mark.skipif(sys.platform != "linux", reason="the shell's limit is Linux's")
def test_ulimit_counts_addresses_not_yet_taken() -> None:
    code = "from minstyle import memory; r = memory.room(); print(r.limit, r.bytes - memory.resident())"
    shell = f"ulimit -v 4000000 && {sys.executable} -c '{code}'"
    told = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout.split()
    assert told[:2] == ["ulimit", "-v"]
    assert 1 * GIGABYTE < int(told[2]) < 4_000_000 * 1024


def test_memory_that_is_taken_is_seen() -> None:
    """In a process of its own: one that has given much back gets it from there."""
    code = (
        "import numpy; from minstyle import memory; before = memory.resident(); array = numpy.ones(100_000_000, 'u1'); "
        "print(memory.resident() - before, memory.peak() - before)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    taken, peak = map(int, told)
    assert taken == pytest.approx(100_000_000, rel=0.1)
    assert peak >= 90_000_000


def test_the_peak_is_of_the_process_itself_not_of_the_one_that_started_it() -> None:
    held = np.ones(600_000_000, np.uint8)
    code = "from minstyle import memory; print(memory.resident(), memory.peak())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    now, most = map(int, told)
    assert now <= most < held.nbytes / 2
