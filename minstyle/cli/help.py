"""What ``--help`` says beside the options, which of them it explains, and what is said without arguments."""

from __future__ import annotations

from ..job.options import MOST_USED as SHARED

USAGE = "minstyle CONTENT STYLE [STYLE ...] OUT [options]"
EXAMPLES = """\
examples:
  python -m minstyle photo.jpg painting.jpg out.png
  python -m minstyle photo.jpg painting.jpg out.png --size 256 --style-weight 300
  python -m minstyle photo.jpg wave.jpg night.jpg out.png --blend 3,7 --preserve-color
  python -m minstyle photo.jpg painting.jpg out.png --mask sky_of_photo.png sky_of_painting.png
  python -m minstyle photo.jpg painting.jpg grid.png --compare fine,johnson,fine:style_weight=300
  python -m minstyle --resume out.png

many pictures: minstyle batch --help; a page to paint on: minstyle studio
"""
BRIEF = """\
minstyle paints a photograph in the style of a painting:

  python -m minstyle photo.jpg painting.jpg out.png

"python -m minstyle --help" explains the options used most, "python -m minstyle studio" opens a page to paint on."""

MOST_USED = SHARED | {
    "--list-recipes", "--show-recipe", "--mask", "--overwrite", "--resume", "--estimate", "--save-every", "--compare",
    "--quiet", "--verbose",
}  # fmt: skip

_PLACES = "pictures need no option: minstyle CONTENT STYLE OUT"
# What is meant by options that other programs have.
HINTS = {
    **dict.fromkeys(("-o", "--out", "--output"), "OUT is the last of the files: minstyle CONTENT STYLE OUT"),
    **dict.fromkeys(("-c", "-s", "-i", "--content", "--styles", "--image", "--input", "--photo"), _PLACES),
    "--style": f"{_PLACES}; the weight of the style is --style-weight",
}
