"""``minstyle batch`` as its tests use it: a folder of small photographs and paintings, and a small network."""

from __future__ import annotations

import re
from pathlib import Path

from minstyle.batch.main import command
from minstyle.front import run
from minstyle.images import save_image
from minstyle.network.weightfile import write_weights
from tests.support.small import picture, random_weights


class Bench:
    """Two photographs of one size, a larger one, and two paintings."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.network = folder, folder / "out", folder / "net.h5"
        self.photos, self.paintings = folder / "photos", folder / "paintings"
        for place in (self.photos, self.paintings):
            place.mkdir()
        for name, height in (("b", 44), ("a", 32), ("c", 32)):
            save_image(picture(height, 40, ord(name)), self.photos / f"{name}.png")
        for name in ("x", "y"):
            save_image(picture(40, 36, ord(name)), self.paintings / f"{name}.png")
        write_weights(self.network, random_weights("vgg19", (2, 3, 3, 4, 4)))

    def machine(self) -> list[str]:
        small = ("--recipe", "document", "--size", "original", "--rounds", 1, "--evaluations", 4, "--device", "cpu",
                 "--network", self.network)  # fmt: skip
        return [str(word) for word in small]

    def run(self, *words: object) -> int:
        """The exit code of ``minstyle batch`` with these words; options given here come last and so prevail."""
        try:
            return run("minstyle", lambda: command([*self.machine(), "--out", str(self.out), *map(str, words)]))
        except SystemExit as end:  # argparse's way to refuse
            return int(end.code or 0)

    def all(self, *options: object) -> int:
        """All photographs by all paintings."""
        return self.run(self.photos, "--style", self.paintings, *options)

    def pictures(self) -> dict[str, bytes]:
        """What was painted, by name."""
        return {path.name: path.read_bytes() for path in sorted(self.out.glob("*")) if "contact" not in path.name}


def words_of(text: str) -> str:
    """In one line, without the numbers of seconds."""
    return re.sub(r"\d+ s\b", "S", " ".join(text.split()))
