"""weights/sources.py: a table that can be used as it stands, and files compared with it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from minstyle.errors import WeightsError
from minstyle.network.layers import BLOCKS
from minstyle.weights.checksums import check_sum, digest
from minstyle.weights.sources import SOURCES, Download, Package, Source, choose, identify, megabytes

ALL = [source for sources in SOURCES.values() for source in sources]
DOWNLOADS = [source for source in ALL if isinstance(source, Download)]


def name(source: Source) -> str:
    return f"{source.network}-{source.name}"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Four small files, and a table in which three of them are known."""
    files = {kind: tmp_path / kind for kind in ("md5", "sha256", "archive", "unknown")}
    for kind, path in files.items():
        path.write_text(kind)
    download = Download("a", "vgg19", "http://a.example/a", None, f"md5:{hashlib.md5(b'md5').hexdigest()}", "free")
    other = Download("b", "vgg19", "http://b.example/b", 6, f"sha256:{hashlib.sha256(b'sha256').hexdigest()}", "free")
    nothing = Download("c", "vgg19", "http://c.example/c", None, None, "free")
    archive = hashlib.sha256(b"archive").hexdigest()
    package = Package("p", "vgg16", "p==1", archive, "p/vgg16", "0" * 64, 7, "free")
    monkeypatch.setitem(SOURCES, "vgg19", (nothing, download, other))
    monkeypatch.setitem(SOURCES, "vgg16", (package,))
    return files


# ---------------------------------------------------------------- the table


def test_the_sources_are_tried_in_this_order() -> None:
    assert {network: [source.name for source in sources] for network, sources in SOURCES.items()} == {
        "vgg19": ["package", "keras", "keras-mirror", "torchvision", "matconvnet", "oxford"],
        "vgg16": ["package", "keras", "keras-mirror", "torchvision", "matconvnet", "oxford"],
    }
    assert set(SOURCES) == set(BLOCKS)
    assert all(source.network == network for network, sources in SOURCES.items() for source in sources)


@pytest.mark.parametrize("source", ALL, ids=name)
def test_every_entry_has_a_licence_and_a_size_that_can_be(source: Source) -> None:
    assert "BSD" in source.licence or "CC BY 4.0" in source.licence
    assert source.size is None or 18_000_000 < source.size < 600_000_000


@pytest.mark.parametrize("source", DOWNLOADS, ids=name)
def test_every_download_is_encrypted_and_names_a_file_of_its_network(source: Download) -> None:
    parts = urlsplit(source.url)
    assert (parts.scheme, parts.query, parts.fragment) == ("https", "", "")
    assert source.file_name
    assert source.network.removeprefix("vgg") in source.file_name
    assert "/" not in source.file_name


@pytest.mark.parametrize("source", DOWNLOADS, ids=name)
def test_every_checksum_is_one(source: Download) -> None:
    assert source.checksum is not None
    assert re.fullmatch(r"md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", source.checksum)


def test_torchvisions_files_carry_the_beginning_of_their_sha256_in_the_name() -> None:
    names = [source for source in DOWNLOADS if source.name == "torchvision"]
    assert len(names) == 2
    for source in names:
        digits = re.fullmatch(r"vgg1[69]-([0-9a-f]{8})\.pth", source.file_name)
        assert digits is not None
        assert str(source.checksum).startswith(f"sha256:{digits[1]}")


def test_a_mirror_has_the_same_file() -> None:
    for network in SOURCES:
        first, mirror = (source for source in DOWNLOADS if source.network == network and "keras" in source.name)
        assert (first.file_name, first.size, first.checksum) == (mirror.file_name, mirror.size, mirror.checksum)
        assert first.url != mirror.url
    checksums = [source.checksum for source in DOWNLOADS if source.name != "keras-mirror"]
    assert len(set(checksums)) == len(checksums), "no two other files are the same"


def test_every_package_is_complete() -> None:
    packages = [source for source in ALL if isinstance(source, Package)]
    assert packages
    for package in packages:
        assert package.network in package.member
        assert "==" in package.requirement, "a version, so that the checksum can be true"
        for checksum in (package.archive_sha256, package.member_sha256):
            assert len(bytes.fromhex(checksum)) == 32


# ---------------------------------------------------------------- choosing


def test_without_a_name_all_are_chosen(table: dict[str, Path]) -> None:
    assert choose("vgg19") == SOURCES["vgg19"]
    assert [source.name for source in choose("vgg19", "b")] == ["b"]


@pytest.mark.parametrize(("network", "source", "parts"), [
    ("vgg19", "d", ["'d'", "vgg19", "a, b"]), ("vgg16", "a", ["'a'", "vgg16", "p"]), ("vgg19", "", ["''"]),
    ("alexnet", None, ["'alexnet'", "vgg19, vgg16"]),
])  # fmt: skip
def test_an_unknown_name_is_refused_with_the_known_ones(
    table: dict[str, Path], network: str, source: str | None, parts: list[str]
) -> None:
    with pytest.raises(WeightsError) as caught:
        choose(network, source)
    assert all(part in str(caught.value) for part in parts)
    assert len(str(caught.value).splitlines()) == 1


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(("kind", "found"), [("md5", "a"), ("sha256", "b"), ("archive", "p"), ("unknown", None)])
def test_a_file_is_identified_by_its_checksum(table: dict[str, Path], kind: str, found: str | None) -> None:
    source = identify(table[kind])
    assert (source.name if source else None) == found


def test_a_checksum_is_compared(table: dict[str, Path]) -> None:
    right = hashlib.sha256(b"unknown").hexdigest()
    check_sum(table["unknown"], f"sha256:{right}")
    check_sum(table["unknown"], f"md5:{hashlib.md5(b'unknown').hexdigest()}")
    with pytest.raises(WeightsError) as caught:
        check_sum(table["unknown"], "sha256:" + "0" * 64)
    assert str(caught.value) == f"unknown: expected SHA-256 {'0' * 64}, got {right}; not used"
    with pytest.raises(WeightsError, match=r"^unknown: expected MD5 0{32}, got "):
        check_sum(table["unknown"], "md5:" + "0" * 32)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=f"^{tmp_path / 'gone'}: cannot be read"):
        digest(tmp_path / "gone", "sha256")


def test_sizes_are_told_in_megabytes() -> None:
    assert [megabytes(size) for size in (80_134_624, 0, None)] == ["80.1 MB", "0.0 MB", "size not known"]


def test_the_page_about_weights_lists_them_all() -> None:
    page = Path(__file__).parents[2] / "weights" / "README.md"
    rows = [line.split("|")[1:-1] for line in page.read_text().splitlines() if re.match(r"\| vgg1[69] \|", line)]
    assert [[cell.strip() for cell in row[:2]] for row in rows] == [[source.network, source.name] for source in ALL]
    for source, (_, _, file, size, checksum, _) in zip(ALL, rows, strict=True):
        known = f"sha256:{source.member_sha256}" if isinstance(source, Package) else source.checksum
        assert known is not None
        assert known.split(":")[1] in checksum
        assert size.strip() == (megabytes(source.size) if source.size else "")
        assert (source.member.split("/", 1)[1] if isinstance(source, Package) else f"({source.url})") in file
