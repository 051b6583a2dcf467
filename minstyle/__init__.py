"""minstyle: paint a photograph in the style of a painting, with NumPy or CuPy and nothing else that computes.

network = minstyle.load_network("vgg19")
content, style = minstyle.load_image("photo.jpg"), minstyle.load_image("painting.jpg")
result = minstyle.stylize(content, [style], minstyle.RECIPES["document"], network=network)
minstyle.save_image(result.image, "out.png")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__ as __version__

if TYPE_CHECKING:
    from .library import *  # noqa: F403


def __getattr__(name: str) -> Any:
    """A name of the library, which is imported when the first is asked for: the command line begins with less."""
    return getattr(import_module(".library", __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *__getattr__("__all__")]
