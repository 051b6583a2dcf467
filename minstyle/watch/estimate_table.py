"""What a run will take, as text."""

from __future__ import annotations

from ..run.estimate import Estimate, gigabytes


def in_short(estimate: Estimate) -> str:
    """ "about 3 minutes, 0.9 GB of memory" """
    seconds = estimate.seconds
    return f"{_duration(seconds)}, {gigabytes(estimate.memory)} of memory"


def estimate_table(estimate: Estimate) -> str:
    """A line for each size, with its network, and one for the run."""
    rows = [("size", "network", "evaluations", "seconds each", "minutes", "memory")]
    for stage in estimate.stages:
        height, width = stage.shape
        cut = f" in {stage.bands} bands" if stage.bands else ""
        rows.append((f"{width} x {height}{cut}", stage.network, str(stage.evaluations), f"{stage.seconds_each:.3g}",
                     f"{stage.seconds / 60:.1f}", gigabytes(stage.memory)))  # fmt: skip
    rows.append(("all", "", str(estimate.evaluations), "", f"{estimate.seconds / 60:.1f}", gigabytes(estimate.memory)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    align = [str.ljust] * 2 + [str.rjust] * 4
    return "\n".join("  ".join(to(cell, n) for to, cell, n in zip(align, row, widths, strict=True)) for row in rows)


def _duration(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = seconds / 60
    return f"about {minutes:.1f} minutes" if minutes < 9.5 else f"about {minutes:.0f} minutes"
