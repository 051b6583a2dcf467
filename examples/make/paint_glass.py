"""Set ``examples/glass.jpg``, the second style picture of the README, from nothing but a seed.

1. *Design.*  A low sun stands over hills, a river and a tree in fruit.  Each shape has coordinates of
   its own, in which its pieces of glass are laid: rays and rings about the sun, courses along the
   crests of the hills, rosettes in the crown of the tree.
2. *Cutting.*  A piece is what lies nearest to one of the points that are scattered over a shape's
   coordinates (a Voronoi cell), in one colour of the shape's palette.
3. *Glass.*  Streaks in a direction of its own, a slope of light across it, and grain.
4. *Lead.*  Dark lines of one width between pieces, and broader ones around the shapes, lit from the upper left.

Everything is set larger than the result and reduced, which smooths the edges.

Usage: ``python examples/make/paint_glass.py examples/glass.jpg [--seed N] [--size W H]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage, spatial

from paint_example import Array, mix, ramp, smooth_noise

Mask = NDArray[np.bool_]

SCALE = 3  # the glass is cut this many times larger than the result
LEAD, FRAME = 0.0020, 0.0042  # half the width of the lead between pieces and around shapes, in picture heights
DARK = np.array([0.075, 0.045, 0.055])
STREAKS = 6  # directions that streaks have

SKY = "#fff0b0 #ffd45e #fba535 #ee6f2b #cf3a34 #94264a #54204e"
SUN = "#fffbe0 #fff0a0 #ffd23c #fba81e #f07818"
CORE = "#fffbe0"
FAR = "#7a2c58 #a8445e #d4706a #f0a888"
OLIVE = "#3c4416 #6e7020 #a89a2c #dcc456 #f4e690"
OCHRE = "#6a2c10 #a84e16 #d88424 #f2b444 #fbdc8c"
WINE = "#34101e #641a28 #96282a #c44c2c #e88444"
WATER = "#0c4450 #14747a #2ca69c #7cd0ba #e6f4d2"
BARK = "#24120e #4a2416 #74401e #9c6430"
LEAVES = ("#8c1c1c #c4301e #ec5a24 #fc9a3c #ffd27a", "#285018 #56801e #96a82c #d4cc50 #f6ee9c",
          "#a85a0c #dc8c14 #fab82c #ffdc6c #fff4c0", "#0e4e4a #1c7c6c #52aa88 #a4d4a4 #e8f4cc")  # fmt: skip
PETALS = "#fff2c8 #ffd04c #f4582c #d02030 #8c1430"

# Hills from far to near: height, swell, rate and shift of the crest, pieces across and down, palette.
HILLS = (
    (0.565, 0.035, 6.0, 0.4, 13.0, 22.0, FAR),
    (0.630, 0.050, 4.3, 3.4, 11.0, 21.0, OLIVE),
    (0.730, 0.055, 3.6, 0.6, 9.0, 18.0, OCHRE),
    (0.860, 0.045, 4.4, 3.1, 8.0, 15.0, WINE),
)
# Trunk and branches: x and y of both ends and of the point between that bends them, half width at both ends.
BRANCHES = (
    (0.30, 1.02, 0.36, 0.74, 0.29, 0.42, 0.050, 0.020),
    (0.31, 0.62, 0.27, 0.50, 0.14, 0.47, 0.024, 0.010),
    (0.31, 0.56, 0.38, 0.46, 0.47, 0.44, 0.022, 0.010),
    (0.29, 0.44, 0.27, 0.32, 0.22, 0.24, 0.018, 0.008),
    (0.29, 0.44, 0.33, 0.32, 0.40, 0.26, 0.018, 0.008),
)
# Rosettes of the crown and then poppies: x, y, radius, pieces around, rings, palette.
ROSETTES = (
    (0.10, 0.27, 0.105, 9, 2.6, LEAVES[1]),
    (0.47, 0.17, 0.110, 10, 2.6, LEAVES[2]),
    (0.12, 0.47, 0.110, 10, 2.6, LEAVES[2]),
    (0.29, 0.13, 0.120, 11, 2.8, LEAVES[0]),
    (0.52, 0.38, 0.105, 10, 2.6, LEAVES[0]),
    (0.24, 0.33, 0.110, 10, 2.6, LEAVES[3]),
    (0.38, 0.31, 0.100, 9, 2.4, LEAVES[1]),
    (0.08, 0.86, 0.075, 7, 1.9, PETALS),
    (0.19, 0.93, 0.055, 6, 1.7, PETALS),
    (0.55, 0.92, 0.065, 7, 1.8, PETALS),
    (1.14, 0.90, 0.080, 8, 1.9, PETALS),
    (1.02, 0.96, 0.050, 6, 1.6, PETALS),
)
SUN_X, SUN_Y, SUN_R = 0.88, 0.33, 0.155
EYE = 0.21  # radius of the piece in the middle of a rosette, as a part of the radius of the rosette


class Window:
    """What lies at each point: shape, piece of glass, colour (0..1). Shapes cover those that were added before."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        rows, columns = np.indices((height, width)).astype(np.float64)
        wobble = [0.0016 * smooth_noise(rng, (height, width), 0.012 * height) for _ in range(2)]
        self.x = 0.64 + (columns - width / 2) / height + wobble[0]
        self.y = rows / height + wobble[1]
        self.rng = rng
        self.shape = np.zeros((height, width), np.int64)
        self.piece = np.zeros((height, width), np.int64)
        self.colour = np.zeros((height, width, 3))
        self.pieces = 0

    def add(self, inside: Mask, u: Array, v: Array, palette: str, tone: Array, vary: float = 0.13) -> None:
        """Cut a shape into pieces of about 1 x 1 in its coordinates; tone is the position in the palette."""
        points = np.stack([u[inside], v[inside]], axis=1)
        if not len(points):
            return
        low, high = np.floor(points.min(axis=0)) - 1, np.ceil(points.max(axis=0)) + 2
        across, down = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
        bricks = np.stack([across + 0.5 * (down % 2), down], axis=-1).reshape(-1, 2)
        bricks += self.rng.uniform(-0.26, 0.26, bricks.shape)
        nearest = np.unique(spatial.cKDTree(bricks).query(points)[1], return_inverse=True)[1].ravel()
        tones = np.bincount(nearest, tone[inside]) / np.bincount(nearest)
        tones += vary * self.rng.standard_normal(len(tones))
        tints = ramp(palette, np.clip(tones, 0, 1)) * np.exp(0.05 * self.rng.standard_normal((len(tones), 3)))
        self.shape[inside] = self.shape.max() + 1
        self.piece[inside] = self.pieces + nearest
        self.colour[inside] = tints[nearest]
        self.pieces += len(tones)


