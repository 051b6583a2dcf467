"""tools/release: what it changes in the copy that it builds. (That it builds and paints: its dry run, in .ci/run.)"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import minstyle

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def release() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("release", str(ROOT / "tools/release"))
    spec = importlib.util.spec_from_loader("release", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_the_copy_has_the_version_and_links_that_an_index_page_can_follow(release: ModuleType, tmp_path: Path) -> None:
    release.copy_of_git(tmp_path)
    release.put_version_in(tmp_path, "7.8.8")
    release.put_version_in(tmp_path, "7.8.9")
    release.link_absolutely(tmp_path, "https://example.org/repo/", "7.8.9")
    assert (tmp_path / "minstyle/version.py").read_text().endswith('__version__ = "7.8.9"\n')
    citation = (tmp_path / "CITATION.cff").read_text()
    assert "\nversion: 7.8.9\ndate-released: 20" in citation
    assert citation.count("date-released") == 1
    changelog = (tmp_path / "CHANGELOG.md").read_text()
    assert re.search(r"^## \[Unreleased\]\s+## \[7\.8\.9\] - 20\d\d-\d\d-\d\d\s+##", changelog, re.MULTILINE)
    readme = (tmp_path / "README.md").read_text()
    links = re.findall(r"\]\(([^)]*)\)", readme)
    assert len(links) > 10
    assert all(re.match(r"https?://|#", link) for link in links)
    for link in re.findall(r"https://example.org/repo/(?:raw|blob)/v7.8.9/([^)#]*)", readme):
        assert (ROOT / link).exists(), link
    assert 'Repository = "https://example.org/repo"' in (tmp_path / "pyproject.toml").read_text()


@pytest.mark.parametrize(("arguments", "words"), [
    (["0.2"], "version: expected three numbers as in 0.2.0, got '0.2'"),
    (["99.0.0"], "--repository URL: expected where the source will be, got nothing"),
    (["0.0.1", "--repository", "https://example.org"], f"version: expected {minstyle.__version__} or later, got 0.0.1"),
])  # fmt: skip
def test_what_is_no_release_is_refused(arguments: list[str], words: str) -> None:
    command = [sys.executable, "tools/release", *arguments]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.splitlines()[0] == f"release: {words}"


def test_the_citation_has_the_version() -> None:
    assert f"\nversion: {minstyle.__version__}\n" in (ROOT / "CITATION.cff").read_text()
