"""A plot of a run: the loss, whole and by term, over evaluations and seconds. The only file that imports matplotlib."""

from __future__ import annotations

import importlib
import itertools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileError, ImageError, MinstyleError
from ..files import check_writable, replacing
from ..run.observer import Observer, Plan, Step, role_of

FORMATS = (".png", ".svg", ".pdf")
DECADES = 12  # of the scale of losses: a term that begins at nearly nothing must not press the others flat

# A role's terms are shades of one colour, from the first term's to the last's: (colour map, from, to).
_SHADES = {"content": ("Blues", 0.8, 0.55), "style": ("YlOrRd", 0.9, 0.35), "tv": ("Greens", 0.7, 0.5)}
_OTHER = ("Purples", 0.8, 0.5)

_DRAWING = threading.Lock()  # matplotlib's text layout and font cache serve one thread at a time


class Plot(Observer):
    """A plot of the losses, .png, .svg or .pdf, written when the run ends, also by an interrupt.

    One line a term and one for their sum, on a logarithmic scale; values that are not above 0 are left out. Losses of
    different stages do not compare: the lines are broken there.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises ImageError, FileError if the plot could not be written, MinstyleError where matplotlib is missing."""
        self._path = Path(path)
        self._steps: list[Step] = []
        if self._path.suffix.lower() not in FORMATS:
            raise ImageError(f"{path}: unknown extension {self._path.suffix!r}: known are {', '.join(FORMATS)}")
        check_writable(path)
        try:
            importlib.import_module("matplotlib.figure")  # here: it costs more than all else that starts
        except ValueError as error:  # matplotlib refuses its own settings: the variable MPLBACKEND
            raise MinstyleError(f"{path}: matplotlib does not start ({' '.join(str(error).split())[:200]})") from error
        except ImportError as error:
            raise MinstyleError(f"{path}: plots need matplotlib: pip install 'minstyle[plot]' ({error})") from error

    def start(self, plan: Plan) -> None:
        self._plan = plan
        self._steps = []

    def step(self, step: Step) -> None:
        if not step.ends_round:
            self._steps.append(step)

    def close(self, error: BaseException | None = None) -> None:
        if not self._steps:
            return
        with _DRAWING:
            try:
                figure = draw(self._steps, self._plan.recipe.name)
                with replacing(self._path) as temporary:
                    figure.savefig(temporary, format=self._path.suffix[1:].lower(), dpi=150)
            except (ValueError, RuntimeError) as failure:  # the picture that was painted is not to be lost with a plot
                raise FileError(f"cannot draw {self._path}: {failure}") from failure


def draw(steps: Sequence[Step], title: str = "") -> Any:
    """The losses of a run's evaluations as a ``matplotlib.figure.Figure`` of its own: no display, no pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw_lines(axes, steps)
    _draw_stages(axes, steps)
    _scale_losses(axes, steps)
    axes.set_xlim(*_limits(steps))
    axes.set(xlabel="evaluations", ylabel="loss, each term times its weight")
    axes.grid(color="0.92")
    axes.spines[["right"]].set_visible(False)
    _draw_seconds(axes, steps)
    figure.suptitle(_plain(title), fontsize=11)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8, frameon=False)
    return figure


def _draw_lines(axes: Any, steps: Sequence[Step]) -> None:
    names = list(dict.fromkeys(name for step in steps for name in step.record.terms))
    colours, labelled = _colours(names), set()
    for _, piece in itertools.groupby(steps, key=lambda step: step.record.stage):
        stage = list(piece)
        x = [step.record.evaluation for step in stage]
        marker = "o" if len(stage) == 1 else None  # a line through one point cannot be seen
        lines = {name: [step.record.terms.get(name, np.nan) for step in stage] for name in names}
        for name, y in {"total": [step.record.loss for step in stage], **lines}.items():
            label = None if name in labelled else _plain(name)
            width = 2.2 if name == "total" else 1.2
            axes.plot(x, y, color=colours[name], linewidth=width, marker=marker, markersize=4, label=label)
            labelled.add(name)


def _scale_losses(axes: Any, steps: Sequence[Step]) -> None:
    """A logarithmic scale of the losses above 0, of at most DECADES from the largest down, with some room around."""
    losses = [loss for step in steps for loss in (step.record.loss, *step.record.terms.values())]
    values = np.array([loss for loss in losses if loss > 0])
    if values.size:
        top = np.log10(values.max())
        bottom = max(np.log10(values.min()), top - DECADES)
        room = max(0.1, 0.09 * (top - bottom))
        axes.set_ylim(10 ** max(bottom - room, -300.0), 10 ** min(top + room, 300.0))  # within float64
        axes.set_yscale("log", nonpositive="mask")


def _colours(names: Sequence[str]) -> Mapping[str, Any]:
    """Black for the sum; for the terms a colour by role, a shade by their order in it."""
    from matplotlib import colormaps

    colours: dict[str, Any] = {"total": "black"}
    for role, group in itertools.groupby(sorted(names, key=role_of), key=role_of):
        terms = list(group)
        colour_map, first, last = _SHADES.get(role, _OTHER)
        shades = np.linspace(first, last, len(terms))
        colours.update(zip(terms, colormaps[colour_map](shades), strict=True))
    return colours


def _draw_stages(axes: Any, steps: Sequence[Step]) -> None:
    """A mark where another stage begins; at the top each stage's size, width x height, where there is room for it."""
    stages = [list(piece) for _, piece in itertools.groupby(steps, key=lambda step: step.record.stage)]
    for stage in stages if len(stages) > 1 else []:
        begin, (height, width) = stage[0].record.evaluation - 0.5, stage[0].record.shape
        if stage is not stages[0]:
            axes.axvline(begin, color="0.6", linewidth=0.8, linestyle="--")
        if len(stage) > 0.1 * len(steps):
            place = dict(xycoords=("data", "axes fraction"), xytext=(4, -4), textcoords="offset points")
            axes.annotate(f"{width} x {height}", (begin, 1), va="top", fontsize=8, color="0.4", **place)


def _draw_seconds(axes: Any, steps: Sequence[Step]) -> None:
    """A second axis above: seconds at the evaluations that were done by then, where there is room for them."""
    from matplotlib.ticker import MaxNLocator

    seconds, evaluations = [step.seconds for step in steps], [step.record.evaluation for step in steps]
    left, right = _limits(steps)
    ticks: dict[float, str] = {}
    for value in MaxNLocator(nbins=7).tick_values(seconds[0], seconds[-1]):
        place = float(np.interp(value, seconds, evaluations))
        within = seconds[0] <= value <= seconds[-1]
        if within and place - max(ticks, default=-np.inf) > 0.06 * (right - left):
            ticks[place] = f"{value:g}"
    top = axes.twiny()
    top.set_xlim(left, right)
    top.set_xticks(list(ticks), labels=list(ticks.values()))
    top.set_xlabel("seconds")
    top.spines[["right"]].set_visible(False)


def _limits(steps: Sequence[Step]) -> tuple[float, float]:
    return steps[0].record.evaluation - 0.5, steps[-1].record.evaluation + 0.5


def _plain(text: str) -> str:
    """A text that matplotlib's font has and that it does not take for a formula."""
    return text.encode("ascii", "replace").decode().replace("$", r"\$")
