"""Sheets for judges who do not know which way painted what, and the count of their votes.

    python tools/blind_judges.py sheets --pictures FOLDER --out DIR [--ways fine johnson crowson] [--size 256]
    python tools/blind_judges.py votes --out DIR judge1.txt judge2.txt

DIR is that of ``pairs_table.py``, with its pictures. ``sheets`` writes a sheet for each pair, blind_NUMBER.png:
photograph, painting and the ways' pictures by letters, in an order drawn for each pair; and key.json, which is not for
judges. A judge's file has a line for each sheet: its number and the letters from the best to the least, as in
``7 B A C``. ``votes`` prints a Markdown table of the places.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

from minstyle import load_image, save_image
from minstyle.images.grid import grid
from pairs_table import Pair, picture_of, read_pairs

LETTERS = "ABCDEFGH"


def sheets(pairs: list[Pair], out: Path, ways: list[str], size: int, seed: int) -> None:
    """Of the pairs that all ways have painted."""
    drawn, key = random.Random(seed), {}
    painted = [pair for pair in pairs if all(picture_of(pair, way, out, size).exists() for way in ways)]
    for number, pair in enumerate(painted, 1):
        order = drawn.sample(ways, len(ways))
        shown = [("photograph", load_image(pair.content)), ("painting", load_image(pair.style))]
        shown += [
            (letter, load_image(picture_of(pair, way, out, size))) for letter, way in zip(LETTERS, order, strict=False)
        ]
        save_image(grid(shown, height=512), out / f"blind_{number}.png")
        key[str(number)] = {"pair": pair.name, "ways": dict(zip(LETTERS, order, strict=False))}
    (out / "key.json").write_text(json.dumps(key, indent=1))


def votes(out: Path, files: list[Path]) -> str:
    """A table: each pair's ways from the best to the least, by each judge; and how often each was the best."""
    key = json.loads((out / "key.json").read_text())
    heads = [path.stem for path in files]
    read = [dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if line.strip()) for path in files]
    lines = [f"| pair | {' | '.join(heads)} |", "|" + "---|" * (len(files) + 1)]
    best: list[list[str]] = [[] for _ in files]
    for number, sheet in key.items():
        cells = []
        for given, firsts in zip(read, best, strict=True):
            order = [sheet["ways"][letter] for letter in given[number].split()]
            if sorted(order) != sorted(sheet["ways"].values()):
                raise SystemExit(
                    f"sheet {number}: expected each of {' '.join(sheet['ways'])} once, got {given[number]!r}"
                )
            cells.append(", ".join(order))
            firsts.append(order[0])
        lines.append(f"| {sheet['pair']} | {' | '.join(cells)} |")
    counts = [", ".join(f"{way} {firsts.count(way)}" for way in sorted(set(firsts))) for firsts in best]
    lines.append(f"| **best of {len(key)}** | {' | '.join(counts)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    drawing, counting = commands.add_parser("sheets"), commands.add_parser("votes")
    drawing.add_argument("--pictures", type=Path, required=True)
    drawing.add_argument("--ways", nargs="+", default=["fine", "johnson", "crowson"])
    drawing.add_argument("--size", type=int, default=256)
    drawing.add_argument("--seed", type=int, default=0)
    counting.add_argument("files", type=Path, nargs="+")
    for command in (drawing, counting):
        command.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if options.command == "votes":
        print(votes(options.out, options.files))
    else:
        sheets(read_pairs(options.pictures), options.out, options.ways, options.size, options.seed)


if __name__ == "__main__":
    main()
