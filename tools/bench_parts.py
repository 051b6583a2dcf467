"""What ``bench.py`` measures of an evaluation's parts: single layers, shares of the time, products alone, memory."""

from __future__ import annotations

import heapq
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from minstyle.engine import kernels
from minstyle.engine.kernels.cpu import few_channels, grams, products, threads, winograd
from minstyle.optimize.lbfgs import lbfgs
from minstyle.optimize.pyramid import PYRAMID
from minstyle.optimize.scipy_lbfgs import scipy_lbfgs

Run = Callable[[], Any]

# What an evaluation spends its time on. Products inside the first layer and the Gram matrices count as theirs.
PARTS = {
    "transforms": [(winograd, "transform_input"), (winograd, "transform_output")],
    "products": [(winograd, "multiply")],
    "Gram matrices": [(grams, "gram"), (grams, "add_product")],
    "first layer": [(few_channels, "convolve_few_to_many"), (few_channels, "convolve_many_to_few")],
}


def layer(
    height: int, width: int, cin: int, cout: int, kept: bool, pooled: bool
) -> dict[str, tuple[Run, dict[str, Run]]]:
    """Convolution with bias and ReLU (and max pooling), and the gradient to its input: ours, PyTorch's by layout."""
    import torch
    from torch.nn import functional

    generator = np.random.default_rng(2)
    x = generator.standard_normal((height, width, cin), dtype=np.float32)
    array = generator.standard_normal((3, 3, cin, cout), dtype=np.float32)
    kernel, bias, arena = kernels.Kernel(array), np.zeros(cout, dtype=np.float32), kernels.Arena()

    def forward() -> Any:
        with arena.use():
            if pooled:
                return kernels.convolve_relu_pool(x, kernel, bias)
            return kernels.convolve_relu(x, kernel, bias, kept)

    y, mask = forward()
    g = generator.standard_normal(y.shape, dtype=np.float32)

    def backward() -> None:
        with arena.use():
            kernels.input_gradient(g, kernel, mask)

    theirs: tuple[dict[str, Run], dict[str, Run]] = ({}, {})
    for layout in (torch.contiguous_format, torch.channels_last):
        k = torch.from_numpy(array.transpose(3, 2, 0, 1).copy()).contiguous(memory_format=layout)
        xt, gt = (torch.from_numpy(a.transpose(2, 0, 1).copy())[None].contiguous(memory_format=layout) for a in (x, g))

        def torch_forward(x: Any, k: Any = k) -> Any:
            y = functional.relu_(functional.conv2d(x, k, torch.from_numpy(bias), padding=1))
            return functional.max_pool2d(y, 2) if pooled else y

        leaf = xt.clone().requires_grad_()
        out = torch_forward(leaf)
        theirs[0][str(layout)] = lambda xt=xt, f=torch_forward: f(xt)
        theirs[1][str(layout)] = lambda out=out, leaf=leaf, gt=gt: torch.autograd.grad(out, leaf, gt, retain_graph=True)
    return {"forward": (forward, theirs[0]), "gradient": (backward, theirs[1])}


@contextmanager
def watched(places: list[tuple[Any, str]], watch: Callable[..., Any]) -> Iterator[None]:
    """Within, ``watch(function, *arguments)`` is called in place of each function (module, name)."""
    originals = [getattr(module, name) for module, name in places]
    try:
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, lambda *a, original=original, **k: watch(original, *a, **k))
        yield
    finally:
        for (module, name), original in zip(places, originals, strict=True):
            setattr(module, name, original)


def shares(run: Run, times: int) -> dict[str, float]:
    """The part of an evaluation's time, on one thread, that each of PARTS takes."""
    spent: dict[str, float] = defaultdict(float)

    def measure(part: str, places: list[tuple[Any, str]]) -> None:
        def watch(function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **settings)
            finally:
                spent[part] += time.perf_counter() - start

        with watched(places, watch):
            start = time.perf_counter()
            for _ in range(times):
                run()
            spent["whole " + part] += time.perf_counter() - start

    with kernels.use_threads(1):
        for part, places in PARTS.items():
            measure(part, places)
    found = {part: spent[part] / spent["whole " + part] for part in PARTS}
    return {**found, "the rest": 1 - sum(found.values())}


