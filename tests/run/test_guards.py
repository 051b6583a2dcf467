"""What a run says when the loss, or its gradient, is not as it should be."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minstyle.errors import OptimizeError
from minstyle.network.vgg import Network
from minstyle.notices import NOT_FALLING, Notice
from minstyle.recipe.terms import IMAGE, Term
from minstyle.run.observer import Observer
from minstyle.run.state import RunState
from minstyle.run.stylize import stylize
from tests.support.observers import SHORT, Breaker, run
from tests.support.small import picture, random_weights
from tests.support.studio import Captured, Studio

ADAM = dataclasses.replace(SHORT, optimizer="adam", rounds=1, evaluations=20, init="content")


class Listener(Observer):
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)


@pytest.fixture(scope="module")
def single() -> Network:
    return Network(random_weights("vgg19", (4, 6, 8, 10, 10)))


def louder(factor: float) -> Network:
    """A network whose first layer answers that many times as strongly as ``single``'s."""
    weights = random_weights("vgg19", (4, 6, 8, 10, 10))
    kernel, bias = weights.layers["block1_conv1"]
    layers = {**weights.layers, "block1_conv1": (kernel * np.float32(factor), bias)}
    return Network(dataclasses.replace(weights, layers=layers))


@pytest.mark.parametrize("factor", [1e9, 1e16])
def test_the_term_that_is_no_number_is_named(factor: float) -> None:
    terms = (Term("content_sum", "block2_conv1", 1e-3), Term("gram_paper", "block2_conv1"))
    recipe = dataclasses.replace(SHORT, terms=(*terms, Term("tv_sum", IMAGE)))
    with pytest.raises(OptimizeError, match=r"^gram_paper block2_conv1: the loss .*is no number at evaluation 1"):
        run(louder(factor), [], recipe)


def test_the_last_good_image_is_kept() -> None:
    result = run(louder(1e4), [], dataclasses.replace(ADAM, learning_rate=1000.0))
    assert isinstance(result.error, OptimizeError)
    assert "too large at evaluation 2" in str(result.error)
    assert result.evaluations == 1
    assert np.isfinite(result.image).all()
    assert result.loss == min(record.loss for record in result.history)


def test_a_loss_that_does_not_fall_is_told_once_with_what_to_try(single: Network) -> None:
    listener = Listener()
    run(single, [listener], dataclasses.replace(ADAM, learning_rate=1000.0))
    (notice,) = listener.notices
    assert notice.kind == NOT_FALLING
    assert "has not fallen in the first 12 evaluations: try a smaller --learning-rate than 1000" in notice.text


@pytest.mark.parametrize("recipe", [SHORT, dataclasses.replace(ADAM, learning_rate=1.0)], ids=["lbfgs", "adam"])
def test_a_loss_that_falls_is_not_remarked_on(single: Network, recipe: object) -> None:
    listener = Listener()
    run(single, [listener], recipe)  # type: ignore[arg-type]
    assert listener.notices == []


def test_a_loss_of_nothing_cannot_fall(single: Network) -> None:
    listener = Listener()
    recipe = dataclasses.replace(ADAM, terms=(Term("content_sum", "block2_conv1"),))
    run(single, [listener], recipe)
    assert listener.notices == []


def test_the_command_line_says_it_beside_the_bar(studio: Studio, capsys: Captured) -> None:
    options = ["--optimizer", "adam", "--learning-rate", "1000", "--init", "content", "--evaluations", "15"]
    assert studio.run(*options) == 0
    assert "minstyle: the loss has not fallen in the first 12 evaluations: try" in capsys.readouterr().err


def test_a_run_that_goes_on_is_not_told_that_its_loss_does_not_fall(single: Network) -> None:
    state, first, second = RunState(), Listener(), Listener()
    recipe = dataclasses.replace(ADAM, learning_rate=1000.0, evaluations=30)
    content, style = picture(40, 50, 1), picture(40, 40, 2)
    stop = Breaker(KeyboardInterrupt(), 15)
    stylize(content, [style], recipe, network=single, observers=[first, stop], state=state)
    result = stylize(content, [style], recipe, network=single, observers=[second], state=state)
    assert result.evaluations == 30
    assert (len(first.notices), len(second.notices)) == (1, 0)
