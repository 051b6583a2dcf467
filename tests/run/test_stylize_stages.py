"""run/stylize.py: what a run does size by size, what is carried over, colours, crops, interrupts between two sizes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minstyle import load_network, stylize
from minstyle.backend import CPU, choose_device
from minstyle.errors import ImageError, RecipeError
from minstyle.images import resize, resize_values
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.optimize.adam import AdamState
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.color import to_lab
from minstyle.run.minimise import minimise
from minstyle.run.observer import Observer, Plan
from minstyle.run.pictures import Pictures
from minstyle.style.objective import Evaluation, Objective, build_objective
from minstyle.style.regions import Regions
from tests.support.small import picture

CONTENT, STYLE = picture(64, 80, 1), picture(60, 72, 2)
ADAM = dataclasses.replace(
    RECIPES["document"], optimizer="adam", sizes=(32, 48), rounds=1, evaluations=4, init="content", learning_rate=5.0
)


def adam(**changes: Any) -> Recipe:
    return dataclasses.replace(ADAM, **changes)


class Plans(Observer):
    def __init__(self) -> None:
        self.plans: list[Plan] = []

    def start(self, plan: Plan) -> None:
        self.plans.append(plan)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"sizes": (32, 40, 64), "evaluations": (4, 2)}, [4, 2, 2]),
    ({"sizes": (32, 40, 64), "evaluations": 3}, [3, 3, 3]),
    ({"sizes": (32, 40), "evaluations": (1, 2, 9)}, [1, 2]),
    ({"sizes": (32, 40), "evaluations": (4, 2), "rounds": 2}, [8, 4]),
    ({"sizes": (32, 40), "evaluations": (4, 2), "iterations": 3}, [3, 2]),
    ({"sizes": 64, "evaluations": (3, 2, 1), "scales": 9, "ratio": 2**0.5, "min_size": 32}, [3, 2, 1]),
])  # fmt: skip
def test_each_size_has_its_evaluations(changes: dict[str, Any], expected: list[int], tiny_network: Network) -> None:
    plans = Plans()
    result = stylize(CONTENT, [STYLE], adam(**changes), network=tiny_network, observers=[plans])
    counted = Counter(record.shape for record in result.history)
    assert list(counted.values()) == expected
    assert plans.plans[0].shapes == tuple(counted)
    assert plans.plans[0].evaluations == sum(expected) == result.evaluations


@pytest.mark.parametrize(("draft", "expected"), [("none", [0.25, 0.25, 1]), ("mini", [0.25, 0.25, 1, 1])])
def test_before_the_last_size_the_content_counts_by_coarse_content(
    draft: str, expected: list[float], tiny_network: Network
) -> None:
    def parts(**changes: Any) -> np.ndarray:
        """(stages, 2): content and style of each stage's evaluation, of images that hardly move."""
        chosen = adam(sizes=(32, 40, 48), evaluations=1, init="style", learning_rate=1e-6, draft=draft, **changes)
        history = stylize(CONTENT, [STYLE], chosen, network=tiny_network, draft=load_network("mini")).history
        return np.array([[r.terms["content_sum block5_conv2"], r.terms["gram_image block1_conv1"]] for r in history])

    shares = parts(coarse_content=0.25) / parts()
    np.testing.assert_allclose(shares, [[share, 1] for share in expected], rtol=1e-4)


def test_where_only_the_content_counts_coarse_sizes_need_some_of_it(tiny_network: Network) -> None:
    nothing = adam(coarse_content=0.0, style_weight=0.0, tv_weight=0.0)
    with pytest.raises(RecipeError, match=r"coarse_content: expected a number above 0 where only .* got 0\.0"):
        stylize(CONTENT, [STYLE], nothing, network=tiny_network)
    alone = dataclasses.replace(nothing, sizes=(32,))
    assert stylize(CONTENT, [STYLE], alone, network=tiny_network).evaluations == 4, "one size has no coarse ones"


def test_a_panorama_begins_at_the_first_size_that_it_can(tiny_network: Network) -> None:
    wide = picture(40, 200, 1)
    chosen = adam(sizes=200, size_of="long", scales=9, ratio=1.2, min_size=32, evaluations=(2, 1))
    result = stylize(wide, [STYLE], chosen, network=tiny_network)
    assert [record.shape for record in result.history] == [(33, 167), (33, 167), (40, 200)]
    with pytest.raises(ImageError, match=r"content at size \(20, 100\)"):
        stylize(wide, [STYLE], adam(sizes=(100, 200), size_of="long"), network=tiny_network)


def stage(chosen: Recipe, shape: tuple[int, int], start: np.ndarray, state: AdamState | None, network: Network) -> Any:
    """One size by hand: the round's end, the images and the losses."""
    working = Pictures(CONTENT, (STYLE,), chosen).cropped().at(shape)
    objective = build_objective(working.content, working.styles, chosen, network)
    images: list[np.ndarray] = []
    losses: list[float] = []

    def note(x: np.ndarray, loss: float) -> None:
        images.append(x.copy())
        losses.append(loss)

    end = minimise(objective, start.astype(np.float64), chosen, chosen.evaluations[0], state, note)
    return end, images, losses


