"""Where pictures come from and go to: links, pipes, closed folders, names that the terminal cannot show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from minstyle.images import load_image, save_picture
from minstyle.weights.__main__ import main as weights_main
from tests.support.small import picture
from tests.support.studio import Captured, Studio, told_in_one_line


@pytest.mark.parametrize("there", [True, False], ids=["a file", "no file yet"])
def test_the_target_of_a_link_is_replaced(studio: Studio, there: bool) -> None:
    target, link = studio.folder / "elsewhere" / "target.png", studio.results / "link.png"
    target.parent.mkdir()
    if there:
        save_picture(picture(8, 8), target, text={"minstyle": "{}"})
    link.symlink_to(target)
    studio.out = link
    expected = studio.image()
    assert link.is_symlink()
    assert target.read_bytes() == expected
    assert load_image(target).shape == (32, 40, 3)
    assert os.listdir(target.parent) == ["target.png"]
    assert os.listdir(studio.results) == ["link.png"]


def test_a_link_to_a_picture_that_is_read_is_refused(studio: Studio, capsys: Captured) -> None:
    before, studio.out = studio.content.read_bytes(), studio.results / "link.png"
    studio.out.symlink_to(studio.content)
    assert studio.run("--quiet") == 2
    assert "is one of the files that are read: write to another" in told_in_one_line(capsys)
    assert studio.content.read_bytes() == before


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_a_name_that_the_terminal_cannot_show_is_escaped(studio: Studio, encoding: str) -> None:
    studio.out = studio.results / "b\u00e9b\u00e9 \u732b.png"
    command = [sys.executable, "-m", "minstyle", *studio.arguments()]
    environment = os.environ | {"PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr.count(b"Traceback")) == (0, 0)
    assert studio.out.is_file()
    name = studio.out.name.encode(encoding, "backslashreplace")
    assert name in done.stdout.splitlines()[-1]


def test_a_name_that_is_no_text_is_escaped(studio: Studio) -> None:
    studio.out = Path(os.fsdecode(os.fsencode(studio.results) + b"/caf\xe9.png"))
    done = subprocess.run([sys.executable, "-m", "minstyle", *studio.arguments()], capture_output=True, check=False)
    assert done.returncode == 0
    assert b"\\udce9.png: 40 x 32, painted" in done.stdout


def deny(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make a folder as a user meets it who may not enter it; the tests' own user may be allowed everything."""
    stat = os.stat

    def refuse(path: object, *args: object, **kwargs: object) -> os.stat_result:
        if str(path).startswith(f"{folder}{os.sep}"):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "stat", refuse)


def test_a_closed_home_is_passed_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, capsys: Captured
) -> None:
    home = tmp_path_factory.mktemp("home")
    for variable in ("HOME", "XDG_DATA_HOME", "USERPROFILE", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(home))
    deny(monkeypatch, home)
    assert studio.run("--quiet", "--network", "mini") == 0
    assert capsys.readouterr().err == ""


def test_a_closed_weights_folder_is_named(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, capsys: Captured
) -> None:
    closed = tmp_path_factory.mktemp("closed")
    deny(monkeypatch, closed)
    assert studio.run("--quiet", "--network", "mini", "--weights-dir", closed) == 2
    assert f"{closed / 'mini.h5'} cannot be accessed: Permission denied" in told_in_one_line(capsys)


@pytest.mark.parametrize("name", ["gone", "photo.png", "x" * 5000, "a\0b"])
def test_a_weights_folder_that_there_is_not_is_an_error(studio: Studio, capsys: Captured, name: str) -> None:
    given = studio.folder / name
    assert studio.run("--quiet", "--network", "mini", "--weights-dir", given) == 2
    assert "expected a folder with weights" in told_in_one_line(capsys)
    for command in (["list"], ["verify", "vgg19"], ["verify", str(studio.network)], ["remove", "vgg16", "--yes"]):
        try:
            code: object = weights_main([*command, "--weights-dir", str(given)])
        except SystemExit as end:  # of the parser, which knows what can be no name
            code = end.code
        assert code == 2
        captured = capsys.readouterr()
        (line,) = captured.err.splitlines()
        assert (captured.out, "expected a folder with weights" in line) == ("", True)


def test_other_errors_than_standard_outputs_name_their_file(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/closed/file")

    monkeypatch.setattr("minstyle.cli.main.prepare", refuse)
    assert studio.run("--quiet") == 2
    assert told_in_one_line(capsys) == "minstyle: error: /srv/closed/file: Permission denied"


@pytest.mark.parametrize("which", ["content", "style", "out"])
def test_a_closed_folder_is_the_reason(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, capsys: Captured, which: str
) -> None:
    closed = studio.folder / "closed"
    (closed / "below").mkdir(parents=True)
    setattr(studio, which, closed / "below" / "picture.png")
    deny(monkeypatch, closed)
    assert studio.run("--quiet") == 2
    line = told_in_one_line(capsys)
    assert "picture.png" in line
    assert "Permission denied" in line


def test_a_pipe_is_named_as_one(studio: Studio, capsys: Captured) -> None:
    studio.content = studio.folder / "pipe"
    os.mkfifo(studio.content)
    assert studio.run("--quiet") == 2
    assert "pipe is a pipe or a device, which cannot be read twice: save the picture to a file" in told_in_one_line(
        capsys
    )


def test_a_folder_and_a_zero_byte_are_named(studio: Studio, capsys: Captured) -> None:
    folder, zero = studio.folder, Path("a\0b.png")
    for name, words in ((folder, "is a folder: expected a picture file"), (zero, "expected the name of a file")):
        studio.content = name
        assert studio.run("--quiet") == 2
        assert words in told_in_one_line(capsys)
