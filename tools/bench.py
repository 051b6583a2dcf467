"""Time minstyle beside PyTorch in the same run: ``python tools/bench.py [--sizes 256x256 512x384] [--layers]``.

Prints the whole evaluation (loss and gradient of the document's recipe on VGG19 with random weights) and, with
--layers, each convolution forward and backward. The two take turns; medians; PyTorch with contiguous and channels-last
tensors, whichever is faster. ``--write FILE`` appends the tables to a Markdown file.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minstyle import RECIPES, __version__, build_objective, kernels
from minstyle.vgg import BLOCKS, Network
from minstyle.weightfile import Weights

CHANNELS = (64, 128, 256, 512, 512)
Run = Callable[[], Any]


def random_vgg19() -> Weights:
    """VGG19 at full width; times do not depend on the values."""
    generator, layers, cin = np.random.default_rng(0), {}, 3
    for block, (count, cout) in enumerate(zip(BLOCKS["vgg19"], CHANNELS, strict=True), start=1):
        for i in range(1, count + 1):
            kernel = generator.standard_normal((3, 3, cin, cout), dtype=np.float32) * np.float32(np.sqrt(2 / (9 * cin)))
            layers[f"block{block}_conv{i}"] = (kernel, np.zeros(cout, dtype=np.float32))
            cin = cout
    return Weights("vgg19", (123.68, 116.779, 103.939), (1.0, 1.0, 1.0), "BGR", layers, source="random")


def in_turn(runs: dict[str, Run], times: int) -> dict[str, float]:
    """Median seconds of each run; they take turns, so that a busy machine is as busy for all."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if turn > 0:  # the first is to warm up
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def torch_evaluation(weights: Weights, images: list[np.ndarray], channels_last: bool) -> Run:
    """The document's objective in PyTorch, without the total variation (a thousandth of the work)."""
    import torch
    from torch.nn import functional

    layout = torch.channels_last if channels_last else torch.contiguous_format
    pairs = [
        (torch.from_numpy(k.transpose(3, 2, 0, 1).copy()).contiguous(memory_format=layout), torch.from_numpy(b))
        for k, b in weights.layers.values()
    ]
    names = list(weights.layers)
    wanted = ["block1_conv1", "block2_conv1", "block3_conv1", "block4_conv1", "block5_conv1", "block5_conv2"]

    def features(x: Any) -> dict[str, Any]:
        found = {}
        for name, (kernel, bias) in zip(names, pairs, strict=True):
            if name.endswith("conv1") and not name.startswith("block1"):
                x = functional.max_pool2d(x, 2)
            x = functional.relu(functional.conv2d(x, kernel, bias, padding=1))
            found[name] = x
            if name == wanted[-1]:
                return {name: found[name] for name in wanted}
        raise AssertionError

    def gram(f: Any) -> Any:
        flat = f[0].reshape(f.shape[1], -1)
        return flat @ flat.T

    def tensor(image: np.ndarray) -> Any:
        return torch.from_numpy(image.transpose(2, 0, 1).copy())[None].contiguous(memory_format=layout)

    with torch.no_grad():
        content, style = (features(tensor(image)) for image in images[:2])
        grams = {name: gram(style[name]) for name in wanted[:-1]}

    def run() -> None:
        x = tensor(images[2]).requires_grad_()
        f = features(x)
        loss = ((f[wanted[-1]] - content[wanted[-1]]) ** 2).sum()
        for name in wanted[:-1]:
            loss = loss + ((gram(f[name]) - grams[name]) ** 2).sum()
        loss.backward()

    return run


