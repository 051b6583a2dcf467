"""Messages to the user that do not end the run."""

from __future__ import annotations

from dataclasses import dataclass

MASK_RESAMPLED = "mask resampled"
NOT_FALLING = "loss does not fall"
LABEL_LEFT_OUT = "label left out"
COLOURS_LOST = "colours lost"
NO_STROKES = "style of one colour"
ONE_REGION = "one region"
IN_BANDS = "painted in bands"
NO_CHECKPOINT = "checkpoint not written"
LESS_MEMORY = "memory of the device used up"
COMPILING = "compiling for this card"
LOST = "worker lost"
OLD_CHECKPOINT = "checkpoint of a run that was ended"


@dataclass(frozen=True)
class Notice:
    """``kind`` for programs to tell notices apart, ``text`` for people: one line."""

    kind: str
    text: str
