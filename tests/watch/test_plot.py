"""watch/plot.py: what a plot shows of the losses, in which files, and what it leaves alone."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.errors import FileError, ImageError, MinstyleError
from minstyle.network.vgg import Network
from minstyle.recipe.presets import RECIPES
from minstyle.run.observer import Observer, Plan, Step
from minstyle.run.result import Record
from minstyle.run.stylize import stylize
from minstyle.watch.plot import Plot, draw
from tests.support.small import picture

SHORT = dataclasses.replace(RECIPES["document"], sizes=(32, 40), rounds=1, evaluations=4)
TERMS = ("content_sum block5_conv2", "gram_image block1_conv1", "gram_image block2_conv1", "total_variation")


def steps_of(stages: Sequence[int], values: Sequence[float] = (4.0, 3.0, 2.0, 1.0)) -> list[Step]:
    """So many evaluations in each stage; every term falls as 1/n."""
    steps: list[Step] = []
    for stage, count in enumerate(stages, start=1):
        for _ in range(count):
            n = len(steps) + 1
            terms = {name: value / n for name, value in zip(TERMS, values, strict=True)}
            shape = (10 * stage, 20 * stage)
            loss = sum(terms.values())
            steps.append(Step(Record(n, shape, loss, terms, stage), stage, 0.5 * n, False, lambda: np.zeros((4, 4, 3))))
    return steps


def lines(axes: Any) -> list[Any]:
    """The lines of losses: not the marks of stages."""
    return [line for line in axes.lines if line.get_linestyle() == "-"]


@pytest.mark.parametrize("stages", [(1,), (2,), (5,), (40,), (5, 9), (1, 1), (4, 1, 30), (300, 300)], ids=str)
def test_one_line_a_term_and_one_for_the_sum_broken_between_stages(stages: tuple[int, ...]) -> None:
    steps = steps_of(stages)
    axes, _ = draw(steps).axes
    drawn = lines(axes)
    assert len(drawn) == len(stages) * (1 + len(TERMS))
    for i, piece in enumerate(range(0, len(drawn), 1 + len(TERMS))):
        own = [step for step in steps if step.record.stage == i + 1]
        total, *terms = drawn[piece : piece + 1 + len(TERMS)]
        for line in (total, *terms):
            np.testing.assert_array_equal(line.get_xdata(), [step.record.evaluation for step in own])
            assert (line.get_marker() == "o") == (len(own) == 1), "one point alone is a dot"
        np.testing.assert_allclose(total.get_ydata(), [step.record.loss for step in own])
        for name, line in zip(TERMS, terms, strict=True):
            np.testing.assert_allclose(line.get_ydata(), [step.record.terms[name] for step in own])
    assert axes.get_yscale() == "log"


def test_each_line_is_named_once_and_has_its_own_colour() -> None:
    figure = draw(steps_of((4, 5)))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["total", *TERMS]
    assert len({str(line.get_color()) for line in lines(figure.axes[0])}) == 1 + len(TERMS)


def test_stages_are_marked_with_their_sizes() -> None:
    axes, _ = draw(steps_of((6, 7, 8))).axes
    marks = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() != "-"]
    assert marks == [6.5, 13.5]
    assert [(text.get_text(), text.xy[0]) for text in axes.texts] == [
        ("20 x 10", 0.5), ("40 x 20", 6.5), ("60 x 30", 13.5),
    ]  # fmt: skip
    alone, _ = draw(steps_of((6,))).axes
    assert (len(alone.texts), len(alone.lines)) == (0, len(lines(alone)))


def test_a_stage_too_short_for_its_name_is_marked_only() -> None:
    axes, _ = draw(steps_of((50, 2, 50))).axes
    assert [text.get_text() for text in axes.texts] == ["20 x 10", "60 x 30"]
    assert len(axes.lines) - len(lines(axes)) == 2


def test_seconds_stand_where_they_had_passed() -> None:
    axes, top = draw(steps_of((40,))).axes
    assert top.get_xlim() == axes.get_xlim() == (0.5, 40.5)
    seconds = [float(label.get_text()) for label in top.get_xticklabels()]
    assert len(seconds) >= 3
    np.testing.assert_allclose(top.get_xticks(), 2 * np.array(seconds))
    assert (axes.get_xlabel(), top.get_xlabel()) == ("evaluations", "seconds")


def test_seconds_that_would_overlap_are_left_out() -> None:
    steps = [
        dataclasses.replace(step, seconds=step.seconds + 20 * (step.record.evaluation > 10)) for step in steps_of((40,))
    ]
    _, top = draw(steps).axes
    assert np.diff(top.get_xticks()).min() > 0.06 * 40


@pytest.mark.parametrize("values", [(0, 3, 2, 1), (-1, 3, 2, 1), (0, 0, 0, 0), (-1, 0, 0, 0), (1e300, 1e-300, 1, 1)])
@pytest.mark.parametrize("stages", [(1,), (9,), (3, 4)], ids=str)
def test_any_numbers_can_be_drawn(tmp_path: Path, values: tuple[float, ...], stages: tuple[int, ...]) -> None:
    write(Plot(tmp_path / "plot.png"), steps_of(stages, values))
    assert (tmp_path / "plot.png").stat().st_size > 1000


def test_a_term_of_nearly_nothing_does_not_press_the_others_flat() -> None:
    axes, _ = draw(steps_of((9,), (1e-30, 3, 2, 1))).axes
    low, high = axes.get_ylim()
    assert 1e-14 < low < 1e-11
    assert 6 < high < 100
    plain, _ = draw(steps_of((9,), (4, 3, 2, 1))).axes
    low, high = plain.get_ylim()
    assert 0.05 < low < 1 / 9
    assert 10 < high < 20


def test_a_term_that_a_stage_lacks_has_a_gap() -> None:
    steps = steps_of((3, 3))
    for step in steps[:3]:
        del step.record.terms[TERMS[1]]
    axes, _ = draw(steps).axes
    named = {line.get_label(): line for line in lines(axes)}
    assert np.isnan(named[TERMS[1]].get_ydata()).all()


def write(plot: Plot, steps: Sequence[Step], error: BaseException | None = None, recipe: str = "document") -> None:
    plot.start(Plan(dataclasses.replace(SHORT, name=recipe), ((10, 20),), 60))
    for step in steps:
        plot.step(step)
        plot.step(dataclasses.replace(step, ends_round=True))
    plot.close(error)


@pytest.mark.parametrize(("extension", "begins"), [
    (".png", b"\x89PNG"), (".PNG", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"),
])  # fmt: skip
def test_the_format_is_the_extension_s(tiny_network: Network, tmp_path: Path, extension: str, begins: bytes) -> None:
    path = tmp_path / f"plot{extension}"
    result = stylize(picture(40, 50, 1), [picture(40, 40, 2)], SHORT, network=tiny_network, observers=[Plot(path)])
    assert result.error is None
    assert path.read_bytes().startswith(begins)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["$x", "$a$ \\frac{", "絵", "{}", "_^"])
def test_a_recipe_s_name_is_no_formula(tmp_path: Path, name: str) -> None:
    write(Plot(tmp_path / "plot.svg"), steps_of((3,)), recipe=name)
    assert (tmp_path / "plot.svg").is_file()


@pytest.mark.parametrize("title", ["a\nb", "$x", ""])
def test_any_title_can_be_drawn(title: str) -> None:
    assert draw(steps_of((3,)), title).get_suptitle() is not None


class Interrupter(Observer):
    def step(self, step: Step) -> None:
        if step.record.evaluation == 3:
            raise KeyboardInterrupt


def test_an_interrupted_run_has_its_plot(tiny_network: Network, tmp_path: Path) -> None:
    plot = Plot(tmp_path / "plot.png")
    content, style = picture(40, 50, 1), picture(40, 40, 2)
    result = stylize(content, [style], SHORT, network=tiny_network, observers=[plot, Interrupter()])
    assert isinstance(result.error, KeyboardInterrupt)
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_without_an_evaluation_there_is_no_plot(tmp_path: Path) -> None:
    write(Plot(tmp_path / "plot.png"), [], KeyboardInterrupt())
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("name", "error", "words"), [
    ("gone/plot.png", FileError, "the folder .*gone does not exist"),
    ("plot.jpg", ImageError, r"unknown extension '\.jpg': known are \.png, \.svg, \.pdf"),
    ("plot", ImageError, "unknown extension ''"),
])  # fmt: skip
def test_a_plot_that_cannot_be_written_is_told_before_the_run(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Plot(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_without_matplotlib_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MinstyleError, match=r"plots need matplotlib: pip install 'minstyle\[plot\]'") as caught:
        Plot(tmp_path / "plot.png")
    assert "\n" not in str(caught.value)


def test_pyplot_is_not_touched(tmp_path: Path) -> None:
    code = (
        "import sys; from tests.watch.test_plot import *\n"
        f"write(Plot(Path({str(tmp_path)!r}) / 'plot.pdf'), steps_of((5, 5)))\n"
        "print('matplotlib.figure' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "True False\n"


def test_plots_of_several_threads_are_those_of_one(tmp_path: Path) -> None:
    steps = steps_of((20, 20))
    write(Plot(tmp_path / "alone.png"), steps)
    plots = [Plot(tmp_path / f"{i}.png") for i in range(4)]
    threads = [threading.Thread(target=write, args=(plot, steps)) for plot in plots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = (tmp_path / "alone.png").read_bytes()
    assert all((tmp_path / f"{i}.png").read_bytes() == alone for i in range(4))


def test_a_plot_that_cannot_be_drawn_is_an_error_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any) -> None:
        raise ValueError("a locator that gives up")

    plot = Plot(tmp_path / "plot.png")
    plot.start(Plan(RECIPES["document"], ((32, 32),), 1))
    plot.step(Step(Record(1, (32, 32), 1.0, {"total_variation": 1.0}), 1, 0.1, False, lambda: np.zeros((1, 1, 3))))
    monkeypatch.setattr("minstyle.watch.plot.draw", broken)
    with pytest.raises(FileError, match=r"cannot draw .*plot\.png: a locator that gives up"):
        plot.close()
    assert list(tmp_path.iterdir()) == []
