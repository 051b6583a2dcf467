"""Memory beside the evaluations of a large picture: ``python tools/picture_memory.py [--size 4900x3266] [PART ...]``.

Each part of a run that handles whole pictures, in a process of its own, on a picture of smooth noise: reading,
resizing, colours, checkpoints, writing. It prints the bytes a pixel that the process has at its peak beyond what it had
before, those that stay with the part's result, and seconds.
"""

from __future__ import annotations

import argparse
import dataclasses
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from posters_table import shape_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from minstyle import RECIPES
from minstyle.images import Picture, load_picture, resize, save_picture
from minstyle.images.codepoints import adobe_rgb
from minstyle.memory import peak, resident
from minstyle.optimize.lbfgs_state import LbfgsState
from minstyle.recipe.sizes import Shape
from minstyle.run.kept import image_on_host
from minstyle.run.loop import _enlarged
from minstyle.run.minimise import Midway
from minstyle.run.pictures import Pictures
from minstyle.run.saving import save_painted
from minstyle.run.state import RunState
from minstyle.run.statefile import read_state, write_state

Part = Callable[[Shape, Path], Callable[[], Any]]  # made ready: what is measured is the call of what it gives
PAIRS = 5


def smooth(shape: Shape, seed: int = 0) -> np.ndarray:
    """Smooth noise (H, W, 3), float32, 0..255: it packs about as a photograph does."""
    height, width = shape
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 16 + 2, width // 16 + 2, 3)).astype(np.float32)
    return resize(noise, *shape, "bicubic")


def pictures(shape: Shape, **settings: Any) -> Pictures:
    recipe = dataclasses.replace(RECIPES["fine"], sizes=(max(shape),), **settings)
    return Pictures.of(Picture(smooth(shape)), [Picture(smooth(shape, 1))], recipe)


def reading(name: str, **settings: Any) -> Part:
    def ready(shape: Shape, folder: Path) -> Callable[[], Any]:
        elsewhere(save_smooth, shape, folder / name, settings)
        return lambda: load_picture(folder / name)

    return ready


def save_smooth(shape: Shape, path: Path, settings: dict[str, Any]) -> None:
    save_picture(smooth(shape), path, **settings)


def elsewhere(call: Callable[..., Any], *given: Any) -> Any:
    """Call it in a new process: this one has not had the memory that it takes."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *given).result()


def checking(shape: Shape, folder: Path) -> Callable[[], Any]:
    given, style = Picture(smooth(shape)), Picture(smooth(shape, 1))
    return lambda: Pictures.of(given, [style], dataclasses.replace(RECIPES["fine"], sizes=(max(shape),)))


def at(part: int = 1, **settings: Any) -> Part:
    def ready(shape: Shape, folder: Path) -> Callable[[], Any]:
        given = pictures(shape, **settings)
        return lambda: given.at((shape[0] // part, shape[1] // part))

    return ready


def finishing(**settings: Any) -> Part:
    def ready(shape: Shape, folder: Path) -> Callable[[], Any]:
        given, image = pictures(shape, **settings), smooth(shape, 2)
        return lambda: given.finished(image)

    return ready


def starting(**settings: Any) -> Part:
    def ready(shape: Shape, folder: Path) -> Callable[[], Any]:
        scaled = pictures(shape, **settings).at(shape)
        return lambda: scaled.start((100.0, 100.0, 100.0)).astype(np.float32)

    return ready


def enlarging(shape: Shape, folder: Path) -> Callable[[], Any]:
    best, content = smooth((shape[0] // 2, shape[1] // 2)), smooth(shape)
    return lambda: _enlarged(best, content, RECIPES["fine"])


def looking(shape: Shape, folder: Path) -> Callable[[], Any]:
    best = smooth(shape)
    return lambda: image_on_host(best)


def writing(name: str, **settings: Any) -> Part:
    def ready(shape: Shape, folder: Path) -> Callable[[], Any]:
        image, content = smooth(shape), Picture(smooth((64, 64)), **settings)
        return lambda: save_painted(image, folder / name, RECIPES["fine"], content)

    return ready


def midway(shape: Shape) -> RunState:
    values = np.zeros((PAIRS, shape[0] * shape[1] * 3), np.float32)
    values += 1
    x = np.ones((*shape, 3), np.float32)
    lbfgs = LbfgsState(x, 1.0, x, values, values.copy(), np.eye(PAIRS), np.ones(PAIRS), list(range(PAIRS)), 1.0, [1.0])
    return RunState(image=x.copy(), best=x.copy(), best_loss=1.0, midway=Midway(x, lbfgs, 0, 0))


def save_midway(shape: Shape, path: Path) -> None:
    write_state(midway(shape), path)


def stopping(shape: Shape, folder: Path) -> Callable[[], Any]:
    state = midway(shape)
    return lambda: write_state(state, folder / "state")


def going_on(shape: Shape, folder: Path) -> Callable[[], Any]:
    elsewhere(save_midway, shape, folder / "state")
    return lambda: read_state(folder / "state")


PARTS: dict[str, Part] = {
    "read a JPEG": reading("a.jpg"),
    "read a PNG": reading("a.png"),
    "read a PNG of 16 bits": reading("a.png", depth=16),
    "read a TIFF of 16 bits": reading("a.tif", depth=16),
    "read a JPEG in Adobe RGB": reading("a.jpg", profile=adobe_rgb()),
    "check the pictures": checking,
    "make them ready": at(),
    "make them ready at half the size": at(2),
    "make them ready, colours matched": at(color="match"),
    "make them ready, luminance": at(color="luminance"),
    "start from the photograph": starting(),
    "start from noise": starting(init="noise"),
    "start from the style": starting(init="style"),
    "enlarge the size before": enlarging,
    "look at the picture": looking,
    "colours: auto": finishing(),
    "colours: the photograph's": finishing(color="content"),
    "colours: matched after": finishing(color="match-after"),
    "write a checkpoint": stopping,
    "read a checkpoint": going_on,
    "write a PNG": writing("a.png"),
    "write a PNG of 16 bits": writing("a.png", depth=16),
    "write a TIFF": writing("a.tif"),
    "write a TIFF of 16 bits": writing("a.tif", depth=16),
    "write a JPEG": writing("a.jpg"),
    "write a TIFF in Adobe RGB": writing("a.tif", profile=adobe_rgb()),
}


def measured(name: str, shape: Shape) -> dict[str, float]:
    """Bytes a pixel at the peak of a part, and of what it gives, beyond those before it; seconds."""
    with tempfile.TemporaryDirectory() as folder:
        call = PARTS[name](shape, Path(folder))
        before, began = resident(), time.perf_counter()
        Path("/proc/self/clear_refs").write_text("5")  # the peak, from here on
        result = call()
        seconds, pixels = time.perf_counter() - began, shape[0] * shape[1]
        found = {"peak": (peak() - before) / pixels, "kept": (resident() - before) / pixels, "seconds": seconds}
        del result
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--size", type=shape_of, default=(3266, 4900), metavar="WxH", help="(default: 4900x3266)")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"(default: all) {', '.join(PARTS)}")
    options = parser.parse_args()
    print(f"{'bytes a pixel':34}{'peak':>8}{'kept':>8}{'seconds':>9}")
    for name in options.parts or PARTS:
        found = elsewhere(measured, name, options.size)
        print(f"{name:34}{found['peak']:8.1f}{found['kept']:8.1f}{found['seconds']:9.1f}", flush=True)


if __name__ == "__main__":
    main()
