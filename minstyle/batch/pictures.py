"""Which picture files are meant by files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import FileError

# Of the files in a folder, those that cameras, scanners and programs call pictures. A file that is named itself, or by
# a pattern, is taken whatever it is called.
EXTENSIONS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".bmp", ".jp2", ".gif",
              ".ppm", ".tga", ".psd"}  # fmt: skip


def pictures_of(given: Iterable[str]) -> list[Path]:
    """The files that are meant, each once, those of a folder or a pattern by their names' order.

    A folder stands for the pictures in it, without those in its folders. Shells put files in the place of patterns;
    those that come in quotes, and all on Windows, are looked up here. Raises FileError where nothing is found.
    """
    found: dict[Path, None] = {}
    for text in given:
        path = Path(text)
        if os.path.isdir(path):
            files, nothing = _in_folder(path), f"the folder {text} has no pictures in it"
        elif not os.path.lexists(path) and glob.has_magic(text):
            files = [Path(name) for name in sorted(glob.glob(text, recursive=True)) if os.path.isfile(name)]
            nothing = f"no file matches {text}"
        else:
            files, nothing = [path], ""
        if not files:
            raise FileError(nothing)
        found.update(dict.fromkeys(files))
    return list(found)


def _in_folder(folder: Path) -> list[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise FileError(f"{folder} cannot be read: {error.strerror or error}") from error
    return [folder / name for name in names if Path(name).suffix.lower() in EXTENSIONS and not name.startswith(".")]
