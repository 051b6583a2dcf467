"""A large picture as a whole and a part of it at 100 % beside it: ``python tools/whole_and_crop.py OUT PICTURE``."""

from __future__ import annotations

import argparse

import numpy as np

from minstyle import load_image, save_image
from minstyle.images import resize

_MARK = (255.0, 255.0, 255.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("picture")
    parser.add_argument("--side", type=int, default=420, help="pixels of the part's sides (default: 420)")
    parser.add_argument("--at", type=float, nargs=2, default=(0.5, 0.5), metavar=("X", "Y"),
                        help="where its middle is, 0 to 1 from the left and the top (default: 0.5 0.5)")  # fmt: skip
    options = parser.parse_args()
    picture = load_image(options.picture)
    height, width = picture.shape[:2]
    side = min(options.side, height, width)
    x, y = options.at
    left, top = (round(min(max(at * n - side / 2, 0), n - side)) for at, n in ((x, width), (y, height)))
    part = picture[top : top + side, left : left + side].copy()
    framed = picture.copy()
    line = max(1, round(3 * height / side))  # three pixels, once it is shrunk
    framed[top : top + side, left : left + side] = _MARK
    inside = slice(top + line, top + side - line), slice(left + line, left + side - line)
    framed[inside] = picture[inside]
    whole = resize(framed, side, round(width * side / height))
    gap = np.full((side, 8, 3), 255.0, dtype=np.float32)
    save_image(np.concatenate([whole, gap, part], axis=1), options.out)


if __name__ == "__main__":
    main()
