"""What the tests share: array libraries, small networks, pictures, the real VGG19."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import hypothesis
import numpy as np
import pytest

from minstyle.backend import Device
from minstyle.errors import WeightsError
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.fetch import fetch
from minstyle.weights.locate import find_weights
from tests.support import devices
from tests.support.small import random_weights

if TYPE_CHECKING:
    from tests.support.studio import Studio

ON_DEVICE = pytest.param(devices.NAME, marks=pytest.mark.gpu)

# How long an example takes says something of the machine and of what else it does.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(params=["numpy", ON_DEVICE])
def xp(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """NumPy; and CuPy, or where no GPU answers its double."""
    if request.param == "numpy":
        yield np
    else:
        with _device(request) as device:
            yield device.xp


@pytest.fixture(params=[ON_DEVICE])
def gpu(request: pytest.FixtureRequest) -> Iterator[Device]:
    """The GPU, or where none answers the double of CuPy in its place."""
    with _device(request) as device:
        yield device


@contextmanager
def _device(request: pytest.FixtureRequest) -> Iterator[Device]:
    request.node.user_properties.append(("device", devices.NAME))
    with devices.device() as device:
        yield device


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests of a device ran on, in a line."""
    counts = {
        outcome: sum(("device", devices.NAME) in getattr(report, "user_properties", ()) for report in reports)
        for outcome in ("passed", "failed", "error")
        if (reports := terminalreporter.getreports(outcome))
    }
    if any(counts.values()):
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items() if count)
        terminalreporter.write_line(f"tests of a device: {told}, on {devices.description()}")


@pytest.fixture(scope="session")
def tiny_weights() -> Weights:
    return random_weights("vgg19", (4, 6, 8, 10, 10))


@pytest.fixture(scope="session")
def tiny_network(tiny_weights: Weights) -> Network:
    return Network(tiny_weights, dtype=np.float64)


@pytest.fixture(scope="session")
def real_weights() -> Weights:
    """The real VGG19, as far as it comes with minstyle."""
    return read_weights(find_weights("vgg19"))


@pytest.fixture(scope="session")
def vgg16_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real VGG16: fetched once, as a user would; without a network connection, the installed file."""
    try:
        return fetch("vgg16", tmp_path_factory.mktemp("weights"))
    except WeightsError:
        return find_weights("vgg16")


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    from tests.support.studio import Studio  # it needs this file

    return Studio(tmp_path)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt and SIGHUP is not ignored, here and in processes started meanwhile.

    A shell that starts pytest in the background has SIGINT ignored, and nohup SIGHUP; Python and all its children would
    inherit that.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL) if hasattr(signal, "SIGHUP") else None
    yield
    signal.signal(signal.SIGINT, before)
    if hangup is not None:
        signal.signal(signal.SIGHUP, hangup)
