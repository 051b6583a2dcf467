"""The recipe in a picture file: a text chunk of PNG, the description of TIFF, the EXIF user comment elsewhere."""

from __future__ import annotations

import contextlib

from PIL import Image

from ..errors import ImageError
from .metadata import DESCRIPTION, EXIF_IFD, LABEL, USER_COMMENT, exif_of
from .opening import named_errors, opened
from .png_chunks import MAX_TEXT, SIGNATURE, read_chunks
from .source import Source, stream_of
from .tiff_reading import is_tiff, tiff_page

KEY = "minstyle"
MAX_RECIPE_LENGTH = MAX_TEXT  # characters; a recipe has some thousands


def ascii_text(text: str) -> str:
    """The text with every character beyond ASCII as JSON's escape: it means the same to a JSON reader in any format."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = (units[i] << 8 | units[i + 1] for i in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)


def read_text(source: Source) -> str | None:
    """The text that ``save_picture`` stored under "minstyle", as it was given; None where the file has none.

    Raises ImageError for a file that is no picture, or a text longer than a million characters.
    """
    with stream_of(source) as (stream, name), named_errors(name):
        start = stream.read(8)
        if is_tiff(start):
            with tiff_page(stream, name) as page:
                description = page.tags.get(DESCRIPTION)
                text = _labelled("" if description is None else description.value)
        elif start == SIGNATURE:
            found = read_chunks(stream).recipe
            text = None if found is None else found.decode("latin-1")
        else:
            with opened(stream, name) as picture:
                text = _of_comment(picture)
        if text is not None and len(text) > MAX_RECIPE_LENGTH:
            raise ImageError(
                f"{name}: its recipe has more than {MAX_RECIPE_LENGTH:,} characters, the most that is allowed"
            )
        return text


def _of_comment(picture: Image.Image) -> str | None:
    stored: object = b""
    with contextlib.suppress(Warning):  # of damage beside the picture, where the host program makes them errors
        stored = exif_of(picture).get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    if isinstance(stored, bytes):
        stored = stored[8:].decode("ascii", "replace") if stored.startswith(b"ASCII\0\0\0") else ""
    return _labelled(stored)


def _labelled(stored: object) -> str | None:
    text = str(stored).rstrip("\0")
    return text.removeprefix(LABEL) if text.startswith(LABEL) else None
