"""weights/locate.py: which file is used, in which order, and what is said when there is none."""

from __future__ import annotations

import dataclasses
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

from minstyle.errors import DeviceError, WeightsError
from minstyle.network.weightfile import write_weights
from minstyle.weights.__main__ import main
from minstyle.weights.locate import find_weights, folders, load_network, user_folder
from minstyle.weights.sources import SOURCES
from tests.support.small import random_weights

locate = importlib.import_module("minstyle.weights.locate")
PLACES = ("explicit", "variable", "user", "repository")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The four folders in their order, made and empty; the first is searched only if it is given."""
    found = {
        "explicit": tmp_path / "explicit",
        "variable": tmp_path / "variable",
        "user": tmp_path / "data" / "weights",
        "repository": tmp_path / "clone" / "weights",
    }
    for folder in found.values():
        folder.mkdir(parents=True)
    monkeypatch.setenv("MINSTYLE_WEIGHTS", str(found["variable"]))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data"))
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "clone" / "minstyle" / "weights" / "locate.py"))
    (tmp_path / "clone" / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    return found


def put(folder: Path, network: str) -> Path:
    """A weights file whose source says where it lies."""
    weights = dataclasses.replace(random_weights(network, (2, 3, 2, 3, 2)), source=folder.name)
    write_weights(folder / f"{network}.h5", weights)
    return folder / f"{network}.h5"


# ---------------------------------------------------------------- the order


@pytest.mark.parametrize("first", range(4))
def test_the_first_folder_that_has_the_file_gives_it(places: dict[str, Path], first: int) -> None:
    files = [put(places[name], "vgg16") for name in PLACES[first:]]
    assert find_weights("vgg16", places["explicit"]) == files[0]


def test_the_folders_are_listed_in_the_order_of_the_search(places: dict[str, Path]) -> None:
    assert folders(places["explicit"]) == list(places.values())
    assert folders(str(places["explicit"])) == list(places.values())


def test_a_folder_that_is_not_given_is_not_searched(places: dict[str, Path]) -> None:
    put(places["explicit"], "vgg16")
    with pytest.raises(WeightsError):
        find_weights("vgg16")


@pytest.mark.parametrize("value", [None, ""])
def test_the_variable_may_be_unset_or_empty(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("MINSTYLE_WEIGHTS")
    else:
        monkeypatch.setenv("MINSTYLE_WEIGHTS", value)
    put(places["variable"], "vgg16")
    assert folders() == [places["user"], places["repository"]]
    user = put(places["user"], "vgg16")
    assert find_weights("vgg16") == user


def test_folders_that_do_not_exist_are_passed_over(places: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINSTYLE_WEIGHTS", "/nowhere/at all")
    file = put(places["repository"], "vgg16")
    assert find_weights("vgg16") == file


def test_a_folder_that_was_given_has_to_be_there(places: dict[str, Path]) -> None:
    file = put(places["repository"], "vgg16")
    with pytest.raises(WeightsError, match=r"^neither/here: expected a folder with weights \(No such file"):
        find_weights("vgg16", "neither/here")
    with pytest.raises(WeightsError, match="expected a folder with weights, got a file"):
        find_weights(str(file), file)


def test_a_folder_of_the_files_name_is_no_file(places: dict[str, Path]) -> None:
    (places["variable"] / "vgg16.h5").mkdir()
    file = put(places["user"], "vgg16")
    assert find_weights("vgg16") == file


def test_a_file_can_be_named_itself(places: dict[str, Path]) -> None:
    put(places["user"], "vgg16")
    mine = put(places["explicit"], "vgg19").rename(places["explicit"] / "mine")
    assert find_weights(str(mine), places["user"]) == mine
    assert find_weights("explicit/mine") == Path("explicit/mine"), "relative to the folder one is in"


def test_the_user_folder_is_the_platforms(places: dict[str, Path]) -> None:
    assert user_folder() == places["user"]


def test_auto_is_vgg19_an_installed_one_before_the_one_that_comes_along(places: dict[str, Path]) -> None:
    mini = put(places["explicit"], "vgg19").rename(places["variable"] / "mini.h5")
    vgg16 = put(places["variable"], "vgg16")
    embedded = put(places["repository"], "vgg19")
    assert find_weights("auto") == find_weights("vgg19") == embedded
    installed = put(places["user"], "vgg19")
    assert find_weights("auto") == find_weights("vgg19") == installed
    assert find_weights("vgg16") == vgg16
    assert find_weights("mini") == mini


# ---------------------------------------------------------------- when there is none


@pytest.mark.parametrize("network", ["vgg16", "vgg19", "mini", "auto"])
def test_a_missing_file_is_told_with_every_place_and_the_way_to_get_it(places: dict[str, Path], network: str) -> None:
    put(places["user"], "vgg16").rename(places["user"] / "other.h5")
    with pytest.raises(WeightsError) as caught:
        find_weights(network, places["explicit"])
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert (locate.AUTO if network == "auto" else network) in message
    assert [message.find(str(folder)) > 0 for folder in places.values()] == [True] * 4
    assert ("python -m minstyle.weights fetch" if network == "vgg16" else "git checkout") in message


def test_the_command_in_the_message_is_one_that_works(places: dict[str, Path]) -> None:
    with pytest.raises(WeightsError) as caught:
        find_weights("vgg16")
    command = re.search(r"python -m minstyle\.weights (\w+) (\w+)", str(caught.value))
    assert command is not None
    assert command[1] == "fetch"
    assert command[2] in SOURCES
    assert command[2] == "vgg16"


@pytest.mark.parametrize("network", ["alexnet", "", "VGG19", "missing/vgg19.h5", "v" * 5000, "nul\0"])
def test_an_unknown_name_is_refused_with_the_known_ones(places: dict[str, Path], network: str) -> None:
    with pytest.raises(WeightsError) as caught:
        find_weights(network)
    message = str(caught.value)
    assert repr(network) in message
    assert all(known in message for known in ("vgg16", "vgg19", "mini", "auto", "file"))


# ---------------------------------------------------------------- a network from it


def test_load_network_takes_the_file_that_is_found(places: dict[str, Path]) -> None:
    put(places["user"], "vgg16")
    put(places["explicit"], "vgg16")
    assert load_network("vgg16").source == "weights"
    assert load_network("vgg16", weights_dir=places["explicit"]).source == "explicit"
    put(places["repository"], "vgg19")
    assert load_network().name == "vgg19"
    assert load_network(str(put(places["explicit"], "vgg19"))).name == "vgg19"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_load_network_computes_in_the_type_asked_for(places: dict[str, Path], dtype: type) -> None:
    put(places["user"], "vgg16")
    network = load_network("vgg16", dtype=dtype, device="cpu")
    image: np.ndarray = np.full((8, 8, 3), 100, dtype)
    assert network.dtype == dtype
    assert network.features(image, ["block1_conv1"])["block1_conv1"].dtype == dtype


def test_load_network_computes_on_the_device_asked_for(places: dict[str, Path]) -> None:
    put(places["user"], "vgg16")
    assert load_network("vgg16", device="cpu").device.name == "cpu"
    assert load_network("vgg16", device="auto").device.name in ("cpu", "gpu")
    with pytest.raises(DeviceError, match="unknown device 'tpu'"):
        load_network("vgg16", device="tpu")


def test_a_broken_file_that_is_found_is_named_not_passed_over(places: dict[str, Path]) -> None:
    (places["variable"] / "vgg16.h5").write_text("broken")
    put(places["user"], "vgg16")
    with pytest.raises(WeightsError, match=re.escape(str(places["variable"] / "vgg16.h5"))):
        load_network("vgg16")


# ---------------------------------------------------------------- the command


def test_list_names_the_folders_and_what_is_in_them(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    put(places["user"], "vgg19")
    put(places["user"], "vgg16")
    (places["repository"] / "README.md").touch()
    assert main(["list", "--sources"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("folders that are searched, in order:") + 1
    assert lines[start : start + 3] == [
        f"  {places['variable']}: nothing",
        f"  {places['user']}: vgg16.h5, vgg19.h5",
        f"  {places['repository']}: nothing",
    ]


def test_where_pip_installed_the_package_there_is_no_repository(places: dict[str, Path]) -> None:
    put(places["repository"], "vgg16")
    embedded = places["repository"].parent / "minstyle" / "embedded"
    embedded.mkdir(parents=True)
    assert places["repository"] not in folders(), "even if a folder of that name and a pyproject.toml are beside it"
    assert folders()[-1] == embedded


def test_a_file_that_happens_to_be_called_like_a_network_is_not_taken_for_it(places: dict[str, Path]) -> None:
    installed = put(places["user"], "vgg19")
    Path("vgg19").write_text("a stray file in the working folder")
    assert locate.find_weights("vgg19") == locate.find_weights("auto") == installed
    assert locate.find_weights("./vgg19") == Path("vgg19")
