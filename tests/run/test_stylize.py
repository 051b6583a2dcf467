"""The loop over sizes, and the whole program on real pictures with real ImageNet features."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from minstyle import load_image, stylize
from minstyle.backend import CPU, choose_device
from minstyle.errors import ImageError, RecipeError
from minstyle.images import Picture, resize, resize_values
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.sizes import fitted_shape, working_shape
from minstyle.run.observer import Observer, Plan, Step
from minstyle.style.objective import build_objective
from minstyle.style.regions import Regions, with_opacity
from tests.support.small import picture, random_weights

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = dataclasses.replace(RECIPES["document"], sizes=(32,), rounds=2, evaluations=3)


@pytest.mark.parametrize(("name", "changes"), [
    ("document", {"rounds": 3}),
    ("gatys", {"evaluations": 60, "size_of": "height"}),
], ids=["document", "gatys"])  # fmt: skip
def test_real_pictures_with_real_features_come_near_the_painting(
    name: str, changes: dict[str, Any], real_weights: Weights
) -> None:
    network, recipe = Network(real_weights), dataclasses.replace(RECIPES[name], sizes=(64,), **changes)
    content, style = load_image(EXAMPLES / "cat.jpg"), load_image(EXAMPLES / "swirls.jpg")
    result = stylize(content, [style], recipe, network=network)
    assert result.image.shape == (64, 96, 3)
    assert result.error is None
    assert result.loss < 0.1 * result.first_loss
    # The network sees the painting's style in the picture far better than in the photograph.
    photo = resize(content, 64, 96, recipe.resample)
    painting = resize(style, *fitted_shape(style.shape, (64, 96), recipe), recipe.resample)
    objective = build_objective(photo, [painting], recipe, network)

    def style_loss(image: np.ndarray) -> float:
        return sum(loss for term, loss in objective.evaluate(image).terms.items() if term.startswith("gram"))

    assert style_loss(result.image) < 0.25 * style_loss(photo)


def test_transparent_parts_of_pictures_do_not_count(tiny_network: Network) -> None:
    """As with regions drawn by hand: a ``Picture`` brings its opacity along."""
    content, style = picture(40, 50, 1), picture(48, 40, 2)
    opacity = np.ones((48, 40), np.float32)
    opacity[:, 20:] = 0
    recipe = dataclasses.replace(SHORT, sizes=(40,), style_fit="keep")
    plain = stylize(Picture(content), [Picture(style)], recipe, network=tiny_network)
    np.testing.assert_array_equal(plain.image, stylize(content, [style], recipe, network=tiny_network).image)
    half = stylize(content, [Picture(style, opacity)], recipe, network=tiny_network, initial=Picture(content))
    seen = with_opacity(None, None, [resize_values(opacity[..., None], 40, 33)[..., 0].clip(0, 1)],
                        content_shape=(40, 50), style_shapes=[(40, 33)])  # fmt: skip
    by_hand = stylize(content, [style], recipe, network=tiny_network, initial=content, regions=seen)
    np.testing.assert_array_equal(half.image, by_hand.image)
    other = stylize(content, [style], recipe, network=tiny_network, initial=content)
    assert np.abs(half.image - other.image).max() > 0.1


def test_an_opacity_of_another_shape_is_refused(tiny_network: Network) -> None:
    wrong = Picture(picture(40, 50, 1), np.ones((50, 40), np.float32))
    with pytest.raises(ImageError, match=r"opacity: expected \(40, 50\), got \(50, 40\)"):
        stylize(wrong, [picture(40, 40)], SHORT, network=tiny_network)


def test_opacity_joins_regions_at_their_own_resolution(tiny_network: Network) -> None:
    content, style = picture(40, 50, 1), picture(48, 40, 2)
    opacity = np.ones((40, 50), np.float32)
    opacity[:20] = 0
    whole = Regions(np.ones((1, 20, 25), np.float32), (np.ones((1, 24, 20), np.float32),), ("picture",))
    lower = Regions(np.ones((1, 20, 25), np.float32), whole.styles, ("picture",))
    lower.content[:, :10] = 0
    one, two = (
        stylize(given, [style], dataclasses.replace(SHORT, color="match"), network=tiny_network, regions=regions)
        for given, regions in ((Picture(content, opacity), whole), (content, lower))
    )
    np.testing.assert_allclose(one.image, two.image, atol=2, err_msg="but for soft edges of the resized opacity")


def test_same_seed_same_picture_other_seed_other_picture(tiny_network: Network) -> None:
    content, style = picture(40, 50, 1), picture(50, 40, 2)
    one, two = (stylize(content, [style], SHORT, network=tiny_network) for _ in range(2))
    other = stylize(content, [style], dataclasses.replace(SHORT, seed=1), network=tiny_network)
    np.testing.assert_array_equal(one.image, two.image)
    assert np.abs(one.image - other.image).max() > 1


def test_each_round_goes_on_from_the_last_with_a_fresh_history(tiny_network: Network) -> None:
    # Rounds of the loop are calls of L-BFGS, one after the other, on the same objective.
    content, style = picture(32, 40, 1), picture(32, 40, 2)
    objective = build_objective(content, [style], SHORT, tiny_network)
    x = np.random.default_rng(SHORT.seed).uniform(0, 255, content.shape)
    losses: list[float] = []
    for _ in range(2):
        x = scipy_lbfgs(objective, x, evaluations=3, on_evaluation=lambda _, loss: losses.append(loss)).x
    result = stylize(content, [style], SHORT, network=tiny_network)
    assert [record.loss for record in result.history] == losses


def test_sizes_run_coarse_to_fine_and_hand_the_image_on(tiny_network: Network) -> None:
    content, style = picture(128, 160, 1), picture(96, 96, 2)
    recipe = dataclasses.replace(SHORT, sizes=(32, 64), rounds=5, evaluations=10)
    result = stylize(content, [style], recipe, network=tiny_network)
    assert result.image.shape == (64, 80, 3)
    assert {record.shape for record in result.history} == {(32, 40), (64, 80)}
    cold = stylize(content, [style], dataclasses.replace(recipe, sizes=(64,)), network=tiny_network)
    assert result.first_loss < 0.5 * cold.first_loss, "the larger size starts from the smaller one's picture"


class Stages(Observer):
    """The picture and the loss at the first and the last evaluation of each round."""

    def __init__(self) -> None:
        self.seen: list[tuple[np.ndarray, float]] = []
        self.plan: Plan | None = None
        self.new = True

    def start(self, plan: Plan) -> None:
        self.plan = plan

    def step(self, step: Step) -> None:
        if self.new or step.ends_round:
            self.seen.append((step.image(), step.record.loss))
        self.new = step.ends_round


def test_a_draft_is_painted_by_the_small_network_and_finished_by_the_network_itself(tiny_network: Network) -> None:
    small = Network(random_weights("vgg19", (2, 2, 2, 2, 2), seed=5), dtype=np.float64)
    recipe = dataclasses.replace(SHORT, sizes=(32, 48), draft="mini", init="content")
    content, style = picture(40, 48, 1), picture(40, 48, 2)
    stages = Stages()
    with pytest.raises(RecipeError, match=r"draft: expected the network mini, got none; pass draft=load_network"):
        stylize(content, [style], recipe, network=tiny_network, draft=None)
    result = stylize(content, [style], recipe, network=tiny_network, draft=small, observers=[stages])
    shapes = [record.shape for record in result.history]
    assert list(dict.fromkeys(zip((r.stage for r in result.history), shapes, strict=True))) == [
        (1, (32, 38)), (2, (48, 57)), (3, (48, 57)),
    ]  # fmt: skip
    assert stages.plan is not None
    assert stages.plan.shapes == ((32, 38), (48, 57), (48, 57))
    # The small network's part is the run that it makes alone; the rest goes on from its picture, losses are its own.
    drafted = stylize(content, [style], dataclasses.replace(recipe, draft="none"), network=small)
    own = [record.loss for record in result.history if record.stage < 3]
    assert own == [record.loss for record in drafted.history]
    last = dataclasses.replace(recipe, sizes=(48,), draft="none")
    finished = stylize(content, [style], last, network=tiny_network, initial=drafted.image)
    assert result.loss == finished.loss
    assert result.first_loss == finished.first_loss
    np.testing.assert_array_equal(result.image, finished.image)


def test_a_small_network_needs_no_draft(tiny_weights: Weights) -> None:
    names = ("block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1", "block5_conv2")
    projections = {name: np.eye(tiny_weights.layers[name][1].size) for name in names}
    small = Network(dataclasses.replace(tiny_weights, projections=projections))
    recipe = dataclasses.replace(SHORT, draft="mini")
    result = stylize(picture(40, 48, 1), [picture(40, 48, 2)], recipe, network=small)
    assert {record.stage for record in result.history} == {1}


def test_start_images(tiny_network: Network) -> None:
    content, style = picture(32, 40, 1), picture(32, 40, 2)
    seen: dict[str, float] = {}
    for init in ("noise", "content"):
        recipe = dataclasses.replace(SHORT, init=init)
        first = stylize(content, [style], recipe, network=tiny_network).history[0]
        seen[init] = first.terms["content_sum block5_conv2"]
    assert seen["content"] == 0 < seen["noise"]
    given = stylize(content, [style], SHORT, network=tiny_network, initial=content)
    assert given.history[0].terms["content_sum block5_conv2"] == 0


def test_observers_see_the_plan_each_evaluation_and_the_end(tiny_network: Network) -> None:
    plans: list[Plan] = []
    steps: list[Step] = []
    ends: list[BaseException | None] = []

    class Watcher(Observer):
        def start(self, plan: Plan) -> None:
            plans.append(plan)

        def step(self, step: Step) -> None:
            assert step.image().shape == (*step.record.shape, 3)
            steps.append(step)

        def close(self, error: BaseException | None = None) -> None:
            ends.append(error)

    result = stylize(picture(32, 40, 1), [picture(32, 40, 2)], SHORT, network=tiny_network, observers=[Watcher()])
    assert plans[0].shapes == ((32, 40),)
    each = [step.record.evaluation for step in steps if not step.ends_round]
    assert each == list(range(1, result.evaluations + 1))
    assert [step.round for step in steps if step.ends_round] == [1, 2]
    assert ends == [None]
    assert [record.loss for record in result.history] == [step.record.loss for step in steps if not step.ends_round]


def test_the_result_is_the_best_evaluation(tiny_network: Network) -> None:
    result = stylize(picture(32, 40, 1), [picture(32, 40, 2)], SHORT, network=tiny_network)
    assert result.loss == min(record.loss for record in result.history)
    assert result.image.dtype == np.float32
    assert result.image.min() >= 0
    assert result.image.max() <= 255


@pytest.mark.parametrize(("shape", "size", "changes", "expected"), [
    ((600, 801), 400, {}, (400, 534)),
    ((801, 600), 400, {}, (400, 299)),
    ((600, 801), 400, {"size_of": "long"}, (299, 400)),
    ((801, 600), 400, {"size_of": "long"}, (400, 299)),
])  # fmt: skip
def test_working_size(shape: tuple[int, int], size: int, changes: dict[str, str], expected: tuple[int, int]) -> None:
    recipe = dataclasses.replace(RECIPES["document"], **changes)
    assert working_shape(shape, size, recipe) == expected


def test_style_size() -> None:
    stretch, keep = (dataclasses.replace(SHORT, style_fit=fit) for fit in ("stretch", "keep"))
    assert fitted_shape((300, 100), (40, 60), stretch) == (40, 60)
    assert fitted_shape((300, 100), (120, 90), keep) == (120, 40)
    assert fitted_shape((300, 100), (90, 120), dataclasses.replace(keep, size_of="long")) == (120, 40)


@pytest.mark.parametrize(("content", "words"), [
    (picture(31, 50), "content: expected at least 32 x 32 pixels, got 50 x 31"),
    (picture(40, 400), None),
    (np.full((40, 40, 3), np.nan), "content: expected finite pixels"),
    (np.zeros((40, 40)), r"content: expected an array \(H, W, 3\), got \(40, 40\)"),
])  # fmt: skip
def test_pictures_that_cannot_be_used(content: np.ndarray, words: str | None, tiny_network: Network) -> None:
    recipe: Recipe = dataclasses.replace(SHORT, size_of="long", sizes=(64,))
    with pytest.raises(ImageError, match=words or r"content at size \(6, 64\)"):
        stylize(content, [picture(40, 40)], recipe, network=tiny_network)


def test_importing_and_running_prints_nothing(tiny_network: Network, capfd: pytest.CaptureFixture[str]) -> None:
    stylize(picture(32, 40, 1), [picture(32, 40, 2)], SHORT, network=tiny_network)
    assert capfd.readouterr() == ("", "")
    assert tiny_network.device is CPU


def test_the_whole_job_on_either_device(xp: ModuleType, tiny_weights: Weights) -> None:
    device = CPU if xp is np else choose_device("gpu")
    content, style = picture(40, 48, 1), picture(40, 48, 2)
    result = stylize(content, [style], SHORT, network=Network(tiny_weights, device, np.float64))
    on_cpu = stylize(content, [style], SHORT, network=Network(tiny_weights, CPU, np.float64))
    assert isinstance(result.image, np.ndarray)
    assert result.loss == pytest.approx(on_cpu.loss, rel=1e-6)
    np.testing.assert_allclose(result.image, on_cpu.image, atol=0.1)
