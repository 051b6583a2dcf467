"""One server for the tests of a file: what they make in it they find by its id."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.studio_server import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("studio"))
    yield server
    server.close()
