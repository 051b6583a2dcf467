"""style/objective.py: what an evaluation has a device do, by the ledger of CuPy's double: no hidden wait, no growth."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest

from minstyle import RECIPES, build_objective
from minstyle.backend import choose_device
from minstyle.network.vgg import Network
from minstyle.network.weightfile import read_weights
from minstyle.optimize.minimum import Pending
from minstyle.recipe.terms import IMAGE, ROLES, Term
from minstyle.run.minimise import minimise
from minstyle.style.regions import Regions
from minstyle.weights.locate import find_weights
from tests.support import cupy_double
from tests.support.cupy_double.ledger import Ledger
from tests.support.device_work import KINDS, work
from tests.support.small import picture, random_weights

SIZE, CHANNELS = 32, (8, 8, 16, 16, 16)  # small, since the double computes all of it
# Launches and megabytes that an evaluation may take, a fifth above what it took when they were written down here, which
# ``python -m tests.style.test_work_on_device`` prints. Lower them with what makes it less.
MOST = {
    ("fine", "whole"): (1486, 8.4),
    ("fine", "regions"): (2839, 13.9),
    ("gram", "whole"): (260, 4.1),
    ("gram", "regions"): (386, 4.8),
    ("document", "whole"): (220, 3.9),
    ("fine by mini", "whole"): (1522, 247.1),
    ("gram by mini", "whole"): (290, 28.0),
    ("document by mini", "whole"): (251, 30.2),
    ("histogram", "regions"): (1058, 13.4),
    ("crowson", "whole"): (1812, 10.6),
    ("wasserstein", "regions"): (3494, 17.9),
    ("every loss", "regions"): (1654, 7.6),
}
NEVER_RECORDED = ("histogram", "every loss")  # they sort
EVERY = tuple(Term(kind, IMAGE if role == "tv" else "block2_conv1") for kind, role in ROLES.items())
RECIPES_BY_NAME = {
    **KINDS,
    "crowson": RECIPES["crowson"],
    **{f"{name} by mini": RECIPES[name] for name in ("fine", "gram", "document")},
    "every loss": dataclasses.replace(RECIPES["document"], terms=EVERY, optimizer="adam", gradients="unit"),
}

halves = np.zeros((2, SIZE, SIZE), np.float32)
halves[0, :, : SIZE // 2], halves[1, :, SIZE // 2 :] = 1, 1
REGIONS = {"whole": None, "regions": Regions(halves, (halves,), ("left", "right"))}


def counted(kind: str, where: str) -> Ledger:
    small = kind.endswith(" by mini")
    weights = read_weights(find_weights("mini")) if small else random_weights("vgg19", CHANNELS)
    return work(RECIPES_BY_NAME[kind], weights, SIZE, REGIONS[where])


@pytest.mark.parametrize(("kind", "where"), MOST)
def test_an_evaluation_waits_once_for_a_few_numbers_and_takes_no_more_than_it_did(kind: str, where: str) -> None:
    found = counted(kind, where)
    assert found.waits == {"get": 1}, found.where("wait")
    assert found.launches["graph"] == (kind not in NEVER_RECORDED), "the second evaluation is recorded and replayed"
    assert found.to_host["get"] <= 8 * (2 + len(RECIPES_BY_NAME[kind].terms) + 1), (
        "the loss, by term, and the largest entry"
    )
    assert found.to_device.total() == 0, found.where("copied")
    launches, megabytes = MOST[kind, where]
    assert found.launches.total() <= launches, found.where("launches")
    assert found.bytes.total() / 1e6 <= megabytes, found.where("bytes")


def test_channels_cost_no_launches() -> None:
    """As a loop over them would."""
    few, many = (work(KINDS["histogram"], random_weights("vgg19", (n,) * 5), 32).launches.total() for n in (4, 16))
    assert few == many


def test_a_step_of_adam_waits_for_its_evaluation_alone() -> None:
    recipe = dataclasses.replace(RECIPES["document"], optimizer="adam", bounds="smooth")
    with cupy_double.installed():
        network = Network(random_weights("vgg19", CHANNELS), choose_device("gpu"))
        objective = build_objective(picture(32, 32, 1), [picture(32, 32, 2)], recipe, network)

        def evaluate(x: object) -> tuple[float, object, float]:
            found = objective.evaluate(x)
            return found.loss, found.gradient, found.largest

        image = network.device.asarray(picture(32, 32, 3))
        evaluate(image)  # the first prepares what the others replay
        with cupy_double.LEDGER.counting() as ledger:
            minimise(evaluate, image, recipe, 4, None, lambda x, loss: False)
    assert ledger.waits == {"get": 4}, ledger.where("wait")


def test_an_iteration_of_lbfgs_waits_once() -> None:
    """For its evaluation, the slope before it, and all products with the new pair, in one copy."""
    recipe = RECIPES["fine"]
    with cupy_double.installed():
        device = choose_device("gpu")
        bend = device.asarray(1 + picture(SIZE, SIZE, 1))

        def valley(x: Any) -> Pending:
            gradient = bend * (x - 128)
            numbers = device.xp.stack([(gradient * (x - 128)).sum(), gradient.max()]).astype(np.float64)
            return Pending(2 * gradient, numbers, lambda numbers: None)

        def counted(evaluations: int) -> Ledger:
            image = device.asarray(picture(SIZE, SIZE, 3))
            with cupy_double.LEDGER.counting() as ledger:
                minimise(valley, image, recipe, evaluations, None, lambda x, loss: False)
                return copy.deepcopy(ledger)

        few, more = counted(14), counted(24)
    assert more.waits.total() - few.waits.total() == 10, more.where("wait")
    assert more.to_device.total() - few.to_device.total() <= 10 * 8 * (20 * 21 + 20), more.where("copied")
    assert more.launches.total() - few.launches.total() <= 10 * 60, more.where("launches")


if __name__ == "__main__":
    for kind, where in MOST:
        found = counted(kind, where)
        launches, megabytes = 1.2 * found.launches.total(), 1.2 * found.bytes.total() / 1e6
        print(f'    ("{kind}", "{where}"): ({launches:.0f}, {megabytes:.1f}),')
