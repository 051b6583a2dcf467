"""The shape of the source, held by test: folders, exports, what an import pulls in, who names which library."""

from __future__ import annotations

import ast
import graphlib
import operator
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minstyle

PACKAGE = Path(minstyle.__file__).parent
PAGES = Path(__file__).resolve().parents[1]

# Lowest first: a file imports from its own folder or from those before it.
FOLDERS = (
    ".", "engine/kernels/cpu", "engine/kernels/gpu", "engine/kernels", "engine", "engine/ops", "images", "network",
    "optimize", "recipe", "weights/readers", "weights", "style", "run", "watch", "job", "cluster", "cli",
    "studio", "batch", "door",
)  # fmt: skip
DOOR = (
    "__init__.py",
    "__main__.py",
    "library.py",
    "painting.py",
)  # of the package itself, above all folders

# What a student reads, in this order.
CORE = (
    "engine/autodiff.py", "engine/ops/*.py", "network/vgg.py", "network/projection.py", "style/features.py",
    "style/losses.py", "style/targets.py", "style/weighted.py", "style/objective.py", "optimize/lbfgs.py",
    "optimize/pyramid.py", "run/minimise.py", "run/stages.py", "run/state.py", "run/loop.py",
)  # fmt: skip

# Functions that are allowed more than 40 lines: one thought each that does not come apart.
LONGER = {"scipy_lbfgs": 50, "check_vjp": 50}

FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
every_file = pytest.mark.parametrize("file", FILES, ids=str)


def folder_of(file: Path) -> str:
    return "door" if str(file) in DOOR else file.parent.as_posix()


