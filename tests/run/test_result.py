"""run/result.py: a result is saved, shown and looked at without further ado."""

from __future__ import annotations

import dataclasses
import pickle
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from minstyle.images import Picture, load_picture, read_text
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.result import Result
from minstyle.run.stylize import stylize
from tests.support.small import picture

mpl.use("agg")
SHORT = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=1, evaluations=2)


@pytest.fixture(scope="module")
def result(tiny_network: Network) -> Result:
    opacity = np.linspace(0, 1, 32 * 40).reshape(32, 40).astype(np.float32)
    content = Picture(picture(32, 40, 1), opacity, depth=16, dpi=(300.0, 300.0))
    return stylize(content, [picture(40, 36, 2)], SHORT, network=tiny_network)


def test_it_saves_with_the_recipe_and_what_the_photograph_has(result: Result, tmp_path: Path) -> None:
    result.save(tmp_path / "out.png")
    assert Recipe.from_json(read_text(tmp_path / "out.png") or "") == SHORT
    saved = load_picture(tmp_path / "out.png")
    assert (saved.depth, saved.opacity is None) == (16, False)
    assert saved.dpi == pytest.approx((300, 300), rel=1e-3)
    shown = saved.opacity > 0.1 if saved.opacity is not None else ...
    np.testing.assert_allclose(saved.image[shown], result.image[shown], atol=0.01)
    result.save(tmp_path / "out.jpg", quality=50, depth=8)
    assert read_text(tmp_path / "out.jpg") == read_text(tmp_path / "out.png")
    file = BytesIO()
    result.save(file, extension=".webp")
    assert file.getvalue()[8:12] == b"WEBP"


def test_of_arrays_it_saves_too(tiny_network: Network, tmp_path: Path) -> None:
    plain = stylize(picture(32, 40, 1), [picture(40, 36, 2)], SHORT, network=tiny_network)
    plain.save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        np.testing.assert_array_equal(np.asarray(image), plain.pixels)
    assert plain.to_pil().mode == "RGB"


def test_it_is_a_picture_for_pillow_notebooks_and_matplotlib(result: Result) -> None:
    from matplotlib.figure import Figure

    assert result.pixels.dtype == np.uint8
    np.testing.assert_array_equal(result.pixels, np.rint(result.image))
    assert result.to_pil().mode == "RGBA"
    np.testing.assert_array_equal(np.asarray(result.to_pil())[:, :, :3], result.pixels)
    with Image.open(BytesIO(result._repr_png_())) as image:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(result.to_pil()))
    shown = Figure().subplots().imshow(result)  # type: ignore[arg-type]
    np.testing.assert_array_equal(shown.get_array(), result.pixels)
    assert np.asarray(result, np.float32).dtype == np.float32


def test_its_repr_is_a_line(result: Result) -> None:
    ended = dataclasses.replace(result, error=KeyboardInterrupt())
    took = f"{result.evaluations} evaluations in {result.seconds:.1f} s"
    losses = f"loss {result.first_loss:.4g} -> {result.loss:.4g}"
    assert repr(result) == f"Result(40 x 32, recipe document, {took}, {losses})"
    assert repr(ended).endswith(", ended early by KeyboardInterrupt)")
    assert repr(result.content) == "Picture(40 x 32, 16 bits, with transparency)"


def test_it_can_be_pickled(result: Result) -> None:
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.image, result.image)
    assert again.recipe == result.recipe
