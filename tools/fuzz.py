"""Damaged files for every parser: ``python tools/fuzz.py [--executions 1000000] [--parsers NAME ...] [--write FILE]``.

Good files are changed at random (bits, bytes, numbers, pieces cut, doubled, exchanged) and read, in a process of its
own for each parser, which may take 500 MB more than it has after its imports, and 5 s of the processor an execution.
Each has to be read, or refused by the parser's own error in one line. Checkpoints have checksums, which would stop
every change at the door: half of them are changed inside and packed again. What goes wrong is kept in ``--keep``, and
told with its number.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import gc
import io
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from marked import add_write
from minstyle import RECIPES, Recipe, RunState, load_picture, load_state, save_picture, save_state, stylize
from minstyle.errors import CheckpointError, ImageError, MinstyleError, RecipeError, WeightsError
from minstyle.job.changes import change_recipe
from minstyle.job.checkpoint import find_kept
from minstyle.job.recipefile import recipe_of_picture
from minstyle.network.codes import Codes
from minstyle.network.vgg import Network
from minstyle.network.weightfile import read_weights, write_weights
from minstyle.run.statefile import write_state
from minstyle.weights.convert import read_any
from minstyle.weights.formats import FORMATS
from minstyle.weights.quantise import quantise
from tests.support.small import picture, random_weights

SECONDS, MEGABYTES = 5, 500
ZIPPED = ("PyTorch zip", "NumPy .npz")
NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"99999999999999999999", b"null", b"[]", b'"a"', b"\0", b"\xff\xff\xff\xff")


def change(data: bytes, generator: random.Random) -> bytes:
    """The bytes with one to eight changes."""
    made = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 4, 8))):
        if not made:
            break
        place, other = generator.randrange(len(made)), generator.randrange(len(made))
        length = min(generator.choice((1, 2, 4, 16, 256)), len(made) - place)
        kind = generator.randrange(6)
        if kind == 0:
            made[place] ^= 1 << generator.randrange(8)
        elif kind == 1:
            made[place] = generator.choice((0, 1, 127, 128, 255, generator.randrange(256)))
        elif kind == 2:
            del made[place : place + length]
        elif kind == 3:
            made[other:other] = made[place : place + length]
        elif kind == 4:
            made[place : place + length] = generator.choice(NUMBERS)
        else:
            made[place : place + length] = made[other : other + length]
    return bytes(made)


def change_inside(data: bytes, generator: random.Random) -> bytes:
    """An archive with one of its records changed, and its checksums right."""
    if generator.random() < 0.5:
        return change(data, generator)

    def changed(record: bytes) -> bytes:
        head, body = record[:128], record[128:]
        if generator.random() < 0.3:
            return change(record, generator)
        return head + change(body, generator)[: len(body)].ljust(len(body))  # of the length that the header says

    return packed_again(
        data, lambda names: "text.npy" if generator.random() < 0.5 else generator.choice(names), changed
    )


def packed_again(data: bytes, choose: Callable[[list[str]], str], changed: Callable[[bytes], bytes]) -> bytes:
    """The archive with the record that ``choose`` takes of its names changed, and its checksums right."""
    packed, records = io.BytesIO(), records_of(data)
    with zipfile.ZipFile(packed, "w") as new:
        chosen = choose(list(records))
        for name, record in records.items():
            new.writestr(zipfile.ZipInfo(name), changed(record) if name == chosen else record)
    return packed.getvalue()


@functools.cache
def records_of(data: bytes) -> dict[str, bytes]:
    """The records of an archive by name, unpacked."""
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        return {name: zipped.read(name) for name in zipped.namelist()}


def change_record(data: bytes, generator: random.Random) -> bytes:
    """An archive with something in one of its records changed, and its checksums right; or changed like any file."""
    if generator.random() < 0.3:
        return change(data, generator)

    def choose(names: list[str]) -> str:
        described = [name for name in names if name.endswith("/data.pkl")]  # of PyTorch: what all the others are
        return generator.choice(described or names) if generator.random() < 0.7 else generator.choice(names)

    return packed_again(data, choose, lambda record: change(record, generator))


def states(folder: Path) -> list[Path]:
    """Checkpoints in the middle of rounds of L-BFGS and of Adam, and between two rounds."""
    network, paths = Network(random_weights("vgg19", (2, 2, 2, 2, 2))), []
    for name, settings in (("lbfgs", {"history": 2}), ("adam", {"averaging": 0.5}), ("scipy", {})):
        recipe = change_recipe(RECIPES["document"], {}, {}, {"optimizer": name, "sizes": (32,), "rounds": 2,
                                                            "evaluations": (4,), **settings})  # fmt: skip
        state = RunState()
        stylize(picture(32, 32), [picture(32, 32, 1)], recipe, network=network, state=state)
        state.stage, state.round = 0, 1
        paths.append(folder / f"{name}.state")
        save_state(state, paths[-1])
        about = {"minstyle": "0", "recipe": json.loads(recipe.to_json()), "sha256": {"content": "0", "network": "1"},
                 "paths": {"content": "a", "style 1": "b", "network": "c"}, "out": "no such folder/d.png",
                 "dtype": "float32", "device": "cpu", "threads": 1, "depth": None, "quality": 95,
                 "keep_metadata": False, "save_every": None}  # fmt: skip
        write_state(state, paths[-1], about)
    return paths


def pictures(folder: Path, suffix: str) -> list[Path]:
    paths = [folder / f"{depth}{suffix}" for depth in (8, 16)]
    for path, depth in zip(paths, (8, 16), strict=True):
        given: dict[str, Any] = {"opacity": np.full((20, 24), 0.5, np.float32)} if suffix in (".png", ".tif") else {}
        save_picture(picture(20, 24), path, text={"minstyle": RECIPES["fine"].to_json()}, depth=depth, **given)
    return paths


def weights(folder: Path) -> list[Path]:
    """The first layers of a network: of numbers; and of codes, with a projection."""
    made = random_weights("vgg19", (2, 2, 2, 2, 2), through=3)
    codes = {name: Codes(*quantise(kernel, 3)) for name, (kernel, _) in made.layers.items()}
    projections = {"block1_conv2": np.eye(2, 4, dtype=np.float32)}
    layers = {name: (codes[name].decode(), bias) for name, (_, bias) in made.layers.items()}
    coded = dataclasses.replace(made, layers=layers, codes=codes, projections=projections)
    paths = [folder / "numbers.h5", folder / "codes.h5"]
    for path, kind in zip(paths, (made, coded), strict=True):
        write_weights(path, kind)
    return paths


def foreign(folder: Path, name: str) -> list[Path]:
    """Weights files of that format, as other programs write them."""
    from tests.support.foreign_files import EACH_FORMAT  # here: it brings those programs' libraries

    kinds = [kind for kind in EACH_FORMAT if kind.format == name]
    made = random_weights("vgg16", (2, 2, 2, 2, 2))
    return [kind.write(folder / f"{number}.bin", made) for number, kind in enumerate(kinds)]


def recipes(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.json" for name in RECIPES]
    for path, recipe in zip(paths, RECIPES.values(), strict=True):
        path.write_text(recipe.to_json())
    return paths


def read_recipe(path: Path) -> Recipe:
    return Recipe.from_json(path.read_bytes().decode("utf-8", "replace"))


Parser = tuple[Callable[[Path], object], tuple[type[MinstyleError], ...], Callable[[Path], list[Path]], Any]
PARSERS: dict[str, Parser] = {
    "checkpoint": (load_state, (CheckpointError,), states, change_inside),
    "checkpoint's job": (find_kept, (CheckpointError,), states, change_inside),
    "recipe": (read_recipe, (RecipeError,), recipes, change),
    "weights": (read_weights, (WeightsError,), weights, change),
    **{f"weights: {kind.name}": (read_any, (WeightsError,), functools.partial(foreign, name=kind.name),
                                 change_record if kind.name in ZIPPED else change) for kind in FORMATS},
    **{f"picture{suffix}": (load_picture, (ImageError,), functools.partial(pictures, suffix=suffix), change)
       for suffix in (".png", ".jpg", ".tif", ".webp")},
    "recipe in a picture": (recipe_of_picture, (ImageError, RecipeError), functools.partial(pictures, suffix=".png"),
                            change),
}  # fmt: skip


def work(name: str, first: int, last: int, keep: Path, good: list[Path]) -> None:
    """Executions from ``first`` to before ``last``, in this process, which dies where one takes too much.

    The file "done" beside the good files says how far it has come.
    """
    done, read_count, slowest = os.open(good[0].with_name("done"), os.O_WRONLY | os.O_CREAT), 0, 0.0

    def tell(number: int) -> None:
        os.pwrite(done, f"[{number}, {read_count}, {slowest}]".ljust(80).encode(), 0)

    tell(first)
    read, errors, _, mutate = PARSERS[name]
    contents = [(path.read_bytes(), path.suffix) for path in good]
    for path in good:
        read(path)
    gc.freeze()  # what was imported is no garbage, and need not be looked through again and again
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEGABYTES * 10**6,) * 2)
    for number in range(first, last):
        generator = random.Random(f"{name} {number}")
        data, suffix = generator.choice(contents)
        case = good[0].with_name(f"case{suffix}")
        case.write_bytes(mutate(data, generator))
        tell(number)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        signal.setitimer(signal.ITIMER_REAL, 3 * SECONDS)
        began, wrong = time.process_time(), ""
        try:
            read(case)
            read_count += 1
        except errors as error:
            text = str(error)
            wrong = "" if len(text.splitlines()) == 1 and len(text) < 2000 else f"refused with {text[:200]!r}"
        except Exception as error:
            wrong = f"raised {error!r}"
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        slowest = max(slowest, time.process_time() - began)
        if wrong:
            (keep / f"{name.replace(' ', '_')}_{number}{suffix}").write_bytes(case.read_bytes())
            os.write(1, f"wrong {number}: {wrong[:300]}\n".encode())
    tell(last)


def fuzz(name: str, count: int, keep: Path) -> str:
    """A row of the table."""
    began, wrong, read, slowest = time.perf_counter(), list[str](), 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        good = PARSERS[name][2](Path(folder))  # here: what writes foreign files is large, and slow to start
        assert good, f"no good file for {name}"
        first = 0
        while first < count:  # after an execution of which it died, a new process goes on
            command = [sys.executable, __file__, "--work", name, *map(str, (first, count, keep, *good))]
            run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
            wrong += run.stdout.splitlines()
            first, more, took = json.loads(Path(folder, "done").read_text())
            read, slowest = read + more, max(slowest, took)
            if run.returncode != 0:
                wrong.append(f"wrong {first}: died with {run.returncode}")
                first += 1
    for line in wrong:
        print(f"{name}: {line}", flush=True)
    return (f"| {name} | {count:,} | {count - read - len(wrong):,} | {read:,} | {len(wrong)} | {slowest:.2f} s "
            f"| {time.perf_counter() - began:.0f} s |")  # fmt: skip


def main() -> None:
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]), list(map(Path, sys.argv[6:])))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--executions", type=int, default=1_000_000, help="over all parsers")
    parser.add_argument("--parsers", nargs="+", default=list(PARSERS), choices=list(PARSERS))
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()))
    add_write(parser, "fuzz")
    options = parser.parse_args()
    lines = ["| parser | executions | refused in one line | read | wrong | slowest | in all |", "|" + "---|" * 7]
    for name in options.parsers:
        lines.append(fuzz(name, math.ceil(options.executions / len(options.parsers)), options.keep))
        print(lines[-1], flush=True)
    if options.write:
        options.write.write("\n".join(lines))


if __name__ == "__main__":
    main()
