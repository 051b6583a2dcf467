"""The server keeps to its own description, whatever is asked: by schemathesis, for some seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.studio_server import Server


def test_no_request_breaks_what_the_description_says(server: Server, tmp_path: Path) -> None:
    server.ended(server.job())
    program = Path(sys.executable).parent / "schemathesis"
    options = ["--phases", "fuzzing", "--max-examples", "3", "--generation-deterministic", "--checks", "all",
               # What types allow may yet be no picture, or unknown; Starlette's Allow names its first route alone.
               "--exclude-checks", "positive_data_acceptance,unsupported_method",
               "--exclude-path-regex", "events", "--no-color", "--max-time", "60"]  # fmt: skip
    words = [program, "run", f"{server.address}/api/openapi.json", *options]
    run = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, timeout=180, check=False)
    assert run.returncode == 0, run.stdout
    assert "Tested: 23" in run.stdout


def test_the_description_is_complete(server: Server) -> None:
    description = server.get("/api/openapi.json").json()
    operations = [one for path in description["paths"].values() for one in path.values()]
    assert len(operations) == 25
    for operation in operations:
        assert {"404", "422"} <= operation["responses"].keys()
        assert operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/Problem")
    assert description["components"]["schemas"]["JobRequest"]["properties"]["recipe"]["enum"][0] == "fine"
