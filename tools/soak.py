"""Many short runs in one process: ``python tools/soak.py [--runs 200] [--threaded 50] [--write FILE]``.

Each reads two pictures, paints with trace, snapshots, checkpoint and sheet, and saves; every fifth is ended by an
interrupt, every seventh refused. First one after another, then from four threads. Memory that is not free, open files,
threads and files left are looked at after the first fifth and at the end. The C library is held to one heap: of one for
each thread it keeps what is free, more or less of it from moment to moment.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import gc
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import RECIPES, MinstyleError, Observer, Step, save_image
from minstyle.job.description import Job
from minstyle.job.job import paint, prepare
from minstyle.job.machine import Machine
from minstyle.memory import resident

LIMIT = 0.05  # by which memory may grow
ARENA_MAX = -8  # glibc's M_ARENA_MAX


class Interrupter(Observer):
    def step(self, step: Step) -> None:
        if step.record.evaluation == 3:
            raise KeyboardInterrupt


@dataclass(frozen=True)
class Held:
    """What the process holds: bytes, open files, threads; and files in the folder for temporary ones."""

    memory: int
    files: int
    threads: int
    temporary: int

    @classmethod
    def now(cls, folder: Path) -> Held:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc keeps what is freed, a pool a thread
            ctypes.CDLL(None).malloc_trim(0)
        # The kernels' helpers wait a second for their next job, and then end.
        threads = sum(thread.name != "minstyle helper" for thread in threading.enumerate())
        return cls(resident(), len(os.listdir("/proc/self/fd")), threads, len(os.listdir(folder)))


def run(folder: Path, number: int, network: str) -> None:
    """One short run; what it leaves is removed but for what it should not leave."""
    content, style, out = folder / "content.png", folder / "style.png", folder / f"out{number}.png"
    recipe = dataclasses.replace(RECIPES["document"], sizes=(32, 48), rounds=2, evaluations=3, optimizer="lbfgs")
    size = 40 if number % 7 else 31  # too small: refused
    job = Job(content if size == 40 else folder / "small.png", (style,), out, recipe,
              machine=Machine(network, device="cpu"), save_every=4, trace=folder / f"{number}.jsonl",
              sheet=folder / f"sheet{number}.png", checkpoint=folder / f"{number}.state")  # fmt: skip
    with contextlib.suppress(MinstyleError):
        result = paint(prepare(job), [Interrupter()] if number % 5 == 0 else [])
        assert (result.error is None) == (number % 5 != 0)
    expected = [out, job.trace, job.sheet, *folder.glob(f"out{number}_*.png")]
    expected += [folder / f"{number}.state", folder / f"{number}.state.old"] if number % 5 == 0 else []
    for path in expected:
        if path is not None:
            path.unlink(missing_ok=True)


def soak(count: int, threads: int, network: str) -> tuple[Held, Held]:
    """What is held after the first fifth of so many runs, and after all of them."""
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for picture, shape in (("content", (48, 64, 3)), ("style", (50, 50, 3)), ("small", (31, 60, 3))):
            save_image(generator.uniform(0, 255, shape), folder / f"{picture}.png")
        held = []
        for numbers in (range(1, count // 5 + 1), range(count // 5 + 1, count + 1)):
            if threads == 1:
                for number in numbers:
                    run(folder, number, network)
            else:
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(lambda number: run(folder, number, network), numbers))
            held.append(Held.now(folder))
    return held[0], held[1]


def row(name: str, first: Held, last: Held) -> str:
    grown = last.memory / first.memory - 1
    mark = "**" if grown > LIMIT else ""
    others = [f"{getattr(first, what)} / {getattr(last, what)}" for what in ("files", "threads", "temporary")]
    return (f"| {name} | {first.memory / 1e6:.0f} / {last.memory / 1e6:.0f} MB | {mark}{grown:+.1%}{mark} | "
            + " | ".join(others) + " |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--threaded", type=int, default=50)
    parser.add_argument("--network", default="mini")
    add_write(parser, "soak")
    options = parser.parse_args()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    lines = [
        "| runs | memory after a fifth / at the end | grown | open files | threads | files in the folder |",
        "|---|---|---|---|---|---|",
    ]
    for name, count, threads in (("one after another", options.runs, 1), ("from four threads", options.threaded, 4)):
        lines.append(row(f"{count} {name}", *soak(count, threads, options.network)))
        print(lines[-1], flush=True)
    if options.write:
        options.write.write("\n".join(lines))


if __name__ == "__main__":
    main()
