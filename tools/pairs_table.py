"""Ways to paint, side by side on real pictures: ``python tools/pairs_table.py --pictures FOLDER --out DIR``.

FOLDER has ``content/``, ``style/`` and a list ``pairs.txt``: a line a pair, the names of two files, and the face's box
if it has one, ``left,top,right,bottom`` in parts of the picture. A way is a recipe and what to change in it, as for
--compare. With --equal, the budgets of all ways are scaled to the processor's seconds that the first one took, by their
estimates and by how far off those were for the pairs before; what took less than nine tenths is painted again. All are
judged by VGG16, which painted none of them: what is left of each layer's style and of the content, |G - A|^2 / |A|^2
and |F - P|^2 / |P|^2; the likeness of the face (or of all, without a face), whether the detector still finds it, and
the grain of even areas in grey levels, the painting's own in brackets (``likeness.py``). Prints a Markdown table and
writes the pictures of each pair side by side. A picture that is there already is not painted again.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from likeness import Box, face_found, grain, likeness
from minstyle import Recipe, load_image, load_network, save_image, stylize
from minstyle.images.grid import grid
from minstyle.job.variants import parse_variant
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.sizes import working_shape
from minstyle.run.estimate import Estimator
from minstyle.run.pictures import Pictures
from recipe_table import LAYERS, shares

_LEAST = 0.9  # of the first way's seconds that another one has to have taken
_off: dict[str, float] = {}  # by ways: how many times the estimated seconds the last picture took


@dataclass(frozen=True)
class Pair:
    content: Path
    style: Path
    face: Box | None

    @property
    def name(self) -> str:
        return f"{self.content.stem}_{self.style.stem}"


def read_pairs(folder: Path) -> list[Pair]:
    pairs = []
    for line in (folder / "pairs.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        content, style, *box = line.split()
        left, top, right, bottom = (float(x) for x in box[0].split(",")) if box else (0, 0, 1, 1)
        face = (left, top, right, bottom) if box else None
        pairs.append(Pair(folder / "content" / content, folder / "style" / style, face))
    return pairs


def scaled(recipe: Recipe, shapes: list[tuple[int, ...]], networks: dict[str, Network], seconds: float) -> Recipe:
    """The recipe with evaluations for so many seconds."""
    found = Estimator(shapes[0], shapes[1:], recipe, networks["vgg19"], networks["mini"]).estimate()
    share = seconds / found.seconds
    return replace(recipe, evaluations=tuple(max(3, round(stage.evaluations * share)) for stage in found.stages))


def picture_of(pair: Pair, way: str, out: Path, size: int) -> Path:
    return out / f"{pair.name}_{size}_{way.replace(':', '_').replace('/', '_')}.png"


def paint(pair: Pair, way: str, options: Any, networks: dict[str, Network], seconds: float | None) -> dict[str, Any]:
    """The picture by one way, in so many seconds if they are given, or by its own budget."""
    picture = picture_of(pair, way, options.out, options.size)
    kept = picture.with_name(picture.stem + ".json")
    if kept.exists():
        return json.loads(kept.read_text()) | {"image": load_image(picture)}
    content, style = load_image(pair.content), load_image(pair.style)
    _, recipe = parse_variant(way)
    recipe = replace(recipe, sizes=(options.size,), size_of="long")
    if seconds is not None:
        recipe = scaled(recipe, [content.shape, style.shape], networks, seconds / _off.get(way, 1.0))
    began = time.process_time()
    result = stylize(content, [style], recipe, network=networks["vgg19"], draft=networks["mini"])
    found = dict(seconds=time.process_time() - began, evaluations=result.evaluations)
    if seconds is not None:
        _off[way] = _off.get(way, 1.0) * found["seconds"] / seconds
        if found["seconds"] < _LEAST * seconds:
            return paint(pair, way, options, networks, seconds)
    save_image(result.image, picture)
    kept.write_text(json.dumps(found))
    return found | {"image": load_image(picture)}


def measured(pair: Pair, image: np.ndarray, size: int, judge: Network) -> dict[str, Any]:
    content, style = load_image(pair.content), load_image(pair.style)
    recipe = replace(RECIPES["fine"], sizes=(size,))
    seen = Pictures(content, (style,), recipe).at(working_shape(content.shape, size, recipe))
    small, painting = np.asarray(seen.content, np.float64), np.asarray(seen.styles[0], np.float64)
    found, its = grain(image.astype(np.float64), small), grain(painting, painting)
    return {
        **dict(zip((*LAYERS, "content"), shares(content, style, size, judge, image), strict=True)),
        "likeness": likeness(small, image, pair.face or (0, 0, 1, 1)),
        "face": "" if pair.face is None else "yes" if face_found(image, pair.face) else "no",
        "luma": f"{found.luma:.1f} ({its.luma:.1f})",
        "chroma": f"{found.chroma:.1f} ({its.chroma:.1f})",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, required=True, help="a folder with content/, style/ and pairs.txt")
    parser.add_argument("--out", type=Path, required=True, help="a folder for pictures")
    parser.add_argument("--ways", nargs="+", default=["fine"], metavar="RECIPE", help="as in fine:style_weight=300")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="pairs of these names, CONTENT_STYLE")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--equal", action="store_true", help="as many seconds for each way as the first one takes")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    networks = {name: load_network(name, device="cpu") for name in ("vgg19", "mini")}
    judge = load_network("vgg16", device="cpu")
    columns = [*LAYERS, "content", "likeness", "face", "luma", "chroma"]
    print(f"| pair | way | seconds | evaluations | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 4)}")
    for pair in read_pairs(options.pictures):
        if options.only and pair.name not in options.only:
            continue
        shown = [("photograph", load_image(pair.content)), ("painting", load_image(pair.style))]
        seconds: float | None = None
        for way in options.ways:
            found = paint(pair, way, options, networks, seconds)
            if options.equal and seconds is None:
                seconds = found["seconds"]
            row = measured(pair, found["image"], options.size, judge)
            cells = [f"{x:.2f}" if isinstance(x, float) else x for x in (row[column] for column in columns)]
            print(f"| {pair.name} | {way} | {found['seconds']:.0f} | {found['evaluations']} | {' | '.join(cells)} |",
                  flush=True)  # fmt: skip
            shown.append((way, found["image"]))
        save_image(grid(shown, height=384), options.out / f"sheet_{pair.name}.png")


if __name__ == "__main__":
    main()