def test_adams_moments_go_on_at_the_next_size(tiny_network: Network) -> None:
    """The second size by hand: from the best image and the resized state; without the state it goes another way."""
    result = stylize(CONTENT, [STYLE], ADAM, network=tiny_network)
    first, images, losses = stage(ADAM, (32, 40), resize(CONTENT, 32, 40), None, tiny_network)
    best = images[int(np.argmin(losses))].astype(np.float32).clip(0, 255)
    assert first.adam_state is not None
    state = first.adam_state.resized(resize_values, 48, 60)
    _, _, carried = stage(ADAM, (48, 60), resize(best, 48, 60), state, tiny_network)
    assert [record.loss for record in result.history] == pytest.approx([*losses, *carried], rel=1e-9)
    anew = stylize(CONTENT, [STYLE], adam(sizes=48), network=tiny_network, initial=best).history
    assert anew[0].loss == pytest.approx(carried[0], rel=1e-9), "the same start"
    assert anew[1].loss != pytest.approx(carried[1], rel=1e-3), "another step"


@pytest.mark.parametrize("bounds", ["step", "smooth", "end"])
def test_with_averaging_the_result_is_the_mean_of_the_images(bounds: str, tiny_network: Network) -> None:
    chosen = adam(sizes=32, averaging=0.9, bounds=bounds, learning_rate=40.0)
    result = stylize(CONTENT, [STYLE], chosen, network=tiny_network)
    _, images, losses = stage(chosen, (32, 40), resize(CONTENT, 32, 40), None, tiny_network)
    np.testing.assert_allclose(result.image, images[-1].clip(0, 255), atol=1e-3)
    assert result.loss == pytest.approx(losses[-1], rel=1e-9)


