"""weights/convert.py: a foreign file is recognised by what is in it, and its network computes the same features."""

from __future__ import annotations

import builtins
import datetime
import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from minstyle.errors import FileError
from minstyle.network.weightfile import Weights, read_weights
from minstyle.weights.__main__ import main
from minstyle.weights.convert import convert
from tests.support.conversions import edited, refusal
from tests.support.foreign_arrays import flax_tree, published_pickle
from tests.support.foreign_keras import write_keras
from tests.support.layers import assert_same_layers
from tests.support.small import random_weights

CHANNELS = (2, 3, 2, 3, 2)
TOOL = Path(__file__).resolve().parents[2] / "tools" / "convert_weights.py"


@pytest.fixture
def keras(tmp_path: Path) -> Path:
    """A good source."""
    (tmp_path / "in").mkdir()
    return write_keras(tmp_path / "in" / "vgg19.h5", random_weights("vgg19", CHANNELS))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to: alone in its folder."""
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "converted.h5"


# ---------------------------------------------------------------- what is recognised


@pytest.mark.parametrize("name", ["vgg19.h5", "vgg16.ckpt", "weights", "photo.jpg"])
@pytest.mark.parametrize("network", ["vgg16", "vgg19"])
def test_keras_files_are_recognised_by_content_not_by_name(
    tmp_path: Path, target: Path, network: str, name: str
) -> None:
    made = random_weights(network, CHANNELS)
    convert(write_keras(tmp_path / name, made, names="W_1:0", root="model_weights", top=True), target)
    converted = read_weights(target)
    assert converted.network == network
    assert_same_layers(dict(converted.layers), made.layers)
    assert (converted.mean, converted.std) == ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0))
    assert converted.channel_order == "BGR"


@pytest.mark.parametrize("name", ["vgg16.ckpt", "vgg19.h5"])
def test_the_pickle_is_recognised_by_content_not_by_name(tmp_path: Path, target: Path, name: str) -> None:
    made = random_weights("vgg16", CHANNELS)
    convert(published_pickle(tmp_path / name, made), target)
    converted = read_weights(target)
    assert converted.network == "vgg16"
    assert_same_layers(dict(converted.layers), made.layers)
    np.testing.assert_allclose(converted.mean, [123.675, 116.28, 103.53], rtol=1e-12)
    np.testing.assert_allclose(converted.std, [58.395, 57.12, 57.375], rtol=1e-12)
    assert converted.channel_order == "RGB"


def test_the_file_says_where_it_comes_from(keras: Path, target: Path) -> None:
    returned = convert(keras, target, licence="CC BY 4.0", origin="a mirror")
    for weights in (returned, read_weights(target)):
        assert weights.source == f"a mirror, converted {datetime.date.today().isoformat()}"
        assert weights.licence == "CC BY 4.0"
        assert weights.source_sha256 == hashlib.sha256(keras.read_bytes()).hexdigest()
    convert(keras, target)
    assert read_weights(target).source.startswith("vgg19.h5, converted ")
    assert read_weights(target).licence == "not stated by the source file"


def test_a_source_is_not_replaced_by_its_conversion(keras: Path) -> None:
    before = hashlib.sha256(keras.read_bytes()).hexdigest()
    with pytest.raises(FileError, match="is one of the files that are read: write to another"):
        convert(keras, keras)
    assert hashlib.sha256(keras.read_bytes()).hexdigest() == before


@pytest.mark.parametrize("write", [write_keras, published_pickle])
def test_half_precision_rounds_and_names_stay(
    tmp_path: Path, target: Path, write: Callable[[Path, Weights], Path]
) -> None:
    made = random_weights("vgg16", CHANNELS)
    convert(write(tmp_path / "source", made), target, dtype=np.float16)
    halves = {name: (k.astype(np.float16), b.astype(np.float16)) for name, (k, b) in made.layers.items()}
    assert_same_layers(dict(read_weights(target).layers), halves)
    assert read_weights(target).layers["block1_conv1"][0].dtype == np.float16


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("content", [
    b"", b"some text", b"\x89PNG\r\n\x1a\n", pickle.dumps({"a": np.zeros(3)}, 0),
    pickle.dumps({"a": np.zeros(3)}, 1),
], ids=["empty", "text", "png", "pickle 0", "pickle 1"])  # fmt: skip
def test_an_unknown_format_is_refused(tmp_path: Path, target: Path, content: bytes) -> None:
    (tmp_path / "vgg16.h5").write_bytes(content)
    message = refusal(tmp_path / "vgg16.h5", target)
    assert "unknown format: known are Keras HDF5, safetensors, PyTorch zip" in message


def test_a_zip_that_is_none_is_refused(tmp_path: Path, target: Path) -> None:
    (tmp_path / "vgg16.pth").write_bytes(b"PK\x03\x04 a zip")
    assert "not a whole file of a known format" in refusal(tmp_path / "vgg16.pth", target)


@pytest.mark.parametrize(("kernel", "bias", "expected"), [
    (np.zeros((3, 3, 9, 3), "f4"), None, "block2_conv1/kernel: expected shape (3, 3, 2, Cout), got (3, 3, 9, 3)"),
    (np.zeros((5, 5, 2, 3), "f4"), None, ", got (5, 5, 2, 3)"),
    (None, np.zeros(7, "f4"), "block2_conv1/bias: expected shape (3,), got (7,)"),
    (np.full((3, 3, 2, 3), np.nan, "f4"), None, "block2_conv1/kernel: expected finite numbers"),
    (None, np.full(3, np.inf, "f4"), "block2_conv1/bias: expected finite numbers"),
    (None, np.full(3, 1e39), "block2_conv1/bias: expected values within float32's range"),
], ids=["chain", "5x5", "bias", "NaN", "infinite", "beyond float32"])  # fmt: skip
@pytest.mark.parametrize("write", [write_keras, published_pickle])
def test_wrong_arrays_are_refused(
    tmp_path: Path, target: Path, write: Callable[[Path, Weights], Path], kernel: Any, bias: Any, expected: str
) -> None:
    wrong = edited(random_weights("vgg16", CHANNELS), "block2_conv1", kernel, bias)
    assert expected in refusal(write(tmp_path / "source", wrong), target)


def test_a_kernel_of_another_size_is_named_as_in_the_file(tmp_path: Path, target: Path) -> None:
    wrong = edited(random_weights("vgg16", CHANNELS), "block2_conv1", np.zeros((5, 5, 2, 3), "f4"))
    assert "block2_conv1/kernel: expected" in refusal(write_keras(tmp_path / "keras", wrong), target)
    assert "VGG16_0/Conv_2/kernel: expected" in refusal(published_pickle(tmp_path / "pickle", wrong), target)


def test_numbers_beyond_half_precision_are_refused(tmp_path: Path, target: Path) -> None:
    large = edited(random_weights("vgg16", CHANNELS), "block2_conv1", bias=np.full(3, 7e4))
    source = write_keras(tmp_path / "source", large)
    assert "block2_conv1/bias: expected values within float16's range" in refusal(source, target, dtype=np.float16)
    convert(source, target)


@pytest.mark.parametrize(("old", "new"), [
    ("block5_conv4", None), ("block3_conv4", None), ("block1_conv1", None), ("block3_conv4", "block3_conv5"),
    ("block3_conv2", "block3_conv9"), ("block5_conv4", "block4_conv5"), ("block5_conv4", "block6_conv1"),
])  # fmt: skip
def test_layers_that_are_no_whole_vgg_are_refused(keras: Path, target: Path, old: str, new: str | None) -> None:
    with h5py.File(keras, "r+") as file:
        if new is None:
            del file[old]
        else:
            file.move(old, new)
    refusal(keras, target)


def test_more_layers_than_a_vgg_has_are_refused(keras: Path, target: Path) -> None:
    with h5py.File(keras, "r+") as file:
        kernel, bias = random_weights("vgg19", CHANNELS).layers["block5_conv4"]
        file["block6_conv1/kernel"], file["block6_conv1/bias"] = kernel, bias
    refusal(keras, target)


@pytest.mark.parametrize("missing", ["VGG16_0/Conv_0/kernel", "VGG16_0/Conv_12/bias"])
def test_a_missing_array_of_the_pickle_is_named(tmp_path: Path, target: Path, missing: str) -> None:
    tree = flax_tree(random_weights("vgg16", CHANNELS).layers)
    network, layer, part = missing.split("/")
    del tree[network][layer][part]
    (tmp_path / "source").write_bytes(pickle.dumps(tree, 4))
    beside = f"VGG16_0/{layer}/{'bias' if part == 'kernel' else 'kernel'}"
    assert f"{beside}: expected a {part} beside it, found none" in refusal(tmp_path / "source", target)


def test_a_file_of_ours_keeps_what_it_knows_when_it_is_converted_again(tmp_path: Path) -> None:
    """It looks like a Keras file, whose kernels want BGR and another mean; these want RGB."""
    first = convert(published_pickle(tmp_path / "source", random_weights("vgg16", CHANNELS)), tmp_path / "ours.h5")
    again = convert(tmp_path / "ours.h5", tmp_path / "again.h5", through="block4_conv2")
    for name in ("network", "mean", "std", "channel_order", "source", "source_sha256", "licence"):
        assert getattr(again, name) == getattr(first, name)
    assert list(read_weights(tmp_path / "again.h5").layers)[-1] == "block4_conv2"


@pytest.mark.parametrize("missing", ["nothing.h5", "."])
def test_a_missing_source_is_told_so(tmp_path: Path, target: Path, missing: str) -> None:
    assert "not found" in refusal(tmp_path / missing, target)


def test_a_source_that_may_not_be_read_is_told_so(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, original = published_pickle(tmp_path / "source", random_weights("vgg16", CHANNELS)), builtins.open

    def guarded(file: Any, *arguments: Any, **keywords: Any) -> Any:
        if file == source:
            raise PermissionError(13, "Permission denied", str(source))
        return original(file, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", guarded)
    assert "Permission denied" in refusal(source, target)


def test_a_target_that_cannot_be_is_told_before_the_source_is_read(tmp_path: Path) -> None:
    (tmp_path / "source").write_text("no weights")
    for target in (tmp_path / "none" / "w.h5", tmp_path, tmp_path / "source" / "w.h5"):
        with pytest.raises(FileError, match="cannot write"):
            convert(tmp_path / "source", target)
    assert os.listdir(tmp_path) == ["source"]


# ---------------------------------------------------------------- the command


def run_tool(*arguments: str) -> tuple[int, str, str]:
    run = subprocess.run([sys.executable, str(TOOL), *arguments], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("how", ["module", "tool"])
def test_the_command_converts_or_says_why_not(
    keras: Path, target: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        return run_tool(*arguments) if how == "tool" else (main(["convert", *arguments]), *capsys.readouterr())

    done = run(str(keras), str(target), "--dtype", "float16")
    assert done == (0, f"{target}: vgg19, 16 layers, from {keras}\n", "")
    assert read_weights(target).layers["block1_conv1"][0].dtype == np.float16
    target.unlink()
    keras.write_text("no weights")
    code, out, err = run(str(keras), str(target))
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"minstyle.weights: error: {keras}: unknown format" in err
    assert not target.exists()


@pytest.mark.parametrize("arguments", ["", "convert", "convert a", "convert a b c", "melt", "convert a b --dtype int8"])
def test_a_command_that_makes_no_sense_ends_with_2(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "python -m minstyle.weights" in err
    assert "--help" in err


def test_an_interrupt_ends_with_130_and_one_line(
    keras: Path, target: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: Any, **keywords: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(h5py.Group, "create_dataset", interrupt)
    assert main(["convert", str(keras), str(target)]) == 130
    assert capsys.readouterr().err.endswith("python -m minstyle.weights: interrupted\n")
    assert os.listdir(target.parent) == []
