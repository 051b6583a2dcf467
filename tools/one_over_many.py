"""One picture over workers: ``python tools/one_over_many.py``, with ``--write FILE``.

Paints one picture in one process and over 2, 3 and 4 workers, in processes of their own, with as many bands everywhere;
compares the losses, counts the bytes that an evaluation sends, and times it, with the optimiser's step and a thread a
worker. What 16 machines would take is computed from that, and marked so. ``--namespaces`` gives each worker a network
of its own (as root).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from distributed import Client

from marked import Page
from minstyle.cluster.one_picture import Spreading, spread_over
from minstyle.engine.kernels import use_threads
from minstyle.images import load_image, resize
from minstyle.job.machine import Machine, Networks, load_networks
from minstyle.memory import peak
from minstyle.recipe.presets import RECIPES
from minstyle.recipe.recipe import Recipe
from minstyle.run.observer import Observer, Step
from minstyle.run.stylize import stylize

ROOT = Path(__file__).resolve().parents[1]
MACHINES, BYTES_A_SECOND, PORT = 16, 10e9 / 8, 8786
SKIPPED = 11  # evaluations before those that are measured: L-BFGS has all its pairs after them
LARGE = (6000, 8000)  # a picture of 48 megapixels


@dataclass(frozen=True)
class Found:
    """Of a number of workers: the losses of a run, what an evaluation with the optimiser's step takes and sends."""

    losses: np.ndarray
    seconds: float
    core: float  # seconds that the busiest process computes, whatever else the machine does
    images: float = 0.0  # bytes to workers, and from them, for the command's copy of the best
    rows: float = 0.0  # halo rows of maps and of the optimiser's vectors, between workers
    sums: float = 0.0  # statistics, gradients with respect to them, inner products, between workers
    wire: float = 0.0  # counted at the workers' interfaces, both ways
    memory: float = 0.0  # of the largest worker, at its peak


