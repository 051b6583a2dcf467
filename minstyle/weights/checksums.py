"""Checksums of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import WeightsError


def digest(path: str | Path, algorithm: str = "sha256") -> str:
    """The "sha256" or "md5" of a file, in hexadecimal. Raises WeightsError for a file that cannot be read."""
    found = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                found.update(block)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error
    return found.hexdigest()


def check_sum(path: Path, checksum: str) -> None:
    """Raise WeightsError unless ``path`` has that checksum, "sha256:HEXADECIMAL" or "md5:HEXADECIMAL"."""
    algorithm, expected = checksum.split(":")
    actual = digest(path, algorithm)
    if actual != expected:
        name = {"md5": "MD5", "sha256": "SHA-256"}[algorithm]
        raise WeightsError(f"{path.name}: expected {name} {expected}, got {actual}; not used")
