"""Many pictures over workers: ``python tools/batch_kills.py time`` or ``kills``, with ``--write FILE``.

``time`` paints 200 small parts of an example picture by ``minstyle batch --workers 2``, and by two plain loops over the
library, side by side, a core each; compares their time and what they compute. ``kills`` paints a few of them again and
again, kills workers at random moments, and counts the pictures that are there, and are the same. Linux only: the
workers are looked up in /proc. ``--write`` puts the table into a Markdown file, between its marks.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from marked import Page
from minstyle.images import load_image, save_image

ROOT = Path(__file__).resolve().parents[1]
STYLE = ROOT / "examples" / "swirls.jpg"
LOOP = """
import sys
from pathlib import Path
import minstyle
style, out, size, steps, *contents = sys.argv[1:]
network = minstyle.load_network("mini", device="cpu")
for content in contents:
    result = minstyle.stylize(content, style, network=network, size=int(size), steps=int(steps), scales=1, threads=1)
    result.save(Path(out) / f"{Path(content).stem}_swirls.png")
"""


@dataclass(frozen=True)
class Took:
    """Seconds by the clock, and of all cores."""

    wall: float
    cores: float


def timed(commands: list[list[str]], killer: Killer | None = None) -> Took:
    """Run commands side by side."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) for command in commands]
    if killer is not None:
        killer.start(running[0].pid)
    codes = [process.wait() for process in running]
    if killer is not None:
        killer.stop()
    if any(codes):
        sys.exit(f"a command ended with {codes}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cores = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Took(time.perf_counter() - began, cores)


class Killer:
    """Kills one of a batch's workers, with the signal KILL, every so many seconds, about."""

    def __init__(self, seconds: float, chance: random.Random) -> None:
        self.kills, self._seconds, self._chance = 0, seconds, chance
        self._ended = threading.Event()

    def start(self, pid: int) -> None:
        self._thread = threading.Thread(target=self._run, args=(pid,))
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self, pid: int) -> None:
        while not self._ended.wait(self._seconds * self._chance.uniform(0.5, 1.5)):
            workers = [child for child in children(pid) if b"spawn_main" in command_of(child)]
            if workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self._chance.choice(workers), signal.SIGKILL)
                    self.kills += 1


def children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return found


def command_of(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def photographs(folder: Path, count: int, size: int) -> list[Path]:
    """Parts of the cat, of one size, each a bit further to the right."""
    cat = load_image(ROOT / "examples" / "cat.jpg")
    places = np.linspace(0, cat.shape[1] - size, count).astype(int)
    for number, left in enumerate(places):
        save_image(cat[100 : 100 + size, left : left + size], folder / f"p{number:03}.png")
    return sorted(folder.glob("*.png"))


def batch(contents: list[Path], out: Path, options: argparse.Namespace) -> list[str]:
    small = ["--network", "mini", "--device", "cpu", "--size", options.size, "--scales", 1, "--steps", options.steps]
    words = [sys.executable, "-m", "minstyle", "batch", *contents, "--style", STYLE, "--out", out, "--quiet",
             "--workers", options.workers, "--threads", options.workers, *small]  # fmt: skip
    return [str(word) for word in words]


def loops(contents: list[Path], out: Path, options: argparse.Namespace) -> list[list[str]]:
    out.mkdir()
    given = [str(STYLE), str(out), str(options.size), str(options.steps)]
    return [[sys.executable, "-c", LOOP, *given, *map(str, contents[number :: options.workers])]
            for number in range(options.workers)]  # fmt: skip


def same(one: Path, other: Path) -> int:
    """How many pictures of ``one`` are in ``other``, and the same."""
    return sum((other / path.name).exists() and np.array_equal(load_image(path), load_image(other / path.name))
               for path in one.glob("p*.png"))  # fmt: skip


def time_table(folder: Path, contents: list[Path], options: argparse.Namespace) -> list[str]:
    """The pictures by plain loops and by a batch."""
    loop = timed(loops(contents, folder / "loop", options))
    many = timed([batch(contents, folder / "batch", options)])
    return ["| | seconds | seconds of all cores |", "|---|---|---|",
            f"| {options.workers} plain loops, {len(contents)} pictures | {loop.wall:.0f} | {loop.cores:.0f} |",
            f"| `minstyle batch --workers {options.workers}` | {many.wall:.0f} | {many.cores:.0f} |",
            f"| more | {many.wall / loop.wall - 1:+.1%} | {many.cores / loop.cores - 1:+.1%} |", "",
            f"{same(folder / 'loop', folder / 'batch')} of {len(contents)} pictures are the same."]  # fmt: skip


def kill_table(folder: Path, contents: list[Path], options: argparse.Namespace) -> list[str]:
    """The pictures again and again, while workers are killed, beside those of a plain loop."""
    timed(loops(contents, folder / "loop", options))
    chance, kills, kept = random.Random(0), 0, []
    for number in range(options.rounds):
        killer, out = Killer(options.seconds, chance), folder / f"killed{number}"
        timed([batch(contents, out, options)], killer)
        kept.append(same(folder / "loop", out))
        kills += killer.kills
        print(f"round {number + 1}: {killer.kills} kills, {kept[-1]} of {len(contents)} pictures", flush=True)
    whole = sum(count == len(contents) for count in kept)
    return [f"{kills} workers were killed at random moments of {options.rounds} runs of {len(contents)} pictures: "
            f"{whole} of {options.rounds} runs made all of them, {sum(kept)} of {len(contents) * options.rounds} "
            "pictures are those of a plain loop."]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("time", "kills"))
    for name, value in (("pictures", None), ("workers", 2), ("size", 64), ("steps", 40), ("rounds", 20)):
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N")
    parser.add_argument("--seconds", type=float, default=4.0, help="between two kills, about")
    parser.add_argument("--write", metavar="FILE", help="a page with the marks batch time, or batch kills")
    options = parser.parse_args()
    page = Page(options.write, f"batch {options.part}") if options.write else None
    count = options.pictures or {"time": 200, "kills": 4}[options.part]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        contents = photographs(folder / "photos", count, options.size)
        table = {"time": time_table, "kills": kill_table}[options.part](folder, contents, options)
    print("\n".join(table))
    if page is not None:
        page.write("\n".join(table))


if __name__ == "__main__":
    main()
