"""Convert a published VGG file.

``python tools/convert_weights.py SRC DST`` (the same as python -m minstyle.weights convert).
"""

import sys

from minstyle.weights.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["convert", *sys.argv[1:]]))
