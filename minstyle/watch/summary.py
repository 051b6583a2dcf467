"""What a run did to each term of the loss, as a few lines of text."""

from __future__ import annotations

import itertools

from ..run.observer import role_of
from ..run.result import Result


def summary_by_term(result: Result) -> str:
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
    return "\n".join(f"{name:{longest}}  {a:10.4g} -> {b:10.4g}  {_change(a, b):>9}" for name, a, b in rows)


def _order(name: str) -> tuple[int, str]:
    """Content first, then style; terms of a role stay in their order, for sorting is stable."""
    role = role_of(name)
    return ("content", "style", "tv").index(role) if role in ("content", "style", "tv") else 3, role


def _change(first: float, last: float) -> str:
    """The change in percent, or by what it was multiplied where percents would be many digits."""
    if first == last:
        return "0 %"
    if first == 0:
        return "from 0"
    ratio = last / first
    return f"{100 * (ratio - 1):+.1f} %" if abs(ratio) < 10 else f"x {ratio:.3g}"
