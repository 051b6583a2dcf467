"""A limit of time for a whole download: one that hardly moves for a minute is ended, wherever it hangs."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from ..errors import WeightsError

MINUTE = 60.0  # seconds
LEAST = 60_000  # bytes a minute: a modem of 1990 has twice as much


class _Line(HTTPAdapter):
    """Keeps a second handle of each connection's socket, by which another thread can end the connection."""

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        sockets = self.sockets

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
def patient_session(received: Callable[[], int], slow: WeightsError) -> Iterator[requests.Session]:
    """A session that is ended, and ``slow`` raised, where ``received()`` grows by less than LEAST bytes in a MINUTE.

    A socket's own timeout begins anew with each byte: a server that drips its answer or its headers, or says "100
    Continue" for ever, never meets it.
    """
    line, ended, cut = _Line(), threading.Event(), threading.Event()

    def watch() -> None:
        before = 0
        while not ended.wait(MINUTE):
            now = received()
            if now - before < LEAST:
                cut.set()
                line.end()
            before = now

    watcher = threading.Thread(target=watch, daemon=True)
    with requests.Session() as session:
        session.mount("http://", line)
        session.mount("https://", line)
        watcher.start()
        try:
            yield session
        except (requests.RequestException, ValueError) as error:
            if cut.is_set():
                raise slow from error
            raise
        else:
            if cut.is_set():  # an end that was made may look like a proper one
                raise slow
        finally:
            ended.set()
            watcher.join()
