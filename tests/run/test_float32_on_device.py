"""run/stylize.py in float32 on a device: a whole run by our own kernels, replayed, over its end in float32 products."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from minstyle import stylize
from minstyle.backend import Device, to_host
from minstyle.network.vgg import Network
from minstyle.recipe.recipe import Recipe
from minstyle.recipe.terms import IMAGE, Term
from minstyle.style.objective import Evaluation, Objective, build_objective
from tests.support.small import picture, random_weights

CONTENT, STYLE = picture(32, 32, 1), picture(32, 32, 2)
TERMS = (Term("content_mean", "block2_conv1"), Term("gram_mean", "block2_conv1", 10.0), Term("tv_sum", IMAGE, 1e-4))
RECIPE = Recipe("run", TERMS, sizes=(32,), optimizer="lbfgs", rounds=1, evaluations=(4,))


@pytest.mark.parametrize("asked", ["tf32", "fp16", "fp32"])
def test_a_run_by_our_kernels_ends_in_float32_near_the_cpus(
    asked: str, gpu: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three evaluations at that precision: one that prepares, one recorded, one replayed; of the last's image, anew."""
    weights, evaluate = random_weights("vgg19", (8,) * 5), Objective.evaluate
    seen, images = list[tuple[Any, ...]](), list[Any]()

    def watched(self: Objective, image: Any, precision: str | None = None) -> Evaluation:
        found = evaluate(self, image, precision)
        if self.network.device.name == "gpu":
            images.append(image)
            recorded = self._replay._graph is not None
            seen.append((precision or self.network.precision, recorded, self._replay.refused))
        return found

    monkeypatch.setattr(Objective, "evaluate", watched)
    on_cpu = stylize(CONTENT, [STYLE], RECIPE, network=Network(weights))
    on_device = stylize(CONTENT, [STYLE], RECIPE, network=Network(weights, gpu, precision=asked))
    assert on_device.error is None
    assert seen == [(asked, False, ""), (asked, True, ""), (asked, True, ""), ("fp32", asked == "fp32", "")]
    losses, expected = ([record.loss for record in result.history] for result in (on_device, on_cpu))
    if asked == "fp32":
        assert losses == pytest.approx(expected, rel=1e-4)
        np.testing.assert_allclose(on_device.image, on_cpu.image, atol=0.1)
    else:
        assert losses[:3] == pytest.approx(expected[:3], rel=2e-2)
        assert losses[3] == pytest.approx(losses[2], rel=1e-2)
        assert losses[3] != losses[2]
    exact = build_objective(CONTENT, [STYLE], RECIPE, Network(weights, dtype=np.float64))
    of_targets = 1e-6 if asked == "fp32" else 1e-4  # what the targets, computed at that precision, are off
    assert losses[3] == pytest.approx(exact(to_host(images[3]).astype(np.float64))[0], rel=of_targets)
    assert on_device.loss == (min(losses) if asked == "fp32" else losses[3]) < losses[0]
