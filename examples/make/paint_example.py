"""Paint ``examples/swirls.jpg``, the first style picture of the README, from nothing but a seed.

1. *Composition.*  A night sky with a sun, spirals and stars stands over ploughed hills.  It is
   two smooth maps: the colour wanted at each point, and the direction in which the brush
   moves there (vortices and curl noise in the sky, furrows and contour lines on the hills).
2. *Pigment.*  Noise smeared along the brush direction shifts the colours, so that bands of
   light and dark paint follow the swirls.
3. *Strokes.*  Curved strokes follow the direction map, large ones first, then small ones where
   the composition has detail.  A stroke is a bundle of bristles: thin ribbons, each with its
   own tint, paint thickness and ragged ends.
4. *Relief.*  The bristles also draw a thickness map, which is lit from the upper left.

Everything is drawn larger than the result and reduced, which smooths the edges.

Usage: ``python examples/make/paint_example.py examples/swirls.jpg [--seed N] [--size W H]``
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw
from scipy import ndimage

Array = NDArray[np.float64]

SCALE = 3  # strokes are drawn this many times larger than the result
COARSE = 2  # the composition is this many times smaller than the result
STEPS = 18  # points along the centre line of a stroke
BRISTLE = 1.5  # distance between bristles, in pixels of the result

NIGHT = "#0c1034 #12286c #184e98 #1c7ea0 #68bcb8 #ece8be #fcd67a"
FIRE = "#fff7cc #ffd858 #faa22a #da5422 #702844"
DUSK = "#1a184a #2c347c #3a6098 #7884a8 #f4be78"
GREEN = "#0a283e #10525c #207c6c #7eac60 #f6de78"
WHEAT = "#702828 #be4e20 #e88c28 #fac44e #ffeeaa"
SOIL = "#161032 #4a1c42 #a0322c #e27028 #fcc45c"

# Vortices of the sky: x, y, radius, sense of rotation, steepness of the spiral, glow.
WHIRLS = (
    (0.46, 0.32, 0.29, 1.0, 0.16, 0.0),
    (1.03, 0.22, 0.24, -1.0, 0.07, 1.0),
    (0.80, 0.50, 0.14, -1.0, 0.20, 0.0),
    (0.10, 0.14, 0.13, -1.0, 0.10, 0.85),
    (1.16, 0.54, 0.09, 1.0, 0.10, 0.8),
    (0.73, 0.07, 0.07, 1.0, 0.10, 0.9),
    (0.13, 0.42, 0.06, 1.0, 0.10, 0.95),
    (0.245, 0.565, 0.05, -1.0, 0.10, 1.0),
)
# Hills from far to near: height, swell, rate and shift of the hill line, x and y of the point
# that the furrows come from, number of furrows, palette.
HILLS = (
    (0.665, 0.035, 5.2, 0.2, 0.60, -1.50, 0.0, DUSK),
    (0.715, 0.060, 3.9, 2.5, 0.25, 0.45, 46.0, GREEN),
    (0.800, 0.065, 3.3, 5.3, 1.15, 0.52, 44.0, WHEAT),
    (0.895, 0.060, 3.6, 1.9, 0.35, 0.60, 40.0, SOIL),
)
# Passes over the canvas: width, length and spacing of the strokes, the least detail they are
# for, how far away a stroke picks up its colour, and how much lighter or deeper it may be.
# Lengths are fractions of the picture's height.
LAYERS = (
    (0.060, 0.30, 0.0300, 0.00, 0.010, 0.20),
    (0.034, 0.22, 0.0200, 0.00, 0.010, 0.22),
    (0.021, 0.15, 0.0135, 0.35, 0.009, 0.24),
    (0.013, 0.10, 0.0095, 0.60, 0.007, 0.26),
    (0.008, 0.07, 0.0080, 0.80, 0.005, 0.28),
)


@dataclass
class Scene:
    """The composition on a coarse grid: colour (0..1), direction, detail, and what lies where."""

    colour: Array
    flow: Array
    detail: Array
    region: Array


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> Array:
    """Gaussian noise with features of about ``scale`` grid cells and unit variance."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), scale, mode="reflect")
    return np.asarray((noise - noise.mean()) / noise.std())


