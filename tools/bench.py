"""Time minstyle beside PyTorch in the same run: ``python tools/bench.py [--sizes 512x384 ...] [--layers 512x384 ...]``.

The evaluation is loss and gradient of the document's recipe on VGG19 with random weights, on both sides the same
formulas. The two take turns, and ratios are medians of the turns' ratios; PyTorch keeps its maps contiguous or
channels-last, whichever has the lower median. Peak memory is that of a process of its own, with its inputs and weights.
``--files`` times the loading of large picture files instead. ``--write FILE`` puts what is printed into a Markdown file
too.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench_files
import bench_gpu
import bench_parts
import bench_peer
from minstyle import RECIPES, Objective, __version__, build_objective
from minstyle.engine import kernels
from minstyle.network.layers import BLOCKS, CHANNELS
from minstyle.network.vgg import Network
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.locate import find_weights

LAYOUTS = ("contiguous_format", "channels_last")
Run = Callable[[], Any]
Function = Callable[[np.ndarray], tuple[float, np.ndarray]]
Size = tuple[int, int]  # width, height


def random_vgg19() -> Weights:
    """VGG19 at full width; times do not depend on the values."""
    generator, layers, cin = np.random.default_rng(0), {}, 3
    for block, (count, cout) in enumerate(zip(BLOCKS["vgg19"], CHANNELS, strict=True), start=1):
        for i in range(1, count + 1):
            kernel = generator.standard_normal((3, 3, cin, cout), dtype=np.float32) * np.float32(np.sqrt(2 / (9 * cin)))
            layers[f"block{block}_conv{i}"] = (kernel, np.zeros(cout, dtype=np.float32))
            cin = cout
    return Weights("vgg19", (123.68, 116.779, 103.939), (1.0, 1.0, 1.0), "BGR", layers, source="random")


def objective(
    images: list[np.ndarray], dtype: Any = np.float32, recipe: str = "document", weights: Weights | None = None
) -> Objective:
    network = Network(weights or random_vgg19(), dtype=dtype)
    return build_objective(images[0], [images[1]], RECIPES[recipe], network)


def ours(images: list[np.ndarray]) -> Run:
    function = objective(images)
    return lambda: function(images[2])


def twin(images: list[np.ndarray], layout: str, dtype: str = "float32") -> Function:
    import torch

    from torch_twin.programs import Document

    kind = {"dtype": getattr(torch, dtype), "layout": getattr(torch, layout)}
    return Document(random_vgg19(), images[0], [images[1]], **kind)


def pytorchs(images: list[np.ndarray], layout: str) -> Run:
    function = twin(images, layout)
    return lambda: function(images[2])


def pictures(size: Size) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.uniform(0, 255, (size[1], size[0], 3)).astype(np.float32) for _ in range(3)]


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turn(run: Run, others: dict[str, Run], times: int) -> tuple[float, float, float]:
    """Median seconds of ``run``, of the best of the others, and the median of the second over the first.

    All take turns after one round to warm up. An other that fails is left out; without any the last two are NaN.
    """
    run()
    able = {}
    for label, other in others.items():
        try:
            other()
            able[label] = other
        except (RuntimeError, MemoryError) as error:
            print(f"{label} fails: {error}", file=sys.stderr)
    rounds = [(seconds(run), {label: seconds(other) for label, other in able.items()}) for _ in range(times)]
    mine = statistics.median(first for first, _ in rounds)
    if not able:
        return mine, float("nan"), float("nan")
    best = min(able, key=lambda label: statistics.median(other[label] for _, other in rounds))
    pairs = [(first, other[best]) for first, other in rounds]
    return mine, statistics.median(b for _, b in pairs), statistics.median(b / a for a, b in pairs)


def peak_memory(program: str, size: Size, threads: int) -> float:
    """MB that a process needs at most which evaluates twice; NaN if it fails."""
    command = [sys.executable, __file__, "--sizes", name(size), "--memory-of", program, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{program} at {name(size)} fails: {done.stderr[-500:]}", file=sys.stderr)
        return float("nan")
    return float(done.stdout)


def evaluations(sizes: list[Size], times: int, threads: int) -> list[str]:
    lines = ["| size | minstyle, s | PyTorch, s | ratio | us a pixel | minstyle, MB | PyTorch, MB | ratio |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    show(lines)
    for size in sizes:
        images = pictures(size)
        a, b, ratio = in_turn(ours(images), {layout: pytorchs(images, layout) for layout in LAYOUTS}, times)
        mine, *theirs = (peak_memory(program, size, threads) for program in ("minstyle", *LAYOUTS))
        least = float(np.fmin(*theirs))
        row = (
            f"| {name(size)} | {a:.2f} | {b:.2f} | {ratio:.2f} | {1e6 * a / (size[0] * size[1]):.1f} | "
            f"{mine:.0f} | {least:.0f} | {mine / least:.2f} |"
        )
        lines.append(row)
        show([row])
    return lines


def small_network(size: Size, times: int) -> list[str]:
    """An evaluation with the network that comes with minstyle, and with VGG19."""
    lines = [f"The small network at {name(size)}, beside VGG19:", "", "| recipe | mini, s | VGG19, s | ratio |",
             "|---|---|---|---|"]  # fmt: skip
    images, mini = pictures(size), read_weights(find_weights("mini"))
    for recipe in ("document", "gatys", "gram"):
        small, full = objective(images, recipe=recipe, weights=mini), objective(images, recipe=recipe)
        a, b, ratio = in_turn(lambda f=small: f(images[2]), {"VGG19": lambda f=full: f(images[2])}, times)
        lines.append(f"| {recipe} | {a:.3f} | {b:.3f} | {ratio:.2f} |")
    show(lines)
    return lines


def layers(size: Size, times: int) -> list[str]:
    lines = [f"Layers at {name(size)}: convolution, bias and ReLU, with pooling where it follows; the gradient.", "",
             "| layer | direction | minstyle, ms | GFLOP/s | PyTorch, ms | GFLOP/s | ratio |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    show(lines)
    cin, (width, height) = 3, size
    for block, (count, cout) in enumerate(zip(BLOCKS["vgg19"], CHANNELS, strict=True), start=1):
        for i in range(1, count + 1):
            pooled, flop = i == count and block < 5, 2 * 9 * cin * cout * width * height / 1e9
            for direction, (run, others) in bench_parts.layer(height, width, cin, cout, i == 1 < block, pooled).items():
                a, b, ratio = in_turn(run, others, times)
                lines.append(
                    f"| block{block}_conv{i} | {direction} | {1e3 * a:.1f} | {flop / a:.0f} | {1e3 * b:.1f} | "
                    f"{flop / b:.0f} | {ratio:.2f} |"
                )
                show(lines[-1:])
            cin = cout
            if (block, i) == (5, 2):
                return lines  # the last one that the recipe reads
        width, height = width // 2, height // 2
    return lines


def parts(size: Size, times: int, threads: int) -> list[str]:
    """Where the time of an evaluation goes, how it falls with threads, what its matrix products alone take."""
    images = pictures(size)
    run = ours(images)
    run()
    shares = bench_parts.shares(run, times)
    with threadpool_limits(threads):
        whole, limit, ratio = in_turn(run, {"products": bench_parts.products_alone(run)}, times)
    added = bench_parts.optimisers(objective(images), images[2])
    lines = [
        f"At {name(size)}: {whole:.2f} s an evaluation; its matrix products alone, by BLAS, {limit:.2f} s: "
        f"{1 / ratio:.2f} times the limit. On one thread: "
        + ", ".join(f"{part} {100 * share:.0f} %" for part, share in shares.items())
        + ".",
        "As it is cut into tasks it could be "
        + ", ".join(f"{gain:.2f} times as fast on {n} threads" for n, gain in bench_parts.scaling(run, times).items())
        + ".",
        "An optimiser's own time, in seconds: " + ", ".join(f"{name} {took:.3f}" for name, took in added.items()) + ".",
    ]
    for count in sorted({1, *(2**i for i in range(1, 8) if 2**i <= cores()), cores()}):
        with kernels.use_threads(count):
            run()
            lines.append(f"{count} thread(s): {statistics.median(seconds(run) for _ in range(times)):.2f} s.")
    mine = rounding(lambda dtype: objective(images, dtype), images[2])
    theirs = rounding(lambda dtype: twin(images, LAYOUTS[0], dtype.__name__), images[2])
    lines.append(
        f"The gradient in float32 differs from that in float64 by {mine:.1e} of its norm, PyTorch's by {theirs:.1e}: "
        "where an activation is 0 to rounding, ReLU may fall on either side."
    )
    show(lines)
    return ["  \n".join(lines)]


def rounding(make: Callable[[Any], Function], image: np.ndarray) -> float:
    """Relative distance of the gradient in float32 from that in float64."""
    single, double = (make(dtype)(image)[1] for dtype in (np.float32, np.float64))
    return float(np.linalg.norm(single - double) / np.linalg.norm(double))


def start_up(times: int) -> str:
    def median(*arguments: str) -> float:
        def start() -> None:
            subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

        return statistics.median(seconds(start) for _ in range(times))

    return (
        f"`python -m minstyle --help` takes {median('-m', 'minstyle', '--help'):.2f} s, "
        f"`import minstyle` {median('-c', 'import minstyle'):.2f} s, Python alone {median('-c', 'pass'):.2f} s."
    )


def show(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)


def name(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def parse_size(text: str) -> Size:
    width, height = text.split("x")
    return int(width), int(height)


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", type=parse_size, default=[(256, 256), (512, 384)], metavar="WxH")
    parser.add_argument("--layers", nargs="*", type=parse_size, default=[], metavar="WxH", help="each convolution too")
    parser.add_argument("--mini", nargs="*", type=parse_size, default=[], metavar="WxH", help="the small network too")
    parser.add_argument("--parts", nargs="*", type=parse_size, default=[], metavar="WxH", help="where the time goes")
    parser.add_argument(
        "--files", action="store_true", help="large picture files: loading times and peak memory, alone"
    )
    parser.add_argument("--peer", type=int, nargs="*", default=[], metavar="N",
                        help="a run beside a PyTorch program's, to equal loss; N pixels")  # fmt: skip
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="gpu: squares of the sizes' widths there"
    )
    parser.add_argument("--largest", action="store_true", help="with --device gpu: the largest square too")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--memory-of", choices=("minstyle", *LAYOUTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of == "minstyle":  # PyTorch is not even imported
        with kernels.use_threads(options.threads):
            bench_parts.print_peak(ours, pictures(options.sizes[0]))
        return
    if options.device == "gpu" or options.files:
        lines = []
        if options.device == "gpu":
            found = bench_gpu.lines([width for width, _ in options.sizes], options.times, options.largest)
        else:  # without PyTorch too
            found = bench_files.lines(options.times)
        for line in found:
            show([line])
            lines.append(line)
        write(lines, options.write)
        return
    import torch

    torch.set_num_threads(options.threads)
    if options.memory_of:
        bench_parts.print_peak(lambda images: pytorchs(images, options.memory_of), pictures(options.sizes[0]))
        return
    lines = [
        f"## {time.strftime('%Y-%m-%d')}, minstyle {__version__}, {options.threads} threads", "",
        f"`python tools/bench.py {' '.join(sys.argv[1:])}`  ",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}; medians of {options.times}. Ratios are PyTorch's time "
        "over minstyle's, and minstyle's memory over PyTorch's.", "", start_up(options.times), "",
    ]  # fmt: skip
    show(lines)
    with kernels.use_threads(options.threads):
        lines += [*evaluations(options.sizes, options.times, options.threads), ""]
        for size in options.peer:
            found = bench_peer.lines(size, 100)
            show(found)
            lines += [*found, ""]
        for size in options.mini:
            lines += [*small_network(size, options.times), ""]
        for size in options.parts:
            lines += [*parts(size, options.times, options.threads), ""]
        for size in options.layers:
            lines += [*layers(size, options.times), ""]
    write(lines, options.write)


def write(lines: list[str], path: Path | None) -> None:
    if path is not None:
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
