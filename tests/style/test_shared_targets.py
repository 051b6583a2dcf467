"""style/shared_targets.py: the same targets, computed once, within the room that there is."""

from __future__ import annotations

import dataclasses

import numpy as np

from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.style.objective import build_objective
from minstyle.style.shared_targets import SharedTargets
from tests.support.small import picture, random_weights

RECIPE = RECIPES["document"]
NETWORK = Network(random_weights("vgg19", (2, 3, 3, 4, 4)))
CONTENT, STYLES = picture(32, 40, 1), [picture(36, 40, 2), picture(32, 32, 3)]


def test_an_objective_of_shared_targets_is_the_same() -> None:
    targets = SharedTargets()
    own = build_objective(CONTENT, STYLES, RECIPE, NETWORK)(CONTENT)
    for _ in range(2):
        loss, gradient = build_objective(CONTENT, STYLES, RECIPE, NETWORK, None, targets)(CONTENT)
        assert loss == own[0]
        np.testing.assert_array_equal(gradient, own[1])
    assert targets.computed == 1


def test_other_pixels_recipes_and_networks_have_their_own() -> None:
    targets = SharedTargets()
    for styles in (STYLES, STYLES[:1], STYLES[::-1]):
        build_objective(CONTENT, styles, RECIPE, NETWORK, None, targets)
    changed = dataclasses.replace(RECIPE, pooling="average")
    found = build_objective(CONTENT, STYLES, changed, NETWORK, None, targets)(CONTENT)[0]
    assert found == build_objective(CONTENT, STYLES, changed, NETWORK)(CONTENT)[0]
    build_objective(CONTENT, STYLES, RECIPE, Network(random_weights("vgg19", (2, 3, 3, 4, 4))), None, targets)
    assert targets.computed == 5
    build_objective(CONTENT, STYLES, dataclasses.replace(RECIPE, sizes=(77,)), NETWORK, None, targets)
    assert targets.computed == 5, "the size is that of the pixels"


def test_what_was_asked_for_last_is_kept() -> None:
    layers = sum(4 * n * n for n in (2, 3, 3, 4, 4))
    targets = SharedTargets(room=2 * layers)
    for styles in (STYLES[:1], STYLES[1:], STYLES[:1], STYLES, STYLES[:1]):
        build_objective(CONTENT, styles, RECIPE, NETWORK, None, targets)
    assert targets.computed == 3
    build_objective(CONTENT, STYLES[1:], RECIPE, NETWORK, None, targets)
    assert targets.computed == 4
