"""This folder on PYTHONPATH, with the repository's root: whoever imports cupy, in any process, gets the double."""

from tests.support import cupy_double

cupy_double.install()
