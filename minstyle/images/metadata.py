"""What a file tells beside its pixels: resolution, and EXIF data that may be kept (artist, date, place)."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

ORIENTATION, DESCRIPTION, SOFTWARE, USER_COMMENT = 0x0112, 0x010E, 0x0131, 0x9286
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_RESOLUTION = {"x": 0x011A, "y": 0x011B, "unit": 0x0128}
# Description, camera maker and model, software, date, artist, host, copyright. The rest of the first directory is about
# the stored file (its size, its strips, its orientation), which is not the file to come.
_KEPT = (DESCRIPTION, 0x010F, 0x0110, SOFTWARE, 0x0132, 0x013B, 0x013C, 0x8298)
# Colour space, size, the maker's notes (offsets into the old file) and the interoperability directory.
_STALE = {0xA001, 0xA002, 0xA003, 0x927C, 0xA005}
_COLOUR_SPACE, _INTEROPERABILITY = 0xA001, 0xA005
_MAX_TAG_LENGTH = 4096  # bytes, characters or numbers
# How a comment or description begins that holds a recipe.
LABEL = "minstyle "


def read_dpi(picture: Image.Image, exif: Image.Exif) -> tuple[float, float] | None:
    """Dots per inch across and down, where the file tells them and they can be true."""
    stored: Any = picture.info.get("dpi")
    if stored is not None:
        return dpi_of(stored)
    # WebP and AVIF have no other place
    return dpi_of([_entry(exif, _RESOLUTION[axis], 0) for axis in "xy"], _entry(exif, _RESOLUTION["unit"], 2))


def dpi_of(stored: Any, unit: Any = 2) -> tuple[float, float] | None:
    """Dots per inch of (across, down) in a unit of EXIF: 2 for inches, 3 for centimetres."""
    scale = 2.54 if unit == 3 else 1.0
    try:
        x, y = (_plain(float(value) * scale) for value in stored)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if is_dpi((x, y)) else None


def _plain(value: float) -> float:
    """To a hundredth, and the whole number where PNG, which counts dots per metre, could come no nearer to it."""
    return float(round(value)) if abs(value - round(value)) < 0.0128 else round(value, 2)


def is_dpi(dpi: tuple[float, float]) -> bool:
    """Whether every format can hold this resolution."""
    return all(math.isfinite(value) and 1 <= value <= 65535 for value in dpi)


def exif_of(picture: Image.Image, *, header: bool = False) -> Image.Exif:
    """The EXIF data of an opened picture; none where they are broken. ``header``: only what lies before the pixels."""
    try:
        # A PNG's own method decodes it, to look behind the pixels too.
        return Image.Image.getexif(picture) if header else picture.getexif()
    except Exception:  # damage beside the picture, or a warning of it that is made an error: the picture counts
        picture._exif = Image.Exif()  # asked again, Pillow would give the part that it had read
        picture._exif._loaded = True
        return picture._exif


def _entry(exif: Image.Exif, tag: int, default: Any) -> Any:
    """An entry of EXIF data, which Pillow reads only now; ``default`` for a broken one too."""
    try:
        return exif.get(tag, default)
    except Exception:  # as in exif_of
        return default


def orientation_of(exif: Image.Exif) -> int:
    """EXIF orientation 1..8; 1 for what is none."""
    found = _entry(exif, ORIENTATION, 1)
    return found if isinstance(found, int) else 1


def is_adobe_rgb(exif: Image.Exif) -> bool:
    """Whether a camera says so, where it writes no profile: interoperability index R03 (DCF 2.0), or colour space 2."""
    try:
        index = exif.get_ifd(_INTEROPERABILITY).get(1, "")
        return str(index).startswith("R03") or exif.get_ifd(EXIF_IFD).get(_COLOUR_SPACE) == 2
    except Exception:  # damage beside the picture: the picture counts
        return False


def read_exif(stored: Image.Exif) -> bytes | None:
    """The EXIF data that tells of the picture and not of the file, as a block of its own; None where there is none."""
    try:
        kept = Image.Exif()
        for tag in _KEPT:
            if tag in stored and _may_stay(stored[tag]):
                kept[tag] = _stored_text(stored[tag])
        for directory in (EXIF_IFD, GPS_IFD):
            entries = stored.get_ifd(directory).items()
            told = {tag: _stored_text(value) for tag, value in entries if tag not in _STALE and _may_stay(value)}
            if told:
                kept.get_ifd(directory).update(told)
        block = kept.tobytes()
        return block if len(kept) or parse_exif(block).get_ifd(EXIF_IFD) or parse_exif(block).get_ifd(GPS_IFD) else None
    except Exception:  # damage beside the picture: the picture counts
        return None


class _StoredText(str):
    """Text of which Pillow writes the bytes that it read: it reads them as Latin-1, and would write ASCII alone."""

    def encode(self, encoding: str = "latin-1", errors: str = "strict") -> bytes:
        return super().encode("latin-1", "replace")


def _stored_text(value: Any) -> Any:
    return _StoredText(value) if isinstance(value, str) else value


def parse_exif(block: bytes | None) -> Image.Exif:
    """Pillow's view of a block of EXIF data, whose texts keep their bytes; of none, an empty one to fill."""
    exif = Image.Exif()
    if block:
        exif.load(block)
        for directory in (exif, exif.get_ifd(EXIF_IFD), exif.get_ifd(GPS_IFD)):
            texts = {tag: _StoredText(value) for tag, value in directory.items() if isinstance(value, str)}
            directory.update(texts)
    return exif


def exif_block(
    kept: bytes | None, dpi: tuple[float, float] | None, software: str | None, comment: str | None
) -> bytes | None:
    """EXIF data for a new file: what is kept, with resolution, software and comment set. None where all is empty."""
    if not (kept or dpi or software or comment):
        return None
    exif = parse_exif(kept)
    exif.pop(ORIENTATION, None)  # the pixels are upright
    if dpi:
        exif[_RESOLUTION["x"]], exif[_RESOLUTION["y"]], exif[_RESOLUTION["unit"]] = dpi[0], dpi[1], 2
    if software:
        exif[SOFTWARE] = software
    if comment:
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = b"ASCII\0\0\0" + comment.encode("ascii")
    return exif.tobytes()


def _may_stay(value: Any) -> bool:
    """False for what is too long to tell of a picture, and for what an earlier run of this program left."""
    if isinstance(value, bytes):
        return len(value) <= _MAX_TAG_LENGTH and not value[8:].startswith(LABEL.encode())
    if isinstance(value, str):
        return len(value) <= _MAX_TAG_LENGTH and not value.startswith(LABEL)
    return not isinstance(value, tuple) or len(value) <= _MAX_TAG_LENGTH