def add_sky(window: Window) -> None:
    """Rays and rings around the sun, and the sun."""
    dx, dy = window.x - SUN_X, window.y - SUN_Y
    radius, angle = np.hypot(dx, dy) + 1e-6, np.arctan2(dy, dx)
    rings = np.log(radius / SUN_R)
    rays = 0.07 * np.cos(9.0 * angle + 2.5 * rings)
    window.add(radius > 0, angle * 5.3, rings * 5.8, SKY, 0.02 + 0.48 * rings + rays, 0.09)
    window.add(radius < SUN_R, angle * 2.1, radius / SUN_R * 3.4, SUN, radius / SUN_R - 0.05, 0.10)
    add_eye(window, radius < EYE * SUN_R, CORE)


def add_land(window: Window) -> None:
    """The hills, with a river between the second and the last."""
    x, y = window.x, window.y
    for height, swell, rate, shift, across, down, palette in HILLS:
        depth = y - height - swell * np.sin(rate * x + shift)
        tone = 0.78 - 2.4 * np.maximum(depth, 0) + 0.10 * np.sin(40 * depth + 5 * x)
        window.add(depth > 0, across * (x + 0.5 * depth), down * depth, palette, tone)
        if palette == OCHRE:
            add_river(window)


def add_river(window: Window) -> None:
    """Long pieces that follow the bends."""
    x, y = window.x, window.y
    below = np.maximum(y - 0.665, 0.0)
    middle = 0.80 + 0.13 * np.sin(15.0 * below**0.8) * (0.35 + 2.0 * below)
    half = 0.012 + 0.52 * below
    side = (x - middle) / half
    window.add((np.abs(side) < 1) & (below > 0), 2.2 * side, 17 * below**0.8, WATER, 0.5 + 0.28 * np.cos(5 * side))


def add_branch(window: Window, branch: tuple[float, ...]) -> None:
    """A bent, tapering branch: of the points of its middle line, each pixel looks at the nearest."""
    t = np.linspace(0.0, 1.0, 200)[:, None]
    ends = np.array(branch[:6]).reshape(3, 2)
    line = (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2]
    distance, near = spatial.cKDTree(line).query(np.stack([window.x, window.y], axis=-1))
    along = near / (len(t) - 1)
    half = branch[6] + (branch[7] - branch[6]) * along**0.7
    side = np.sign(window.x - line[near, 0]) * distance / half
    length = np.linalg.norm(ends[2] - ends[0])
    window.add((distance < half) & (near > 0), side * 1.1, along * length * 13, BARK, 0.45 - 0.35 * side, 0.12)


