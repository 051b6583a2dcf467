"""What stands beside the picture in a PNG, broken or large, does not keep it from being read."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from minstyle.images import load_image, load_picture, save_picture
from tests.support import icc_profiles as icc
from tests.support.memory import peak_memory
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

PIXELS = np.rint(picture(32, 40, 1)).astype(np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PIXELS).save(file, "PNG")
    data = file.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


PACKED = zlib.compress(bytes(3_000_000))
BESIDE = {
    "text, wrong checksum": chunk(b"tEXt", b"Comment\0hello")[:-4] + bytes(4),
    "packed text, 3 MB": chunk(b"zTXt", b"Comment\0\0" + PACKED),
    "international text, 3 MB": chunk(b"iTXt", b"Comment\0\1\0\0\0" + PACKED),
    "a hundred packed texts": b"".join(chunk(b"zTXt", b"k%d\0\0" % i + PACKED) for i in range(100)),
    "text that is not packed": chunk(b"zTXt", b"Comment\0\0nonsense"),
    "text without an end": chunk(b"iTXt", b"Comment"),
    "EXIF": chunk(b"eXIf", b"nonsense"),
    "EXIF as text": chunk(b"tEXt", b"Raw profile type exif\0\nexif\n   10\nzzzz not hex\n"),
    "resolution, cut": chunk(b"pHYs", b"\0\0"),
    "gamma, cut": chunk(b"gAMA", b"\0"),
    "code points, cut": chunk(b"cICP", b"\x0c"),
    "profile, not packed": chunk(b"iCCP", b"icc\0\0nonsense"),
    "profile without an end": chunk(b"iCCP", b"icc"),
    "profile of 3 MB of zeros": chunk(b"iCCP", b"icc\0\0" + PACKED),
    "a chunk of another program": chunk(b"prVt", b"\0" * 2_000_000),
}


@pytest.mark.parametrize("beside", BESIDE.values(), ids=BESIDE)
def test_a_good_picture_is_read(studio: Studio, beside: bytes) -> None:
    studio.content = studio.folder / "good.png"
    studio.content.write_bytes(png())
    expected = studio.image()
    studio.content.write_bytes(png(beside))
    assert studio.image() == expected


def test_pixels_with_a_wrong_checksum_are_refused(studio: Studio) -> None:
    data = bytearray(png())
    data[data.index(b"IDAT") + 30] ^= 1
    studio.content.write_bytes(data)
    assert studio.run("--quiet") == 2


def test_what_is_sound_beside_what_is_broken_is_kept(studio: Studio) -> None:
    file = io.BytesIO()
    kept = icc.matrix_profile(icc.ADOBE_RGB, icc.gamma(2))
    Image.fromarray(PIXELS).save(file, "PNG", dpi=(240, 240), icc_profile=kept)
    data = file.getvalue()
    studio.content.write_bytes(data[:33] + BESIDE["EXIF"] + BESIDE["text, wrong checksum"] + data[33:])
    studio.image()
    found = load_picture(studio.out)
    assert found.dpi == (240, 240)
    assert found.profile == kept


@pytest.mark.parametrize("depth", ["8", "16"])
def test_a_result_with_a_large_profile_is_read_again(studio: Studio, depth: str) -> None:
    """A printer's profile of 1.5 MB that does not pack well; the result becomes a content and gives its recipe."""
    noise = np.random.default_rng(0).integers(0, 256, 1_500_000, np.uint8).tobytes()
    large = icc.profile(b"RGB ", b"Lab ", icc.GREY_TABLES | icc.BACK | {b"priv": b"data\0\0\0\0" + noise})
    save_picture(picture(32, 40, 1), studio.content, profile=large)
    studio.image("--depth", depth)
    assert load_picture(studio.out).profile == large
    studio.content, studio.out = studio.out, studio.results / "again.png"
    assert studio.run("--quiet", "--recipe", str(studio.content)) == 0
    assert load_picture(studio.out).profile == large


def test_endless_chunks_are_refused(studio: Studio, capsys: Captured) -> None:
    studio.content.write_bytes(png(chunk(b"tEXt", b"a\0b") * 300_000))
    assert studio.run("--quiet") == 2
    assert "more than 200,000 chunks" in told_in_one_line(capsys)


def test_a_bomb_in_a_profile_or_text_takes_little_memory(studio: Studio) -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    for kind, head in ((b"iCCP", b"icc\0\0"), (b"zTXt", b"minstyle\0\0"), (b"iTXt", b"minstyle\0\1\0\0\0")):
        studio.content.write_bytes(png(chunk(kind, head + bomb)))
        with peak_memory(80e6):
            np.testing.assert_array_equal(load_image(studio.content), PIXELS)
