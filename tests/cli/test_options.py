"""job/options.py: the recipe that a command line asks for: layers, losses, weights; and what is refused in one line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from minstyle.cli.parser import asked_recipe, build_parser
from minstyle.errors import RecipeError
from minstyle.job.options import GROUPS, changed, option_fields, start_file
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.sizes import sizes_of
from minstyle.recipe.terms import IMAGE, ROLES, Term

PICTURES = ["photo.jpg", "painting.jpg", "out.png"]
Captured = pytest.CaptureFixture[str]


def recipe(*options: str, base: str = "crowson") -> Recipe:
    return asked_recipe(build_parser().parse_args([*PICTURES, "--recipe", base, *options]))


def weights(chosen: Recipe, role: str) -> dict[str, float]:
    return {term.name: term.weight for term in chosen.terms if term.role == role}


def others(chosen: Recipe, role: str) -> Recipe:
    """The recipe without what serves a role."""
    return dataclasses.replace(chosen, terms=tuple(term for term in chosen.terms if term.role != role))


# Layers and losses


def test_style_layers_keep_the_recipes_weights_or_take_new_ones() -> None:
    chosen = recipe("--style-layers", "block1_conv1,conv2_1,block4_conv2,block5_conv1:0.5")
    mean = sum(w / 341 for w in (256, 64, 16, 4, 1)) / 5
    assert weights(chosen, "style") == pytest.approx({
        "wasserstein block1_conv1": 256 / 341, "wasserstein block2_conv1": 64 / 341,
        "wasserstein block4_conv2": mean, "wasserstein block5_conv1": 0.5,
    })  # fmt: skip
    assert others(chosen, "style") == others(RECIPES["crowson"], "style")


def test_content_layers() -> None:
    chosen = recipe("--content-layers", "relu3_2:2,block4_conv2")
    assert weights(chosen, "content") == {"content_mean block3_conv2": 2.0, "content_mean block4_conv2": 1.0}
    assert others(chosen, "content") == others(RECIPES["crowson"], "content")


def test_a_loss_is_put_at_the_layers_of_its_role_with_their_weights() -> None:
    chosen = recipe("--style-loss", "covariance:10,mean_std")
    layers = {term.layer: term.weight for term in RECIPES["crowson"].terms if term.role == "style"}
    expected = {f"covariance {layer}": 10 * w for layer, w in layers.items()}
    assert weights(chosen, "style") == expected | {f"mean_std {layer}": w for layer, w in layers.items()}
    assert others(chosen, "style") == others(RECIPES["crowson"], "style")
    assert weights(recipe("--content-loss", "content_sum:3"), "content") == {"content_sum block4_conv2": 3.0}
    assert weights(recipe("--tv-loss", "tv_squared:2,tv_absolute"), "tv") == {"tv_squared": 2.0, "tv_absolute": 1.0}


def test_losses_and_layers_together() -> None:
    chosen = recipe("--style-layers", "conv1_1:2,conv3_1:3", "--style-loss", "gram_paper,histogram:5")
    assert weights(chosen, "style") == {
        "gram_paper block1_conv1": 2.0, "gram_paper block3_conv1": 3.0,
        "histogram block1_conv1": 10.0, "histogram block3_conv1": 15.0,
    }  # fmt: skip
    nothing = build_parser().parse_args([
        *PICTURES, "--style-layers", "conv1_1:2,conv3_1", "--style-loss", "histogram:5"
    ])  # fmt: skip
    only_content = dataclasses.replace(RECIPES["crowson"], terms=RECIPES["crowson"].terms[:1])
    found = weights(changed(only_content, nothing), "style")
    assert found == {"histogram block1_conv1": 10.0, "histogram block3_conv1": 5.0}, "also where it had no style"


def test_a_histogram_of_the_image_itself() -> None:
    assert weights(recipe("--style-layers", "image:1", "--style-loss", "histogram"), "style") == {"histogram": 1.0}


@pytest.mark.parametrize(("options", "words"), [
    (["--style-loss", "beauty"], "style loss: expected gram_image, .*, got 'beauty'"),
    (["--style-loss", "content_sum"], "style loss: .* got 'content_sum'"),
    (["--tv-loss", "histogram"], "tv loss: expected total_variation, .* got 'histogram'"),
    (["--style-layers", "block1_conv1:0", "--content-weight", "0", "--tv-weight", "0"], "a term of weight above 0"),
    (["--gradients", "unit", "--optimizer", "lbfgs", "--bounds", "end"], "gradients: expected plain with .* lbfgs"),
    (["--optimizer", "lbfgs"], "bounds: expected end or smooth with the optimizer lbfgs, got 'step'"),
    (["--betas", "0.9,1"], "betas: expected two numbers below 1"),
    (["--betas", "0.9"], "betas: expected two numbers below 1"),
    (["--blend", "0,0"], "blend: expected a number above 0 among them"),
    (["--size", "128,64"], "sizes: expected growing numbers, got 128, 64"),
])  # fmt: skip
def test_what_does_not_go_together_is_told(options: list[str], words: str) -> None:
    with pytest.raises(RecipeError, match=words):
        recipe(*options)


@pytest.mark.parametrize(("options", "words"), [
    (["--style-layers", "block1_conv1:much"], "--style-layers: expected a number after block1_conv1:, got 'much'"),
    (["--style-layers", "block1_conv1,conv1_1:2"], "--style-layers: expected each name once, got block1_conv1 twice"),
    (["--tv-loss", "tv_mean,tv_mean:3"], "--tv-loss: expected each name once, got tv_mean twice"),
    (["--style-crop", "0,0,1"], "--style-crop: expected left < right and top < bottom from 0 to 1 for each, got"),
    (["--style-crop", "0.5,0,0.5,1"], "--style-crop: expected left < right"),
    (["--content-layers", "block1_conv1:-1"], "--content-layers: weight of block1_conv1: expected a number from 0 to"),
    (["--style-layers", "conv1_1:nan"], "weight of block1_conv1: expected a number from 0 to 1e+12, got 'nan'"),
    (["--style-loss", "gram_paper:inf"], "weight of gram_paper: expected a number from 0 to 1e+12, got 'inf'"),
    (["--style-crop", "left"], "--style-crop: expected left,top,right,bottom as fractions"),
    (["--blend", "3:7"], "--blend: expected numbers, as in 1 or 3,7, got '3:7'"),
    (["--color", "red"], "--color: invalid choice: 'red'"),
    (["--quality", "101"], "--quality: expected a whole number from 1 to 100, got '101'"),
    (["--depth", "12"], "--depth: invalid choice: '12'"),
    (["--save-every", "0"], "--save-every: expected a whole number of 1 or more, got '0'"),
])  # fmt: skip
def test_what_cannot_be_read_is_told_with_the_option(options: list[str], words: str, capsys: Captured) -> None:
    with pytest.raises(SystemExit) as end:
        build_parser().parse_args([*PICTURES, *options])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


# The rest


def test_the_start_may_be_a_file() -> None:
    def options(*given: str) -> Any:
        return build_parser().parse_args([*PICTURES, *given])

    assert start_file(options()) is None
    for init in ("noise", "content", "style", "grey"):
        assert start_file(options("--init", init)) is None
        assert asked_recipe(options("--init", init)).init == init
    given = options("--init", "rough.png")
    assert start_file(given) == Path("rough.png")
    assert asked_recipe(given).init == "file"
    assert start_file(options("--init", "file")) == Path("file")


@pytest.mark.parametrize(("given", "sizes"), [
    ((), (512,)), (("--size", "300"), (300,)), (("--size", "128,300"), (128, 300)),
    (("--size", "300", "--scales", "2"), (150, 300)), (("--recipe", "gatys-code"), (800,)),
])  # fmt: skip
def test_a_start_file_goes_on_at_the_last_size(given: tuple[str, ...], sizes: tuple[int, ...]) -> None:
    """Shrunk to the first size it would be painted anew. Sizes that are asked for are run."""
    recipe = asked_recipe(build_parser().parse_args([*PICTURES, "--init", "rough.png", *given]))
    assert sizes_of(recipe) == sizes
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_each_option_has_a_group_of_its_own_kind() -> None:
    fields = option_fields()
    assert {field.metadata["group"] for field in fields} == set(GROUPS)
    assert {field.name for field in dataclasses.fields(Recipe)} - {field.name for field in fields} == {
        "name", "terms", "description",
    }  # fmt: skip


def test_help_names_each_loss() -> None:
    text = " ".join(build_parser().format_help().split())
    assert all(kind in text for kind in ROLES)


def test_options_change_a_recipe_from_a_file(tmp_path: Path) -> None:
    mine = Recipe("mine", (Term("gram_paper", "conv1_1", 7.0), Term("tv_mean", IMAGE)), style_scale=2, sizes=(64, 99))
    path = tmp_path / "mine.json"
    path.write_text(mine.to_json())
    assert recipe(base=str(path)) == mine
    assert recipe("--style-scale", "0.5", base=str(path)) == dataclasses.replace(mine, style_scale=0.5)
    assert weights(recipe("--style-layers", "block1_conv1,block2_conv1:1", base=str(path)), "style") == {
        "gram_paper block1_conv1": 7.0, "gram_paper block2_conv1": 1.0,
    }  # fmt: skip
    with pytest.raises(RecipeError, match="recipe mine has no content terms: name a content loss too"):
        recipe("--content-layers", "block4_conv2", base=str(path))
