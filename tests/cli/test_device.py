"""The command line with --device gpu: the pictures of the CPU, what it says, how it goes on, a process of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from minstyle.backend import Device, choose_device
from minstyle.cli.main import main
from minstyle.images import load_image, save_image
from minstyle.run.observer import Step
from minstyle.signals import StopAskedError
from minstyle.watch.interrupts import Interrupts
from tests.support import cupy_double, devices
from tests.support.cupy_double import LEDGER
from tests.support.studio import Captured, Studio

FINE = ["--recipe", "fine", "--size", "40", "--evaluations", "2"]
RARE = ["--style-loss", "wasserstein,histogram", "--style-layers", "block2_conv1", "--tv-loss", "tv_stencil"]


@pytest.mark.usefixtures("gpu")
@pytest.mark.parametrize("options", [FINE, RARE], ids=["fine", "rare losses"])
def test_the_picture_is_that_of_the_cpu(options: list[str], studio: Studio) -> None:
    """Within the last of 16 bits; by a mask."""
    masks = [studio.folder / f"{name}.png" for name in ("mask", "masks")]
    for path, (height, width) in zip(masks, ((32, 40), (40, 36)), strict=True):
        drawn = np.zeros((height, width, 3))
        drawn[:, width // 2 :] = 255
        save_image(drawn, path)
    pictures = []
    for device in ("cpu", "gpu"):
        studio.image(*options, "--mask", *masks, "--dtype", "float64", "--depth", "16", "--device", device)
        pictures.append(load_image(studio.out))
    on_cpu, on_device = pictures
    np.testing.assert_allclose(on_device, on_cpu, atol=1.01 / 257)
    assert (on_device == on_cpu).mean() > 0.99


def test_the_first_lines_name_the_card(gpu: Device, studio: Studio, capsys: Captured) -> None:
    assert studio.run("--device", "gpu", "--dtype", "float64") == 0
    assert f"minstyle: {gpu.note}\n" in capsys.readouterr().err


@pytest.mark.usefixtures("gpu")
def test_an_interrupted_run_goes_on_to_the_same_picture(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--device", "gpu", "--dtype", "float64", "--optimizer", "lbfgs", "--checkpoint", studio.folder / "state"]
    whole = studio.image(*options)

    def step(self: Interrupts, step: Step) -> None:
        if step.record.evaluation == 3:
            raise StopAskedError(2)

    with monkeypatch.context() as patch:
        patch.setattr(Interrupts, "step", step)
        assert studio.run("--quiet", *options) == 130
    assert studio.out.read_bytes() != whole
    assert main(["--resume", str(studio.folder / "state"), "--quiet"]) == 0
    assert studio.out.read_bytes() == whole


@pytest.mark.usefixtures("gpu")
def test_a_process_of_its_own_computes_there(studio: Studio) -> None:
    options = studio.arguments("--device", "gpu", "--dtype", "float64", "--evaluations", 2)
    command: list[Any] = [sys.executable, "-m", "minstyle", *options]
    run = subprocess.run(command, env=devices.environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert choose_device("gpu").note in run.stderr
    assert studio.out.is_file()


def test_a_device_that_fails_leaves_the_picture_so_far_and_the_run_goes_on_without_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """On the double: no device is broken by a test."""

    def step(self: Interrupts, step: Step) -> None:
        if step.record.evaluation == 2:
            LEDGER.fault = cupy_double.cupy.cuda.runtime.CUDARuntimeError("cudaErrorIllegalAddress: an illegal address")

    monkeypatch.setattr("minstyle.watch.checkpoints.SHARE", 1e9)  # a state at once, however slow the first ones are
    monkeypatch.setattr(LEDGER, "fault", None)
    monkeypatch.setattr(LEDGER, "lasting", True)
    monkeypatch.setattr(Interrupts, "step", step)
    with cupy_double.installed():
        assert (
            studio.run("--quiet", "--device", "gpu", "--dtype", "float64", "--checkpoint", studio.folder / "state") == 2
        )
    hint, line = capsys.readouterr().err.splitlines()
    assert "ended early: the GPU failed (CUDARuntimeError: cudaErrorIllegalAddress: an illegal address)" in line
    assert load_image(studio.out).shape == (32, 40, 3)
    assert hint == f"minstyle: to continue: minstyle --resume {studio.folder / 'state'}"
    LEDGER.fault = None
    assert main(["--resume", str(studio.folder / "state"), "--device", "cpu", "--quiet"]) == 0
    assert not list(studio.folder.glob("state*"))
