"""files.py: a file is whole or not there, and a folder that refuses is told before the work begins."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from minstyle.errors import FileError
from minstyle.files import check_writable, replacing


def disk_full(*arguments: object, **keywords: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def umask() -> Iterator[None]:
    """The umask as it was, after the test."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.parametrize("name", ["out.png", "no suffix", "grüße 絵.jpg", ".hidden", "two.dots.tif"])
def test_replacing_puts_the_new_file_in_place_of_the_old(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old", "the old file stays until the new one is whole"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [name]


def test_replacing_writes_beside_the_target_and_keeps_the_extension(tmp_path: Path) -> None:
    with replacing(str(tmp_path / "out.png")) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
        temporary.touch()


def test_two_writers_of_one_file_do_not_share_a_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    with replacing(path) as first, replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first", "the writer that ends last wins, whole"
    assert os.listdir(tmp_path) == ["out.png"]


@pytest.mark.parametrize("error", [RuntimeError("no"), OSError(errno.EIO, "no"), FileError("no"), KeyboardInterrupt()])
@pytest.mark.parametrize("written", [False, True], ids=["nothing written", "half written"])
def test_an_error_keeps_the_old_file_and_leaves_no_other(tmp_path: Path, error: BaseException, written: bool) -> None:
    path = tmp_path / "out.png"
    path.write_text("old")
    expected = FileError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected), replacing(path) as temporary:  # noqa: PT012 (the write before the error matters)
        if written:
            temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["out.png"]


def test_a_full_disk_is_a_file_error_of_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"
    monkeypatch.setattr(Path, "write_bytes", disk_full)
    with pytest.raises(FileError) as caught, replacing(path) as temporary:
        temporary.write_bytes(b"picture")
    assert str(caught.value) == f"cannot write {path}: {os.strerror(errno.ENOSPC)}"
    assert caught.value.__cause__ is not None
    assert os.listdir(tmp_path) == []


def test_a_rename_that_fails_is_a_file_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    with pytest.raises(FileError, match=r"cannot write .*out\.png"), replacing(tmp_path / "out.png") as temporary:
        temporary.write_text("new")
    assert os.listdir(tmp_path) == ["out.png"]
    assert (tmp_path / "out.png").is_dir()


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permission_bits_are_those_of_a_plain_file(tmp_path: Path, mask: int) -> None:
    os.umask(mask)
    with replacing(tmp_path / "replaced") as temporary:
        temporary.write_text("new")
    with open(tmp_path / "plain", "w") as file:
        file.write("new")
    modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("replaced", "plain")}
    assert modes == {"replaced": 0o666 & ~mask, "plain": 0o666 & ~mask}


@pytest.mark.parametrize("exists", [False, True])
def test_check_writable_admits_a_good_place_and_changes_nothing(tmp_path: Path, exists: bool) -> None:
    path = tmp_path / "out.png"
    if exists:
        path.write_text("old")
    check_writable(path)
    assert os.listdir(tmp_path) == (["out.png"] if exists else [])
    assert not exists or path.read_text() == "old"


def test_check_writable_takes_a_bare_name_for_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_writable("out.png")
    assert os.listdir(tmp_path) == []


def refused(path: Path) -> str:
    """The one line with which check_writable refuses ``path``."""
    with pytest.raises(FileError) as caught:
        check_writable(path)
    message = str(caught.value)
    assert message.startswith(f"cannot write {path}: ")
    assert len(message.splitlines()) == 1
    return message


def test_check_writable_refuses_a_missing_folder(tmp_path: Path) -> None:
    assert f"the folder {tmp_path / 'gone'} does not exist" in refused(tmp_path / "gone" / "out.png")
    assert os.listdir(tmp_path) == [], "it is not made by the check"


def test_check_writable_refuses_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("text")
    assert f"{tmp_path / 'notes'} is not a folder" in refused(tmp_path / "notes" / "out.png")


def test_check_writable_refuses_a_folder_as_file(tmp_path: Path) -> None:
    (tmp_path / "out.png").mkdir()
    assert "it is a folder" in refused(tmp_path / "out.png")
    assert os.listdir(tmp_path / "out.png") == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_check_writable_tries_and_gives_the_systems_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    # Every way to make a file ends in os.open or io.open; permission bits would not stop a superuser.
    def refuse(*arguments: object, **keywords: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.open", refuse)
        patch.setattr("io.open", refuse)
        patch.setattr("builtins.open", refuse)
        assert refused(tmp_path / "out.png").endswith(os.strerror(number))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that refuses even a superuser")
def test_check_writable_refuses_a_folder_that_only_looks_writable() -> None:
    refused(Path("/proc/self/out.png"))


@pytest.mark.parametrize("length", [200, 245, 250, 255])
def test_a_name_that_passes_the_check_can_be_written(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("a" * (length - 4) + ".png")
    check_writable(path)
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"


def test_a_name_that_is_too_long_is_refused_by_the_check(tmp_path: Path) -> None:
    assert refused(tmp_path / ("a" * 300 + ".png")).endswith(os.strerror(errno.ENAMETOOLONG))
