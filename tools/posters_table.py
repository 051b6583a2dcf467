"""Large pictures in bands beside a smaller one in whole: ``python tools/posters_table.py [--size 4900x3266 ...] ...``.

Real evaluations with the real VGG19, each line in a process of its own: the recipe ``gram`` at one size, ``--updates``
steps of its L-BFGS with ``--history`` pairs. It prints seconds of building and of an evaluation, microseconds a pixel,
their ratio to the whole picture of ``--beside``, the minutes of the ``--evaluations`` of that size, the peak of the
process's memory, and bytes a pixel beyond the first 0.6 GB. ``--write`` puts the table into a Markdown file, between
its marks. Seconds say something only on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from marked import add_write

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minstyle import RECIPES, build_objective, load_network
from minstyle.memory import peak
from minstyle.optimize.lbfgs import lbfgs
from minstyle.optimize.pyramid import PYRAMID

_FIRST = 600_000_000  # bytes: the process, the network, and buffers that do not grow
_HEADS = ("picture", "bands", "seconds to build", "seconds an evaluation", "microseconds a pixel", "ratio", "minutes",
          "memory", "bytes a pixel")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--size", type=shape_of, nargs="+", default=[(3266, 4900)], metavar="WxH",
                        help="(default: 4900x3266)")  # fmt: skip
    parser.add_argument("--bands", type=int, nargs="+", default=[13], metavar="N",
                        help="of each size (default: 13, of 256 rows)")  # fmt: skip
    parser.add_argument("--beside", type=shape_of, default=(1024, 1024), metavar="WxH", help="(default: 1024x1024)")
    parser.add_argument("--history", type=int, default=5, metavar="M", help="(default: 5)")
    parser.add_argument("--updates", type=int, default=1, metavar="N", help="of the picture (default: 1)")
    parser.add_argument("--evaluations", type=int, default=60, metavar="N", help="of the last size (default: 60)")
    parser.add_argument("--network", default="auto")
    add_write(parser, "posters")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measured(options, options.size[0], options.bands[0])))
        return
    if len(options.bands) != len(options.size):
        parser.error(f"expected bands of each of {len(options.size)} sizes, got {len(options.bands)} numbers")
    text = table(options)
    if options.write:
        machine = f"{platform.machine()}, {os.cpu_count()} cores, L-BFGS of {options.history} pairs, the recipe `gram`:"
        options.write.write(f"{machine}\n\n{text}")


def table(options: argparse.Namespace) -> str:
    """In Markdown, a line for each picture, which are printed as they come."""
    lines = ["| " + " | ".join(_HEADS) + " |", "|" + "---|" * len(_HEADS)]
    print("\n".join(lines), flush=True)
    whole = 0.0
    for shape, bands in ((options.beside, 0), *zip(options.size, options.bands, strict=True)):
        found = in_a_process(options, shape, bands)
        pixels = shape[0] * shape[1]
        each = found["seconds"] / pixels * 1e6
        whole = whole or each
        cells = (f"{shape[1]} x {shape[0]}", str(bands or "whole"), f"{found['building']:.1f}",
                 f"{found['seconds']:.1f}", f"{each:.2f}", f"{each / whole:.2f}",
                 f"{options.evaluations * found['seconds'] / 60:.0f}", f"{found['peak'] / 1e9:.2f} GB",
                 f"{(found['peak'] - _FIRST) / pixels:.0f}")  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def in_a_process(options: argparse.Namespace, shape: tuple[int, int], bands: int) -> dict[str, float]:
    words = ["--one", "--size", f"{shape[1]}x{shape[0]}", "--bands", str(bands), "--history", str(options.history),
             "--updates", str(options.updates), "--network", options.network]  # fmt: skip
    text = subprocess.run([sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(text)
    return found


def measured(options: argparse.Namespace, shape: tuple[int, int], bands: int) -> dict[str, float]:
    """The best seconds of an evaluation, those of building, and bytes at the peak of the process."""
    noise, recipe = np.random.default_rng(0), RECIPES["gram"]
    height, width = shape
    # What a run holds: photograph, painting, the image in hand; made in float32 as pictures are.
    content, style, image = (255 * noise.random((height, width, 3), np.float32) for _ in range(3))
    began = time.perf_counter()
    objective = build_objective(content, [style], recipe, load_network(options.network), bands=bands)
    building, seconds = time.perf_counter() - began, []

    def evaluate(x: np.ndarray) -> tuple[float, np.ndarray, float]:
        began = time.perf_counter()
        evaluation = objective.evaluate(x)
        seconds.append(time.perf_counter() - began)
        return evaluation.loss, evaluation.gradient, evaluation.largest

    lbfgs(evaluate, image, preconditioner=PYRAMID, history=options.history, evaluations=1 + options.updates,
          iterations=options.updates, factr=0.0, pgtol=0.0)  # fmt: skip
    return {"building": building, "seconds": min(seconds), "peak": peak(), "evaluations": len(seconds)}


def shape_of(text: str) -> tuple[int, int]:
    """ "WIDTHxHEIGHT" -> (height, width)"""
    width, height = text.split("x")
    return int(height), int(width)


if __name__ == "__main__":
    main()
