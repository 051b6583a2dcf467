"""Which network computes a job, where and how precisely; and the networks, loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import WeightsError
from ..network.vgg import Network
from ..recipe.recipe import Recipe
from ..run.stages import draft_network, needs_draft
from ..weights.locate import find_weights, load_network


@dataclass(frozen=True)
class Machine:
    """``network`` is a name or a weights file, looked for in ``weights_dir`` first; ``threads`` None: all cores.

    ``precision``: see ``Network``.
    """

    network: str = "auto"
    weights_dir: Path | None = None
    device: str = "auto"
    threads: int | None = None
    dtype: str = "float32"
    precision: str | None = None


@dataclass(frozen=True)
class Networks:
    """The network of a job, the file that it was read from, and the network of the draft where a recipe wants one."""

    network: Network
    path: Path
    draft: Network | None = None
    draft_path: Path | None = None

    def description(self, recipe: Recipe) -> str:
        """What computes a run of ``recipe``, in a line."""
        network = self.network
        name = f"small network in place of {network.name}" if network.small else network.name
        text = f"{name} from {self.path}, recipe {recipe.name}, {network.dtype}, {network.device.name}"
        if needs_draft(recipe, network):
            text += f", draft by {draft_network(recipe)}"
        if network.small:
            text += f". For the pictures of {network.name} itself: --network {network.name}"
        return text


def weights_files(machine: Machine, recipes: Iterable[Recipe]) -> list[Path]:
    """The files that ``load_networks`` may read, as far as they are there."""
    names = {draft_network(recipe) for recipe in recipes if recipe.draft != "none"}
    places = [(machine.network, machine.weights_dir), *((name, None) for name in sorted(names))]
    found = []
    for name, folder in places:
        with contextlib.suppress(WeightsError):
            found.append(find_weights(name, folder))
    return found


def load_networks(machine: Machine, recipes: Iterable[Recipe]) -> Networks:
    """The machine's network, and what ``recipes`` draft with. Raises WeightsError, DeviceError."""
    path = find_weights(machine.network, machine.weights_dir)
    network = load_network(str(path), device=machine.device, dtype=machine.dtype, precision=machine.precision)
    return Networks(network, path, *load_draft(network, recipes))


def load_draft(network: Network, recipes: Iterable[Recipe]) -> tuple[Network | None, Path | None]:
    """What ``recipes`` draft with beside ``network``, and its file; None where they do not. Raises WeightsError."""
    drafts = {draft_network(recipe) for recipe in recipes if needs_draft(recipe, network)}
    if not drafts:
        return None, None
    path = find_weights(drafts.pop())
    device, precision = network.device.name, network.precision
    return load_network(str(path), device=device, dtype=network.dtype, precision=precision), path
