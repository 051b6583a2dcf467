"""A damaged length in a small file asks for gigabytes: it is cut at the file's end before any memory is taken."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tifffile

from minstyle import save_picture
from minstyle.recipe.presets import RECIPES
from tests.support.small import picture

CODE = """
import resource, sys
from pathlib import Path
from minstyle import load_picture
from minstyle.job.recipefile import recipe_of_picture
import imagecodecs, tifffile
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 500_000_000,) * 2)
print(recipe_of_picture(Path(sys.argv[1])).name)
load_picture(sys.argv[1])
print("read")
"""


def with_a_large_chunk(path: Path) -> None:
    """Of pixels; and another chunk is broken, so that the file is put together anew."""
    data = path.read_bytes()
    pixels = data.index(b"IDAT")
    broken = struct.pack(">I", 3) + b"tIMEabc" + bytes(4)
    path.write_bytes(data[: pixels - 4] + broken + struct.pack(">I", 0x7FFFFFF0) + data[pixels:])


def with_a_large_strip(path: Path) -> None:
    with tifffile.TiffFile(path) as tiff:
        tag = tiff.pages[0].tags["StripByteCounts"]
        place = tag.offset + 8 if tag.count == 1 else tag.valueoffset
    data = bytearray(path.read_bytes())
    data[place : place + 4] = struct.pack("<I", 0xF0000000)
    if tag.count == 1:
        data[tag.offset + 2 : tag.offset + 4] = struct.pack("<H", 4)
    path.write_bytes(data)


@pytest.mark.skipif(sys.platform != "linux", reason="its limit is Linux's")
@pytest.mark.parametrize(("name", "damage"), [("a.png", with_a_large_chunk), ("a.tif", with_a_large_strip)])
def test_a_length_is_cut_at_the_files_end(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    path = tmp_path / name
    save_picture(picture(40, 32), path, text={"minstyle": RECIPES["fine"].to_json()})
    damage(path)
    run = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == ["fine", "read"], run.stderr[-400:]