def evaluations(sizes: list[tuple[int, int]], times: int) -> list[str]:
    weights = random_vgg19()
    network = Network(weights)
    lines = ["| size | minstyle, s | PyTorch, s | PyTorch / minstyle |", "|---|---|---|---|"]
    for width, height in sizes:
        generator = np.random.default_rng(1)
        images = [generator.uniform(0, 255, (height, width, 3)).astype(np.float32) for _ in range(3)]
        objective = build_objective(images[0], [images[1]], RECIPES["document"], network)
        runs: dict[str, Run] = {"minstyle": lambda o=objective, x=images[2]: o(x)}
        runs |= {f"torch {last}": torch_evaluation(weights, images, last) for last in (False, True)}
        found = in_turn(runs, times)
        torch = min(value for name, value in found.items() if name != "minstyle")
        row = f"| {width}x{height} | {found['minstyle']:.2f} | {torch:.2f} | {torch / found['minstyle']:.2f} |"
        lines.append(row)
        print(row, flush=True)
    return lines


def layers(size: tuple[int, int], times: int) -> list[str]:
    lines = ["| layer | direction | minstyle, ms | PyTorch, ms | PyTorch / minstyle |", "|---|---|---|---|---|"]
    cin, (width, height) = 3, size
    for block, cout in enumerate(CHANNELS, start=1):
        for name, channels in ((f"block{block}_conv1", cin), (f"block{block}_conv2", cout)):
            for direction, runs in layer_runs(height, width, channels, cout).items():
                found = in_turn(runs, times)
                torch = min(value for key, value in found.items() if key != "minstyle")
                ours = found["minstyle"]
                row = f"| {name} | {direction} | {1e3 * ours:.1f} | {1e3 * torch:.1f} | {torch / ours:.2f} |"
                lines.append(row)
                print(row, flush=True)
        cin, width, height = cout, width // 2, height // 2
    return lines


def layer_runs(height: int, width: int, cin: int, cout: int) -> dict[str, dict[str, Run]]:
    """Forward (with bias and ReLU) and input gradient of one convolution, ours and PyTorch's in both layouts."""
    import torch

    generator = np.random.default_rng(2)
    x, g = (generator.standard_normal((height, width, c), dtype=np.float32) for c in (cin, cout))
    array = generator.standard_normal((3, 3, cin, cout), dtype=np.float32)
    kernel, bias = kernels.Kernel(array), np.zeros(cout, dtype=np.float32)
    forward: dict[str, Run] = {"minstyle": lambda: kernels.convolve_relu(x, kernel, bias)}
    backward: dict[str, Run] = {"minstyle": lambda: kernels.input_gradient(g, kernel)}
    for layout in (torch.contiguous_format, torch.channels_last):
        xt, gt = (torch.from_numpy(a.transpose(2, 0, 1).copy())[None].contiguous(memory_format=layout) for a in (x, g))
        kt = torch.from_numpy(array.transpose(3, 2, 0, 1).copy()).contiguous(memory_format=layout)
        bt = torch.from_numpy(bias)
        forward[str(layout)] = lambda xt=xt, kt=kt, bt=bt: torch.relu_(torch.conv2d(xt, kt, bt, padding=1))
        backward[str(layout)] = lambda xt=xt, kt=kt, gt=gt: torch.nn.grad.conv2d_input(xt.shape, kt, gt, padding=1)
    return {"forward": forward, "input gradient": backward}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["256x256", "512x384"], metavar="WxH")
    parser.add_argument("--layers", action="store_true", help="each convolution too, at the first size")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    import torch

    torch.set_num_threads(options.threads)
    sizes = [(int(w), int(h)) for w, h in (size.split("x") for size in options.sizes)]
    lines = [
        f"## {time.strftime('%Y-%m-%d')}, minstyle {__version__}, {options.threads} threads",
        "",
        f"`python tools/bench.py {' '.join(sys.argv[1:])}`  ",
        f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, PyTorch {torch.__version__}; medians of {options.times}.",
        "",
    ]
    with kernels.use_threads(options.threads):
        lines += [*evaluations(sizes, options.times), ""]
        if options.layers:
            lines += [*layers(sizes[0], options.times), ""]
    if options.write:
        with open(options.write, "a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
