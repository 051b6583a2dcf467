"""Suggestions for misspelt names."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ "did you mean gatys? ", to be put before the list of known names; "" where none is near.

    Upper and lower case, "-" and "_" count alike. Of names of several words a word will do: of "weight" those with it.
    """
    import difflib  # here: it is for errors only

    names = list(known)
    meant = {word: [other for other in names if word in _words(other)] for other in names for word in _words(other)}
    meant |= {_key(other): [other] for other in names}
    near = difflib.get_close_matches(_key(name), meant, n=1, cutoff=0.7)
    return f"did you mean {' or '.join(meant[near[0]][:4])}? " if near else ""


def meant(name: str, known: Iterable[str]) -> str:
    """ "did you mean gatys?", or where none is near "known are gatys, fine"."""
    names = list(known)
    return did_you_mean(name, names).strip() or f"known are {', '.join(names)}"


def _words(name: str) -> list[str]:
    return [word for word in _key(name).split("-") if len(word) > 3]


def _key(name: str) -> str:
    return name[:200].casefold().replace("_", "-").lstrip("-")
