"""The result of a run: the picture, and the record of how it was painted."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..images import Picture, PillowImage, pixels_of, to_pil
from ..recipe.recipe import Recipe
from .saving import opacity_at, save_painted


@dataclass(frozen=True)
class Record:
    """One evaluation: its number from 1, (height, width), total loss, and each term's share of it by name.

    ``stage``, from 1, is a size with a network; losses of different stages do not compare.
    """

    evaluation: int
    shape: tuple[int, int]
    loss: float
    terms: dict[str, float]
    stage: int = 1


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """The result of ``stylize``. A notebook shows it as a picture, and ``plt.imshow`` accepts it.

    ``image`` is (H, W, 3) float32, RGB, clipped to 0..255; ``loss`` is the loss of the image before it was clipped, and
    ``first_loss`` that at the beginning of the last stage. ``history`` has one Record per evaluation, ``evaluations``
    is their number, ``seconds`` the time that they took. ``recipe`` is the recipe of the run, settings that were
    changed included. ``error`` is None, or what ended the run early (an interrupt, a MinstyleError, an OSError in an
    observer, lack of memory): the image is then the best so far. ``content`` is the photograph, where that was more
    than an array: its transparency, depth, colour profile and resolution go into files.
    """

    image: np.ndarray
    loss: float
    history: tuple[Record, ...]
    seconds: float
    recipe: Recipe
    error: BaseException | None = None
    content: Picture | None = None

    def save(
        self,
        path: str | Path | IO[bytes],
        *,
        extension: str = ".png",
        depth: int | None = None,
        dpi: float | None = None,
        quality: int = 95,
        keep_metadata: bool = False,
    ) -> None:
        """Write the picture as the command line does, its recipe in the file: ``minstyle --recipe FILE`` takes it.

        ``path`` ends in .png, .jpg, .webp, .tif or .avif, or is a file object, written in the format of ``extension``.
        ``depth`` 8 or 16 and ``dpi``, dots an inch, None: the photograph's; ``quality`` 1..100 of .jpg, .webp, .avif;
        ``keep_metadata``: the photograph's artist, date, place and so on. Raises ImageError, FileError.
        """
        content = Picture(self.image) if self.content is None else self.content
        save_painted(self.image, path, self.recipe, content, extension=extension, depth=depth, dpi=dpi,
                     quality=quality, keep_metadata=keep_metadata)  # fmt: skip

    @property
    def pixels(self) -> np.ndarray:
        """The image rounded, (H, W, 3) uint8: what ``plt.imshow``, OpenCV (but for its BGR) and imageio want."""
        return pixels_of(self.image)

    def to_pil(self) -> PillowImage:
        """The picture as Pillow has it, RGB, or RGBA where the photograph has transparency; 8 bits, sRGB."""
        return to_pil(self.image, None if self.content is None else opacity_at(self.image, self.content))

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.to_pil().save(file, format="PNG")
        return file.getvalue()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self.pixels if dtype is None else self.pixels.astype(dtype)

    def __repr__(self) -> str:
        height, width, _ = self.image.shape
        ended = "" if self.error is None else f", ended early by {type(self.error).__name__}"
        return (f"Result({width} x {height}, recipe {self.recipe.name}, {self.evaluations} evaluations in "
                f"{self.seconds:.1f} s, loss {self.first_loss:.4g} -> {self.loss:.4g}{ended})")  # fmt: skip

    @property
    def evaluations(self) -> int:
        return len(self.history)

    @property
    def first_loss(self) -> float:
        """The loss of the first evaluation of the last stage."""
        return next(record.loss for record in self.history if record.stage == self.history[-1].stage)
