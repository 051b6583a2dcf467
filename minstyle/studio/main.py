"""``minstyle studio``: starts the server on this machine and opens its page in the browser."""

from __future__ import annotations

import argparse
import ipaddress
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from ..arguments import OneLineParser
from ..backend import choose_device
from ..errors import FileError, MinstyleError
from ..front import say, tell
from ..version import __version__

_PORT = 8420


def command(arguments: Sequence[str]) -> int:
    """Serve until an interrupt; returns the exit code. Raises MinstyleError where the server cannot start."""
    options = _parser().parse_args(arguments)
    try:
        from .server import serve  # here: without the extra there is no help either
    except ImportError as error:
        name = error.name or "a library"
        raise MinstyleError(f"the studio needs {name}: pip install 'minstyle[studio]'") from error
    from .tasks import Computer

    choose_device(options.device)  # what is not there is told now, not by the first job
    token = None if _is_loopback(options.host) and options.token is None else options.token or secrets.token_urlsafe(16)
    listening = _listening(options.host, options.port)
    address = _address(options.host, listening.getsockname()[1], token)

    def ready() -> None:
        say(f"minstyle studio: {address}", whole=True)
        if not options.no_browser and not webbrowser.open(address):
            tell("minstyle: no browser could be opened: open the address above yourself")

    hosts = (options.host, *options.allow_host)
    return serve(options.folder, Computer(options.device, options.threads), listening, token, hosts, ready)


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="minstyle studio", description="A page on which to paint: photographs and "
                           "paintings in, pictures out. It is served to this machine alone unless told otherwise.",
                           allow_abbrev=False)  # fmt: skip
    parser.add_argument("--folder", type=_folder, default=default_folder(), metavar="DIR",
                        help="where pictures, paintings and the queue are kept (default: %(default)s)")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS",
                        help="address to listen on (default: %(default)s). Any other than this machine's own can be "
                        "reached by others: who has the token, which is printed, may do all that you may")  # fmt: skip
    parser.add_argument(
        "--port", type=_port, default=_PORT, metavar="N", help="0 for a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--token", type=_token, metavar="TEXT", help="the token, 16 letters or more (default: a new one)"
    )
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                        help="a name by which others reach this machine, for example through a proxy")  # fmt: skip
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "gpu"), default="auto", help="what computes (default: auto)"
    )
    parser.add_argument("--threads", type=_threads, metavar="N", help="cores to compute on (default: all)")
    parser.add_argument("--version", action="version", version=f"minstyle {__version__}")
    return parser


def default_folder() -> Path:
    return Path(platformdirs.user_data_dir("minstyle", appauthor=False)) / "studio"


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises FileError where the port is taken or the address is none of this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":  # there it would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, OverflowError, UnicodeError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free one") from error
    return listening


def _address(host: str, port: int, token: str | None) -> str:
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _folder(text: str) -> Path:
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"expected a folder, got {text!r}")
    return Path(text)


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def _threads(text: str) -> int:
    if not text.isdecimal() or len(text) > 4 or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return int(text)


def _token(text: str) -> str:
    if len(text) < 16 or not all((letter.isalnum() and letter.isascii()) or letter in "-_" for letter in text):
        raise argparse.ArgumentTypeError("expected 16 or more letters, digits, - or _")
    return text
