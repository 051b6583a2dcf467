"""What somebody may have meant by a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "did you mean gatys? ", to be put before the list of known names; "" where none is near.

    Upper and lower case, "-" and "_" count alike.
    """
    import difflib  # here: it is for errors only

    by_key = {_key(other): other for other in known}
    near = difflib.get_close_matches(_key(name), by_key, n=1, cutoff=0.7)
    return f"did you mean {by_key[near[0]]}? " if near else ""


def _key(name: str) -> str:
    return name[:200].casefold().replace("_", "-")
