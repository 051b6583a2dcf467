"""network/segments.py: where the network is cut, and which rows a strip sees."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minstyle.network.segments import Rows, Segment, segments
from minstyle.network.vgg import Network, plan
from minstyle.network.weightfile import Weights
from tests.support.small import picture

LAYERS = [f"block{b}_conv1" for b in range(1, 6)]


def cut(network: Network, height: int, layers: list[str] = LAYERS, **settings: str) -> tuple[Segment, ...]:
    return segments(network.steps(layers, (height, 64), **settings), height)


def after(network: Network, segment: Segment, x: np.ndarray) -> list[np.ndarray]:
    """The result of each step."""
    found = []
    for step in segment.steps:
        x = network.apply(step, x)
        found.append(x)
    return found


def test_it_is_cut_behind_the_second_pooling_and_those_after_it(tiny_network: Network) -> None:
    found = cut(tiny_network, 101)
    assert [segment.height for segment in found] == [101, 25, 12, 6]
    assert [segment.halvings for segment in found] == [0, 2, 3, 4]
    assert [segment.step for segment in found] == [4, 2, 2, 1]
    assert [step for segment in found for step in segment.steps] == tiny_network.steps(LAYERS, (101, 64))
    assert len(cut(tiny_network, 101, ["block2_conv2"])) == 1
    assert len(cut(tiny_network, 101, ["block2_pool"])) == 1
    assert [len(part.steps) for part in cut(tiny_network, 101, pooling="average")] == [8, 6, 6, 1]  # with the factors


@given(height=st.integers(16, 400), rows=st.integers(1, 500))
def test_strips_are_all_rows_once_and_begin_where_pooling_does(height: int, rows: int) -> None:
    layers = [f"block{b}_{name}" for b in (1, 2) for name in ("conv1", "conv2", "pool")]
    segment = Segment(tuple(plan(layers, {"block1_conv1", "block2_pool"})), height)
    strips = segment.strips(rows)
    assert [*itertools.chain(*(range(*strip) for strip in strips))] == [*range(height)]
    assert all(strip.start % 4 == 0 and strip.size >= 4 for strip in strips)
    assert max(strip.size for strip in strips) < max(rows, 4) + 2 * 4
    for level, rows_there in enumerate(segment.heights):
        own = [segment.own(strip)[level] for strip in strips]
        assert [*itertools.chain(*(range(*part) for part in own))] == [*range(rows_there)]


@pytest.mark.parametrize("height", [41, 64])
@pytest.mark.parametrize("padding", ["zero", "replicate", "reflect"])
@pytest.mark.parametrize("number", [0, 1])
def test_what_a_strip_sees_is_enough_and_no_more(number: int, padding: str, height: int, tiny_network: Network) -> None:
    segment = cut(tiny_network, height, padding=padding)[number]
    x = np.random.default_rng(0).standard_normal((segment.height, 24, (3, 6)[number]))
    whole = after(tiny_network, segment, x)
    for strip in segment.strips(8):
        seen = segment.seen(strip)
        part = after(tiny_network, segment, x[seen.slice])
        for name, all_rows, rows, top, own in zip(
            (step.features for step in segment.steps), whole, part, segment.tops(seen), segment.own(strip), strict=True
        ):
            if name or rows is part[-1]:
                np.testing.assert_allclose(rows[own.shifted(-top).slice], all_rows[own.slice], atol=1e-12)
        assert seen.start == 0 or seen.start % segment.step == 0
        for outermost in (Rows(seen.start, seen.start + segment.step), Rows(seen.stop - segment.step, seen.stop)):
            if outermost & strip == outermost:
                continue  # where the picture ends
            other = x.copy()
            other[outermost.slice] += 1
            own = segment.own(strip)[-1].slice
            assert not np.allclose(after(tiny_network, segment, other)[-1][own], whole[-1][own])


@pytest.mark.parametrize(
    ("layer", "gradient", "statistics"),
    [("block1_conv1", 2, 1), ("block2_conv1", 2 * 4, 4), ("block3_conv1", 24, 12), ("block5_conv1", 160, 80)],
)
def test_the_halo_of_the_whole_network(layer: str, gradient: int, statistics: int, tiny_weights: Weights) -> None:
    """Radii: 1, 2 + 2, 2 + 4 + 4, 2 + 4 + 16 + 32 + 16 = 70, up to a whole window of all poolings; twice, and again."""
    network = Network(tiny_weights)
    segment = Segment(tuple(network.steps([layer], (1600, 64))), 1600)
    own = segment.strips(320)[2]
    assert (own.start - segment.seen(own).start, segment.seen(own).stop - own.stop) == (statistics, statistics)
    seen = segment.seen_by_gradient(own)
    assert (own.start - seen.start, seen.stop - own.stop) == (gradient, gradient)


def test_pictures(tiny_network: Network) -> None:
    """Of a picture that is smaller than a strip, all is seen."""
    x = tiny_network.normalized(picture(33, 24))
    segment = cut(tiny_network, 33)[0]
    assert segment.strips(100) == [Rows(0, len(x))]
    assert segment.seen(Rows(0, 33)) == segment.seen_by_gradient(Rows(0, 33)) == Rows(0, 33)