def imported_files(package: Path, file: Path) -> set[Path]:
    """The files of the package that one of them imports, wherever in it the import stands and however it is written."""
    found = set()
    for node in ast.walk(ast.parse((package / file).read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = file.parents[node.level - 1]
            module = above.joinpath(*(node.module or "").split(".")) if node.module else above
            found |= {module / alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "minstyle":
            found |= {Path(*str(node.module).split(".")[1:], alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {Path(*parts[1:], "__init__") for parts in names if parts[0] == "minstyle"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rsplit(".")[-1] in ("import_module", "__import__"):
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else "minstyle"
            parts = str(name).split(".")
            found |= {Path(*parts[1:], "__init__")} if parts[0] in ("", "minstyle") else set()
    return {file_of(package, place) for place in found}


def file_of(package: Path, place: Path) -> Path:
    """The file of a module, or of the module that ``place`` is a name in."""
    name = "" if place.name == "__init__" else place.name
    places = [place.parent / f"{name}.py", place / "__init__.py", place.parent / "__init__.py"]
    places += [place.parent.parent / f"{place.parent.name}.py"] if place.parent != Path() else []
    return next(path for path in places if (package / path).is_file())


def libraries(file: Path) -> set[str]:
    """The outside packages that a file imports."""
    nodes = list(ast.walk(ast.parse((PACKAGE / file).read_text())))
    named = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0}
    return {name.split(".")[0] for name in named}


def copied(folder: Path) -> Path:
    """A copy of the package, to plant something in."""
    shutil.copytree(PACKAGE, folder / "minstyle", ignore=shutil.ignore_patterns("*.h5", "__pycache__"))
    return folder / "minstyle"


def upward_imports(package: Path) -> list[str]:
    """Each import of a folder that comes later in FOLDERS, as "FILE imports FILE"."""
    return [
        f"{file} imports {target}"
        for file in sorted(path.relative_to(package) for path in package.rglob("*.py"))
        for target in sorted(imported_files(package, file))
        if FOLDERS.index(folder_of(target)) > FOLDERS.index(folder_of(file))
    ]


def test_a_file_imports_from_its_own_folder_or_those_before_it() -> None:
    assert upward_imports(PACKAGE) == []


def test_every_folder_has_its_place() -> None:
    assert {folder_of(file) for file in FILES} == set(FOLDERS)


@pytest.mark.parametrize(("file", "line", "target"), [
    ("errors.py", "from .engine.autodiff import Var", "engine/autodiff.py"),
    ("engine/autodiff.py", "from .ops import relu", "engine/ops/__init__.py"),
    ("engine/kernels/cpu/tiles.py", "from .. import convolve", "engine/kernels/__init__.py"),
    ("network/layers.py", "from ..recipe.terms import Term", "recipe/terms.py"),
    ("style/regions.py", "def f():\n    from ..run import pictures", "run/pictures.py"),
    ("run/stylize.py", "from .. import RECIPES", "__init__.py"),
    ("errors.py", "import minstyle.cli.main", "cli/main.py"),
    ("errors.py", "from minstyle.cli.main import main", "cli/main.py"),
    ("errors.py", "from minstyle import stylize", "__init__.py"),
    ("run/stylize.py", "import minstyle.job.job as job", "job/job.py"),
    ("style/losses.py", 'import importlib\nimportlib.import_module("minstyle.job.job")', "job/job.py"),
    ("style/losses.py", 'name = "minstyle.job.job"\n__import__(name)', "__init__.py"),
])  # fmt: skip
def test_a_planted_upward_import_is_found(tmp_path: Path, file: str, line: str, target: str) -> None:
    package = copied(tmp_path)
    with open(package / file, "a") as source:
        source.write(f"\n\n{line}\n")
    assert upward_imports(package) == [f"{file} imports {target}"]


def test_the_map_is_the_list_and_the_core_is_counted() -> None:
    text = (PAGES / "docs" / "explanation" / "architecture.md").read_text()
    rows = re.findall(r"^\| `([a-z/.]+)` \|", text, flags=re.M)
    assert [row.removesuffix("/") for row in rows] == list(FOLDERS[:-1])
    lines = sum(len(path.read_text().splitlines()) for name in CORE for path in sorted(PACKAGE.glob(name)))
    for page in (text, (PAGES / "README.md").read_text()):
        (told,) = re.findall(r"core is (?:about )?([\d,]+) lines", page)
        assert abs(int(told.replace(",", "")) - lines) < 50, f"the core has {lines} lines"


def check_cycles(package: Path) -> None:
    """Raises CycleError, which names the files."""
    files = [path.relative_to(package) for path in package.rglob("*.py")]
    graphlib.TopologicalSorter({file: imported_files(package, file) - {file} for file in files}).prepare()


def test_there_is_no_cycle() -> None:
    check_cycles(PACKAGE)


def test_a_planted_cycle_is_found(tmp_path: Path) -> None:
    package = copied(tmp_path)
    with open(package / "recipe/settings.py", "a") as source:
        source.write("\n\ndef f():\n    from .terms import Term\n")
    with pytest.raises(graphlib.CycleError, match=r"recipe/settings\.py"):
        check_cycles(package)


@pytest.mark.parametrize(("package", "allowed"), [
    ("cupy", {".", "engine/kernels/gpu"}), ("PIL", {"images"}), ("scipy", {"optimize", "style"}),
    ("tqdm", {"watch", "weights"}),
    ("h5py", {"network", "weights", "weights/readers"}), ("pickle", {"weights/readers"}), ("torch", set()),
    ("platformdirs", {"engine/kernels/gpu", "weights", "studio"}), ("matplotlib", {"watch"}), ("fastapi", {"studio"}),
    ("pydantic", {"studio"}), ("starlette", {"studio"}), ("uvicorn", {"studio"}), ("sqlite3", {"studio"}),
    ("dask", {"cluster"}), ("distributed", {"cluster"}),
])  # fmt: skip
def test_a_library_is_named_in_its_place_only(package: str, allowed: set[str]) -> None:
    assert {folder_of(file) for file in FILES if package in libraries(file)} <= allowed


def test_environment_variables_are_read_at_the_edge_only() -> None:
    texts = {file.name: (PACKAGE / file).read_text() for file in FILES}
    texts["connection.py"] = texts["connection.py"].replace('"distributed.nanny.pre-spawn-environ.', "")  # Dask's own
    assert {name for name, text in texts.items() if "environ" in text or "getenv" in text} == {"locate.py"}


def test_the_exports_are_these() -> None:
    assert minstyle.__all__ == [
        "RECIPES", "Features", "MinstyleError", "Network", "Objective", "Observer", "Picture", "Plan", "Progress",
        "Recipe", "Regions", "Result", "RunState", "Snapshots", "Step", "Term", "Trace", "__version__",
        "build_objective", "check_vjp", "from_masks", "load_image", "load_network", "load_picture", "load_state",
        "register_loss", "save_image", "save_picture", "save_state", "stylize", "use_threads",
    ]  # fmt: skip
    public = {name for name in vars(minstyle.library) if not name.startswith("_")}
    modules = {file.parts[0].removesuffix(".py") for file in FILES}
    assert public - modules == set(minstyle.__all__) - {"__version__"}


@pytest.mark.parametrize(("code", "found"), [
    ("import minstyle; print(minstyle.images.load_mask.__name__)", "load_mask"),
    ("import minstyle; print(minstyle.weights.__name__, minstyle.memory.__name__)", "minstyle.weights minstyle.memory"),
    ("import minstyle; print(minstyle.stylize.__name__)", "stylize"),
    ("from minstyle import *; print(stylize.__name__, RECIPES['fine'].name)", "stylize fine"),
    ("import minstyle; print({'stylize', 'Recipe', '__version__'} <= set(dir(minstyle)))", "True"),
    ("import minstyle; print(hasattr(minstyle, 'nothing'), hasattr(minstyle, '__wrapped__'))", "False False"),
    ("import minstyle; print(hasattr(minstyle, 'images.reading'), hasattr(minstyle, ''))", "False False"),
])  # fmt: skip
def test_what_the_package_gives_is_there_at_the_first_try(code: str, found: str) -> None:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr) == (found, "")


def test_what_the_package_does_not_have_is_told_by_its_name() -> None:
    with pytest.raises(AttributeError, match=r"^module 'minstyle' has no attribute 'nothing'$"):
        operator.attrgetter("nothing")(minstyle)


def test_importing_prints_nothing_and_leaves_heavy_libraries_alone() -> None:
    heavy = ("cupy", "torch", "scipy", "h5py", "tqdm", "requests", "matplotlib")
    code = f"import sys, minstyle; minstyle.stylize; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


@every_file
def test_files_and_functions_stay_short(file: Path) -> None:
    text = (PACKAGE / file).read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            length = (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
            assert length <= LONGER.get(node.name, 40), f"{node.name} has {length} lines"
