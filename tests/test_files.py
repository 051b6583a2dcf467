"""files.py: a file is whole or not there, and a folder that refuses is told before the work begins."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from minstyle.errors import FileError
from minstyle.files import check_outputs, check_writable, replacing, temporary_folder


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


def test_a_replaced_file_keeps_its_permissions_and_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_text("old")
    os.chmod(path, 0o640)
    owner = (1234, 2345) if os.geteuid() == 0 else (os.getuid(), os.getgid())
    os.chown(path, *owner)
    with replacing(path) as temporary:
        temporary.write_text("new")
    status = path.stat()
    assert (path.read_text(), status.st_mode & 0o777, status.st_uid, status.st_gid) == ("new", 0o640, *owner)


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (sync(number), done.append(f"sync {os.fstat(number).st_size}")))
    monkeypatch.setattr(os, "replace", lambda *paths: (replace(*paths), done.append("rename")))
    with replacing(tmp_path / "out.png") as temporary:
        temporary.write_text("new")
    assert done == ["sync 3", "rename"]


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device"])
def test_a_pipe_or_a_device_is_never_replaced(tmp_path: Path, kind: str) -> None:
    path = Path(os.devnull) if kind == "device" else tmp_path / "out.png"
    if kind != "device":
        os.mkfifo(path if kind == "pipe" else tmp_path / "pipe")
    if kind == "link to a pipe":
        path.symlink_to(tmp_path / "pipe")
    before = os.stat(path)
    assert "it is a pipe or a device; name a file" in refused(path)
    with pytest.raises(FileError, match="it is a pipe or a device"), replacing(path):
        pass
    assert os.path.samestat(os.stat(path), before)


def test_a_link_that_leads_nowhere_or_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    assert refused(tmp_path / "loop.png").endswith(os.strerror(errno.ELOOP))
    (tmp_path / "link.png").symlink_to(tmp_path / "gone" / "out.png")
    assert f"the folder {tmp_path / 'gone'} does not exist" in refused(tmp_path / "link.png")


OURS = (".minstyle.0123abcd", ".minstyle.0123abcd.png", ".minstyle.89abcdef.h5")
NOT_OURS = (".minstyle", ".minstyle.png", ".minstyle.0123abc.png", ".minstyle.0123ABCD.png", ".minstyle.0123abcd.a.png",
            "minstyle.0123abcd.png", ".minstyle.0123abcdx", ".minstyle.0123abcd.png~.old", "out.png")  # fmt: skip


def aged(path: Path, days: float) -> Path:
    path.write_text("left")
    os.utime(path, (time.time() - days * 86_400,) * 2)
    return path


def test_what_a_killed_process_left_is_cleared_after_a_day_and_nothing_else(tmp_path: Path) -> None:
    for name in OURS:
        aged(tmp_path / name, 1.1)
    young = [aged(tmp_path / f".minstyle.0000000{number}.png", 0.9 * number).name for number in (0, 1)]
    others = [aged(tmp_path / name, 400).name for name in NOT_OURS]
    target = aged(tmp_path / "target", 400).name
    link = tmp_path / ".minstyle.22222222.png"
    link.symlink_to(target)
    os.utime(link, (0, 0), follow_symlinks=False)
    foreign = [] if os.geteuid() else [aged(tmp_path / ".minstyle.33333333.png", 400)]
    for path in foreign:
        os.chown(path, 1234, 1234)
    check_writable(tmp_path / "new.png")
    expected = [*young, *others, target, link.name, *(path.name for path in foreign)]
    assert sorted(os.listdir(tmp_path)) == sorted(expected)


def test_folders_that_a_killed_fetch_left_are_cleared_unless_they_are_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_folder() as first:
        assert first.parent == tmp_path
    for name, days in (("old", 2), ("busy", 0)):
        folder = first.with_name(f".minstyle.0123abcd.{name}")
        folder.mkdir()
        aged(folder / "download", days)
        os.utime(folder, (0, 0))
    with temporary_folder() as second:
        assert sorted(os.listdir(tmp_path)) == sorted([".minstyle.0123abcd.busy", second.name])
    assert os.listdir(tmp_path) == [".minstyle.0123abcd.busy"]


def test_a_file_that_is_not_there_cannot_be_written_over(tmp_path: Path) -> None:
    check_outputs([tmp_path / "a"], [tmp_path / "a"])
