"""Pictures that come from outside: through the readers that all pictures go through, then onto the shelf."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import ImageError, require
from ..images import Picture, check_seen, lay_over, load_picture, picture_shape, save_picture
from ..recipe.sizes import check_shape
from ..weights.checksums import digest
from .folder import Folder, view_of, write_json
from .index import Index, Row
from .schema import Crop
from .views import save_view

T = TypeVar("T")

_DAY = 86_400.0  # seconds


class Pictures:
    """Takes uploads, cuts pictures out of pictures, and gives what is shown of them."""

    def __init__(self, folder: Folder, index: Index, most_pixels: int) -> None:
        self._folder, self._index, self._most_pixels = folder, index, most_pixels
        self._reading = threading.Lock()  # one at a time: a large picture takes much memory while it is read

    def add(self, file: Path, name: str, *, mask: bool = False) -> Row:
        """The picture in an uploaded file, which is moved; the same picture again is the one that was there.

        A mask may be of any size: it is made to fit. Raises ImageError, FileError.
        """
        key = digest(file)[:16]
        known = self._index.picture(key)
        if known is not None and self._folder.original(key).exists():
            return known
        with self._reading:
            shape = self._checked(file, name, mask)
            picture = _named(file, name, lambda: load_picture(file))
        _named(file, name, lambda: check_seen(str(file), picture.opacity))
        place = self._folder.picture(key)
        place.mkdir(exist_ok=True)
        save_view(lay_over(picture.image, picture.opacity), view_of(place))
        shutil.move(file, self._folder.original(key))
        height, width = shape
        write_json(place / "about.json", {"name": name, "width": width, "height": height})
        self._index.add_picture(key, name, width, height)
        found = self._index.picture(key)
        assert found is not None
        return found

    def clear(self) -> None:
        """Remove pictures that were uploaded more than a day ago, and that no painting was ever asked for with."""
        for place in self._folder.path.glob("pictures/*"):
            with contextlib.suppress(OSError):
                if time.time() - place.stat().st_mtime > _DAY and not self._index.in_use(place.name):
                    self._index.remove_picture(place.name)
                    shutil.rmtree(place)

    def _checked(self, file: Path, name: str, mask: bool) -> tuple[int, int]:
        """(height, width), from the file's header: what is refused is not decoded."""
        shape = _named(file, name, lambda: picture_shape(file))
        if not mask:
            check_shape(name, shape)
        require(math.prod(shape) <= self._most_pixels, name, f"at most {self._most_pixels / 1e6:g} million pixels",
                f"{shape[1]} x {shape[0]}; make it smaller", ImageError)  # fmt: skip
        return shape

    def crop(self, row: Row, crop: Crop, temporary: Path) -> Row:
        """A part of a picture as a picture of its own, with all that a file can hold. Raises ImageError."""
        path, name = self._folder.original(row["id"]), row["name"]
        with self._reading:
            picture = _named(path, name, lambda: load_picture(path))
            height, width = picture.image.shape[:2]
            rows = slice(round(crop.top * height), round(crop.bottom * height))
            columns = slice(round(crop.left * width), round(crop.right * width))
            check_shape("the part that is kept", picture.image[rows, columns].shape)
            part = _cut(picture, rows, columns)
            save_picture(part.image, temporary, opacity=part.opacity, depth=part.depth, profile=part.profile,
                         exif=part.exif, dpi=part.dpi)  # fmt: skip
        return self.add(temporary, name)


def _cut(picture: Picture, rows: slice, columns: slice) -> Picture:
    opacity = None if picture.opacity is None else picture.opacity[rows, columns]
    return dataclasses.replace(picture, image=picture.image[rows, columns], opacity=opacity)


def _named(path: Path, name: str, read: Callable[[], T]) -> T:
    """What ``read`` returns; its errors call the file by the name that its owner knows, and tell no path of ours."""
    try:
        return read()
    except ImageError as error:
        raise ImageError(str(error).replace(str(path), name)) from error