class Scheduler:
    """A scheduler and workers in processes of their own, each worker in a network namespace of its own if wanted."""

    def __init__(self, count: int, apart: bool, folder: str) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        self._count, self._apart, self._folder = count, apart, folder
        self._host = "10.77.0.254" if apart else "127.0.0.1"
        self.address = f"tcp://{self._host}:{PORT}"

    def __enter__(self) -> Scheduler:
        if self._apart:
            _ip("link", "add", "ms-bridge", "type", "bridge")
            _ip("addr", "add", f"{self._host}/24", "dev", "ms-bridge")
            _ip("link", "set", "ms-bridge", "up")
        self._start("scheduler", "--host", self._host, "--port", PORT, "--no-dashboard")
        self._wait()
        for number in range(self._count):
            inside, host = [], "127.0.0.1"
            if self._apart:
                host, inside = f"10.77.0.{number + 1}", ["ip", "netns", "exec", f"ms-{number}"]
                _ip("netns", "add", f"ms-{number}")
                _ip("link", "add", f"ms-{number}", "type", "veth", "peer", "name", "eth0", "netns", f"ms-{number}")
                _ip("link", "set", f"ms-{number}", "master", "ms-bridge", "up")
                for words in (["addr", "add", f"{host}/24", "dev", "eth0"], ["link", "set", "eth0", "up"],
                              ["link", "set", "lo", "up"]):  # fmt: skip
                    _ip("-n", f"ms-{number}", *words)
            self._start("worker", self.address, "--host", host, "--nthreads", 1, "--no-nanny", "--no-dashboard",
                        "--memory-limit", 0, "--local-directory", self._folder, inside=inside)  # fmt: skip
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(self._count, timeout=120)
        return self

    def __exit__(self, *ended: object) -> None:
        for process in self._running[::-1]:
            process.terminate()
            process.wait(30)
        if self._apart:
            for number in range(self._count):
                _ip("netns", "del", f"ms-{number}")
            _ip("link", "del", "ms-bridge")

    def on_the_wire(self) -> int:
        """Bytes that workers' interfaces have sent and received so far; 0 where they have none of their own."""
        if not self._apart:
            return 0
        found = [Path(f"/sys/class/net/ms-{number}/statistics/{way}_bytes").read_text()
                 for number in range(self._count) for way in ("rx", "tx")]  # fmt: skip
        return sum(map(int, found))

    def _wait(self) -> None:
        """Until the scheduler answers."""
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((self._host, PORT), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
            time.sleep(0.2)

    def _start(self, *words: object, inside: list[str] | None = None) -> None:
        command = [*(inside or []), sys.executable, "-m", "distributed.cli.dask_" + str(words[0]), *map(str, words[1:])]
        self._running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


class Meter(Observer):
    """Reads ``counters`` after each evaluation."""

    def __init__(self, counters: Callable[[], list[float]]) -> None:
        self._counters, self.found = counters, list[list[float]]()

    def step(self, step: Step) -> None:
        if not step.ends_round:
            self.found.append([time.perf_counter(), *self._counters()])

    def each(self) -> np.ndarray:
        """(evaluations, 1 + counters): the seconds of each, and by how much the counters grew in it."""
        return np.diff(np.array(self.found), axis=0)[SKIPPED:]


class Picture:
    """What is painted: a photograph of some shape, by a small painting, in so many bands."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.size, self.bands, self.evaluations = (options.height, options.width), options.bands, options.evaluations
        self.content = resize(load_image(ROOT / "examples" / "cat.jpg"), *self.size)
        self.style = resize(load_image(ROOT / "examples" / "swirls.jpg"), 256, 256)
        self.machine = Machine(options.network, device="cpu", threads=1)
        self.recipe: Recipe = dataclasses.replace(
            RECIPES["gram"], sizes=(max(self.size),), size_of="long", scales=1, rounds=1, draft="none",
            evaluations=(self.evaluations,), tolerance=0.0, style_fit="native", history=options.history,
        )  # fmt: skip
        self.networks: Networks = load_networks(self.machine, [self.recipe])

    def here(self) -> Found:
        """In this process."""
        meter = Meter(lambda: [time.process_time()])
        with use_threads(1):
            losses = self._painted(None, meter)
        seconds, core = meter.each().min(axis=0)
        return Found(losses, seconds, core)

    def over(self, count: int, apart: bool) -> Found:
        """Over so many workers."""
        with self._spread(count, apart) as (there, spread):

            def counters() -> list[float]:
                parts = spread.current
                assert parts is not None
                sent = parts.sent()
                return [parts.bytes, sent["rows"], sent["sums"], there.on_the_wire(),
                        *spread.on_workers(time.process_time)]  # fmt: skip

            meter = Meter(counters)
            losses = self._painted(spread, meter)
            each = meter.each()
            core = each[:, 5:].max(axis=1).min()
            return Found(losses, each[:, 0].min(), core, *each[:, 1:5].mean(axis=0), max(spread.on_workers(peak)))

    def held_by(self, count: int, apart: bool) -> list[int]:
        """Bytes at the peak of each worker, the largest first."""
        with self._spread(count, apart) as (_, spread):
            self._painted(spread)
            return sorted(spread.on_workers(peak), reverse=True)

    @contextlib.contextmanager
    def _spread(self, count: int, apart: bool) -> Iterator[tuple[Scheduler, Spreading]]:
        """So many workers, a thread for each."""
        with (
            tempfile.TemporaryDirectory() as folder,
            Scheduler(count, apart, folder) as there,
            spread_over(None, there.address, self.machine, self.networks, self.recipe) as spread,
            use_threads(1),
        ):
            yield there, spread

    def _painted(self, spread: Spreading | None, *observers: Observer) -> np.ndarray:
        """The losses of a run."""
        result = stylize(self.content, [self.style], self.recipe, network=self.networks.network, bands=self.bands,
                         spread=spread, observers=observers)  # fmt: skip
        return np.array([record.loss for record in result.history])


def computed(picture: Picture, found: dict[int, Found], size: tuple[int, int], count: int) -> float:
    """Seconds of an evaluation of a picture of ``size`` over so many machines of 10 Gb/s, as fast as this one's core.

    What is computed grows with the pixels, halo rows with the width; each border has one set of them, each machine but
    one sends and gets statistics. Statistics go through the first worker's connection.
    """
    pixels = size[0] * size[1] / (picture.size[0] * picture.size[1])
    halo, sums = found[2].rows / 2 * size[1] / picture.size[1], found[2].sums
    sent = 2 * halo + (count - 1) * sums
    of_network = sent / BYTES_A_SECOND if count > 1 else 0.0
    return float(pixels * found[1].core / count + of_network)


def table(picture: Picture, found: dict[int, Found]) -> list[str]:
    heads = ("", "seconds", "seconds of the busiest core", "image, MB", "halo rows, MB", "statistics, MB",
             "at the interfaces, MB", "a worker's memory, GB", "largest difference of the losses")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for count, now in found.items():
        name = "one process" if count == 1 else f"{count} workers"
        same = "" if count == 1 else f"{np.abs(now.losses / found[1].losses - 1).max():.1e}"
        sent = ["" if count == 1 else f"{value / 1e6:.1f}" for value in (now.images, now.rows, now.sums)]
        others = [f"{now.wire / 1e6:.1f}" if now.wire else "", f"{now.memory / 1e9:.2f}" if now.memory else "", same]
        cells = [f"{name}, measured", f"{now.seconds:.2f}", f"{now.core:.2f}", *sent, *others]
        lines.append(f"| {' | '.join(cells)} |")
    for size in (picture.size, LARGE):
        for count in (1, 4, MACHINES):
            seconds = computed(picture, found, size, count)
            name = f"{size[1]} x {size[0]}, {count} machine{'s' if count > 1 else ''}, computed"
            lines.append(f"| {name} | {seconds:.2f} |" + " |" * (len(heads) - 2))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("height", 1024), ("width", 256), ("bands", 4), ("evaluations", 20),
                        ("history", RECIPES["gram"].history)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N")
    parser.add_argument("--network", default="vgg19")
    parser.add_argument("--namespaces", action="store_true", help="a network namespace for each worker")
    parser.add_argument("--memory", action="store_true", help="only the peak of each of 4 workers")
    parser.add_argument("--write", metavar="FILE", help="a page with the marks one over many, or memory over 4 workers")
    options = parser.parse_args()
    page = (
        Page(options.write, "memory over 4 workers" if options.memory else "one over many") if options.write else None
    )
    os.environ["DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED"] = "False"
    picture = Picture(options)
    text = (
        "\n".join(_times(picture, options.namespaces)) if not options.memory else _memory(picture, options.namespaces)
    )
    print(text)
    if page is not None:
        page.write(text)


def _times(picture: Picture, apart: bool) -> list[str]:
    found = {1: picture.here()}
    for count in (2, 3, 4):
        found[count] = picture.over(count, apart)
        print(f"{count} workers: {found[count].seconds:.2f} s an evaluation", flush=True)
    return table(picture, found)


def _memory(picture: Picture, apart: bool) -> str:
    held = ", ".join(f"{bytes_ / 1e9:.2f}" for bytes_ in picture.held_by(4, apart))
    height, width = picture.size
    return (
        f"{width} x {height} pixels in {picture.bands} bands, {picture.evaluations} evaluations, L-BFGS of "
        f"{picture.recipe.history} pairs: at their peaks 4 workers held {held} GB, the command {peak() / 1e9:.2f} GB."
    )


if __name__ == "__main__":
    main()
