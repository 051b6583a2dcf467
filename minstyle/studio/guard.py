"""Who may ask the server: only pages that it gave itself, on this machine, or those who know the token."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "minstyle_token"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    # No host but this one is ever called, whatever a name of a picture may hold.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Stands before the app: Host, Origin, token, size of bodies; and the headers of every answer.

    ``token`` None: only this machine can reach the server. Then Host has to be one of its names: a page of another
    site, whose name was made to lead here (DNS rebinding), has its own. With a token, which such a page does not have,
    Host may be any address, and the names in ``hosts``.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, hosts: Iterable[str], most_bytes: int) -> None:
        self._app, self._token, self._most_bytes = app, token, most_bytes
        self._hosts = {*LOOPBACK, *(host.lower() for host in hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send_guarded)
        else:
            await self._app(scope, self._limited(receive), send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = _name_of(headers.get("host", ""))
        if host is None or not self._is_ours(host):
            return _refused(421, "this server is not known by the name in the header Host")
        if not _same_site(scope, headers):
            return _refused(403, "asked from a page of another site")
        if self._token is not None and (answer := self._check_token(scope, headers, self._token)) is not None:
            return answer
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            return _refused(413, f"expected at most {self._most_bytes:,} bytes, got {length[:20]}")
        return None

    def _is_ours(self, host: str) -> bool:
        if host in self._hosts:
            return True
        return self._token is not None and _is_address(host)

    def _check_token(self, scope: Scope, headers: Headers, token: str) -> Response | None:
        """None for who has it. A link with the token in it, the first time, makes it a cookie."""
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and _equal(given, token):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, token, max_age=90 * 86_400, httponly=True, samesite="strict")
            return answer
        scheme, _, value = headers.get("authorization", "").partition(" ")
        if (scheme.lower() == "bearer" and _equal(value, token)) or _equal(_cookie(headers), token):
            return None
        return _refused(401, "the token is missing or wrong: open the address that minstyle studio printed")

    def _limited(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._most_bytes:
                raise HTTPException(413, f"expected at most {self._most_bytes:,} bytes, got more")
            return message

        return counted


def _refused(status: int, detail: str) -> Response:
    return JSONResponse({"detail": detail}, status)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port: "[::1]:80" -> "::1"; None for what is no name."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _same_site(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asked for a page of ours, or it was no browser. Anybody may link to the first page."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if scope["method"] in _SAFE and scope["path"] == "/" and headers.get("sec-fetch-dest", "document") == "document":
        return True
    if site not in (None, "same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc == headers.get("host")


def own_names() -> list[str]:
    """The names of this machine, by which others may call it."""
    name = socket.gethostname().lower()
    return [name, f"{name}.local"]
