"""Limits of time for a whole download: one that hardly moves for a minute, or takes too long, is ended."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from ..errors import WeightsError

PERIOD = 60.0  # seconds
LEAST = 60_000  # bytes in a period: a modem of 1990 has twice as much


class _CuttableAdapter(HTTPAdapter):
    """Keeps a second handle of each connection's socket, by which another thread can end the connection."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        sockets = self.sockets

        # urllib3's class for HTTP or for HTTPS: which one is known only here.
        class Connection(pool.ConnectionCls):  # type: ignore[misc]
            def _new_conn(self) -> socket.socket:
                made: socket.socket = super()._new_conn()
                sockets.append(made.dup())
                return made

        pool.ConnectionCls = Connection
        return pool

    def end(self) -> None:
        for kept in self.sockets:
            with contextlib.suppress(OSError):  # it has ended already
                kept.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        super().close()
        for kept in self.sockets:
            kept.close()


@contextlib.contextmanager
def patient_session(
    received: Callable[[], int], seconds: float, slow: WeightsError, late: WeightsError
) -> Iterator[requests.Session]:
    """A session that is ended where ``received()`` grows by less than LEAST bytes in a PERIOD, or after ``seconds``.

    Raises ``slow`` then, or ``late``.

    A socket's own timeout begins anew with each byte: a server that drips its answer or its headers, or says "100
    Continue" for ever, never meets it.
    """
    adapter, ended = _CuttableAdapter(), threading.Event()
    cut: list[WeightsError] = []

    def watch() -> None:
        before, deadline = 0, time.monotonic() + seconds
        while not ended.wait(PERIOD):
            now = received()
            if now - before < LEAST or time.monotonic() > deadline:
                cut.append(slow if now - before < LEAST else late)
                adapter.end()
            before = now

    watcher = threading.Thread(target=watch, daemon=True)
    with requests.Session() as session:
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        watcher.start()
        try:
            yield session
        except (requests.RequestException, ValueError) as error:
            if cut:
                raise cut[0] from error
            raise
        else:
            if cut:  # an end that was made may look like a proper one
                raise cut[0]
        finally:
            ended.set()
            watcher.join()
