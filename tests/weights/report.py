"""Measure what docs/explanation/weights.md says and write it there: ``python -m tests.weights.report`` (some minutes).

For every kind of file: the difference of its network's features to PyTorch's. For every format: what became of damaged
and hostile files. The files and the checks are those of the tests.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import h5py
import numpy as np

from minstyle.network.weightfile import read_weights
from minstyle.weights.convert import convert
from tests.support.absurd_sizes import ABSURD
from tests.support.foreign_files import EACH_FORMAT, FOREIGN
from tests.support.foreign_keras import write_keras
from tests.support.hostile import FLIPS, Verdict, judge
from tests.support.hostile_hdf5 import HOSTILE, TINY
from tests.support.small import random_weights
from tests.support.torch_features import CHANNELS, difference, rounded

ROOT = Path(__file__).resolve().parents[2]
PAGE, MARK = ROOT / "docs" / "explanation" / "weights.md", "<!-- Below: python -m tests.weights.report -->\n"


def differences(folder: Path) -> list[str]:
    """The table of formats."""
    lines = ["| format | the file | written by | input as | float32 | float64 |", "|---|---|---|---|---|---|"]
    made = random_weights("vgg19", CHANNELS)
    for i, kind in enumerate(FOREIGN):
        (folder / str(i)).mkdir()
        convert(kind.write(folder / str(i) / "weights.bin", made), folder / "ours.h5")
        ours, stored = read_weights(folder / "ours.h5"), rounded(made, kind.precision)
        figures = [difference(ours, stored, kind.normalisation, dtype) for dtype in (np.float32, np.float64)]
        cells = (kind.format, kind.variant, kind.author, kind.normalisation, *(f"{figure:.0e}" for figure in figures))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def row(name: str, what: str, verdict: Verdict) -> str:
    cases = verdict.refused + verdict.valid
    figures = f"{cases} | {verdict.refused} | {verdict.valid} | 0 | {verdict.seconds:.1f} | {verdict.slowest:.2f}"
    return f"| {name} | {what} | {figures} | {verdict.megabytes:.0f} |"


def hostilities(folder: Path) -> list[str]:
    """The table of damaged and hostile files; ``judge`` raises at the first crash."""
    lines = ["| format | cases | number | refused | valid | crashes | seconds | slowest | MB at most |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for i, kind in enumerate(EACH_FORMAT):
        (folder / f"k{i}").mkdir()
        path = kind.write(folder / f"k{i}" / "weights.bin", random_weights("vgg16", (2, 2, 2, 2, 2)))
        name = f"{kind.format}, {kind.variant}"
        lines.append(row(name, "cut at every 64th", judge(path, "cuts")))
        lines.append(row(name, "bits flipped", judge(path, "flips", FLIPS)))
    for name, make in ABSURD.items():
        content = make(folder / "made")
        (folder / name).write_bytes(content)
    lines.append(row("all but HDF5", "absurd sizes, bombs", judge([folder / name for name in ABSURD])))
    for name, edit in HOSTILE.items():
        with h5py.File(write_keras(folder / f"{name}.h5", TINY), "r+") as file:
            edit(file, folder)
    lines.append(row("Keras HDF5", "links, lies, types", judge([folder / f"{name}.h5" for name in HOSTILE])))
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        tables = [differences(Path(name)), hostilities(Path(name))]
    written = "\n\n".join("\n".join(table) for table in tables)
    PAGE.write_text(PAGE.read_text().split(MARK)[0] + MARK + "\n" + written + "\n")


if __name__ == "__main__":
    main()
