"""Time minstyle beside PyTorch in the same run: ``python tools/bench.py [--sizes 512x384 ...] [--layers 512x384 ...]``.

The evaluation is loss and gradient of the document's recipe on VGG19 with random weights, on both sides the same
formulas. The two take turns and medians are compared; PyTorch keeps its maps contiguous or channels-last, whichever was
faster when it warmed up. Peak memory is that of a process of its own, with its inputs and weights.
``--write FILE`` puts what is printed into a Markdown file too.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bench_parts

from minstyle import RECIPES, Objective, __version__, build_objective, kernels
from minstyle.vgg import BLOCKS, Network
from minstyle.weightfile import Weights

CHANNELS = (64, 128, 256, 512, 512)
LAYOUTS = ("contiguous_format", "channels_last")
Run = Callable[[], Any]
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


def objective(images: list[np.ndarray]) -> Objective:
    return build_objective(images[0], [images[1]], RECIPES["document"], Network(random_vgg19()))


def ours(images: list[np.ndarray]) -> Run:
    function = objective(images)
    return lambda: function(images[2])


def pytorchs(images: list[np.ndarray], layout: str) -> Run:
    import torch

    from tests.torch_twin import Twin

    twin = Twin(random_vgg19(), "document", images[0], images[1], torch.float32, getattr(torch, layout))
    return lambda: twin(images[2])


def pictures(size: Size) -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.uniform(0, 255, (size[1], size[0], 3)).astype(np.float32) for _ in range(3)]


def seconds(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def in_turn(run: Run, others: dict[str, Run], times: int) -> tuple[float, float]:
    """Median seconds of ``run`` and of the fastest of the others, which take turns after one round to warm up."""
    run()
    warm = {name: (other(), seconds(other))[1] for name, other in others.items()}
    best = others[min(warm, key=lambda name: warm[name])]
    pairs = [(seconds(run), seconds(best)) for _ in range(times)]
    first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
    return first, second


def peak_memory(program: str, size: Size) -> float | None:
    """MB that a process needs at most which evaluates twice; None if it fails."""
    command = [sys.executable, __file__, "--sizes", name(size), "--memory-of", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout) if done.returncode == 0 else None


def evaluations(sizes: list[Size], times: int) -> list[str]:
    lines = ["| size | minstyle, s | PyTorch, s | ratio | us a pixel | minstyle, MB | PyTorch, MB | ratio |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    show(lines)
    for size in sizes:
        images = pictures(size)
        a, b = in_turn(ours(images), {layout: pytorchs(images, layout) for layout in LAYOUTS}, times)
        mine, theirs = peak_memory("minstyle", size), [peak_memory(layout, size) for layout in LAYOUTS]
        least = min((m for m in theirs if m is not None), default=None)
        memory = f"{mine:.0f} | {least:.0f} | {mine / least:.2f}" if mine and least else f"{mine} | fails | "
        row = f"| {name(size)} | {a:.2f} | {b:.2f} | {b / a:.2f} | {1e6 * a / (size[0] * size[1]):.1f} | {memory} |"
        lines.append(row)
        show([row])
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
            for direction, (run, others) in bench_parts.layer(height, width, cin, cout, i == 1, pooled).items():
                a, b = in_turn(run, others, times)
                lines.append(
                    f"| block{block}_conv{i} | {direction} | {1e3 * a:.1f} | {flop / a:.0f} | {1e3 * b:.1f} | "
                    f"{flop / b:.0f} | {b / a:.2f} |"
                )
                show(lines[-1:])
            cin = cout
            if (block, i) == (5, 2):
                return lines  # the last one that the recipe reads
        width, height = width // 2, height // 2
    return lines


def parts(size: Size, times: int) -> list[str]:
    """Where the time of an evaluation goes, how it falls with threads, and what its matrix products alone take."""
    images = pictures(size)
    run = ours(images)
    run()
    shares = bench_parts.shares(run, times)
    whole, limit = in_turn(run, {"products": bench_parts.products_alone(run)}, times)
    lines = [f"At {name(size)}: {whole:.2f} s an evaluation; its matrix products alone, by BLAS on all cores, "
             f"{limit:.2f} s: {whole / limit:.2f} times the limit. On one thread: "
             + ", ".join(f"{part} {100 * share:.0f} %" for part, share in shares.items()) + "."]  # fmt: skip
    inside, outside = bench_parts.optimiser(objective(images), images[2])
    lines.append(f"scipy's L-BFGS-B adds {outside:.3f} s to an evaluation of {inside:.2f} s.")
    for count in sorted({1, *(2**i for i in range(1, 8) if 2**i <= cores()), cores()}):
        with kernels.use_threads(count):
            run()
            lines.append(f"{count} thread(s): {statistics.median(seconds(run) for _ in range(times)):.2f} s.")
    show(lines)
    return ["  \n".join(lines)]


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
    parser.add_argument("--parts", nargs="*", type=parse_size, default=[], metavar="WxH", help="where the time goes")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--write", type=Path, metavar="FILE")
    parser.add_argument("--memory-of", choices=("minstyle", *LAYOUTS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        bench_parts.print_peak(lambda images: ours(images) if options.memory_of == "minstyle" else
                               pytorchs(images, options.memory_of), pictures(options.sizes[0]))  # fmt: skip
        return
    import torch

    torch.set_num_threads(options.threads)
    lines = [
        f"## {time.strftime('%Y-%m-%d')}, minstyle {__version__}, {options.threads} threads", "",
        f"`python tools/bench.py {' '.join(sys.argv[1:])}`  ",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}; medians of {options.times}. Ratios are PyTorch's time "
        "over minstyle's, and minstyle's memory over PyTorch's.", "", start_up(options.times), "",
    ]  # fmt: skip
    show(lines)
    with kernels.use_threads(options.threads):
        lines += [*evaluations(options.sizes, options.times), ""]
        for size in options.parts:
            lines += [*parts(size, options.times), ""]
        for size in options.layers:
            lines += [*layers(size, options.times), ""]
    if options.write:
        with open(options.write, "a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(lines))


if __name__ == "__main__":
    main()
