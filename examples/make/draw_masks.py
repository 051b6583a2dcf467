"""Draw the masks of the README's example: one label for the cat, another for what is behind it.

The mask of the photograph is a polygon along the outline of the cat; the mask of a style picture is of one colour,
that of the label which takes its style.

Usage: ``python examples/make/draw_masks.py examples``
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw

BACKGROUND, CAT = 0, 1
PALETTE = (30, 70, 200, 255, 140, 0)  # blue, orange
# The outline of the cat in cat.jpg (451 x 300 pixels), x and y, clockwise from the top left.
OUTLINE = (
    (40, 0), (401, 0), (396, 8), (389, 17), (381, 27), (379, 40), (374, 50), (367, 62), (359, 71), (357, 81),
    (359, 95), (361, 107), (363, 119), (363, 133), (362, 150), (357, 166), (351, 178), (341, 192), (330, 206),
    (319, 218), (315, 228), (314, 240), (313, 256), (309, 266), (302, 275), (297, 286), (296, 300), (0, 300),
    (0, 127), (12, 119), (23, 112), (30, 106), (30, 92), (31, 75), (33, 55), (33, 40), (35, 25), (36, 12),
)  # fmt: skip


def mask(size: tuple[int, int], label: int) -> Image.Image:
    """A palette picture of one label."""
    picture = Image.new("P", size, label)
    picture.putpalette(PALETTE)
    return picture


def main() -> None:
    """Read the command line, draw and save."""
    parser = argparse.ArgumentParser(description="Draw the masks of the example pictures.")
    parser.add_argument("folder", type=Path, help="folder with the pictures, to which the masks are written")
    folder = parser.parse_args().folder
    cat = mask(Image.open(folder / "cat.jpg").size, BACKGROUND)
    ImageDraw.Draw(cat).polygon(OUTLINE, fill=CAT)
    cat.save(folder / "cat_mask.png", optimize=True)
    for name, label in (("swirls", BACKGROUND), ("glass", CAT)):
        size = Image.open(folder / f"{name}.jpg").size
        mask(size, label).save(folder / f"{name}_mask.png", optimize=True)


if __name__ == "__main__":
    main()
