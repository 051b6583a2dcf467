"""The shape of the source, held by test: floors, exports, what an import pulls in, who names which library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import minstyle

PACKAGE = Path(minstyle.__file__).parent

# Functions that are allowed more than 40 lines: one thought each that does not come apart.
LONGER = {"scipy_lbfgs": 50, "check_vjp": 50}

FILES = sorted(PACKAGE.rglob("*.py"))


def unit(path: Path) -> str:
    """The file's name in FLOORS: a folder counts as one."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The units of minstyle and the outside packages (with a leading dot for ours) that a file imports."""
    found: set[str] = set()
    depth = len(path.relative_to(PACKAGE).parts) - 1
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found |= {"." + name for name in names}
    return found


@pytest.mark.parametrize(("package", "allowed"), [
    ("cupy", {"backend"}), ("PIL", {"images"}), ("scipy", {"optimize"}), ("tqdm", {"run", "watch", "weights"}),
    ("h5py", {"network", "weights"}), ("pickle", {"weights"}), ("torch", set()), ("platformdirs", {"weights"}),
    ("matplotlib", {"watch"}),
])  # fmt: skip
def test_a_library_is_named_in_its_place_only(package: str, allowed: set[str]) -> None:
    assert {unit(path) for path in FILES if package in imports(path)} <= allowed


def test_environment_variables_are_read_at_the_edge_only() -> None:
    readers = {path.name for path in FILES if "environ" in path.read_text() or "getenv" in path.read_text()}
    assert readers == {"locate.py"}


def test_the_exports_are_these() -> None:
    assert minstyle.__all__ == [
        "RECIPES", "MinstyleError", "Objective", "Observer", "Picture", "Recipe", "Regions", "Result", "Step", "Term",
        "__version__", "build_objective", "check_vjp", "from_masks", "load_image", "load_network", "load_picture",
        "save_image", "save_picture", "stylize",
    ]  # fmt: skip
    public = {name for name in vars(minstyle) if not name.startswith("_")}
    modules = {unit(path) for path in FILES}
    assert public - modules == set(minstyle.__all__) - {"__version__"} - modules


def test_importing_prints_nothing_and_leaves_heavy_libraries_alone() -> None:
    heavy = ("cupy", "torch", "scipy", "h5py", "tqdm", "pooch", "matplotlib")
    code = f"import sys, minstyle; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (run.stdout, run.stderr) == ("[]\n", "")


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            length = (node.end_lineno or 0) - node.lineno + 1 - len(docstring.splitlines())
            assert length <= LONGER.get(node.name, 40), f"{node.name} has {length} lines"
