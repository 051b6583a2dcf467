"""Runs that are killed and resumed: ``python tools/kills.py [--kills 50] [--seed 0] [--write FILE]``.

Each is a process of its own, ended by SIGKILL at a random moment between its first checkpoint and its end, or, every
second one, while a checkpoint is being written, after a random number of bytes. It is resumed by ``minstyle --resume``,
and the file of its picture compared with that of a run that was not killed. ``--write`` puts the table into a Markdown
file, between its marks.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import save_image
from minstyle.cli.main import main as command_line
from minstyle.run import statefile
from minstyle.watch import checkpoints

ROOT = Path(__file__).resolve().parents[1]
RUNS = {
    "L-BFGS, smooth bounds": ["--optimizer", "lbfgs", "--bounds", "smooth", "--rounds", "2", "--evaluations", "20"],
    "Adam, averaged": ["--optimizer", "adam", "--averaging", "0.9", "--rounds", "1", "--evaluations", "40"],
    "scipy's L-BFGS-B": ["--optimizer", "scipy", "--rounds", "8", "--evaluations", "5"],
}
MOMENT, WRITING = "at a random moment", "while a checkpoint is written"


class Deadly(io.FileIO):
    """A file being written that kills the process after so many bytes, counted over all such files."""

    left, written = float("inf"), 0

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        if size > Deadly.left:
            super().write(memoryview(data).cast("B")[: int(Deadly.left)])
            os.kill(os.getpid(), signal.SIGKILL)
        Deadly.left, Deadly.written = Deadly.left - size, Deadly.written + size
        return super().write(data)


def in_child(most: float, words: list[str]) -> None:
    """The command line with a checkpoint at every border; it is killed once ``most`` bytes of them are written."""
    Deadly.left, checkpoints.SHARE = most, 1e9
    with mock.patch.object(statefile, "open", Deadly, create=True):
        code = command_line(words)
    print(Deadly.written)
    sys.exit(code)


class Case:
    """A short run in a folder of its own, and its picture when nothing ends it."""

    def __init__(self, folder: Path, options: list[str], network: str = "mini") -> None:
        self.out = folder / "out.png"
        pictures = [folder / "content.png", folder / "style.png"]
        generator = np.random.default_rng(0)
        for path in pictures:
            coarse = generator.uniform(0, 255, (8, 8, 3))
            save_image(np.kron(coarse, np.ones((8, 8, 1))), path)
        self.words = [*map(str, [*pictures, self.out]), "--recipe", "document", "--size", "48,64", "--threads", "1",
                      "--network", network, *options, "--quiet", "--checkpoint", f"{self.out}.checkpoint"]  # fmt: skip
        self.checkpoint = Path(f"{self.out}.checkpoint")
        began = time.monotonic()
        process = self._start([sys.executable, "-m", "minstyle"])
        self.before = self._first(process) - began
        assert process.wait() == 0
        self.seconds = time.monotonic() - began - self.before
        self.whole = self._taken()
        self.bytes = int(subprocess.check_output(self._child("inf")).split()[-1])
        assert self._taken() == self.whole, "checkpoints change nothing"

    def _start(self, program: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*program, *self.words], cwd=ROOT, stdout=subprocess.DEVNULL)

    def _child(self, most: str) -> list[str]:
        return [sys.executable, str(Path(__file__)), "--child", most, *self.words]

    def _first(self, process: subprocess.Popen[bytes]) -> float:
        """When the first checkpoint was there, or the run over."""
        while process.poll() is None and not self.checkpoint.exists():
            time.sleep(0.002)
        return time.monotonic()

    def _taken(self) -> bytes:
        data = self.out.read_bytes()
        self.out.unlink()
        return data

    def kill(self, how: str, generator: random.Random) -> None:
        """Start and kill the run, until a kill left a checkpoint to go on from."""
        while True:
            if how == MOMENT:
                process = self._start([sys.executable, "-m", "minstyle"])
                self._first(process)
                time.sleep(generator.uniform(0, self.seconds))
                process.kill()
                killed = process.wait() == -signal.SIGKILL
            else:
                run = subprocess.run(self._child(str(generator.randrange(self.bytes))), stdout=subprocess.DEVNULL,
                                     check=False)  # fmt: skip
                killed = run.returncode == -signal.SIGKILL
            if killed and self.checkpoint.exists():
                assert not self.out.exists(), "a picture is whole or absent"
                return
            for path in self.out.parent.glob("out.png*"):
                path.unlink()

    def resumed(self) -> bool:
        """Resume the run: whether its picture is that of the whole run, and nothing else is left."""
        command = [sys.executable, "-m", "minstyle", "--resume", str(self.out), "--quiet"]
        done = subprocess.run(command, cwd=ROOT, check=False).returncode == 0 and self.out.exists()
        same = done and self._taken() == self.whole
        left = [path for path in self.out.parent.iterdir() if path.name not in ("content.png", "style.png")]
        for path in left:
            path.unlink()
        return same and not left


def table(kills: int, seed: int) -> str:
    lines = ["| optimiser | killed | kills | resumed to the same picture, bit for bit |", "|---|---|---|---|"]
    generator, all_kills, all_same = random.Random(seed), 0, 0
    ways = [(name, how) for name in RUNS for how in (MOMENT, WRITING)]
    for number, (name, how) in enumerate(ways):
        count = kills // len(ways) + (number < kills % len(ways))
        with tempfile.TemporaryDirectory() as folder:
            case, same = Case(Path(folder), RUNS[name]), 0
            for _ in range(count):
                case.kill(how, generator)
                same += case.resumed()
        lines.append(f"| {name} | {how} | {count} | {same} |")
        print(lines[-1], flush=True)
        all_kills, all_same = all_kills + count, all_same + same
    return "\n".join([*lines, f"| all | | {all_kills} | {all_same} |"])


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        in_child(float(sys.argv[2]), sys.argv[3:])
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    add_write(parser, "kills")
    options = parser.parse_args()
    text = table(options.kills, options.seed)
    if options.write:
        options.write.write(text)


if __name__ == "__main__":
    main()
