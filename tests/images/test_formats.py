"""images/opening.py: formats that run nothing are opened, the others refused by name; warnings are left alone."""

from __future__ import annotations

import contextlib
import io
import struct
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

import minstyle
from minstyle.errors import ImageError, MinstyleError
from minstyle.images import load_image, load_picture, picture_shape, read_text, save_image
from minstyle.images.opening import FORMATS
from minstyle.images.samples import Fit
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line

# Readers that hand a file on to a program, to whatever is registered, to all readers, or that unpack without end; and
# TIFF, which tifffile reads. A reader that a new Pillow brings has to be looked at before it comes to either list.
SHUT = {"BUFR", "EPS", "FITS", "FPX", "GRIB", "HDF5", "IPTC", "MIC", "MPEG", "TIFF", "WMF"}
BEGINNINGS = {
    "EPS": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\nshowpage\n",
    "WMF": b"\xd7\xcd\xc6\x9a\0\0" + bytes(60),
    "BUFR": b"BUFR" + bytes(60),
    "GRIB": b"GRIB\0\0\0\1" + bytes(60),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(60),
    "FITS": b"SIMPLE  =                    T" + bytes(60),
    "MPEG": b"\0\0\1\xb3" + bytes(60),
}
POSTSCRIPT = {
    "EPS": BEGINNINGS["EPS"],
    "with a preview": b"\xc5\xd0\xd3\xc6\x1e\0\0\0\x60\0\0\0" + bytes(18) + BEGINNINGS["EPS"],
    "a program": b"%!PS\n{} loop\n",
}


def test_every_reader_of_pillow_is_known_to_run_nothing_or_is_shut() -> None:
    Image.init()
    assert FORMATS.isdisjoint(SHUT)
    assert not set(Image.OPEN) - FORMATS - SHUT, "look at what these readers do with a file"
    assert {"PNG", "JPEG", "WEBP", "GIF", "BMP", "PSD"} <= FORMATS & set(Image.OPEN)


@pytest.mark.parametrize("kind", sorted(FORMATS & {"BMP", "DDS", "GIF", "ICNS", "ICO", "JPEG2000", "PCX", "PNG",
                                                   "PPM", "QOI", "SGI", "TGA", "WEBP"}))  # fmt: skip
