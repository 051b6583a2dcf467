"""What files and names say is printed in a line of its own, with escapes for what moves a terminal's cursor."""

from __future__ import annotations

import json
import pickle
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
import pytest
import safetensors.numpy
import scipy.io
from onnx import helper

from minstyle.cli.main import main
from minstyle.images import save_picture
from minstyle.recipe.presets import RECIPES
from minstyle.weights.__main__ import main as weights_main
from tests.support.local_server import Handler, local_server
from tests.support.small import picture
from tests.support.studio import Captured, Studio
from tests.weights.downloads.arrivals import offer, source

FORGED = "minstyle: error: forged"
EVIL = f"\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\u202e\u2066\u2028{FORGED}\r{FORGED}\n{FORGED}\t"
LONG = EVIL + "x" * 5000 + " y" * 5000
NAME = EVIL.replace("/", "")  # of a file


def assert_harmless(capsys: Captured, lines: int | None = 1) -> str:
    """Nothing moved the cursor, forged a line or was long; returns what was printed."""
    out, err = capsys.readouterr()
    for line in (out + err).split("\n"):
        assert not [c for c in line if unicodedata.category(c) in ("Cc", "Zl", "Zp") or c in "\u202e\u2066"], ascii(
            line
        )
        assert not line.startswith(FORGED)
        assert len(line) < 2100
        assert "x" * 201 not in line
    if lines is not None:
        assert err.count("\n") == lines, err
    return str(out + err)


def code_of(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    try:
        return command(arguments)
    except SystemExit as end:  # argparse's way to refuse
        return int(end.code or 0)


def attribute(studio: Studio, name: str) -> Path:
    with h5py.File(studio.network, "r+") as file:
        del file.attrs[name]
        file.attrs.create(name, LONG.encode(), dtype=h5py.string_dtype("utf-8", len(LONG.encode())))
    return studio.network


@pytest.mark.parametrize("name", ["source", "licence", "source_sha256", "network", "channel_order", "format"])
def test_attributes_of_weights(studio: Studio, capsys: Captured, name: str) -> None:
    code = weights_main(["verify", str(attribute(studio, name))])
    printed = assert_harmless(capsys, lines=0 if code == 0 else 1)
    assert r"\x1b[31mred\x1b]0;title\x07\x9b2J\x7f\u202e\u2066" in printed.replace("\\\\", "\\") or name == "format"
    assert " y" * 200 not in printed, "one value, however many words it has"
    studio.network.rename(studio.folder / "vgg16.h5")
    assert weights_main(["list", "--weights-dir", str(studio.folder)]) == 0
    assert " y" * 200 not in assert_harmless(capsys, lines=0)


@pytest.mark.parametrize("change", ["more", "renamed"])
def test_groups_of_weights(studio: Studio, capsys: Captured, change: str) -> None:
    with h5py.File(studio.network, "r+") as file:
        _ = file.create_group(EVIL) if change == "more" else file.move("block1_conv1", EVIL)
    weights_main(["verify", str(studio.network)])
    assert_harmless(capsys, lines=None)
    studio.run()
    assert_harmless(capsys, lines=None)


TERM = {"kind": "gram_mean", "layer": "block1_conv1", "weight": 1}
RECIPE: dict[str, Any] = json.loads(RECIPES["document"].to_json())
RECIPES_OF_EVIL: dict[str, dict[str, Any]] = {
    "key": {**RECIPE, LONG: 1},
    "many keys": {**RECIPE, **{f"{EVIL}{n}": 1 for n in range(500)}},
    "name": {**RECIPE, "name": LONG},
    "init": {**RECIPE, "init": LONG},
    "term's key": {**RECIPE, "terms": [{**TERM, LONG: 1}]},
    "kind": {**RECIPE, "terms": [{**TERM, "kind": LONG}]},
    "layer": {**RECIPE, "terms": [{**TERM, "layer": LONG}]},
    "weight": {**RECIPE, "terms": [{**TERM, "weight": LONG}]},
}


@pytest.mark.parametrize("recipe", RECIPES_OF_EVIL.values(), ids=RECIPES_OF_EVIL)
def test_recipes(studio: Studio, capsys: Captured, recipe: dict[str, Any]) -> None:
    file, painted = studio.folder / "evil.json", studio.folder / "evil.png"
    file.write_text(json.dumps(recipe))
    save_picture(picture(32, 32), painted, text={"minstyle": json.dumps(recipe)})
    studio.run("--recipe", file)
    assert_harmless(capsys, lines=None)
    if "name" not in [key for key, value in recipe.items() if value == LONG]:  # a recipe's own text is printed whole
        for path in (file, painted):
            assert main(["--print-recipe", "--recipe", str(path)]) == 2
            assert_harmless(capsys)
        assert main(["--show-recipe", str(painted)]) == 2
        assert_harmless(capsys)


OPTIONS = ["--network", "--recipe", "--compare", "--init", "--style-layers", "--size", "--device", "--trace", "--plot",
           "--sheet", "--weights-dir", "--color", "--mask", "--quality", "--memory", "--checkpoint"]  # fmt: skip


@pytest.mark.parametrize("option", OPTIONS)
def test_values_of_options(studio: Studio, capsys: Captured, option: str) -> None:
    studio.run(option, LONG.replace("\0", ""))
    assert_harmless(capsys, lines=None)


@pytest.mark.parametrize("arguments", [
    [f"--{LONG}"], ["--show-recipe", LONG], ["--resume", LONG], [LONG, LONG, LONG], [LONG], ["a", "b", f"c{LONG}.png"],
], ids=["option", "show", "resume", "files", "file", "out"])  # fmt: skip
def test_names_of_files_and_options(capsys: Captured, arguments: list[str]) -> None:
    assert code_of(main, arguments) == 2
    assert_harmless(capsys)


def test_a_run_whose_files_have_evil_names(studio: Studio, capsys: Captured) -> None:
    folder = studio.folder / NAME
    folder.mkdir()
    for name in ("content", "style", "network", "out"):
        old = getattr(studio, name)
        setattr(studio, name, folder / f"{NAME}{name}{old.suffix}")
        if name != "out":
            old.rename(getattr(studio, name))
    mask = folder / f"{NAME}mask.png"
    labels = np.zeros((16, 16, 3))
    labels[8:] = 255
    save_picture(labels, mask)
    assert studio.run("--mask", mask, mask, "--checkpoint", folder / "kept") == 0
    printed = assert_harmless(capsys, lines=None)
    assert f"{str(studio.out).encode('unicode_escape').decode()}: 40 x 32, painted" in printed


def write_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps(np.zeros(3), 2).replace(b"numpy", b"nu\x1b\x07y"))


