"""What the tests try, counted: ``python tools/tried.py [--write FILE]``.

Runs the tests of each round of docs/explanation/reliability.md and counts their cases, those that failed, and the
seconds of the slowest. ``--write`` puts the table into a Markdown file, between its marks.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from marked import add_write

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = {
    "formats of pictures that are opened, and those that are not": ["tests/images/test_formats.py"],
    "outputs against inputs, and against each other": ["tests/cli/test_outputs.py"],
    "the last save": ["tests/cli/test_last_save.py"],
    "standard streams": ["tests/cli/test_streams.py"],
    "bad command lines and files": [
        "tests/cli/test_errors.py",
        "tests/cli/test_values.py",
        "tests/cli/test_failures.py",
    ],
    "texts that would move the cursor": ["tests/cli/test_escapes.py"],
    "hostile pickles and weights files": ["tests/weights/readers"],
    "hostile servers": ["tests/weights/downloads"],
    "checkpoints that lie": ["tests/run/test_statefile.py", "tests/cli/test_resume.py"],
}


def row(name: str, paths: list[str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *paths]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        cases = list(ElementTree.parse(report).iter("testcase"))
    skipped = sum(case.find("skipped") is not None for case in cases)
    failed = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    slowest = max(float(case.get("time", 0)) for case in cases)
    return f"| {name} | {len(cases) - skipped} | {failed} | {slowest:.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_write(parser, "rounds")
    options = parser.parse_args()
    lines = ["| round | cases | failed | slowest, s |", "|---|---|---|---|"]
    for name, paths in ROUNDS.items():
        lines.append(row(name, paths))
        print(lines[-1], flush=True)
    if options.write:
        options.write.write("\n".join(lines))


if __name__ == "__main__":
    main()
