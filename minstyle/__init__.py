"""minstyle: paint a photograph in the style of a painting, with NumPy or CuPy and nothing else that computes.

result = minstyle.stylize("photo.jpg", "painting.jpg", size=512, progress=True)
result.save("out.png")
"""

from importlib import import_module
from sys import modules
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .library import *  # noqa: F403 (for type checkers: the names stand in library.py alone)


def __getattr__(name: str) -> Any:
    """A name of the library, which is imported when the first is asked for: the command line begins with less.

    Or one of the package's folders and files.
    """
    library = import_module(".library", __name__)
    if name == "__all__" or name in library.__all__:
        return getattr(library, name)
    if name.isidentifier() and not name.startswith("_"):
        try:
            return import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":  # one that it needs is missing
                raise
    # With these Python says which name may have been meant.
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=modules[__name__])


def __dir__() -> list[str]:
    return [*globals(), *import_module(".library", __name__).__all__]