def write_onnx(path: Path) -> None:
    node = helper.make_node(EVIL, ["x", EVIL], ["y"], name=EVIL)
    inputs, tensor = helper.make_tensor_value_info("x", 1, [1]), helper.make_tensor(EVIL, 1, [4, 3, 3, 3], [0.0] * 108)
    onnx.save(helper.make_model(helper.make_graph([node], EVIL, [inputs], [inputs], [tensor])), path)


def write_keras_groups(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group(EVIL)["kernel"] = np.zeros((3, 3, 3, 4), np.float32)


def write_npz(path: Path) -> None:
    np.savez(path, **{EVIL: np.zeros((3, 3, 3, 4)), "conv1_1_W": np.zeros((3, 3, 3, 4))})


def write_matlab(path: Path) -> None:
    layers = np.array([{"name": EVIL, "type": EVIL, "weights": np.zeros(3)}], dtype=object)
    scipy.io.savemat(path, {"layers": layers})


FOREIGN: dict[str, Callable[[Path], object]] = {
    "w.safetensors": lambda path: safetensors.numpy.save_file({LONG: np.zeros((3, 3))}, path),
    "w.npz": write_npz, "w.npy": write_pickle, "w.h5": write_keras_groups, "w.mat": write_matlab, "w.onnx": write_onnx,
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_weights(tmp_path: Path, capsys: Captured, name: str) -> None:
    FOREIGN[name](tmp_path / name)
    assert weights_main(["convert", str(tmp_path / name), str(tmp_path / "out.h5")]) == 2
    assert_harmless(capsys)


@pytest.mark.parametrize("arguments", [
    ["verify", LONG], ["fetch", "vgg19", "--source", LONG], ["convert", LONG, "x.h5"], [LONG], ["convert", "a", LONG],
    ["remove", "vgg19", "--yes", "--weights-dir", EVIL], ["fetch", "vgg19", "--from", LONG],
], ids=lambda arguments: arguments[0][:9])  # fmt: skip
def test_arguments_of_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path))
    assert code_of(weights_main, arguments) == 2
    assert_harmless(capsys)


def test_what_a_server_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    def answer(handler: Handler) -> None:
        handler.send_response(404, "\x1b[31mred\x07" + " y" * 5000)
        handler.end_headers()

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with local_server() as server:
        offer(monkeypatch, source(server.url("/a", answer), b"content"))
        assert weights_main(["fetch", "vgg19", "--quiet", "--weights-dir", str(tmp_path)]) == 2
    assert " y" * 200 not in assert_harmless(capsys)