def test_the_other_formats_are_read(kind: str) -> None:
    file = io.BytesIO()
    Image.new("RGB", (32, 32), (255, 0, 255)).save(file, kind)
    np.testing.assert_allclose(load_image(file.getvalue())[4, 4], (255, 0, 255), atol=3)


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_the_others_are_refused_by_their_names(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in.png").write_bytes(BEGINNINGS[kind])
    for read in (load_picture, picture_shape, read_text):
        with pytest.raises(ImageError, match=rf"in\.png: {kind} \(.+\) is not read"):
            read(tmp_path / "in.png")


@pytest.mark.parametrize("start", [b"MM*\0", b"II\0*"])
def test_a_tiff_of_a_broken_beginning_is_called_so(start: bytes) -> None:
    for read in (load_picture, picture_shape, read_text):
        with pytest.raises(ImageError, match=r": a broken TIFF$"):
            read(start + bytes(60))


@pytest.mark.parametrize("kind", POSTSCRIPT)
def test_postscript_is_never_run(studio: Studio, capsys: Captured, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A Ghostscript that is there, and would tell that it was started."""
    told, programs = studio.folder / "started", studio.folder / "bin"
    programs.mkdir()
    ghostscript = programs / "gs"
    ghostscript.write_text(f"#!/bin/sh\necho \"$@\" >> '{told}'\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # not looked for yet
    bad = studio.folder / "bad.png"
    bad.write_bytes(POSTSCRIPT[kind])
    with Image.open(io.BytesIO(BEGINNINGS["EPS"])) as opened, pytest.raises(OSError, match="cannot identify"):
        opened.load()  # the trap works
    told.unlink()
    for options in (["--init", bad], ["--mask", bad, bad], ["--recipe", bad]):
        assert studio.run("--quiet", *options) == 2
        assert "EPS (Encapsulated Postscript) is not read" in told_in_one_line(capsys)
    for name in ("content", "style"):
        kept = getattr(studio, name)
        setattr(studio, name, bad)
        assert studio.run("--quiet") == 2
        assert f"{bad}: EPS (Encapsulated Postscript) is not read" in told_in_one_line(capsys)
        setattr(studio, name, kept)
    assert not told.exists()
    assert not studio.out.exists()


def damaged() -> bytes:
    """A JPEG with EXIF data of which Pillow remarks that they are broken."""
    file = io.BytesIO()
    broken = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\xff\xff\xff\x0f\x06\0\0\0\0\0\0\0"
    Image.new("RGB", (40, 40), (9, 9, 9)).save(file, "JPEG", exif=broken)
    return file.getvalue()


def test_reading_in_threads_leaves_the_warnings_of_the_process_alone() -> None:
    files, before = [damaged(), b"nonsense"], list(warnings.filters)
    changed, done = [], threading.Event()

    def watch() -> None:
        while not done.is_set():
            if warnings.filters != before:
                changed.append(list(warnings.filters))

    def read(data: bytes) -> None:
        with contextlib.suppress(MinstyleError):
            load_picture(data)

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(read, files * 50))
    done.set()
    watching.join()
    assert changed == []
    assert warnings.filters == before


@pytest.mark.parametrize("entry", [
    struct.pack("<HHII", 0x10E, 2, 100, 99999),  # a text behind the end
    struct.pack("<HHII", 0x11A, 5, 1, 99999),  # and a resolution
    struct.pack("<HHIHH", 0x112, 3, 2, 6, 1),  # two orientations
])  # fmt: skip
@pytest.mark.parametrize("good_first", [False, True])
@pytest.mark.filterwarnings("error")
def test_damage_beside_the_picture_is_none_where_warnings_are_errors(entry: bytes, good_first: bool) -> None:
    good = struct.pack("<HHIHH", 0x13B, 2, 1, 65, 0)
    entries = [good, entry] if good_first else [entry, good]
    file = io.BytesIO()
    block = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + b"".join(entries) + bytes(4)
    Image.new("RGB", (800, 640), (9, 99, 200)).save(file, "JPEG", exif=block)

    def eighth(shape: tuple[int, int]) -> tuple[int, int]:
        return shape[0] // 8, shape[1] // 8

    fits: tuple[Fit | None, ...] = (None, eighth)
    for fit in fits:
        picture = load_picture(file.getvalue(), fit)
        assert picture.full in (None, (640, 800))
        assert picture.image.shape == ((640, 800, 3) if fit is None else (80, 100, 3))
        np.testing.assert_allclose(picture.image[40, 40], (9, 99, 200), atol=2)
    assert picture_shape(file.getvalue()) == (640, 800)
    assert read_text(file.getvalue()) is None


def test_the_command_line_says_nothing_of_damage_beside_the_picture(studio: Studio, capsys: Captured) -> None:
    studio.content = studio.folder / "photo.jpg"
    studio.content.write_bytes(damaged())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        studio.image()
    assert [str(warning.message) for warning in told] == []
    assert capsys.readouterr().err == ""


def test_a_large_picture_is_no_bomb_and_no_warning(tmp_path: Path) -> None:
    Image.new("1", (10_000, 9_000)).save(tmp_path / "large.png")  # more than Pillow warns of
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert picture_shape(tmp_path / "large.png") == (9_000, 10_000)
    assert told == []


def test_plug_ins_of_pillow_go_on_working() -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    save_image(picture(40, 48), file)
    heif.register_heif_opener()
    encoded = io.BytesIO()
    Image.open(file).save(encoded, "HEIF", quality=95)
    assert load_image(encoded.getvalue()).shape == (40, 48, 3)


def test_only_processes_of_our_own_change_filters_of_warnings() -> None:
    """They are the whole process's, in Python before 3.14 even where they are changed for a moment."""
    package = Path(minstyle.__file__).parent
    words = ("catch_warnings", "simplefilter", "filterwarnings", "resetwarnings")
    found = {path.relative_to(package).as_posix() for path in package.rglob("*.py")
             if any(word in path.read_text() for word in words)}  # fmt: skip
    assert {path for path in found if not path.startswith("cli/")} <= {"batch/main.py", "studio/worker.py"}
