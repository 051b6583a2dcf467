"""Estimates beside what runs take: ``python tools/estimate_table.py [--cases vgg19:gram:512 ...] [--write FILE]``.

A case is NETWORK:RECIPE:SIZE, or with ":history=100" and so on at its end, fields of the recipe. Each is a run of its
own process at one size, as the command line makes it, with a few evaluations: the peak of its memory stands beside what
is expected of so many; the median time of an evaluation beside what ``--estimate`` says of it, and what the first line
of the run says, which is tried in a fiftieth of its time. ``--write`` puts the table into a Markdown file, between its
marks. Seconds say something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import save_image
from minstyle.job.job import Job, paint, prepare
from minstyle.job.machine import Machine
from minstyle.job.variants import parse_variant
from minstyle.memory import peak
from minstyle.run.observer import Observer, Step

CASES = (
    *(f"{network}:gram:{size}" for network in ("mini", "vgg19") for size in (256, 512, 1024, 1536)),
    *(f"vgg19:{recipe}:512" for recipe in ("document", "crowson", "johnson", "athalye", "pytorch-tutorial")),
    *(f"mini:{recipe}:1024" for recipe in ("document", "crowson", "johnson")),
    "vgg19:gram:512:pooling=l2", "vgg19:gram:512:pooling=average", "vgg19:gram:512:style_scale=2",
    "vgg19:gram:512:history=100",
)  # fmt: skip
MEMORY, TIME = 0.15, 0.25  # how far off an estimate may be


class Watch(Observer):
    """The seconds at which evaluations were done; ends the run after ``count``."""

    def __init__(self, count: int) -> None:
        self.seconds: list[float] = []
        self._count = count

    def step(self, step: Step) -> bool:
        if not step.ends_round:
            self.seconds.append(step.seconds)
        return len(self.seconds) >= self._count


def measure(case: str, evaluations: int) -> dict[str, float]:
    """Run one case in this process: what is estimated, in full and quickly, and what it takes."""
    network, variant, size, *changes = case.split(":")
    _, recipe = parse_variant(":".join([variant, *changes]))
    one_size = {"sizes": (int(size),), "scales": 1, "evaluations": recipe.evaluations[-1:]}
    recipe = dataclasses.replace(recipe, **one_size, draft="none")
    generator, watch = np.random.default_rng(0), Watch(evaluations)
    with tempfile.TemporaryDirectory() as folder:
        content, style, out = (Path(folder) / name for name in ("content.png", "style.png", "out.png"))
        for path in (content, style):
            save_image(generator.uniform(0, 255, (int(size) * 3 // 4, int(size), 3)), path)
        job = Job(content, (style,), out, recipe, machine=Machine(network))
        # Pairs of the optimiser's history take memory as they come: what is expected of this run is of so many.
        prepared = prepare(dataclasses.replace(job, recipe=dataclasses.replace(recipe, evaluations=(evaluations,))))
        paint(prepared, [watch])
        found = {"memory": prepared.estimate.memory, "peak": peak()}
        (quick,), (stage,) = (prepare(job, quick=quick).estimate.stages for quick in (True, False))
    apart = [b - a for a, b in zip(watch.seconds, watch.seconds[1:], strict=False)]
    return {**found, "seconds": stage.seconds_each, "quick": quick.seconds_each, "took": statistics.median(apart)}


def table(cases: list[str], evaluations: int) -> str:
    lines = [
        "| network, recipe, size | memory expected | its peak | off by | seconds expected | taken | off by | quickly |",
        "|" + "---|" * 8,
    ]
    for case in cases:
        count = evaluations * (3 if case.startswith("mini") else 1)  # the small network's take less time
        child = [sys.executable, __file__, "--one", case, "--evaluations", str(count)]
        found = json.loads(subprocess.run(child, stdout=subprocess.PIPE, text=True, check=True).stdout)
        memory = _off(found["memory"] / found["peak"], MEMORY)
        seconds, quick = (_off(found[name] / found["took"], TIME) for name in ("seconds", "quick"))
        lines.append(
            f"| {case.replace(':', ', ')} | {found['memory'] / 1e9:.2f} GB | {found['peak'] / 1e9:.2f} GB | {memory} "
            f"| {found['seconds']:.2f} | {found['took']:.2f} | {seconds} | {quick} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def _off(ratio: float, most: float) -> str:
    mark = "**" if abs(ratio - 1) > most else ""
    return f"{mark}{ratio - 1:+.0%}{mark}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=list(CASES), metavar="CASE")
    parser.add_argument("--evaluations", type=int, default=12)
    add_write(parser, "estimates")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.evaluations)))
        return
    text = table(options.cases, options.evaluations)
    if options.write:
        counts = f"{options.evaluations} evaluations, {3 * options.evaluations} of the small network"
        machine = f"{platform.machine()}, {counts}, pictures of 4:3."
        options.write.write(f"{machine}\n\n{text}")


if __name__ == "__main__":
    main()