def ramp(palette: str, position: Array) -> Array:
    """Colours along a palette for positions from 0 to 1."""
    table = np.array([ImageColor.getrgb(name) for name in palette.split()]) / 255.0
    stops = np.linspace(0.0, 1.0, len(table))
    return np.stack([np.interp(position, stops, table[:, c]) for c in range(3)], axis=-1)


def mix(below: Array, above: Array, amount: Array) -> Array:
    """Blend two colour or vector maps with a scalar map of weights."""
    weight = np.clip(amount, 0.0, 1.0)[..., None]
    return np.asarray(below * (1.0 - weight) + above * weight)


def unit(vectors: Array) -> Array:
    """Vectors of length one."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-6))


def sample(field: Array, points: Array) -> Array:
    """Values of a map at (x, y) grid points, by nearest cell."""
    height, width = field.shape[:2]
    column = np.clip(points[..., 0], 0, width - 1).astype(np.intp)
    row = np.clip(points[..., 1], 0, height - 1).astype(np.intp)
    return np.asarray(field[row, column])


def smear(values: Array, flow: Array, steps: int) -> Array:
    """Average a map along the flow in both directions (line integral convolution)."""
    start = np.stack(list(np.indices(values.shape)[::-1]), axis=-1).astype(np.float64)
    total = values.copy()
    for sign in (1.0, -1.0):
        points = start.copy()
        for _ in range(steps):
            points += sign * sample(flow, points)
            total += sample(values, points)
    return np.asarray(np.clip((total - total.mean()) / total.std(), -2.0, 2.0))


def sky(x: Array, y: Array, rng: np.random.Generator) -> Scene:
    """The composition without the hills."""
    size = x.shape[0]
    down, right = np.gradient(smooth_noise(rng, x.shape, 0.10 * size))
    flow = np.stack([np.ones_like(x), 0.35 * np.sin(4.2 * x + 5.0 * y)], axis=-1)
    flow += 0.06 * size * np.stack([down, -right], axis=-1)
    glow, arms, detail = (np.zeros_like(x) for _ in range(3))
    for centre_x, centre_y, reach, spin, pitch, heat in WHIRLS:
        dx, dy = x - centre_x, y - centre_y
        radius = np.hypot(dx, dy) + 1e-4
        near = np.exp(-((radius / reach / 1.12) ** 4))
        around = np.stack([-dy * spin - dx * pitch, dx * spin - dy * pitch], axis=-1)
        flow = mix(flow, around / radius[..., None], near * 1.25)
        arm = np.sin(2.0 * (np.arctan2(dy, dx) * spin + np.log(radius) / pitch)) * near
        halo = np.exp(-((radius / reach / 0.64) ** 2)) + 0.13 * arm
        glow = np.maximum(glow, heat * halo)
        arms += arm * (0.5 if heat else 1.0)
        detail = np.maximum(detail, np.exp(-((radius / reach / 0.9) ** 2)))
    for _ in range(3):
        flow = unit(ndimage.gaussian_filter(flow, (0.011 * size, 0.011 * size, 0)))
    bands = smear(smooth_noise(rng, x.shape, 0.012 * size), flow, size // 6)
    cold = ramp(NIGHT, 0.37 - 0.25 * (0.5 - y) + 0.13 * bands + 0.36 * arms)
    warm = ramp(FIRE, 1.05 - glow + 0.07 * bands)
    colour = mix(cold, warm, (glow + 0.05 * bands - 0.22) * 6.0)
    return Scene(colour, flow, detail, np.where(glow > 0.17, -1.0, 0.0))


def add_hills(scene: Scene, x: Array, y: Array, rng: np.random.Generator) -> None:
    """Paint the hills over the sky, in place."""
    size = x.shape[0]
    for height, swell, rate, shift, from_x, from_y, furrows, palette in HILLS:
        depth = y - height - swell * np.sin(rate * x + shift)
        slope = swell * rate * np.cos(rate * x + shift)
        contour = unit(np.stack([np.ones_like(x), slope], axis=-1))
        dx, dy = x - from_x, y - from_y
        plough = unit(np.stack([dx, dy], axis=-1)) * np.sign(dx)[..., None]
        crest = np.exp(-((depth / 0.022) ** 2))
        flow = unit(mix(plough, contour, crest * 1.3 if furrows else np.ones_like(x)))
        bands = smear(smooth_noise(rng, x.shape, 0.010 * size), flow, size // 10)
        furrow = 0.22 * np.sin(furrows * np.arctan2(dx, dy)) * (1.0 - crest)
        tone = ramp(palette, 0.38 + furrow + 0.14 * bands + 0.5 * crest - 0.5 * depth)
        inside = depth > 0
        scene.flow[inside], scene.colour[inside] = flow[inside], tone[inside]
        scene.detail[inside] = (0.45 + 0.4 * crest)[inside]
        scene.region[inside] = height


def compose(width: int, height: int, rng: np.random.Generator) -> Scene:
    """The whole composition on a grid of the given size; the layout is 1.28 wide and 1 high."""
    rows, columns = np.indices((height, width)).astype(np.float64)
    x, y = 0.64 + (columns - width / 2) / height, rows / height
    scene = sky(x, y, rng)
    add_hills(scene, x, y, rng)
    scene.detail += 0.12 * smooth_noise(rng, x.shape, 0.03 * height)
    np.maximum(scene.detail, 0.0, out=scene.detail)
    return scene


def scatter(size: tuple[int, int], spacing: float, rng: np.random.Generator) -> Array:
    """Start points in random order, spread evenly with full jitter."""
    columns, rows = (int(np.ceil(side / spacing)) for side in size)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    points = (grid + rng.uniform(-0.3, 1.3, grid.shape)) * spacing
    return np.asarray(rng.permutation(points))


def trace(scene: Scene, starts: Array, lengths: Array) -> Array:
    """Centre lines (strokes, STEPS, 2) that run along the flow through the start points."""
    step = (lengths / STEPS)[:, None]
    halves = []
    for sign, count in ((-1.0, STEPS // 2), (1.0, STEPS - STEPS // 2)):
        points, line = starts.copy(), []
        for _ in range(count):
            ahead = points + sign * step * sample(scene.flow, points)
            stays = sample(scene.region, ahead) == sample(scene.region, starts)
            points = np.where(stays[:, None], ahead, points)
            line.append(points)
        halves.append(line)
    lines = np.stack(halves[0][::-1] + halves[1], axis=1)
    moved = np.linalg.norm(np.diff(lines, axis=1), axis=-1).sum(axis=1)
    return np.asarray(lines[moved > 0.6 * lengths])


def tint(scene: Scene, spots: Array, pick: float, jitter: float, rng: np.random.Generator) -> Array:
    """Two tints for each stroke, one for each side of the brush, picked up near its middle."""
    near = rng.normal(0.0, pick * len(scene.colour), (len(spots), 2, 2))
    tints = np.clip(sample(scene.colour, spots[:, None] + near), 0.04, 0.98)
    # A power makes a tint lighter or deeper without greying it.
    power = np.exp(rng.normal(0.0, jitter, (len(spots), 1, 1)))
    return np.asarray(tints**power + rng.normal(0.0, 0.02, tints.shape))


class Canvas:
    """Colour and paint thickness, drawn bristle by bristle at SCALE times the final size."""

    def __init__(self, width: int, height: int, ground: Array) -> None:
        self.size = (width, height)
        under = Image.fromarray((np.clip(ground, 0, 1) * 255).astype(np.uint8))
        self.paint = under.resize((width * SCALE, height * SCALE))
        self.relief = Image.new("F", self.paint.size, 0.0)
        self.pens = (ImageDraw.Draw(self.paint), ImageDraw.Draw(self.relief))

    def stroke(self, line: Array, width: float, tints: Array, rng: np.random.Generator) -> None:
        """Draw one stroke: bristles side by side along a centre line."""
        count = max(4, round(width / (BRISTLE * SCALE)))
        tangent = unit(np.gradient(line, axis=0))
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=-1)
        along = np.cumsum(np.linalg.norm(np.diff(line, axis=0, prepend=line[:1]), axis=-1))
        along /= along[-1]
        spread = 0.55 + 0.45 * np.sqrt(np.clip(1.0 - np.abs(2.0 * along - 0.9) ** 3, 0.0, 1.0))
        body = np.sqrt(width) * rng.uniform(0.5, 1.0)
        for side in rng.permutation(np.linspace(-1.0, 1.0, count)):
            begin = 0.14 * abs(side) ** 2 + rng.uniform(0, 0.10)
            end = 1.0 - 0.34 * rng.uniform() ** 2 - 0.10 * abs(side) ** 2
            place = (along - begin) / (end - begin)
            press = np.clip(np.minimum(place * 9.0, (1.0 - place) * 5.0), 0.0, 1.0)
            half = (width / count * 0.85 * np.sqrt(press))[:, None] * normal
            middle = line + (side * 0.5 * width * spread)[:, None] * normal
            shape = np.concatenate([middle + half, (middle - half)[::-1]]).ravel().tolist()
            blend = np.clip(0.5 + 0.5 * side + rng.normal(0, 0.25), 0, 1)
            load = rng.normal(0, 1)
            mixed = tints[0] * (1 - blend) + tints[1] * blend + 0.03 * load
            rgb = tuple(int(v) for v in np.clip(mixed, 0.02, 1.0) * 255)
            self.pens[0].polygon(shape, fill=rgb)
            self.pens[1].polygon(shape, fill=body * (0.8 + 0.4 * side**4) + 1.8 * load)

    def finish(self) -> Image.Image:
        """Light the relief from the upper left and reduce to the final size."""
        relief = ndimage.gaussian_filter(np.asarray(self.relief, dtype=np.float64), 0.5 * SCALE)
        down, right = np.gradient(relief)
        light = np.tanh((down + right) * 0.7)
        colour = np.asarray(self.paint, dtype=np.float64) / 255.0
        lit = colour * (1.0 + 0.34 * light[..., None]) + 0.08 * np.maximum(light, 0)[..., None] ** 2
        image = Image.fromarray((np.clip(lit, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
        return image.resize(self.size, Image.Resampling.LANCZOS)


def paint(width: int, height: int, seed: int) -> Image.Image:
    """Paint the picture."""
    rng = np.random.default_rng(seed)
    grid = (width // COARSE, height // COARSE)
    scene = compose(*grid, rng)
    canvas = Canvas(width, height, scene.colour)
    for breadth, length, spacing, least, pick, jitter in LAYERS:
        starts = scatter(grid, spacing * grid[1], rng)
        starts = starts[sample(scene.detail, starts) >= least]
        lines = trace(scene, starts, length * grid[1] * rng.uniform(0.6, 1.25, len(starts)))
        tints = tint(scene, lines[:, STEPS // 2], pick, jitter, rng)
        for line, pair in zip(lines, tints, strict=True):
            brush = breadth * height * SCALE * rng.uniform(0.7, 1.2)
            canvas.stroke(line * COARSE * SCALE, brush, pair, rng)
    return canvas.finish()


def main() -> None:
    """Read the command line, paint and save."""
    parser = argparse.ArgumentParser(description="Paint the example style picture.")
    parser.add_argument("output", type=Path, help="JPEG file to write")
    parser.add_argument("--seed", type=int, default=6, help="another seed, another painting")
    parser.add_argument("--size", type=int, nargs=2, default=(768, 600), metavar=("W", "H"))
    arguments = parser.parse_args()
    width, height = arguments.size
    paint(width, height, arguments.seed).save(arguments.output, quality=92)


if __name__ == "__main__":
    main()
