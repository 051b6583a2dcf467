"""The plan of a run: its stages, each a size with the network and the recipe that are used there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import RecipeError, require
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..recipe.sizes import Shape, check_shapes, shapes_of, value_at_scale
from ..recipe.terms import IMAGE

_OVERHEAD = 8000  # pixels that take as long as what an evaluation takes at any size: measured on a CPU


@dataclass(frozen=True)
class Stage:
    """One size with one network: (height, width), the network, the evaluations of each round, the recipe.

    Before the last size that is ``recipe.while_coarse()``. ``bands``: into how many the picture is cut, see
    ``build_objective``. ``pairs``: as many of L-BFGS have room, None: all.
    """

    shape: Shape
    network: Network
    evaluations: int
    recipe: Recipe
    bands: int = 0
    pairs: int | None = None


def needs_draft(recipe: Recipe, network: Network) -> bool:
    """Whether another network paints first: a small one needs no draft by a small one."""
    return recipe.draft != "none" and not network.small


def draft_network(recipe: Recipe) -> str:
    """The name of the network that the draft is painted with."""
    return recipe.draft.removesuffix("-coarse")


def paints_twice(recipe: Recipe, network: Network) -> bool:
    """Whether the last size is painted by the draft's network first, and then by its own."""
    return recipe.draft == "mini" and not network.small


def plan_stages(
    content: tuple[int, ...], recipe: Recipe, network: Network, draft: Network | None = None
) -> tuple[Stage, ...]:
    """The stages for a content of shape (H, W, 3), coarse to fine, checked against the networks' layers.

    Where the recipe's draft is "mini", the network ``draft`` paints at every size, and then ``network`` at the last;
    where it is "mini-coarse", ``draft`` paints at the sizes before the last, unless it is None or lacks a layer. Raises
    RecipeError for a draft "mini" without a network, LayerError for a layer that a network does not have, ImageError
    for a content that is too small.
    """
    shapes = shapes_of(content, recipe)
    stages = []
    for scale, shape in enumerate(shapes):
        here = recipe if scale == len(shapes) - 1 else recipe.while_coarse()
        stages.append(Stage(shape, network, value_at_scale(here.evaluations, scale), here))
    if needs_draft(recipe, network):
        stages = _drafted(stages, recipe, draft)
    for used in {id(stage.network): stage.network for stage in stages}.values():
        for layer in _layers_read(recipe):
            used.check_loss_layer(layer)
    check_shapes(content, recipe)
    return tuple(stages)


def stages_in_bands(stages: Sequence[Stage], bands: int | Sequence[int]) -> tuple[Stage, ...]:
    """The stages, those of the last size cut into so many bands, or each into its own number.

    Raises RecipeError for numbers of another count than the stages.
    """
    if isinstance(bands, int):
        bands = [bands if stage.shape == stages[-1].shape else 0 for stage in stages]
    require(len(bands) == len(stages) and min(bands, default=0) >= 0, "bands",
            f"a number, or {len(stages)}, one a stage", tuple(bands), RecipeError)  # fmt: skip
    return tuple(dataclasses.replace(stage, bands=n) for stage, n in zip(stages, bands, strict=True))


def _drafted(stages: list[Stage], recipe: Recipe, draft: Network | None) -> list[Stage]:
    if recipe.draft == "mini-coarse":
        if draft is None or not all(map(draft.has_loss_layer, _layers_read(recipe))):
            return stages
        return [*(dataclasses.replace(stage, network=draft) for stage in stages[:-1]), stages[-1]]
    if draft is None:
        raise RecipeError(f"draft: expected the network {recipe.draft}, got none; pass "
                          f"draft=load_network({recipe.draft!r}), or set the recipe's draft to none")  # fmt: skip
    return [*(dataclasses.replace(stage, network=draft) for stage in stages), stages[-1]]


def _layers_read(recipe: Recipe) -> list[str]:
    return [term.layer for term in recipe.terms if term.layer != IMAGE and recipe.effective_weight(term) > 0]


def relative_cost(stage: Stage) -> float:
    """What an evaluation of a stage costs beside one of another stage, to a third or so."""
    pixels = stage.shape[0] * stage.shape[1] + _OVERHEAD
    return pixels * max(stage.network.work(_layers_read(stage.recipe)), 1.0)


def planned_evaluations(stages: Sequence[Stage], recipe: Recipe) -> tuple[int, ...]:
    """About how many evaluations each stage will take."""
    most = recipe.iterations
    if recipe.optimizer == "adam":
        per_round = [min(stage.evaluations, most) for stage in stages]
    elif recipe.optimizer == "lbfgs":
        per_round = [min(stage.evaluations, most + 1) for stage in stages]
    else:
        # scipy goes on until the budget is exceeded, hence one more; and it looks only after an iteration, which takes
        # one evaluation or more. Iterations are taken for two evaluations each, and one comes before the first.
        per_round = [min(stage.evaluations + 1, 2 * most + 1) for stage in stages]
    return tuple(recipe.rounds * count for count in per_round)
