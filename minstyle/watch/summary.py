"""What a run made, as a few lines of text: the picture, its cost, and what became of each term of the loss."""

from __future__ import annotations

import itertools
from pathlib import Path

from ..recipe.terms import ORDER
from ..run.observer import role_of
from ..run.result import Result


def summary(result: Result, path: Path) -> list[str]:
    """The last lines: where the picture is, what it took, the loss from and to, by term."""
    height, width, _ = result.image.shape
    word = "painted in"
    if result.error is not None:
        word = "interrupted after" if isinstance(result.error, KeyboardInterrupt) else "ended early after"
    took = f"{word} {result.seconds:.1f} s ({result.evaluations} evaluations)"
    return [*summary_by_term(result), f"{path}: {width} x {height}, {took}, {_fall(result)}"]


def _fall(result: Result) -> str:
    """The loss from and to; of a run that was ended at a size after the first, that it is of that size alone."""
    whole, fell = result.error is None, result.loss < result.first_loss
    if not (whole or fell):
        return f"loss {result.first_loss:.4g}, this size only just begun"
    at_size = "" if whole or result.history[-1].stage == 1 else " at this size"
    fall = 100 * (1 - result.loss / result.first_loss) if result.first_loss else 0.0
    return f"loss{at_size} {result.first_loss:.4g} -> {result.loss:.4g} (-{fall:.1f} %)"


def summary_by_term(result: Result) -> list[str]:
    """The loss by role (content, style, tv) and by term: at the first evaluation of the last stage, and the picture's.

    The picture's is that of the lowest loss. Each term counts with its weight, so that the roles add up to the loss.
    """
    last = [record for record in result.history if record.stage == result.history[-1].stage]
    first, best = last[0], min(last, key=lambda record: record.loss)
    rows = []
    for role, group in itertools.groupby(sorted(first.terms, key=_order), key=role_of):
        names = list(group)
        if len(names) == 1:
            rows.append((f"{role}: {names[0]}", first.terms[names[0]], best.terms[names[0]]))
        else:
            rows.append((role, sum(first.terms[name] for name in names), sum(best.terms[name] for name in names)))
            rows += [(f"  {name}", first.terms[name], best.terms[name]) for name in names]
    longest = max(len(name) for name, _, _ in rows)
    return [f"{name:{longest}}  {a:10.4g} -> {b:10.4g}  {_change(a, b):>9}" for name, a, b in rows]


def _order(name: str) -> tuple[int, str]:
    """Content first, then style; terms of a role stay in their order, for sorting is stable."""
    role = role_of(name)
    return ORDER.index(role) if role in ORDER else len(ORDER), role


def _change(first: float, last: float) -> str:
    """The change in percent, or by what it was multiplied where percents would be many digits."""
    if first == last:
        return "0 %"
    if first == 0:
        return "from 0"
    ratio = last / first
    return f"{100 * (ratio - 1):+.1f} %" if abs(ratio) < 10 else f"x {ratio:.3g}"
