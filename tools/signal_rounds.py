"""Runs that are ended by signals: ``python tools/signal_rounds.py [--moments 50] [--seed 0] [--write FILE]``.

A short run in a process of its own gets INT, TERM, HUP or KILL at a random moment between its start and its end. Told
is what is left: a picture that opens, none, or half a one; files that do not belong there; and what the process said.
``--write`` puts the table into a Markdown file, between its marks.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import load_image, save_image
from minstyle.errors import ImageError

ROOT = Path(__file__).resolve().parents[1]
SIGNALS = ("INT", "TERM", "HUP", "KILL")
EVALUATIONS = 60
TOLD = {f"minstyle: interrupted{when}\n" for when in ("", " before there was a picture")}


class Case:
    """A run, and the folder that it works in."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.trace = folder, folder / "out.png", folder / "trace.jsonl"
        self.good = [folder / "content.png", folder / "style.png"]
        generator = np.random.default_rng(0)
        for path in self.good:
            save_image(np.kron(generator.uniform(0, 255, (8, 8, 3)), np.ones((8, 8, 1))), path)
        self.words = [*map(str, [*self.good, self.out]), "--network", "mini", "--size", "64", "--evaluations",
                      str(EVALUATIONS), "--save-every", "1000", "--trace", str(self.trace), "--quiet"]  # fmt: skip
        self.seconds = float("inf")
        for _ in range(3):  # the first also reads all that is imported from the disk
            self.clear()
            began = time.monotonic()
            assert self._start().wait() == 0
            self.seconds = min(self.seconds, time.monotonic() - began)
        self.evaluations = self._evaluated()
        self.clear()

    def _start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "minstyle", *self.words]
        pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, preexec_fn=_heard, **pipes)

    def _evaluated(self) -> int:
        return self.trace.read_text().count("\n") if self.trace.exists() else 0

    def clear(self) -> None:
        for path in self.folder.iterdir():
            if path not in self.good:
                path.unlink()

    def ended_by(self, name: str, generator: random.Random) -> str:
        """What is left of a run that gets the signal while it lives."""
        number = getattr(signal, f"SIG{name}")
        while True:
            process = self._start()
            time.sleep(generator.uniform(0, self.seconds))
            alive = process.poll() is None
            process.send_signal(number)
            _, said = process.communicate()
            if alive:
                break
            self.clear()
        code, evaluated = process.returncode, self._evaluated()
        expected = {*self.good, self.out, self.trace, Path(f"{self.out}.checkpoint")}
        left = sorted(path.name for path in {*self.folder.iterdir()} - expected)
        if name != "KILL" and left:
            return f"left {', '.join(left)}"
        if "Traceback" in said:
            return "traceback"
        if not self.out.exists():
            if evaluated and name != "KILL":
                return "picture lost"
            # -number is the signal's own end: it came in the imports, before minstyle or in what Python takes for that.
            good = (code == 128 + number and said in TOLD) or (code == -number and said in {"", *TOLD})
            return "no picture yet" if good else f"exit code {code} without a picture, saying {said!r}"
        try:
            load_image(self.out)
        except ImageError:
            return "half a picture"
        ended = evaluated == self.evaluations  # then the signal may have come after all else
        good = code in (0, 128 + number, -number) if ended else code == 128 + number
        return "picture" if good else f"exit code {code} with {evaluated} evaluations"


def _heard() -> None:
    """What starts this tool may ignore signals, as nohup and background jobs do; its runs do not."""
    for name in SIGNALS[:-1]:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_DFL)


def table(moments: int, seed: int) -> str:
    lines = ["| signal | moments | whole picture | none yet | anything else |", "|---|---|---|---|---|"]
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        case = Case(Path(folder))
        for name in SIGNALS:
            found: Counter[str] = Counter()
            for _ in range(moments):
                found[case.ended_by(name, generator)] += 1
                case.clear()
            whole, none = found.pop("picture", 0), found.pop("no picture yet", 0)
            rest = ", ".join(f"{count} {what}" for what, count in found.items()) or "0"
            lines.append(f"| {name} | {moments} | {whole} | {none} | {rest} |")
            print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    add_write(parser, "signals")
    options = parser.parse_args()
    text = table(options.moments, options.seed)
    if options.write:
        options.write.write(text)


if __name__ == "__main__":
    main()
