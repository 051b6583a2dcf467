"""Getting weights in: where they are, from which formats, from where."""

from .convert import convert
from .fetch import fetch
from .locate import find_weights, load_network

__all__ = ["convert", "fetch", "find_weights", "load_network"]
