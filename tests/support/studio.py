"""The command line as its tests use it: a folder with two small pictures and a network, and how a run ends."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from minstyle.cli.main import main
from minstyle.images import load_image, save_image, save_picture
from minstyle.network.weightfile import write_weights
from tests.support.small import picture, random_weights

Captured = pytest.CaptureFixture[str]

SUMMARY = re.compile(
    r"(?P<path>.+): (?P<width>\d+) x (?P<height>\d+), (?P<word>painted|interrupted|ended early) (in|after) \d+\.\d s "
    r"\((?P<evaluations>\d+) evaluations\), loss(?: at this size)? "
    r"(?P<first>\S+) -> (?P<last>\S+) \(-(?P<fall>\d+\.\d) %\)\n"
)


def last_line(text: str) -> str:
    return text.splitlines(keepends=True)[-1]


class Studio:
    """A folder with two pictures, a small network and a place for the result, and the command line run in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.results = folder, folder / "results"
        self.content, self.style, self.network = folder / "photo.png", folder / "painting.png", folder / "net.h5"
        self.out, self.trace = self.results / "out.png", self.results / "run.jsonl"
        self.results.mkdir()
        save_image(picture(32, 40, 1), self.content)  # as high as --size, so that it is not resized
        save_image(picture(40, 36, 2), self.style)
        write_weights(self.network, random_weights("vgg19", (2, 3, 3, 4, 4)))

    def arguments(self, *options: object) -> list[str]:
        small = [
            "--recipe",
            "document",
            "--size",
            "32",
            "--rounds",
            "1",
            "--evaluations",
            "4",
            "--device",
            "cpu",
            "--network",
            self.network,
        ]
        return [str(part) for part in (self.content, self.style, self.out, *small, *options)]

    def run(self, *options: object) -> int:
        """The exit code. Options given here come last and so prevail."""
        try:
            return main(self.arguments(*options))
        except SystemExit as end:  # argparse's way to refuse
            return int(end.code or 0)

    def signalled(self, number: int, *options: object) -> subprocess.CompletedProcess[str]:
        """Run in a process of its own, which gets the signal after three evaluations."""
        command = [sys.executable, "-m", "minstyle", *self.arguments(*options, "--trace", self.trace)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.folder)
        try:
            end = time.monotonic() + 60
            while not (self.trace.is_file() and self.trace.read_text().count("\n") >= 3):
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < end
                time.sleep(0.02)
            process.send_signal(number)
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()
            process.communicate()
        return subprocess.CompletedProcess(command, process.returncode, out, error)

    def traced(self, *options: object) -> list[dict[str, Any]]:
        """Run, and give the records of the trace."""
        assert self.run("--quiet", "--trace", self.trace, *options) == 0
        return [json.loads(line) for line in self.trace.read_text().splitlines()]

    def image(self, *options: object) -> bytes:
        """Run, and give the bytes of the picture."""
        assert self.run("--quiet", *options) == 0
        return self.out.read_bytes()

    def painted(self, content: Path) -> np.ndarray:
        """The result, at 16 bits, of one evaluation that starts from a content file."""
        self.content = content
        self.image("--depth", "16", "--init", "content", "--evaluations", "1")
        return load_image(self.out)

    def plain(self, image: np.ndarray, opacity: np.ndarray | None = None, depth: int = 16) -> np.ndarray:
        """What is painted from a plain PNG of an image (H, W, 3), 0..255, with fractions of a level."""
        path = self.folder / "plain.png"
        save_picture(image, path, depth=depth, opacity=opacity)
        return self.painted(path)


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Within a part of a level: the same picture was painted."""
    np.testing.assert_allclose(found, expected, atol=0.25)


def told_in_one_line(capsys: Captured) -> str:
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert captured.out == ""
    assert line.startswith("minstyle: error: ")
    return line
