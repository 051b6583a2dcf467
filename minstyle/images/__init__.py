"""Picture files to images and back. The only folder that imports Pillow, and that knows of depths, profiles and alpha.

Everywhere else an image is a float array (H, W, 3), sRGB, 0..255.
"""

from __future__ import annotations

from .arrays import check_levels, check_seen, is_finite, lay_over, resize, resize_values
from .given import Given, PillowImage, mask_of, picture_of
from .reading import Picture, load_image, load_mask, load_picture, picture_shape
from .recipetext import read_text
from .writing import WRITERS, check_image_path, pixels_of, save_image, save_picture, to_pil, writer_for

__all__ = [
    "WRITERS",
    "Given",
    "Picture",
    "PillowImage",
    "check_image_path",
    "check_levels",
    "check_seen",
    "is_finite",
    "lay_over",
    "load_image",
    "load_mask",
    "load_picture",
    "mask_of",
    "picture_of",
    "picture_shape",
    "pixels_of",
    "read_text",
    "resize",
    "resize_values",
    "save_image",
    "save_picture",
    "to_pil",
    "writer_for",
]
