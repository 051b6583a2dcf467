"""watch/contact_sheet.py: few pictures, spread over a run whose length nobody knows, written whatever ends it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minstyle.watch.contact_sheet as module
from minstyle.errors import FileError, ImageError
from minstyle.images import load_image
from minstyle.images.grid import Labelled, fit, grid
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Observer, Plan, Step
from minstyle.run.result import Record
from minstyle.run.stylize import stylize
from minstyle.watch.contact_sheet import HEIGHT, MOST, Sheet
from tests.support.small import picture

SHORT = dataclasses.replace(RECIPES["document"], sizes=(32, 40), rounds=2, evaluations=4)
CONTENT, STYLES = picture(40, 50, 1), [picture(40, 40, 2), picture(50, 40, 3)]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[list[Labelled]]:
    """What each sheet was made of."""
    calls: list[list[Labelled]] = []

    def note(pictures: list[Labelled], **settings: Any) -> np.ndarray:
        calls.append(pictures)
        return grid(pictures, **settings)

    monkeypatch.setattr(module, "grid", note)
    return calls


def numbers(pictures: list[Labelled]) -> list[int]:
    """The evaluations on a sheet."""
    return [int(label.split()[1]) for label, _ in pictures if label.startswith("evaluation")]


def flat(value: float) -> Callable[[], np.ndarray]:
    return lambda: np.full((4, 6, 3), value)


def watch(sheet: Sheet, evaluations: int, error: BaseException | None = None) -> None:
    """A run of so many evaluations, with a round's end after every seventh."""
    sheet.start(Plan(SHORT, ((4, 6),), 60))
    for number in range(1, evaluations + 1):
        step = Step(Record(number, (4, 6), 1.0, {}), 1, 0.5 * number, False, flat(number % 256))
        sheet.step(step)
        if number % 7 == 0:
            sheet.step(dataclasses.replace(step, ends_round=True))
    sheet.close(error)


@pytest.mark.parametrize("every", [None, 1, 3, 10])
@pytest.mark.parametrize("evaluations", [1, 2, 11, 12, 13, 23, 24, 25, 100, 533, 2000])
def test_copies_are_few_and_spread_evenly(
    drawn: list[list[Labelled]], tmp_path: Path, evaluations: int, every: int | None
) -> None:
    watch(Sheet(tmp_path / "sheet.png", CONTENT, STYLES, every), evaluations)
    found = numbers(drawn[-1])
    assert (found[0], found[-1]) == (1, evaluations)
    assert len(found) <= MOST
    gaps = set(np.diff(found[:-1]))
    assert len(gaps) <= 1, "every so many evaluations, and the last"
    stride = gaps.pop() if gaps else (every or 1)
    assert found[-1] - found[-2] <= stride if len(found) > 1 else evaluations == 1
    assert stride % (every or 1) == 0
    if evaluations > MOST * (every or 1):
        assert len(found) >= MOST / 2
    for (_, image), number in zip(drawn[-1][3:], found, strict=True):
        assert (image == number % 256).all(), "each copy is the picture of its own evaluation"


def test_few_images_are_asked_for(tmp_path: Path) -> None:
    asked: list[int] = []

    def image() -> np.ndarray:
        asked.append(number)
        return np.zeros((4, 6, 3))

    sheet = Sheet(tmp_path / "sheet.png", CONTENT, STYLES)
    sheet.start(Plan(SHORT, ((4, 6),), 60))
    for number in range(1, 2001):
        sheet.step(Step(Record(number, (4, 6), 1.0, {}), 1, 0.0, False, image))
    sheet.close()
    assert len(asked) < 80, "some 6 for each doubling of the run's length"


def test_a_sheet_of_a_run(tiny_network: Network, drawn: list[list[Labelled]], tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    result = stylize(CONTENT, STYLES, SHORT, network=tiny_network, observers=[Sheet(path, CONTENT, STYLES)])
    labels = [label for label, _ in drawn[-1]]
    assert labels[:3] == ["content", "style 1", "style 2"]
    assert labels[3].startswith("evaluation 1\n")
    assert labels[3].endswith(" s, 40 x 32")
    assert labels[-1].startswith(f"evaluation {result.evaluations}\n")
    assert labels[-1].endswith(" s, 50 x 40")
    for i, image in enumerate([CONTENT, *STYLES]):
        np.testing.assert_array_equal(drawn[-1][i][1], fit(image, HEIGHT))
    np.testing.assert_array_equal(drawn[-1][-1][1], fit(result.image, HEIGHT))
    np.testing.assert_array_equal(load_image(path), grid(drawn[-1], height=HEIGHT))
    assert os.listdir(tmp_path) == ["sheet.png"]


def test_one_style_has_no_number(drawn: list[list[Labelled]], tmp_path: Path) -> None:
    watch(Sheet(tmp_path / "sheet.png", CONTENT, STYLES[:1]), 1)
    assert [label for label, _ in drawn[-1]][:2] == ["content", "style"]


class Interrupter(Observer):
    def __init__(self, evaluation: int) -> None:
        self.evaluation = evaluation

    def start(self, plan: Plan) -> None:
        if self.evaluation == 0:
            raise KeyboardInterrupt

    def step(self, step: Step) -> None:
        if step.record.evaluation == self.evaluation:
            raise KeyboardInterrupt


def test_an_interrupted_run_has_its_sheet(tiny_network: Network, drawn: list[list[Labelled]], tmp_path: Path) -> None:
    observers = [Sheet(tmp_path / "sheet.jpg", CONTENT, STYLES), Interrupter(5)]
    result = stylize(CONTENT, STYLES, SHORT, network=tiny_network, observers=observers)
    assert isinstance(result.error, KeyboardInterrupt)
    assert numbers(drawn[-1]) == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(drawn[-1][-1][1], fit(result.image, HEIGHT))
    assert (tmp_path / "sheet.jpg").is_file()


def test_before_the_first_evaluation_there_is_no_sheet(tiny_network: Network, tmp_path: Path) -> None:
    observers = [Sheet(tmp_path / "sheet.png", CONTENT, STYLES), Interrupter(0)]
    with pytest.raises(KeyboardInterrupt):
        stylize(CONTENT, STYLES, SHORT, network=tiny_network, observers=observers)
    assert os.listdir(tmp_path) == []


def test_a_sheet_watches_one_run_after_another(drawn: list[list[Labelled]], tmp_path: Path) -> None:
    sheet = Sheet(tmp_path / "sheet.png", CONTENT, STYLES)
    watch(sheet, 500)
    watch(sheet, 3)
    assert numbers(drawn[-1]) == [1, 2, 3]


@pytest.mark.parametrize(("name", "error", "words"), [
    ("gone/sheet.png", FileError, "the folder .*gone does not exist"),
    ("sheet.gif", ImageError, r"unknown extension '\.gif'"),
])  # fmt: skip
def test_a_sheet_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Sheet(tmp_path / name, CONTENT, STYLES)
    assert os.listdir(tmp_path) == []


def test_pictures_that_are_none_are_told_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"style 2: expected an image \(H, W, 3\), got \(4, 4\)"):
        Sheet(tmp_path / "sheet.png", CONTENT, [STYLES[0], np.zeros((4, 4))])
