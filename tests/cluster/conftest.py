"""A cluster of two workers, in processes of their own, for all tests here: starting one takes seconds."""

from __future__ import annotations

from collections.abc import Iterator

import dask
import pytest
from distributed import Client, LocalCluster


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    folder = str(tmp_path_factory.mktemp("dask"))
    with dask.config.set({"distributed.worker.profile.enabled": False}), LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0, silence_logs=50,
        local_directory=folder) as cluster:  # fmt: skip
        yield cluster


@pytest.fixture
def address(cluster: LocalCluster) -> str:
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)  # a test before may have killed one
    return str(cluster.scheduler_address)
