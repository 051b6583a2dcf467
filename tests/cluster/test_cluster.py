"""minstyle batch on a cluster: two workers in processes of their own, and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, LocalCluster

import minstyle.cluster.connection as connection
from minstyle.cluster.connection import ClusterError, check_folders
from minstyle.images import load_image, save_image
from minstyle.network.weightfile import write_weights
from minstyle.watch.interrupts import Interrupts
from minstyle.weights.locate import VARIABLE
from tests.support.batches import Bench
from tests.support.small import picture, random_weights
from tests.support.studio import Captured, told_in_one_line

pytestmark = pytest.mark.filterwarnings("default")  # what Dask and tornado remark on each other


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Two photographs by one painting, painted in this process."""
    return images(painted(Bench(tmp_path_factory.mktemp("here"))))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def by_x(bench: Bench, *words: object) -> int:
    """Two photographs by one painting."""
    return bench.run(bench.photos / "[ac]*.png", "--style", bench.paintings / "x.png", "--quiet", *words)


def painted(bench: Bench, *words: object) -> Bench:
    assert by_x(bench, *words) == 0
    return bench


def images(bench: Bench) -> dict[str, np.ndarray]:
    """What is in the folder but the sheet: nothing else is to be there."""
    return {name: load_image(bench.out / name) for name in bench.pictures()}


def check_same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    assert list(found) == list(expected)
    assert [name for name in found if not np.array_equal(found[name], expected[name])] == []


def test_processes_here_keep_their_memory_at_hand() -> None:
    """Dask's own setting has them give it back at once, and small pictures take a tenth longer."""
    with connection.local_cluster(1) as workers:
        asked = workers.client.run(os.environ.get, "MALLOC_TRIM_THRESHOLD_")
    assert list(asked.values()) == [os.environ.get("MALLOC_TRIM_THRESHOLD_")]


@pytest.mark.parametrize("results", ["files", "scheduler"])
def test_a_cluster_paints_the_same_pictures(
    bench: Bench, address: str, capsys: Captured, results: str, here: dict[str, np.ndarray]
) -> None:
    """A broken photograph among them, which is told by its name here."""
    (bench.photos / "c_half.png").write_bytes((bench.photos / "a.png").read_bytes()[:1500])
    words = ("--cluster", address, "--results", results)
    assert by_x(bench, *words) == 2
    line = capsys.readouterr().err.splitlines()[0]
    assert line.startswith(f"minstyle: c_half_x.png: {bench.photos / 'c_half.png'}: the picture cannot be read")
    (bench.photos / "c_half.png").unlink()
    before = bench.pictures()
    assert painted(bench, *words).pictures() == before, "and knows what is done"
    check_same(images(bench), here)


def test_an_interrupt_keeps_what_there_is(bench: Bench, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--recipe", "gram", "--evaluations", "30", "--cluster", address)
    with monkeypatch.context() as patched:

        def hold(self: Interrupts) -> None:
            timer = threading.Timer(0.5, lambda: setattr(self, "asked", signal.SIGINT))
            timer.daemon = True
            timer.start()

        patched.setattr(Interrupts, "hold", hold)
        assert by_x(bench, *words) == 130
    assert by_x(bench, *words) == 0
    assert list(bench.pictures()) == ["a_x.png", "c_x.png"]


def test_processes_of_this_machine_share_its_cores(bench: Bench, here: dict[str, np.ndarray]) -> None:
    check_same(images(painted(bench, "--workers", "2", "--threads", "2")), here)


def test_weights_that_a_worker_lacks_are_sent(
    bench: Bench, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The workers have a network "mini" too, which is another one."""
    (tmp_path / "weights").mkdir()
    write_weights(tmp_path / "weights" / "mini.h5", random_weights("vgg19", (2, 3, 3, 4, 4), seed=9))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "weights"))
    there = images(painted(bench, "--network", "mini", "--cluster", address, "--evaluations", "1"))
    bench.out = tmp_path / "again"
    check_same(images(painted(bench, "--network", "mini", "--evaluations", "1")), there)


def test_a_cluster_that_cannot_be_is_told_in_one_line(bench: Bench, capsys: Captured, address: str,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.setattr(connection, "_SECONDS", 1.0)

    def told(*words: Any) -> str:
        assert by_x(bench, *words) == 2
        return told_in_one_line(capsys)

    assert "no scheduler at tcp://127.0.0.1:9 (it does not answer)" in told("--cluster", "tcp://127.0.0.1:9")
    assert "no scheduler at nonsense://x" in told("--cluster", "nonsense://x")
    with LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", silence_logs=50) as empty:
        assert "has no worker: start one" in told("--cluster", empty.scheduler_address)
    monkeypatch.setattr(connection, "__version__", "9.9")
    assert "expected minstyle 9.9, as here, got" in told("--cluster", address)
    assert bench.pictures() == {}


def test_a_folder_that_workers_do_not_see_is_told(address: str, tmp_path: Path) -> None:
    save_image(picture(32, 40, 1), tmp_path / "here.png")
    with Client(address, set_as_default=False) as client:
        check_folders(client, tmp_path, [tmp_path / "here.png"])
        with pytest.raises(ClusterError, match=r"does not see .*gone\.png: share it .* --results scheduler"):
            check_folders(client, tmp_path, [tmp_path / "here.png", tmp_path / "gone.png"])


def kill_once(client: Client, stop: threading.Event, killed: list[int]) -> None:
    """Kill the process of a worker that is painting."""
    while not stop.is_set() and not killed:
        busy = [worker for worker, tasks in client.processing().items() if tasks]
        if busy:
            time.sleep(0.3)
            pids = client.run(os.getpid, workers=busy[:1], on_error="ignore")
            for pid in pids.values():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_worker_that_is_killed_loses_no_picture(bench: Bench, address: str) -> None:
    stop, killed = threading.Event(), list[int]()
    slow = ("--evaluations", "20", "--optimizer", "lbfgs")
    with Client(address, set_as_default=False) as client:
        killer = threading.Thread(target=kill_once, args=(client, stop, killed))
        killer.start()
        try:
            assert by_x(bench, *slow, "--cluster", address, "--results", "scheduler") == 0
        finally:
            stop.set()
            killer.join()
    assert len(killed) == 1
    assert list(bench.pictures()) == ["a_x.png", "c_x.png"]