def add_rosette(window: Window, x: float, y: float, radius: float, around: int, rings: float, palette: str) -> None:
    """A scalloped disc of pieces in rings about its middle."""
    dx, dy = window.x - x, window.y - y
    angle = np.arctan2(dy, dx)
    reach = np.hypot(dx, dy) / radius / (1.0 + 0.045 * np.cos(around * angle))
    tone = 0.98 - 0.85 * reach if palette != PETALS else 0.9 * reach
    inside = reach < 1
    window.add(inside, angle * around / (2 * np.pi), reach * rings, palette, tone, 0.12)
    add_eye(window, reach < EYE, palette if palette != PETALS else BARK)


def add_eye(window: Window, inside: Mask, palette: str) -> None:
    """One piece in the middle, where pieces of rings would become splinters."""
    flat = np.zeros_like(window.x)
    window.add(inside, flat, flat, palette, flat + 0.8, 0.1)


def glaze(window: Window) -> Array:
    """The colours of the glass, with streaks, a slope of light across each piece and a glow in its middle."""
    rng, (height, width) = window.rng, window.x.shape
    side = int(np.hypot(height, width)) + 1  # noise that still covers the window when it is turned
    top, left = (side - height) // 2, (side - width) // 2
    turned = rng.integers(0, STREAKS, window.pieces)[window.piece]
    streaks = np.zeros_like(window.x)
    for i in range(STREAKS):
        noise = rng.standard_normal((side, side))
        noise = ndimage.gaussian_filter(noise, (0.0016 * height, 0.03 * height))
        noise = ndimage.rotate(noise, 180.0 * i / STREAKS + 8.0, reshape=False, order=1)
        part = noise[top : top + height, left : left + width] / noise.std()
        streaks = np.where(turned == i, part, streaks)
    pieces = window.piece.ravel()
    area = np.maximum(np.bincount(pieces), 1)
    middle_x, middle_y = ((np.bincount(pieces, a.ravel()) / area)[window.piece] for a in (window.x, window.y))
    way = rng.uniform(0, 2 * np.pi, window.pieces)[window.piece]
    slope = ((window.x - middle_x) * np.cos(way) + (window.y - middle_y) * np.sin(way)) * 4.5
    grain = smooth_noise(rng, window.x.shape, 0.0011 * height)
    power = np.exp(-0.30 * np.clip(streaks, -2, 2) - np.clip(slope, -0.5, 0.5) - 0.07 * grain)
    return np.asarray(np.clip(window.colour, 0.03, 0.985) ** power[..., None])


def edges(labels: NDArray[np.int64]) -> Array:
    """The distance of each pixel to the nearest border between two labels, in picture heights."""
    same = np.ones(labels.shape, bool)
    same[1:] &= labels[1:] == labels[:-1]
    same[:, 1:] &= labels[:, 1:] == labels[:, :-1]
    return np.asarray(ndimage.distance_transform_edt(same) / labels.shape[0])


def add_lead(window: Window, glass: Array) -> Array:
    """Lead over the borders, dark in the glass beside it, and round."""
    rng, height = window.rng, window.x.shape[0]
    uneven = 1.0 + 0.16 * smooth_noise(rng, window.x.shape, 0.008 * height)
    outside = np.minimum(edges(window.piece) / LEAD, edges(window.shape) / FRAME) / uneven
    shade = 1.0 - 0.42 * np.exp(-np.maximum(outside - 1.0, 0) / 1.3)
    relief = ndimage.gaussian_filter(np.sqrt(np.clip(1.0 - outside**2, 0, 1)), 0.0012 * height)
    down, right = np.gradient(relief)
    light = np.clip((down + right) * 0.0022 * height, -1, 1)
    lead = DARK + np.maximum(light, 0)[..., None] * np.array([0.16, 0.13, 0.12])
    return mix(glass * shade[..., None], lead, (1.08 - outside) * 6.0)


def paint(width: int, height: int, seed: int) -> Image.Image:
    """Set the window and light it."""
    window = Window(width * SCALE, height * SCALE, np.random.default_rng(seed))
    add_sky(window)
    add_land(window)
    for branch in BRANCHES:
        add_branch(window, branch)
    for rosette in ROSETTES:
        add_rosette(window, *rosette)
    lit = add_lead(window, glaze(window))
    image = Image.fromarray((np.clip(lit, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def main() -> None:
    """Read the command line, paint and save."""
    parser = argparse.ArgumentParser(description="Paint the second example style picture.")
    parser.add_argument("output", type=Path, help="JPEG file to write")
    parser.add_argument("--seed", type=int, default=3, help="another seed, other pieces of glass")
    parser.add_argument("--size", type=int, nargs=2, default=(640, 500), metavar=("W", "H"))
    arguments = parser.parse_args()
    width, height = arguments.size
    paint(width, height, arguments.seed).save(arguments.output, quality=80)


if __name__ == "__main__":
    main()
