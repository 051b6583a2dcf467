"""Put pictures side by side at one height: ``python tools/side_by_side.py OUT PICTURE PICTURE ... [--height 300]``."""

from __future__ import annotations

import argparse

import numpy as np

from minstyle import load_image, save_image
from minstyle.images import resize


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--height", type=int, default=300)
    options = parser.parse_args()
    pictures = [load_image(path) for path in options.pictures]
    scaled = [resize(p, options.height, round(p.shape[1] * options.height / p.shape[0])) for p in pictures]
    gap = np.full((options.height, 8, 3), 255.0, dtype=np.float32)
    row = [part for picture in scaled for part in (gap, picture)][1:]
    save_image(np.concatenate(row, axis=1), options.out)


if __name__ == "__main__":
    main()
