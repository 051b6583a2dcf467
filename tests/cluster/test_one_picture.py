"""One picture on two workers, in processes of their own: the single process's picture, whatever becomes of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client

import minstyle.cluster.connection as connection
import minstyle.cluster.in_parts as in_parts
import minstyle.run.kept as kept
import minstyle.watch.checkpoints as checkpoints
from minstyle.cli.main import main
from minstyle.cluster.in_parts import InParts
from minstyle.cluster.round import Evaluated
from minstyle.images import load_image, save_image
from minstyle.network.weightfile import write_weights
from minstyle.weights.locate import VARIABLE
from tests.support.small import picture, random_weights
from tests.support.studio import Captured, Studio, told_in_one_line

pytestmark = pytest.mark.filterwarnings("default")  # what Dask and tornado remark on each other

WORDS = ("--recipe", "gatys", "--size", "original", "--evaluations", "20", "--bands", "2")


FEW = ("--evaluations", "8")


def high(folder: Path) -> Studio:
    """With a photograph high enough for two parts."""
    studio = Studio(folder)
    save_image(picture(512, 32, 1), studio.content)
    return studio


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return high(tmp_path)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """(the losses of a single process, its picture)"""
    studio = high(tmp_path_factory.mktemp("alone"))
    return losses(studio), load_image(studio.out)


def losses(studio: Studio, *words: object) -> np.ndarray:
    return np.array([record["loss"] for record in studio.traced(*WORDS, *words)])


def test_it_is_the_picture_of_a_single_process(
    studio: Studio, address: str, alone: tuple[np.ndarray, np.ndarray]
) -> None:
    together = losses(studio, "--cluster", address)
    assert len(together) >= 20
    np.testing.assert_allclose(together, alone[0], rtol=1e-6)
    assert np.array_equal(load_image(studio.out), alone[1])


def kill_at(evaluation: int, client: Client, monkeypatch: pytest.MonkeyPatch, first: int = 1) -> list[InParts]:
    """Kill workers, from the ``first``, in the middle of an evaluation. Returns a list that will have the objective."""
    asked, found = InParts._all, list[InParts]()

    def killing(self: InParts, calls: list[Any]) -> list[Any]:
        answers = asked(self, calls)
        if isinstance(answers[0], Evaluated):
            found.append(self)
            if len(found) == evaluation:
                for pid in client.run(os.getpid, workers=self._addresses[first:]).values():
                    threading.Timer(0.005, os.kill, (pid, signal.SIGKILL)).start()
        return answers

    monkeypatch.setattr(InParts, "_all", killing)
    return found


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_worker_that_is_killed_ends_nothing(
    studio: Studio, address: str, monkeypatch: pytest.MonkeyPatch, alone: tuple[np.ndarray, np.ndarray]
) -> None:
    with Client(address, set_as_default=False) as client:
        found = kill_at(3, client, monkeypatch)
        together = losses(studio, *FEW, "--cluster", address)
    assert len({id(parts) for parts in found}) == 2, "on others, once"
    np.testing.assert_allclose(together, alone[0][: len(together)], rtol=1e-6)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_from_a_checkpoint_it_goes_on_without_a_worker_that_is_killed(
    studio: Studio, address: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured,
    alone: tuple[np.ndarray, np.ndarray],
) -> None:  # fmt: skip
    """A checkpoint, whose arrays come from the workers, is written after each iteration here."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    words = ("--trace", studio.trace, "--checkpoint", studio.folder / "kept", "--cluster", address)
    with Client(address, set_as_default=False) as client:
        found = kill_at(5, client, monkeypatch)
        assert studio.run(*WORDS, *FEW, *words) == 0
    assert "minstyle: a worker was lost: the run goes on from evaluation 4\n" in capsys.readouterr().err
    assert len({id(parts) for parts in found}) == 2
    records = [json.loads(line) for line in studio.trace.read_text().splitlines()]
    assert [record["evaluation"] for record in records] == list(range(1, len(records) + 1)), "each once"
    np.testing.assert_allclose([record["loss"] for record in records], alone[0][: len(records)], rtol=1e-6)


