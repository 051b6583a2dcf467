"""SHA-256 of the pixels of a few runs: ``python tools/fingerprints.py [--weights-dir DIR]``.

A change of the source that is meant to change no picture prints the same lines before and after. Each run is a process
of its own on one thread, BLAS on one thread too, on the real VGG16 (``python -m minstyle.weights fetch vgg16``) or on
the small network. The script uses only the command line and what ``import minstyle`` exports, so that it serves any
version: run it with that version's folder first on PYTHONPATH.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import minstyle

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
MASKED = ("cat", "swirls", "glass")  # pictures with masks, cut so that block 5 divides their sides evenly
CUT = (slice(40, 200), slice(100, 356))

# The files before OUT, and the options.
RUNS = {
    "document": ("cat swirls", "--recipe document --network vgg16 --size 128 --rounds 2 --evaluations 8"),
    "fine, masks, colour": (
        "cut_cat cut_swirls cut_glass",
        "--network vgg16 --size 256 --evaluations 8,5 --color match --mask mask_cat mask_swirls mask_glass",
    ),
    "crowson": ("coffee glass", "--recipe crowson --network vgg16 --size 160 --evaluations 10,8"),
    "styles, blend": (
        "cat swirls glass",
        "--network vgg16 --size 160 --evaluations 8,6 --blend 3,7 --style-scale 0.5,1 --init noise --color content",
    ),
    "16 bits, alpha": ("deep swirls", "--network mini --size 160 --evaluations 12,10"),
    "draft": ("cat swirls", "--network vgg16 --draft mini --size 160 --evaluations 12,6"),
    "soft masks": (
        "cat swirls glass",
        "--network mini --size 150 --evaluations 8,5 --feather 0.02 --mask whole_cat whole_swirls whole_glass",
    ),
}

LIBRARY = """
import dataclasses, sys, minstyle
content, style = (minstyle.load_image(path) for path in sys.argv[1:3])
recipe = dataclasses.replace(minstyle.RECIPES["johnson"], sizes=(128,), evaluations=(20,))
network = minstyle.load_network("mini", device="cpu")
minstyle.save_image(minstyle.stylize(content, [style], recipe, network=network).image, sys.argv[3])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights-dir", default="", help="a folder to look for weights in first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, out = make_pictures(folder), folder / "out.png"
        for run, (pictures, words) in RUNS.items():
            command = ["-m", "minstyle", *(files[p] for p in pictures.split()), str(out)]
            command += [files.get(word, word) for word in words.split()]
            command += ["--quiet", "--threads", "1", "--device", "cpu"]
            command += ["--weights-dir", options.weights_dir] if options.weights_dir else []
            print(f"{run:20} {fingerprint(command, out)}", flush=True)
        print(f"{'library call':20} {fingerprint(['-c', LIBRARY, files['cat'], files['swirls'], str(out)], out)}")


def make_pictures(folder: Path) -> dict[str, str]:
    """The pictures of the runs by name: the examples, parts of them, and a deep transparent one."""
    files = {name: str(EXAMPLES / f"{name}.jpg") for name in ("cat", "coffee", "swirls", "glass")}
    for name in MASKED:
        files[f"whole_{name}"] = str(EXAMPLES / f"{name}_mask.png")
        for kind, source in (("cut", files[name]), ("mask", files[f"whole_{name}"])):
            files[f"{kind}_{name}"] = str(folder / f"{kind}_{name}.png")
            minstyle.save_image(minstyle.load_image(source)[CUT], files[f"{kind}_{name}"])
    image = minstyle.load_image(files["coffee"]) * np.float32(0.97) + np.float32(2.3)  # fractions of levels
    opacity = np.linspace(1, 0, image.shape[1], dtype=np.float32)[None].repeat(image.shape[0], 0)
    files["deep"] = str(folder / "deep.png")
    minstyle.save_picture(image, files["deep"], opacity=opacity, depth=16)
    return files


def fingerprint(command: list[str], out: Path) -> str:
    """The SHA-256 of the picture that a run of Python writes to ``out``: of shape, pixels and opacity, not of bytes."""
    alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    subprocess.run([sys.executable, *command], check=True, env={**os.environ, **alone})
    picture = minstyle.load_picture(out)
    parts = [picture.image] if picture.opacity is None else [picture.image, picture.opacity]
    digest = hashlib.sha256(repr((picture.depth, picture.image.shape)).encode())
    for part in parts:
        digest.update(part.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
