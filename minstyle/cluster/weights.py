"""The weights of a run, brought to workers that lack them, through files at the scheduler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from distributed import Client

from ..job.machine import Machine, Networks
from ..weights.checksums import digest
from .connection import ClusterError
from .store import Access, Store
from .worker import Weights, local_weights


def weights_there(
    client: Client, machine: Machine, networks: Networks, digest: Callable[[Path], str] = digest
) -> tuple[Weights, dict[str, Path]]:
    """The networks, and the files of them that some worker does not have, by their SHA-256."""
    paths = {"network": networks.path, **({"draft": networks.draft_path} if networks.draft_path else {})}
    files = {role: (path.stem if role == "draft" else _named(machine.network, path), digest(path))
             for role, path in paths.items()}  # fmt: skip
    sent = {}
    for role, (name, sum_of) in files.items():
        if not all(client.run(_has, name, sum_of, on_error="ignore").values()):
            sent[sum_of] = paths[role]
    return Weights(machine, files), sent


def begin_store(client: Client) -> None:
    """Have the scheduler keep files. Raises ClusterError where it has no minstyle."""
    try:
        client.register_plugin(Store())
    except Exception as error:
        why = " ".join(str(error).split())[:200]
        raise ClusterError(f"the scheduler cannot keep files ({why}): pip install minstyle there too") from error


def put(access: Access, files: Mapping[str, Path]) -> None:
    """Files, by their SHA-256, to the scheduler, if it does not have them."""
    for key in access.lacks(files) if files else ():
        access.put(key, files[key].read_bytes())


def _named(network: str, path: Path) -> str:
    """What to look for on a worker: the same path, or a network of the same name."""
    return path.stem if not Path(network).exists() else str(path.absolute())


def _has(name: str, sum_of: str) -> bool:
    return local_weights(name, sum_of) is not None
