"""Loading times and peak memory of large picture files, as whole images and as a run at a small size reads them."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SIZES = {12: (4032, 3024), 48: (8064, 6048), 108: (12000, 9000)}  # megapixels: width, height
KINDS = ("jpg", "png", "tif")
RUN_SIZE = 512  # pixels of the longer side
_ROWS = 256  # are made at a time

# A process of its own: what it took before is taken off, getrusage would begin with what the parent had.
_LOAD = """
import dataclasses, pathlib, sys, time
from minstyle import RECIPES, load_picture
from minstyle.job.inputs import read_pictures
def memory(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))
path, size = pathlib.Path(sys.argv[1]), int(sys.argv[2])
recipe = dataclasses.replace(RECIPES["fine"], sizes=(size or 512,), size_of="long")
before, start = memory("VmRSS"), time.perf_counter()
if size:
    read_pictures(path, [], recipe, print)
else:
    load_picture(path)
print(time.perf_counter() - start, memory("VmHWM") - before)
"""


def lines(times: int) -> Iterator[str]:
    """The table, row by row: a minute or two, and some hundred MB in the folder for temporary files."""
    yield f"Files: seconds to load, and MB beyond what Python takes; whole, and for a run at --size {RUN_SIZE}."
    yield ""
    yield "| megapixels | format | file, MB | whole, s | MB | for a run, s | MB |"
    yield "|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder:
        for megapixels, (width, height) in SIZES.items():
            picture = _photograph(width, height)
            for kind in KINDS:
                path = Path(folder) / f"photo.{kind}"
                picture.save(path, **({"quality": 92} if kind == "jpg" else {}))
                whole, run = (_measured(path, size, times) for size in (0, RUN_SIZE))
                yield (f"| {megapixels} | {kind} | {path.stat().st_size / 1e6:.0f} | {whole[0]:.2f} | {whole[1]:.0f} | "
                       f"{run[0]:.2f} | {run[1]:.0f} |")  # fmt: skip
                path.unlink()


def _photograph(width: int, height: int) -> Image.Image:
    """Soft shapes with the grain of a sensor."""
    generator = np.random.default_rng(0)
    soft = Image.fromarray(generator.integers(0, 256, (12, 16, 3), np.uint8)).resize((width, height))
    pixels = np.array(soft)
    for top in range(0, height, _ROWS):
        strip = pixels[top : top + _ROWS]
        strip[:] = np.clip(strip + generator.integers(-3, 4, strip.shape, np.int16), 0, 255)
    return Image.fromarray(pixels)


def _measured(path: Path, size: int, times: int) -> tuple[float, float]:
    """Medians of seconds and MB."""
    found = []
    for _ in range(times):
        command = [sys.executable, "-c", _LOAD, str(path), str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
        found.append([float(number) for number in done.stdout.split()])
    seconds, megabytes = (statistics.median(column) for column in zip(*found, strict=True))
    return seconds, megabytes
