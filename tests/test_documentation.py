"""What README, docs/ and docstrings say is done: their code runs, on small pictures; links and tables hold."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest

import minstyle
import reference_pages
from minstyle.batch.main import command as batch_command
from minstyle.cli.main import main
from minstyle.images import load_image, resize, save_image
from minstyle.network.weightfile import write_weights
from minstyle.weights.commands import command as weights_command
from minstyle.weights.locate import VARIABLE
from tests.support.small import random_weights

mpl.use("agg")
ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
WITH_SERVER = ROOT / "docs" / "howto" / "server.md"  # see tests/studio/test_documentation.py
TUTORIALS = [page for page in PAGES if page.parent.name in ("tutorial", "howto") or page.parent == ROOT]
TUTORIALS.remove(WITH_SERVER)
SMALL: dict[str, Any] = {"sizes": (48,), "scales": 1, "rounds": 1, "evaluations": (2,)}
# Lines of a shell that set up what the tests have: nothing of minstyle's.
SET_UP = re.compile(
    r"(python -m (venv|pip|pytest)|\. \.venv/|git clone|cd |ruff|mypy|nox|tools/release|mkdocs|\.ci|minstyle studio)"
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small copies of the example pictures, a photograph and a painting, and networks that are smaller still."""
    place = tmp_path_factory.mktemp("reader")
    for name in ("examples", "weights", "photos"):
        (place / name).mkdir()
    for path in ROOT.glob("examples/*.*g"):
        image = load_image(path)
        save_image(
            resize(image, round(64 * image.shape[0] / image.shape[1]), 64, "nearest"), place / "examples" / path.name
        )
    for name, example in (("photo.jpg", "cat.jpg"), ("painting.jpg", "swirls.jpg"), ("other.jpg", "glass.jpg")):
        shutil.copy(place / "examples" / example, place / name)
    for name in ("cat.jpg", "coffee.jpg"):
        shutil.copy(place / "examples" / name, place / "photos" / name)
    (place / "pictures.csv").write_text(blocks(ROOT / "docs" / "howto" / "batch.md", "csv")[0])
    for name in ("vgg19", "mini"):
        write_weights(place / "weights" / f"{name}.h5", random_weights("vgg19", (2, 3, 3, 4, 4)))
    return place


@pytest.fixture
def folder(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is; runs are short."""
    shutil.copytree(place, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "weights"))
    monkeypatch.setattr(minstyle.painting, "_recipe", short(minstyle.painting._recipe))
    return tmp_path


def short(recipe_of: Any) -> Any:
    return lambda *given: dataclasses.replace(recipe_of(*given), **SMALL)


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Losses that a page registers are not for the next one."""
    from minstyle.recipe import terms
    from minstyle.style.losses import LOSSES

    yield
    for name in set(LOSSES) - terms.OURS:
        del LOSSES[name], terms._roles[name]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "python") and page != WITH_SERVER], ids=name_of
)
def test_python_on_a_page_runs(page: Path, folder: Path) -> None:
    """All of a page in one go, as a reader types it."""
    space: dict[str, Any] = {}
    for block in blocks(page, "python"):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(block, name_of(page), "exec"), space)


COMMANDS = {
    line: page for page in TUTORIALS for block in blocks(page, "sh")
    for line in block.replace("\\\n", " ").splitlines() if not SET_UP.match(line)
}  # fmt: skip


@pytest.mark.parametrize("line", COMMANDS, ids=lambda line: f"{name_of(COMMANDS[line])} {list(COMMANDS).index(line)}")
def test_commands_on_a_page_run(line: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Small: options that come last prevail. A command whose picture an earlier one made finds one here."""
    program, *words = shlex.split(line, comments=True)
    if program in ("cp", "mkdir"):
        subprocess.run(line, shell=True, check=True, cwd=folder)
        return
    module = words.pop(1) if program == "python" and words[0] == "-m" else program
    words = words[1:] if program == "python" else words
    if module == "minstyle.weights":
        assert weights_command(words) == 0
        return
    assert module == "minstyle", line
    if {"--show-recipe", "--recipe"} & set(words):
        minstyle.stylize("photo.jpg", "painting.jpg").save("out.png")
    paints = "--show-recipe" not in words and "--list-recipes" not in words
    program_of = batch_command if words[0] == "batch" else main
    words = words[1:] if words[0] == "batch" else words
    size = ["--print", "1.6in@30"] if "--print" in words else ["--size", "48"]  # 48 pixels either way
    assert program_of([*words, *([*size, "--steps", "2", "--device", "cpu"] if paints else [])]) == 0


def test_the_notebook_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "examples")
    notebook = json.loads((ROOT / "examples/first_picture.ipynb").read_text())
    assert notebook["nbformat"] == 4
    code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] for cell in notebook["cells"] if cell["cell_type"] == "code"), "stored without"
    space: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        for text in code:
            exec(compile(text, "first_picture.ipynb", "exec"), space)
    assert float(said.getvalue().partition("error of its gradient: ")[2].split()[0]) < 1e-7
    assert "palette" in space["few"].history[-1].terms
    assert Path("first_picture.png").is_file()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    text = re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\((?!https?:)([^)]*)\)", text):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in [re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads], link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_tables_have_rows_as_long_as_their_heads(page: Path) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE):
        cells = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(cells) == 1, table


@pytest.mark.parametrize("name", reference_pages.pages())
def test_reference_pages_are_those_of_the_code(name: str) -> None:
    """Else: python tools/reference_pages.py."""
    assert (reference_pages.FOLDER / name).read_text() == reference_pages.pages()[name]


def test_the_api_page_has_all_that_is_exported() -> None:
    text = (ROOT / "docs/reference/api.md").read_text()
    named = {line.rsplit(".", 1)[-1] for line in re.findall(r"^::: (\S+)$", text, re.MULTILINE)}
    said = {"RECIPES", "MinstyleError", "Regions", "__version__"}  # in words
    assert set(minstyle.__all__) - said <= named
    for path in re.findall(r"^::: (\S+)$", text, re.MULTILINE):
        module, _, name = path.rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name), path


DOCSTRINGS = ["minstyle", "minstyle.painting", "minstyle.job.job", "minstyle.run.estimate"]


@pytest.mark.parametrize("name", DOCSTRINGS)
def test_code_in_docstrings_runs(name: str, folder: Path) -> None:
    module: Any = __import__(name, fromlist=["_"])
    text = inspect.getdoc(module.stylize if name == "minstyle.painting" else module) or ""
    code = "\n".join(re.findall(r"^    (.*)$", text, re.MULTILINE)) or text.partition("\n\n")[2]
    assert ast.parse(code).body
    recipe = dataclasses.replace(minstyle.RECIPES["fine"], **SMALL)
    network, content = minstyle.load_network("mini", device="cpu"), load_image(folder / "photo.jpg")
    given = {"recipe": recipe, "network": network, "draft": None, "content": content, "style": content}
    space = {"minstyle": minstyle, "Path": Path, **vars(module), "RECIPES": {"fine": recipe}, **given}
    exec(compile(code, name, "exec"), space)