def scaling(run: Run, times: int, counts: tuple[int, ...] = (2, 8)) -> dict[int, float]:
    """How much faster than on one thread an evaluation could be on each of ``counts`` threads, as it is cut into tasks.

    Each task is timed on one thread, by the processor's time, so that other work on the machine matters little; then
    the tasks of each list are dealt to the threads in their order, and handing them out is taken to cost nothing.
    """
    rounds: list[tuple[float, list[list[float]]]] = []

    def watch(function: Callable[..., Any], do: Callable[..., None], tasks: Any) -> None:
        rounds[-1][1].append([])

        def timed(*arguments: Any) -> None:
            start = time.process_time()
            do(*arguments)
            rounds[-1][1][-1].append(time.process_time() - start)

        function(timed, tasks)

    with kernels.use_threads(1), watched([(threads, "run")], watch):
        for _ in range(times):
            rounds.append((time.process_time(), []))
            run()
            rounds[-1] = (time.process_time() - rounds[-1][0], rounds[-1][1])
    lists = [[min(task) for task in zip(*of_rounds, strict=True)]
             for of_rounds in zip(*(lists for _, lists in rounds), strict=True)]  # fmt: skip
    work = sum(map(sum, lists))
    outside = min(whole - sum(map(sum, lists)) for whole, lists in rounds)
    return {n: (outside + work) / (outside + sum(_dealt(tasks, n) for tasks in lists)) for n in counts}


def _dealt(tasks: list[float], count: int) -> float:
    """When the last of ``count`` threads is done, each taking the next task as soon as it is free."""
    busy = [0.0] * count
    for task in tasks:
        heapq.heapreplace(busy, busy[0] + task)
    return max(busy)


def products_alone(run: Run) -> Run:
    """Only the matrix products of an evaluation: like shapes together, as long as they can be, all cores for BLAS."""
    rows: dict[tuple[int, ...], int] = defaultdict(int)  # (products side by side, inner, columns) -> rows

    def winograds(function: Callable[..., Any], v: np.ndarray, kernel: np.ndarray, m: np.ndarray) -> Any:
        rows[(36, *kernel.shape[-2:])] += int(np.prod(v.shape[:-1]))  # of one product of 36, or of all
        return function(v, kernel, m)

    def others(function: Callable[..., Any], a: np.ndarray, b: np.ndarray, *rest: Any) -> Any:
        rows[(1, *b.shape)] += len(a)
        return function(a, b, *rest)

    watches = watched([(winograd, "multiply")], winograds), watched([(products, "multiply")], others)
    with kernels.use_threads(1), watches[0], watches[1]:
        run()
    generator, calls = np.random.default_rng(0), []
    for (count, inner, columns), total in rows.items():
        length = total // count
        piece = min(length, max((1 << 25) // (count * max(inner, columns)), 1))
        a, b = (generator.standard_normal((count, *s), dtype=np.float32) for s in ((piece, inner), (inner, columns)))
        calls.append((a, b, np.empty((count, piece, columns), dtype=np.float32), length))

    def multiply() -> None:
        for a, b, out, length in calls:
            for start in range(0, length, a.shape[1]):
                part = slice(0, min(a.shape[1], length - start))
                np.matmul(a[:, part], b, out=out[:, part])
                if b.shape[:2] == (1, b.shape[2]):  # the Gram matrix itself, beside its gradient
                    np.matmul(a[0, part].T, a[0, part])
                elif len(b) == 1:  # the gradient of the first layer, without the bias
                    np.matmul(b[0, :-1], out[0, part].T)

    return multiply


def optimisers(objective: Callable[[np.ndarray], tuple[float, np.ndarray]], image: np.ndarray) -> dict[str, float]:
    """Seconds that scipy's L-BFGS-B and ours, each with 10 pairs, add to an evaluation; and the evaluation's own."""
    found: dict[str, float] = {}
    inside = 0.0

    def timed(x: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal inside
        start = time.perf_counter()
        result = objective(x)
        inside += time.perf_counter() - start
        return result

    for name, run in {
        "scipy's L-BFGS-B": lambda: scipy_lbfgs(timed, image, history=10, factr=0, pgtol=0, evaluations=20),
        "ours": lambda: lbfgs(timed, image, history=10, preconditioner=PYRAMID, evaluations=20),
    }.items():
        inside, start = 0.0, time.perf_counter()
        count = run().evaluations
        found[name] = (time.perf_counter() - start - inside) / count
        found["an evaluation"] = inside / count
    return found


def print_peak(make: Callable[[list[np.ndarray]], Run], images: list[np.ndarray]) -> None:
    """The most memory that this process has held after two evaluations, in MB."""
    run = make(images)
    run()
    run()
    try:  # what getrusage tells begins with the memory of the process that started this one
        status = Path("/proc/self/status").read_text()
        print(int(status.partition("VmHWM:")[2].split()[0]) / (1 << 10))
    except OSError:
        units = 1 << 20 if sys.platform == "darwin" else 1 << 10  # bytes, or kilobytes
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / units)
