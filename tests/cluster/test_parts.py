"""A picture in parts: what the parts find together is what one machine finds; what they send each other is halos.

The parts are threads of this process here, which send each other what workers would.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minstyle import RECIPES, Recipe, Term, build_objective, load_network
from minstyle.backend import Array
from minstyle.cluster import one_picture
from minstyle.cluster.connection import ClusterError
from minstyle.cluster.part import Mail, Remote
from minstyle.network.segments import Rows
from minstyle.network.vgg import Network
from minstyle.run.minimise import minimise
from minstyle.style.bands import Losses, Work, needs_maps
from minstyle.style.features import settings_of
from minstyle.style.in_part import InPart
from minstyle.style.losses import LOSSES
from minstyle.style.objective import Elsewhere, Evaluation
from minstyle.style.regions import Regions
from minstyle.style.strips import parts_of
from tests.support.small import picture, random_weights

RELATIVE = Recipe("relative", (
    Term("content_relative", "block2_conv2"), Term("content_sum", "image", 1e-3), Term("tv_mean", "image"),
    Term("content_relative", "block3_pool"), Term("covariance", "block2_conv2"), Term("wasserstein", "block3_conv1"),
))  # fmt: skip


class Threads:
    """Has the parts of a picture evaluated on a thread each."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.parts: list[Remote] = []

    def __call__(self, work: Work, content: Array, network: Network) -> Elsewhere:
        work = dataclasses.replace(work, rows=work.rows or -(-work.size[0] // self._count))
        rows = work.parts(network, self._count)
        self.parts = [Remote(rows, number, network.device) for number in range(len(rows))]
        for part in self.parts:
            part.peers = [SimpleNamespace(take=other.mail.put) for other in self.parts]
        objectives = [InPart(work.on_host(), network, part) for part in self.parts]

        def each(do: Callable[[InPart, Rows], Any]) -> list[Any]:
            with ThreadPoolExecutor(len(rows)) as pool:
                return list(pool.map(do, objectives, rows))

        def evaluate(image: Array) -> tuple[Losses, Array]:
            found = each(lambda part, rows: part.banded.evaluate(image[rows.slice]))
            assert all(losses == found[0][0] for losses, _ in found), "all know the same losses"
            return found[0][0], np.concatenate([g for _, g in found])

        def evaluate_all(image: Array) -> Evaluation:
            found = each(lambda part, rows: part.evaluate(image[rows.slice]))
            assert all((one.numbers == found[0].numbers).all() for one in found), "all know the same losses"
            gradient = np.concatenate([one.gradient for one in found])
            return Evaluation(gradient, found[0].numbers, list(found[0].terms))

        def minimised(image: Array, recipe: Recipe, count: int) -> tuple[list[float], Array]:
            """By the recipe's optimiser, of which each part has its rows. -> (the losses, the last image)"""
            losses: list[float] = []

            def one(part: InPart, rows: Rows) -> Array:
                def evaluated(x: Array) -> tuple[float, Array, float]:
                    found = part.evaluate(x)
                    losses.extend([found.loss] if rows.start == 0 else [])
                    return found.loss, found.gradient, found.largest

                return minimise(evaluated, image[rows.slice], recipe, count, None, lambda x, loss: False,
                                vectors=part.vectors).last  # fmt: skip

            return losses, np.concatenate(each(one))

        self.evaluate_all, self.minimised = evaluate_all, minimised
        each(lambda part, rows: part.compare_with(content[rows.slice]))
        return Elsewhere(evaluate)


def pictures(height: int, width: int, dtype: str = "float64") -> list[np.ndarray]:
    """An image, a content, a style."""
    return [picture(*size, seed).astype(dtype) for seed, size in
            enumerate(((height, width), (height, width), (60, 50)), start=1)]  # fmt: skip


def equal(recipe: Recipe, network: Network, shape: tuple[int, int], count: int, regions: Regions | None = None,
          tolerance: float = 1e-12) -> None:  # fmt: skip
    image, content, style = pictures(*shape, dtype=str(network.dtype))
    threads = Threads(count)
    whole, found = (build_objective(content, [style], recipe, network, regions, spread=spread).evaluate(image)
                    for spread in (None, threads))  # fmt: skip
    check(found, whole, tolerance)
    check(threads.evaluate_all(image), whole, tolerance)


def check(found: Evaluation, whole: Evaluation, tolerance: float) -> None:
    assert found.loss == pytest.approx(whole.loss, rel=tolerance)
    assert list(found.terms) == list(whole.terms)
    assert found.terms == pytest.approx(whole.terms, rel=100 * tolerance)
    distance = np.linalg.norm(found.gradient - whole.gradient)
    assert distance <= tolerance * np.linalg.norm(whole.gradient)


@pytest.mark.parametrize("count", [1, 2, 3, 26])
@pytest.mark.parametrize("name", ["fine", "gram", "crowson"])
def test_parts_are_the_whole(name: str, count: int, tiny_network: Network) -> None:
    """Down to parts of one row at the deepest layer, whose halos are rows of several others."""
    equal(RECIPES[name], tiny_network, (421, 24), count)


@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_poolings_and_paddings(pooling: str, padding: str, tiny_network: Network) -> None:
    equal(dataclasses.replace(RECIPES["gram"], padding=padding, pooling=pooling), tiny_network, (165, 34), 3)


def test_a_loss_relative_to_the_whole_content_and_terms_of_the_image(tiny_network: Network) -> None:
    equal(RELATIVE, tiny_network, (165, 34), 3, tolerance=1e-11)


@pytest.mark.parametrize("kind", [kind for kind, loss in LOSSES.items() if loss.neighbours])
def test_variations_and_what_is_out_of_range(kind: str, tiny_network: Network) -> None:
    recipe = Recipe(kind, (Term("content_mean", "block2_conv1"), Term(kind, "image"), Term("content_mean", "image")),
                    range_weight=1e3, white=250.0, tv_weight=1.0)  # fmt: skip
    equal(recipe, tiny_network, (165, 34), 3, tolerance=1e-11)


def test_regions_that_are_in_some_parts_only(tiny_network: Network) -> None:
    upper = np.zeros((165, 34), np.float32)
    upper[:50] = 1
    style = np.linspace(0, 1, 60 * 50, dtype=np.float32).reshape(60, 50)
    regions = Regions(np.stack([upper, 1 - upper]), (np.stack([style, 1 - style]),), ("sky", "rest"))
    equal(RECIPES["fine"], tiny_network, (165, 34), 3, regions)


def test_in_single_precision_with_projections() -> None:
    equal(RECIPES["fine"], load_network("mini"), (160, 48), 2, tolerance=1e-5)


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize(("height", "bands"), [(800, 3), (800, 16), (1792, 7)])
def test_the_same_bits_as_one_machine_with_as_many_bands(height: int, bands: int, count: int) -> None:
    """In single precision too: the strips are the same, and sums are in double precision."""
    image, content, style = pictures(height, 24, "float32")
    network = Network(random_weights("vgg19", (4, 6, 8, 10, 10)))
    one, found = (build_objective(content, [style], RECIPES["fine"], network, bands=bands, spread=spread)
                  .evaluate(image) for spread in (None, Threads(count)))  # fmt: skip
    assert found.loss == pytest.approx(one.loss, rel=1e-14)
    assert np.array_equal(found.gradient, one.gradient)


@pytest.mark.parametrize(("optimizer", "bounds"), [("lbfgs", "end"), ("lbfgs", "smooth"), ("adam", "step")])
def test_a_run_of_parts_is_the_run_of_one_machine_to_the_last_bit(optimizer: str, bounds: str) -> None:
    """Each part has its rows of the image and of the optimiser's vectors."""
    image, content, style = pictures(768, 16, "float32")
    network = Network(random_weights("vgg19", (2, 3, 3, 4, 4)))
    recipe = dataclasses.replace(RECIPES["fine"], optimizer=optimizer, bounds=bounds, history=3)
    objective = build_objective(content, [style], recipe, network, bands=4)

    def evaluated(x: Array) -> tuple[float, Array, float]:
        found = objective.evaluate(x)
        return found.loss, found.gradient, found.largest

    one = minimise(evaluated, image, recipe, 4, None, lambda x, loss: False, vectors=objective.vectors).last
    found = []
    for count in (1, 3):
        threads = Threads(count)
        build_objective(content, [style], recipe, network, bands=4, spread=threads)
        found.append(threads.minimised(image, recipe, 4))
        assert np.array_equal(found[-1][1], one)
    assert len(found[0][0]) >= 4
    np.testing.assert_allclose(found[1][0], found[0][0], rtol=1e-14)


def test_what_goes_between_parts_does_not_grow_with_their_rows(tiny_network: Network) -> None:
    def sent(height: int) -> dict[str, int]:
        image, content, style = pictures(height, 24)
        spread = Threads(2)
        objective = build_objective(content, [style], RECIPES["fine"], tiny_network, spread=spread)
        before = dict(spread.parts[0].sent)
        objective(image)
        return {kind: count - before[kind] for kind, count in spread.parts[0].sent.items()}

    assert sent(256) == sent(512)
    assert all(count > 0 for count in sent(256).values())


def test_losses_that_need_whole_maps_are_told() -> None:
    assert [name for name, recipe in RECIPES.items() if needs_maps(recipe)] == []
    assert needs_maps(Recipe("h", (Term("histogram", "block2_conv1"),))) == ["histogram at block2_conv1"]
    assert needs_maps(dataclasses.replace(RECIPES["crowson"], gradients="unit")) != []


def test_who_waits_for_a_part_that_is_lost_gives_up() -> None:
    mail = Mail()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(mail.get, "rows")
        mail.close()
        with pytest.raises(ClusterError, match="another part of the picture was lost"):
            waiting.result(timeout=10)


@pytest.mark.parametrize(("rows", "workers", "expected"), [
    (1100, 4, [272, 272, 272, 284]), (600, 2, [288, 312]), (6000, 4, [1488, 1504, 1504, 1504]),
    (1024, 3, [336, 336, 352]),
])  # fmt: skip
def test_bands_of_workers_make_equal_parts(rows: int, workers: int, expected: list[int], tiny_network: Network) -> None:
    steps = tiny_network.steps(["block5_conv1"], (rows, 32), **settings_of(RECIPES["fine"]))
    parts = parts_of(steps, rows, one_picture._evenly(-(-rows // workers)), workers)
    assert [part.size for part in parts] == expected
