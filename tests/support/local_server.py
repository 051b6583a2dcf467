"""An HTTP server on this machine that answers as it is told: honestly, slowly, not at all, or wrongly."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class Server(ThreadingHTTPServer):
    """Each path has answers that are given in turn, the last of them for ever; requests are kept in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[str] = []
        self.closing = threading.Event()
        self.host = f"127.0.0.1:{self.server_port}"

    def url(self, path: str, *answers: Answer) -> str:
        """Serve ``answers`` at ``path``; returns the address."""
        self.answers[path] = list(answers)
        return f"http://{self.host}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        answers = self.server.answers.get(self.path, [status(404)])
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def do_CONNECT(self) -> None:
        self.server.requests.append(f"CONNECT {self.path}")
        self.send_error(403, "no tunnels here")

    def log_message(self, *_: object) -> None:
        pass

    def begin(self, length: int | str | None, code: int = 200) -> None:
        self.send_response(code)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()


@contextlib.contextmanager
def local_server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def whole(content: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(len(content))
        handler.wfile.write(content)

    return answer


def slow(content: bytes, seconds: float, pieces: int = 20) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(len(content))
        step = -(-len(content) // pieces)
        for start in range(0, len(content), step):
            handler.wfile.write(content[start : start + step])
            handler.wfile.flush()
            if handler.server.closing.wait(seconds / pieces):
                return

    return answer


def declared(content: bytes, length: int | str | None) -> Answer:
    """``content`` under a Content-Length of ``length``: longer than it, the connection seems cut in the middle."""

    def answer(handler: Handler) -> None:
        handler.begin(length)
        handler.wfile.write(content)

    return answer


def cut(content: bytes) -> Answer:
    return declared(content[: len(content) // 2], len(content))


def endless(handler: Handler) -> None:
    handler.begin(None)
    while not handler.server.closing.is_set():
        handler.wfile.write(bytes(1 << 16))


def silent(handler: Handler) -> None:
    handler.server.closing.wait(30)


def dripping(head: bytes) -> Answer:
    """``head``, then a byte at a time for ever: of the answer itself, of its headers, of its first line."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(head)
        while not handler.server.closing.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    return answer


def never_done(handler: Handler) -> None:
    """Says "100 Continue" for ever."""
    while not handler.server.closing.wait(0.001):
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def status(code: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.begin(0, code)

    return answer


def redirect(url: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.end_headers()

    return answer
