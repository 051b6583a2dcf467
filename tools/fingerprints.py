"""SHA-256 of the pixels of a few runs: ``python tools/fingerprints.py [--weights-dir DIR]`` (a few minutes).

A change of the source that is meant to change no picture prints the same lines before and after, on one machine:
another processor or BLAS rounds differently. Each run is a process of its own with BLAS on one thread, on the real
VGG16 (``python -m minstyle.weights fetch vgg16``) or on the small network. The script uses only the command line and
what ``import minstyle`` exports, so that it serves older versions too: run it with that version's folder first on
PYTHONPATH.
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
MASKED = ("cat", "swirls", "glass")  # pictures that have a mask
CUT = (slice(40, 200), slice(100, 356))  # 160 x 256 pixels: all five blocks divide these evenly

# Arguments of ``python -m minstyle``; {NAME} is a picture of make_pictures, {out} the result.
COMMANDS = {
    "document": "{cat} {swirls} {out} --recipe document --network vgg16 --size 128 --rounds 2 --evaluations 8",
    "fine, masks, colour": "{cut_cat} {cut_swirls} {cut_glass} {out} --network vgg16 --size 256 --evaluations 8,5 "
    "--color match --mask {cut_cat_mask} {cut_swirls_mask} {cut_glass_mask}",
    "crowson": "{coffee} {glass} {out} --recipe crowson --network vgg16 --size 160 --evaluations 10,8",
    "styles, blend": "{cat} {swirls} {glass} {out} --network vgg16 --size 160 --evaluations 8,6 --blend 3,7 "
    "--style-scale 0.5,1 --init noise --color content",
    "16 bits, alpha": "{deep} {swirls} {out} --network mini --size 160 --evaluations 12,10",
    "draft": "{cat} {swirls} {out} --network vgg16 --draft mini --size 160 --evaluations 12,6",
    "soft masks": "{cat} {swirls} {glass} {out} --network mini --size 150 --evaluations 8,5 --feather 0.02 "
    "--mask {cat_mask} {swirls_mask} {glass_mask}",
}

# A program in place of a command line: CONTENT STYLE OUT.
LIBRARY = """
import dataclasses, sys, minstyle
content, style = (minstyle.load_image(path) for path in sys.argv[1:3])
recipe = dataclasses.replace(minstyle.RECIPES["johnson"], sizes=(128,), evaluations=(20,))
network = minstyle.load_network("mini", device="cpu")
minstyle.save_image(minstyle.stylize(content, [style], recipe, network=network).image, sys.argv[3])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights-dir", metavar="DIR", help="a folder to look for weights in first")
    options = parser.parse_args()
    common = ["--quiet", "--threads", "1", "--device", "cpu"]
    common += ["--weights-dir", options.weights_dir] if options.weights_dir else []
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out.png"
        files = make_pictures(Path(name)) | {"out": str(out)}
        for run, command in COMMANDS.items():
            run_python("-m", "minstyle", *(word.format(**files) for word in command.split()), *common)
            print(f"{run:20} {fingerprint(out)}", flush=True)
        run_python("-c", LIBRARY, files["cat"], files["swirls"], files["out"])
        print(f"{'library call':20} {fingerprint(out)}")


def make_pictures(folder: Path) -> dict[str, str]:
    """Paths of the runs' pictures by name: the examples, their masks, parts of both, and a deep transparent one."""
    files = {name: str(EXAMPLES / f"{name}.jpg") for name in ("cat", "coffee", "swirls", "glass")}
    files |= {f"{name}_mask": str(EXAMPLES / f"{name}_mask.png") for name in MASKED}
    for name in (*MASKED, *(f"{name}_mask" for name in MASKED)):
        files[f"cut_{name}"] = str(folder / f"cut_{name}.png")
        minstyle.save_image(minstyle.load_image(files[name])[CUT], files[f"cut_{name}"])
    image = minstyle.load_image(files["coffee"]) * np.float32(0.97) + np.float32(2.3)  # fractions of levels
    height, width, _ = image.shape
    opacity = np.linspace(1, 0, width, dtype=np.float32)[None].repeat(height, 0)  # (H, W): fades to the right
    files["deep"] = str(folder / "deep.png")
    minstyle.save_picture(image, files["deep"], opacity=opacity, depth=16)
    return files


def run_python(*arguments: str) -> None:
    """Run Python with these arguments, BLAS on one thread; raises CalledProcessError if it fails."""
    one_thread = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    subprocess.run([sys.executable, *arguments], check=True, env={**os.environ, **one_thread})


def fingerprint(path: Path) -> str:
    """The SHA-256 of a picture's depth, shape, pixels and opacity: not of the file, which carries its recipe too."""
    picture = minstyle.load_picture(path)
    digest = hashlib.sha256(repr((picture.depth, picture.image.shape)).encode())
    for part in (picture.image, picture.opacity):
        if part is not None:
            digest.update(part.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
