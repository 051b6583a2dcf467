"""``python -m minstyle.weights``: list, verify, remove, and fetch's options, as a user types them."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from minstyle.network.weightfile import read_weights, write_weights
from minstyle.weights.__main__ import main
from minstyle.weights.locate import VARIABLE
from minstyle.weights.sources import SOURCES
from tests.support.foreign_keras import write_keras
from tests.support.local_server import local_server, slow, status, whole
from tests.support.small import random_weights
from tests.weights.downloads.arrivals import offer, source

Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of weights, empty, and the only one."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setattr("minstyle.weights.locate.__file__", str(tmp_path / "site" / "a" / "b" / "locate.py"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "weights"
    folder.mkdir(parents=True)
    return folder


def put(folder: Path, network: str = "vgg19", dtype: type = np.float32, through: int | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    weights = random_weights(network, (2, 3, 2, 3, 2), through=through)
    weights = dataclasses.replace(weights, source="trained here", source_sha256="ab" * 32, licence="free to use")
    write_weights(folder / f"{network}.h5", weights, dtype)
    return folder / f"{network}.h5"


def refused(arguments: list[str], capsys: Capture) -> str:
    """The one line with which a command ends with 2."""
    try:
        code = main(arguments)
    except SystemExit as caught:
        code = int(caught.code or 0)
    out, err = capsys.readouterr()
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "python -m minstyle.weights" in err
    return out + err


# ---------------------------------------------------------------- list


def test_list_shows_what_is_installed(home: Path, tmp_path: Path, capsys: Capture) -> None:
    small, first = put(home, "vgg16", np.float16), put(tmp_path / "mine", "vgg19", through=5)
    (home / "broken.h5").write_text("nothing")
    (home / ".minstyle.0123.h5").write_text("on its way")
    assert main(["list", "--sources", "--weights-dir", str(tmp_path / "mine")]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = lines[: lines.index("folders that are searched, in order:")]
    assert rows[0] == "installed:"
    assert [re.split(r" {2,}", row.strip()) for row in rows[1:3] + rows[4:]] == [
        ["network", "layers", "size", "source", "path"],
        ["vgg19", "5", "0.0 MB", "trained here", str(first)],
        ["vgg16", "13", "0.0 MB", "trained here", str(small)],
    ]
    assert rows[3].startswith("  broken ")
    assert "not a whole HDF5 file" in rows[3]
    assert rows[3].endswith(str(home / "broken.h5"))


def test_what_comes_along_is_listed_by_the_name_that_network_takes_and_not_removed(
    home: Path, tmp_path: Path, capsys: Capture
) -> None:
    embedded = tmp_path / "site" / "weights"
    embedded.mkdir(parents=True)
    matrix = {"block2_conv1": np.ones((3, 2), np.float32)}
    weights = random_weights("vgg19", (2, 3, 2, 3, 2))
    small = dataclasses.replace(weights, projections=matrix, source=("trained " * 40).strip(), source_sha256="")
    write_weights(embedded / "mini.h5", small)
    assert main(["list"]) == 0
    row = f"  mini (a small network, in place of vgg19)  16      0.0 MB  {embedded}/mini.h5 (comes with minstyle)"
    assert row in capsys.readouterr().out.splitlines()
    assert main(["list", "--sources"]) == 0
    assert "  trained trained trained trained ...  " in capsys.readouterr().out
    assert main(["verify", "mini"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"^network +mini \(a small network, in place of vgg19\)$", told, re.MULTILINE)
    assert re.search(r"^source +(trained ?){40}$", told, re.MULTILINE)
    assert "source's SHA-256" not in told
    path = put(embedded)
    for folder in ([], ["--weights-dir", str(embedded)]):
        message = refused(["remove", "vgg19", "--yes", *folder], capsys)
        assert f"{path} comes with minstyle and is kept: only files that you installed are removed" in message
    assert path.is_file()
    own = put(home)
    assert main(["remove", "vgg19", "--yes"]) == 0
    assert [path.is_file(), own.is_file()] == [True, False]


def test_without_a_command_all_are_told(home: Path, capsys: Capture) -> None:
    assert "error: expected a command: convert, fetch, list, verify or remove. See" in refused([], capsys)


def test_list_is_short(home: Path, capsys: Capture) -> None:
    first = put(home, "vgg16")
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "installed:"
    assert lines[-1] == "fetch gets vgg19 and vgg16; list --sources says where from, and where to"
    assert lines[2].endswith(str(first))
    assert len(lines) == 3 + len(list(home.glob("*.h5")))


def test_list_shows_what_can_be_had(home: Path, capsys: Capture) -> None:
    assert main(["list", "--sources"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "installed: nothing"
    start = lines.index("available with python -m minstyle.weights fetch NETWORK [--source SOURCE]:") + 1
    assert [line.split()[:2] for line in lines[start:]] == [
        ["network", "source"], *([network, entry.name] for network in SOURCES for entry in SOURCES[network]),
    ]  # fmt: skip
    for part in ("80.1 MB", "574.7 MB", "size not known", "CC BY 4.0", "BSD 3-Clause"):
        assert part in out


TOO_LONG = "n" * 300


@pytest.mark.parametrize("how", ["variable", "home"])
def test_a_folder_that_cannot_be_read_is_told_beside_the_others(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, how: str
) -> None:
    path = put(tmp_path / "mine", "vgg16")
    if how == "variable":
        monkeypatch.setenv(VARIABLE, TOO_LONG)
    if how == "home":
        monkeypatch.setenv(VARIABLE, str(path.parent))
        monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / TOO_LONG))
    assert main(["list", "--weights-dir", str(path.parent)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert re.search(r"^  \S*n{40}\S*: cannot be read: File name too long$", out, re.MULTILINE)
    assert str(path) in out


def test_a_folder_that_is_asked_for_has_to_be_readable(home: Path, capsys: Capture) -> None:
    assert main(["list", "--weights-dir", TOO_LONG]) == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert re.search(r"n{40}\S*: .*too long", err)


def test_a_closed_folder_is_told_beside_the_others(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    closed, listdir = tmp_path / "closed", os.listdir
    closed.mkdir()

    def refuse(path: Path) -> list[str]:
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert main(["list", "--weights-dir", str(closed)]) == 0
    assert f"  {closed}: cannot be read: Permission denied\n" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [
    ["verify", "vgg19"], ["remove", "vgg19", "--yes"], ["fetch", "vgg19", "--from", "mine.h5"],
], ids=lambda arguments: arguments[0])  # fmt: skip
@pytest.mark.parametrize("how", ["option", "variable"])
def test_a_folder_whose_name_is_too_long_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str], how: str
) -> None:
    if how == "variable" and arguments[0] != "fetch":
        monkeypatch.setenv(VARIABLE, TOO_LONG)
    else:
        arguments = [*arguments, "--weights-dir", TOO_LONG]
    message = refused(arguments, capsys)
    assert "n" * 99 in message
    assert "File name too long" in message


@pytest.mark.parametrize("arguments", [["verify", "file"], ["convert", "file", "out.h5"], ["list"]], ids=str)
def test_an_error_of_the_system_that_nobody_expected_names_its_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: list[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/closed/file")

    for name in ("convert", "find_weights", "describe_all"):
        monkeypatch.setattr(f"minstyle.weights.commands.{name}", refuse)
    assert "python -m minstyle.weights: error: /srv/closed/file: Permission denied\n" in refused(arguments, capsys)


# ---------------------------------------------------------------- verify


@pytest.mark.parametrize("how", ["name", "auto", "path", "folder"])
def test_verify_describes_the_file(home: Path, tmp_path: Path, capsys: Capture, how: str) -> None:
    path = put(tmp_path / "mine" if how == "folder" else home)
    arguments = {
        "name": ["vgg19"], "auto": ["auto"], "path": [str(path)], "folder": ["vgg19", "--weights-dir", "mine"],
    }  # fmt: skip
    assert main(["verify", *arguments[how]]) == 0
    facts = dict(re.split(r" {2,}", line, maxsplit=1) for line in capsys.readouterr().out.splitlines())
    shown = Path("mine/vgg19.h5") if how == "folder" else path
    assert facts == {
        "file": f"{shown} (0.0 MB)",
        "SHA-256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "network": "vgg19",
        "layers": "all 16, block1_conv1 to block5_conv4",
        "channels": "2 2 3 3 2 2 2 2 3 3 3 3 2 2 2 2",
        "dtype": "float32",
        "normalisation": "(image - mean) / std, mean 123.68, 116.779, 103.939, std 1, 1, 1 (RGB, 0..255), then BGR",
        "source": "trained here",
        "source's SHA-256": "ab" * 32,
        "licence": "free to use",
    }


def test_verify_tells_a_part_of_a_network_and_half_precision(home: Path, capsys: Capture) -> None:
    put(home, "vgg16", np.float16, through=3)
    assert main(["verify", "vgg16"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^layers +the first 3, block1_conv1 to block2_conv1$", out, re.MULTILINE)
    assert re.search(r"^dtype +float16$", out, re.MULTILINE)


def test_verify_measures_the_loading(home: Path, capsys: Capture) -> None:
    """Times of a small network, in which nothing can be slow but the machine."""
    put(home)
    assert main(["verify", "vgg19", "--time"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    found = re.fullmatch(r"loading +(\d+\.\d\d) s, weights (0\.0) MB, peak memory beyond them (.*)", last)
    assert found is not None
    assert float(found[1]) < 10
    if sys.platform == "linux":
        assert 0 <= float(found[3].removesuffix(" MB")) < 50


def test_loading_a_whole_vgg19_is_quick_and_makes_no_second_copy(home: Path, capsys: Capture) -> None:
    write_weights(home / "vgg19.h5", random_weights("vgg19", (64, 128, 256, 512, 512)))
    assert main(["verify", "vgg19", "--time"]) == 0
    out = capsys.readouterr().out
    found = re.search(r"^loading +(\S+) s, weights 80\.1 MB, peak memory beyond them (.*)$", out, re.MULTILINE)
    assert found is not None
    assert float(found[1]) < 1
    if sys.platform == "linux":
        assert float(found[2].removesuffix(" MB")) < 20, "less than a quarter of the weights"


@pytest.mark.parametrize("damage", ["gap", "number", "cut", "other format", "missing", "unknown"])
def test_verify_refuses_what_no_run_could_use(home: Path, tmp_path: Path, capsys: Capture, damage: str) -> None:
    path = put(home)
    if damage == "gap":
        weights = read_weights(path)
        layers = {name: pair for name, pair in weights.layers.items() if name != "block1_conv2"}
        write_weights(path, dataclasses.replace(weights, layers=layers))
    elif damage == "number":
        with h5py.File(path, "r+") as file:
            file["block3_conv1/kernel"][0, 0, 0, 0] = np.nan
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-5000])
    elif damage == "other format":
        write_keras(path, random_weights("vgg19", (2, 3, 2, 3, 2)))
    elif damage == "missing":
        path.unlink()
    message = refused(["verify", {"missing": "vgg19", "unknown": "alexnet"}.get(damage, str(path))], capsys)
    assert ("'alexnet'" if damage == "unknown" else str(home)) in message


# ---------------------------------------------------------------- remove


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_remove_asks_and_removes(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, answer: str) -> None:
    path, other = put(home), put(home, "vgg16")
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["remove", "vgg19"]) == 0
    assert capsys.readouterr() == (f"remove {path} (0.0 MB)? [y/N] {path}: removed\n", "")
    assert os.listdir(home) == [other.name]


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yellow\n"])
def test_remove_keeps_the_file_unless_the_answer_is_yes(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, answer: str
) -> None:
    path = put(home)
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["remove", "vgg19"]) == 0
    assert capsys.readouterr().out.endswith(f"{path}: kept\n")
    assert path.is_file()


def test_remove_without_a_terminal_needs_yes(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    path = put(home)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    message = refused(["remove", "vgg19"], capsys)
    assert f"{path} is kept" in message
    assert "--yes" in message
    assert path.is_file()
    assert main(["remove", "vgg19", "--yes"]) == 0
    assert capsys.readouterr().out == f"{path}: removed\n"
    assert os.listdir(home) == []


def test_remove_takes_the_file_that_a_run_would_take(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    first, second = put(tmp_path / "first"), put(home)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "first"))
    assert main(["remove", "vgg19", "--yes"]) == 0
    assert [path.is_file() for path in (first, second)] == [False, True]


def test_remove_from_a_folder_touches_no_other(home: Path, tmp_path: Path, capsys: Capture) -> None:
    path = put(home)
    (tmp_path / "vgg19").write_text("a file of that name in the folder one is in")
    message = refused(["remove", "vgg19", "--yes", "--weights-dir", str(tmp_path)], capsys)
    assert f"vgg19 is not installed in {tmp_path}; nothing to remove" in message
    assert path.is_file()
    assert (tmp_path / "vgg19").is_file()


@pytest.mark.parametrize("name", ["alexnet", "", "../vgg19"])
def test_remove_knows_networks_only(home: Path, capsys: Capture, name: str) -> None:
    assert "invalid choice" in refused(["remove", name, "--yes"], capsys)


# ---------------------------------------------------------------- fetch


@pytest.mark.parametrize(("quiet", "terminal"), [([], True), (["--quiet"], True), ([], False)])
def test_fetch_shows_a_bar_on_a_terminal_unless_quiet(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture, quiet: list[str], terminal: bool
) -> None:
    """Without a terminal it is a line each 10 seconds, which this does not take."""
    monkeypatch.setattr(type(sys.stderr), "isatty", lambda _: terminal)
    content = write_keras(tmp_path / "keras.h5", random_weights("vgg19", (2, 3, 2, 3, 2))).read_bytes()
    with local_server() as server:
        offer(monkeypatch, source(server.url("/a", slow(content, 0.5)), content))
        assert main(["fetch", "vgg19", *quiet, "--dtype", "float16"]) == 0
    out, err = capfd.readouterr()
    assert out == f"fetching vgg19 from first (0.1 MB) ...\n{home / 'vgg19.h5'}: ready\n"
    assert ("B/s" in err) == (terminal and not quiet)
    assert "B/s" in err or err == ""
    assert read_weights(home / "vgg19.h5").layers["block1_conv1"][0].dtype == np.float16


def test_fetch_says_why_it_goes_on_to_the_next_source(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    content = write_keras(tmp_path / "keras.h5", random_weights("vgg19", (2, 3, 2, 3, 2))).read_bytes()
    with local_server() as server:
        first = source(server.url("/a", status(404)), content)
        offer(monkeypatch, first, source(server.url("/b", whole(content)), content, "second"))
        assert main(["fetch", "vgg19", "--quiet"]) == 0
        reason = f"first: {server.host} answers 404 Not Found; trying second next (0.1 MB)\n"
        assert capsys.readouterr().err == reason
        assert main(["fetch", "vgg19", "--quiet", "--source", "second"]) == 0
        assert capsys.readouterr() == (f"fetching vgg19 from second (0.1 MB) ...\n{home / 'vgg19.h5'}: ready\n", "")


def test_fetch_takes_a_file(home: Path, tmp_path: Path, capsys: Capture) -> None:
    file = write_keras(tmp_path / "mine.h5", random_weights("vgg19", (2, 3, 2, 3, 2)))
    assert main(["fetch", "vgg19", "--from", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out == f"fetching vgg19 from {file} ...\n{home / 'vgg19.h5'}: ready\n"
    assert "unknown source" in err
    assert file.is_file()


def test_without_a_network_the_error_has_three_lines_and_the_last_is_a_command_that_works(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    file = write_keras(tmp_path / "FILE", random_weights("vgg19", (2, 3, 2, 3, 2)))
    content = file.read_bytes()
    monkeypatch.setattr("minstyle.weights.download.PAUSE", 0.0)
    with local_server() as server:
        url = server.url("/vgg19.h5", whole(content))
    offer(monkeypatch, source(url, content))
    assert main(["fetch", "vgg19"]) == 2
    lines = capsys.readouterr().err.splitlines()[-3:]
    assert lines[0].startswith("python -m minstyle.weights: error: no source of vgg19 can be reached")
    assert lines[1] == f"{url} (0.1 MB)"
    assert os.listdir(home) == []
    command = lines[2].partition("run: ")[2].split()
    assert command[:3] == ["python", "-m", "minstyle.weights"]
    assert main(command[3:]) == 0
    assert "of the source first, checksum right" in capsys.readouterr().err
    assert os.listdir(home) == ["vgg19.h5"]


@pytest.mark.parametrize("arguments", [
    "fetch", "fetch alexnet", "fetch vgg19 --source keras --from file", "fetch vgg19 --dtype int8", "list vgg19",
    "fetch vgg19 --source nowhere", "fetch vgg19 --from gone", "verify", "remove", "where",
])  # fmt: skip
def test_a_command_that_makes_no_sense_ends_with_2(home: Path, capsys: Capture, arguments: str) -> None:
    refused(arguments.split(), capsys)
    assert os.listdir(home) == []


def test_the_module_runs_as_a_command(home: Path) -> None:
    run = subprocess.run([sys.executable, "-m", "minstyle.weights", "list"], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("installed:")
    assert run.stderr == ""


@pytest.mark.parametrize("name", ["", "a\0b"])
@pytest.mark.parametrize(("words", "place", "expected"), [
    (["convert", "{}", "out.h5"], "SRC", "the name of a file"),
    (["convert", "vgg.h5", "{}"], "DST", "the name of a file"),
    (["fetch", "vgg19", "--from={}"], "--from", "the name of a file"),
    (["fetch", "vgg19", "--weights-dir={}"], "--weights-dir", "a folder with weights"),
    (["list", "--weights-dir={}"], "--weights-dir", "a folder with weights"),
    (["verify", "vgg19", "--weights-dir={}"], "--weights-dir", "a folder with weights"),
    (["remove", "vgg19", "--weights-dir={}"], "--weights-dir", "a folder with weights"),
])  # fmt: skip
def test_what_can_be_no_name_is_refused(
    home: Path, capsys: Capture, words: list[str], place: str, expected: str, name: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main([word.format(name) for word in words])
    (line,) = capsys.readouterr().err.splitlines()
    assert (end.value.code, f"argument {place}: expected {expected}, got {name!r}" in line) == (2, True)
