"""Where weights files are searched, and ``load_network``, which makes a network from the first that is found."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from ..backend import choose_device
from ..errors import WeightsError, require
from ..network.layers import BLOCKS
from ..network.vgg import Network
from ..suggest import did_you_mean

VARIABLE = "MINSTYLE_WEIGHTS"
AUTO = "vgg19"  # an installed one, else the one that comes with minstyle
SMALL = "mini"
EMBEDDED = (AUTO, SMALL)  # come with minstyle
NAMES = (*BLOCKS, SMALL)


def user_folder() -> Path:
    """The user's weights folder, into which ``fetch`` puts files."""
    return Path(platformdirs.user_data_dir("minstyle", appauthor=False)) / "weights"


def folders(weights_dir: str | Path | None = None) -> list[Path]:
    """The folders that are searched, in order.

    The one given, $MINSTYLE_WEIGHTS, the user's, the repository's weights/ (where pip put it, in an installation).
    Raises WeightsError where the one given is none.
    """
    found = [given_folder(weights_dir)] if weights_dir is not None else []
    if os.environ.get(VARIABLE):
        found.append(Path(os.environ[VARIABLE]))
    return [*found, user_folder(), embedded_folder()]


def embedded_folder() -> Path:
    """The folder of the weights that come with minstyle."""
    package = Path(__file__).resolve().parents[1]
    embedded = package / "embedded"  # there is none in a clone
    return embedded if embedded.is_dir() else package.parent / "weights"


def given_folder(path: str | Path) -> Path:
    """The folder of that path, in which somebody said that weights are. Raises WeightsError where there is none."""
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in it
        raise WeightsError(f"{path}: expected a folder with weights ({getattr(error, 'strerror', error)})") from error
    require(is_folder, f"{path}", "a folder with weights", "a file", WeightsError)
    return Path(path)


def first_file(names: Sequence[str], searched: Sequence[Path]) -> Path | None:
    """The file of the first of these networks that is in one of the folders, from the first that has it.

    Raises WeightsError for a folder that is closed; the user's own is then passed over.
    """
    files = (folder / f"{name}.h5" for name in names for folder in searched)
    return next((file for file in files if _is_file(file)), None)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:
        if file.parent == user_folder():  # a service's user may have a home that is closed to it, and needs none
            return False
        raise WeightsError(f"{file} cannot be accessed: {error.strerror or error}") from error


def find_weights(network: str, weights_dir: str | Path | None = None) -> Path:
    """The weights file of "vgg19", "vgg16", "mini", "auto" (vgg19), or of a path itself.

    A file that was installed comes before the one of that name that comes with minstyle.

    Raises WeightsError that says where it looked and how to get the file.
    """
    searched = folders(weights_dir)
    if network not in (*NAMES, "auto") and os.path.isfile(network):
        return Path(network)
    if network not in (*NAMES, "auto"):
        known = f"{did_you_mean(network, NAMES)}expected {', '.join(NAMES)}, auto or a weights file"
        raise WeightsError(f"unknown network {network!r}: {known}")
    name = AUTO if network == "auto" else network
    if (path := first_file((name,), searched)) is not None:
        return path
    places = ", ".join(map(str, searched))
    advice = f"python -m minstyle.weights fetch {name}"
    if name in EMBEDDED:
        advice = f"pip install (they come with minstyle); in a clone: git checkout weights/{name}.h5"
    raise WeightsError(f"no weights of {name} in {places}. Get them with: {advice}")


def load_network(
    network: str = "auto",
    *,
    weights_dir: str | Path | None = None,
    device: str = "auto",
    dtype: Any = np.float32,
    precision: str | None = None,
) -> Network:
    """The network of that name or file on a device ("auto", "cpu", "gpu"), in float32 or float64.

    ``precision``: how a GPU multiplies float32, see ``Network``. Raises WeightsError, DeviceError.
    """
    from ..network.weightfile import read_weights  # here, since it brings h5py

    path = find_weights(network, weights_dir)
    return Network(read_weights(path), choose_device(device), dtype, precision)
