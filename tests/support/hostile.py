"""Files made or damaged to harm, converted in a process of their own that may die, hang or swell without consequences.

``judge`` runs the conversion of many files and checks what every one of them has to do: end within 5 seconds and 500 MB
in a WeightsError of one line that begins with the file, with nothing written; or give a file that passes every check.
"""

from __future__ import annotations

import importlib
import json
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS, MEGABYTES = 5, 500
FLIPS = 2000  # damaged copies of a file


@dataclass(frozen=True)
class Verdict:
    """What became of the files: how many were refused, how many were valid, the slowest and the largest."""

    refused: int
    valid: int
    seconds: float
    slowest: float
    megabytes: float


def flips(data: bytes, seeds: Iterable[int]) -> Iterator[bytes]:
    """Copies of ``data``, each with 1, 10 or 30 bits flipped; of half of them near the beginning or the end."""
    for seed in seeds:
        generator, damaged = random.Random(seed), bytearray(data)
        for _ in range(generator.choice((1, 10, 30))):
            place = generator.randrange(len(data))
            if seed % 2:  # where formats keep their tables
                place = place % 512 if seed % 4 == 1 else -1 - place % 512
            damaged[place % len(data)] ^= 1 << generator.randrange(8)
        yield bytes(damaged)


def cuts(data: bytes) -> Iterator[bytes]:
    """The beginnings of ``data`` at every 64th."""
    for k in range(64):
        yield data[: len(data) * k // 64]


def judge(files: Path | list[Path], how: str = "as they are", count: int = 0) -> Verdict:
    """Convert files in a process of its own: as they are, or (one) cut ("cuts") or flipped ("flips", ``count`` times).

    Raises AssertionError naming the case that crashed, hung, swelled, raised something else, or left a file.
    """
    paths = [files] if isinstance(files, Path) else files
    command = [sys.executable, "-m", "tests.support.hostile", how, str(count), *map(str, paths)]
    run = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
                         timeout=600)  # fmt: skip
    last = run.stdout.splitlines()[-1] if run.stdout else "(nothing)"
    assert run.returncode == 0, f"died with {run.returncode} at: {last}\n{run.stderr[-1500:]}"
    found = json.loads(last)
    assert found["wrong"] == [], found["wrong"][:5]
    assert found["verdict"]["megabytes"] < MEGABYTES, found["verdict"]
    assert found["verdict"]["slowest"] < SECONDS, found["verdict"]
    return Verdict(**found["verdict"])


# What the judge has to notice, for its own test.
MISDEEDS: dict[str, Callable[[], object]] = {"sleep": lambda: time.sleep(60), "swell": lambda: bytes(10**9)}


def _convert_one(source: Path, target: Path, how: str) -> tuple[str, str]:
    """("refused" or "valid", "") or ("wrong", why)."""
    from minstyle.errors import WeightsError
    from minstyle.network.vgg import Network
    from minstyle.network.weightfile import read_weights
    from minstyle.weights.convert import convert

    try:
        MISDEEDS.get(how, lambda: None)()
        convert(source, target)
        Network(read_weights(target))
        outcome = "valid", ""
    except WeightsError as error:
        text = str(error)
        good = text.startswith(f"{source}: ") and len(text.splitlines()) == 1 and len(text) < 2000
        outcome = ("refused", "") if good and not target.exists() else ("wrong", f"refused with {text[:300]!r}")
    except Exception as error:
        outcome = "wrong", f"raised {error!r}"
    target.unlink(missing_ok=True)
    if left := [path.name for path in target.parent.iterdir()]:
        outcome = "wrong", f"left {left}"
    return outcome


def _peak_megabytes() -> float:
    """Of this process alone; getrusage begins with what the parent had."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))


def _main(how: str, count: int, paths: list[Path], folder: Path) -> None:
    importlib.import_module("minstyle.weights.convert")  # before memory is counted

    source, target = folder / "weights.bin", folder / "out" / "ours.h5"
    target.parent.mkdir()
    if how == "flips":
        contents: Iterable[bytes | Path] = flips(paths[0].read_bytes(), range(count))
    else:
        contents = cuts(paths[0].read_bytes()) if how == "cuts" else paths
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEGABYTES * 10**6,) * 2)
    counts, wrong, slowest, begin = {"refused": 0, "valid": 0, "wrong": 0}, [], 0.0, time.perf_counter()
    for i, content in enumerate(contents):
        case = content if isinstance(content, Path) else source
        if isinstance(content, bytes):
            source.write_bytes(content)
        print(f"{how} {i} of {case.name if case is content else paths[0].name}", flush=True)
        # They end the process, whatever library it is in: of the processor, and, for what waits, of the clock.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 3 * SECONDS)
        start = time.process_time()
        outcome, why = _convert_one(case, target, how)
        slowest = max(slowest, time.process_time() - start)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        counts[outcome] += 1
        if outcome == "wrong":
            wrong.append(f"{how} {i} of {case.name}: {why}")
    verdict = Verdict(
        counts["refused"],
        counts["valid"],
        time.perf_counter() - begin,
        slowest,
        _peak_megabytes(),
    )
    print(json.dumps({"verdict": vars(verdict), "wrong": wrong}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        _main(sys.argv[1], int(sys.argv[2]), [Path(path) for path in sys.argv[3:]], Path(scratch))