def test_the_image_comes_back_for_what_needs_it_only(
    studio: Studio, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent once, and comes back as the copy of the first, as the last and as the best one."""
    monkeypatch.setattr(kept, "SECONDS", 1e9)
    made, begin = list[InParts](), InParts._begin
    monkeypatch.setattr(InParts, "_begin", lambda self: (made.append(self), begin(self)))
    losses(studio, *FEW, "--cluster", address)
    assert [parts.bytes for parts in made] == [4 * 512 * 32 * 3 * 4]


@pytest.mark.parametrize("optimizer", ["adam", "scipy"])
def test_other_optimisers(studio: Studio, address: str, optimizer: str) -> None:
    """Adam is on the workers, with what it knows from round to round; scipy's L-BFGS-B is here."""
    words = ("--optimizer", optimizer, "--rounds", "2", "--evaluations", "2")
    np.testing.assert_allclose(losses(studio, *words, "--cluster", address), losses(studio, *words), rtol=1e-6)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_without_any_worker_left_it_ends_and_can_be_resumed(
    studio: Studio, address: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch,
    alone: tuple[np.ndarray, np.ndarray],
) -> None:  # fmt: skip
    words = ("--checkpoint", studio.folder / "kept", "--trace", studio.trace)
    with Client(address, set_as_default=False) as client, monkeypatch.context() as patched:
        patched.setattr(in_parts, "_NONE_LEFT", 0.0)
        kill_at(3, client, patched, first=0)
        assert studio.run("--quiet", *WORDS, *FEW, *words, "--cluster", address) == 2
    assert "ended early: no worker is left, and none came" in capsys.readouterr().err
    assert studio.out.exists()
    assert main(["--quiet", "--resume", str(studio.folder / "kept"), "--trace", str(studio.trace)]) == 0
    found = [json.loads(line)["loss"] for line in studio.trace.read_text().splitlines()]
    assert len(found) >= 8
    np.testing.assert_allclose(found, alone[0][: len(found)], rtol=1e-6)


def test_weights_that_a_worker_lacks_are_sent(
    studio: Studio, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The workers have a network "mini" too, which is another one."""
    (tmp_path / "weights").mkdir()
    write_weights(tmp_path / "weights" / "mini.h5", random_weights("vgg19", (2, 3, 3, 4, 4), seed=9))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "weights"))
    words = ("--network", "mini", "--evaluations", "2")
    np.testing.assert_allclose(losses(studio, *words, "--cluster", address), losses(studio, *words), rtol=1e-6)


def test_what_cannot_be_is_told_in_one_line(
    studio: Studio, address: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(*words: str) -> str:
        capsys.readouterr()
        assert studio.run(*WORDS, "--quiet", *words) == 2
        assert not studio.out.exists()
        return told_in_one_line(capsys)

    monkeypatch.setattr(connection, "_SECONDS", 1.0)
    assert "no scheduler at tcp://127.0.0.1:9 (it does not answer)" in told("--cluster", "tcp://127.0.0.1:9")
    assert "histogram at block" in told("--cluster", address, "--style-loss", "histogram")
    assert "--compare: expected no option of a single run, got --cluster" in told(
        "--compare", "fine,johnson", "--cluster", address
    )
    monkeypatch.setattr(connection, "__version__", "9.9")
    assert "expected minstyle 9.9, as here, got" in told("--cluster", address)


def test_a_small_picture_is_painted_here(
    studio: Studio, address: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(InParts, "_begin")
    save_image(picture(64, 40, 1), studio.content)
    assert studio.run(*WORDS[:-2], "--evaluations", "1", "--cluster", address) == 0
    assert "minstyle: parts of the picture are painted by 2 workers" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_from_a_terminal_reaches_all_processes_and_keeps_the_picture(studio: Studio) -> None:
    words = studio.arguments(*WORDS, "--evaluations", "100000", "--workers", "2", "--trace", studio.trace)
    running = subprocess.Popen([sys.executable, "-m", "minstyle", *words], stderr=subprocess.PIPE, text=True,
                               cwd=Path(__file__).parents[2], start_new_session=True)  # fmt: skip
    try:
        end = time.monotonic() + 180
        while not (studio.trace.is_file() and studio.trace.read_text().count("\n") >= 3):
            assert running.poll() is None, running.communicate()[1]
            assert time.monotonic() < end
            time.sleep(0.02)
        os.killpg(running.pid, signal.SIGINT)
        _, error = running.communicate(timeout=180)
    finally:
        running.kill()
        running.communicate()
    assert (running.returncode, "Traceback" in error) == (130, False)
    assert studio.out.exists()