@pytest.mark.parametrize(("bounds", "optimizer", "inside"), [
    ("end", "adam", False), ("step", "adam", True), ("smooth", "adam", True), ("end", "lbfgs", False),
    ("smooth", "lbfgs", True), ("end", "scipy", False), ("smooth", "scipy", True),
])  # fmt: skip
def test_the_network_sees_images_within_bounds(
    bounds: str, optimizer: str, inside: bool, tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    evaluate = Objective.evaluate

    def watched(objective: Objective, image: np.ndarray, precision: str | None = None) -> Evaluation:
        seen.append(image.copy())
        return evaluate(objective, image, precision)

    monkeypatch.setattr(Objective, "evaluate", watched)
    chosen = adam(sizes=32, bounds=bounds, optimizer=optimizer, learning_rate=60.0, evaluations=8, init="noise")
    result = stylize(CONTENT, [STYLE], chosen, network=tiny_network)
    low, high = min(image.min() for image in seen), max(image.max() for image in seen)
    assert (low >= 0 and high <= 255) == inside
    assert result.image.min() >= 0
    assert result.image.max() <= 255


def test_sizes_of_the_style_go_with_those_of_the_content(
    tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    at = Pictures.at

    def watched(pictures: Pictures, shape: tuple[int, int]) -> Any:
        working = at(pictures, shape)
        shapes.extend(style.shape[:2] for style in working.styles)
        return working

    monkeypatch.setattr(Pictures, "at", watched)
    chosen = adam(style_fit="keep", style_scale=(1.5, 0.8), evaluations=1)
    stylize(CONTENT, [STYLE, STYLE[:, :60]], chosen, network=tiny_network)
    assert shapes == [(48, 58), (32, 32), (72, 86), (38, 38)]


# Colours, crops and regions through the whole loop


def test_the_results_colours_are_the_recipes(tiny_network: Network) -> None:
    content = 60 + 0.5 * CONTENT
    results = {
        color: stylize(content, [STYLE], adam(color=color), network=tiny_network).image
        for color in ("style", "content", "luminance", "match", "match-after")
    }
    reference = resize(content, 48, 60)
    lab = to_lab(reference)
    for color in ("content", "luminance"):
        away = np.abs(to_lab(results[color]) - lab)[..., 1:].max(axis=2)
        assert np.median(away) < 0.1, "the content's colours"
    matched = results["match-after"].reshape(-1, 3)
    np.testing.assert_allclose(matched.mean(0), reference.reshape(-1, 3).mean(0), atol=1.5)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(reference.reshape(-1, 3).T), rtol=0.1, atol=20)
    for one in results:
        for other in results:
            assert one == other or np.abs(results[one] - results[other]).max() > 1


def test_a_crop_is_the_style_cut_by_hand_also_with_regions(tiny_network: Network) -> None:
    masks = [np.zeros((2, *image.shape[:2]), np.float32) for image in (CONTENT, STYLE)]
    for weights in masks:
        weights[0, :, : weights.shape[2] * 2 // 3] = 1
        weights[1] = 1 - weights[0]
    crop = adam(style_crop=((0.25, 0.25, 1, 0.875),), style_fit="keep", evaluations=2)
    plain = dataclasses.replace(crop, style_crop=())
    cut, cut_mask = STYLE[15:52, 18:], masks[1][:, 15:52, 18:]
    for whole, part in (
        (None, None),
        (Regions(masks[0], (masks[1],), ("a", "b")), Regions(masks[0], (cut_mask,), ("a", "b"))),
    ):
        one = stylize(CONTENT, [STYLE], crop, network=tiny_network, regions=whole)
        other = stylize(CONTENT, [cut], plain, network=tiny_network, regions=part)
        np.testing.assert_array_equal(one.image, other.image)
        uncut = stylize(CONTENT, [STYLE], plain, network=tiny_network, regions=whole)
        assert np.abs(one.image - uncut.image).max() > 0.5


def test_the_order_of_the_styles_goes_with_their_blend(tiny_network: Network) -> None:
    def run(styles: list[np.ndarray], **changes: Any) -> np.ndarray:
        return stylize(CONTENT, styles, adam(sizes=32, evaluations=6, **changes), network=tiny_network).image

    one, two = STYLE, picture(40, 50, 7)
    np.testing.assert_allclose(run([one, two], blend=(3, 1)), run([two, one], blend=(0.25, 0.75)), atol=0.01)
    np.testing.assert_array_equal(run([one, two], blend=(1, 0)), run([one]))
    assert np.abs(run([one, two], blend=(3, 1)) - run([one, two], blend=(1, 3))).max() > 1


# From size to size


@pytest.mark.parametrize("detail", [0.0, 0.5, 1.0])
def test_the_detail_that_a_size_was_too_small_for_comes_from_the_content(
    detail: float, tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[np.ndarray] = []
    evaluate = Objective.evaluate

    def watched(objective: Objective, image: np.ndarray, precision: str | None = None) -> Evaluation:
        seen.append(image.copy())
        return evaluate(objective, image, precision)

    monkeypatch.setattr(Objective, "evaluate", watched)
    # No steps: what the first size hands on is the content, small.
    stylize(CONTENT, [STYLE], adam(init="content", evaluations=1, detail=detail), network=tiny_network)
    small, large = seen[0], seen[-1]
    enlarged, content = resize(small, *large.shape[:2], "lanczos"), resize(CONTENT, *large.shape[:2], "lanczos")
    assert small.shape[0] < large.shape[0]
    seen_small = resize(resize(content, *small.shape[:2], "lanczos"), *large.shape[:2], "lanczos")
    np.testing.assert_allclose(large, (enlarged + detail * (content - seen_small)).clip(0, 255), atol=1e-3)
    assert np.abs(content - seen_small).max() > 10


# Ends


@pytest.mark.parametrize("color", ["style", "content", "luminance", "match", "match-after"])
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs", "scipy"])
def test_an_interrupt_between_two_sizes_keeps_the_smaller_picture(
    color: str, optimizer: str, tiny_network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = adam(color=color, optimizer=optimizer)
    alone = stylize(CONTENT, [STYLE], dataclasses.replace(chosen, sizes=(32,)), network=tiny_network)
    evaluate = Objective.evaluate

    def interrupted(objective: Objective, image: np.ndarray, precision: str | None = None) -> Evaluation:
        if objective.shape[0] == 48:
            raise KeyboardInterrupt
        return evaluate(objective, image, precision)

    monkeypatch.setattr(Objective, "evaluate", interrupted)
    result = stylize(CONTENT, [STYLE], chosen, network=tiny_network)
    assert isinstance(result.error, KeyboardInterrupt)
    np.testing.assert_array_equal(result.image, alone.image)
    assert result.loss == alone.loss


def test_an_observer_may_end_a_run_of_adam(tiny_network: Network) -> None:
    class Enough(Observer):
        def step(self, step: Any) -> bool:
            return bool(step.record.evaluation == 3)

    result = stylize(CONTENT, [STYLE], ADAM, network=tiny_network, observers=[Enough()])
    assert (result.evaluations, result.error) == (3, None)
    assert result.image.shape == (32, 40, 3)


def test_a_step_of_nothing_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match="learning_rate: expected a number above 0 with the optimizer adam, got 0"):
        adam(learning_rate=0.0)


def test_adam_over_several_sizes_on_either_device(xp: ModuleType, tiny_weights: Weights) -> None:
    device = CPU if xp is np else choose_device("gpu")
    chosen = adam(averaging=0.5, bounds="step")
    results = [
        stylize(CONTENT, [STYLE], chosen, network=Network(tiny_weights, where, np.float64)) for where in (device, CPU)
    ]
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)
    np.testing.assert_allclose(results[0].image, results[1].image, atol=0.1)
