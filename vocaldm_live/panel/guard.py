"""Guard: lets in only who asked for this very panel: right host name, own origin, token where one is set."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

log = logging.getLogger("vocaldm.panel")
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "vocaldm_panel"
READING = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """An ASGI app around another. `host` is what the panel is bound to.

    A web page somewhere else can make a browser talk to 127.0.0.1. It can't choose the Origin that the browser
    sends (so only the panel's own may command), and a name of its own that it lets point here shows in Host.
    """

    def __init__(self, app: App, host: str, token: str = "") -> None:
        self._app = app
        self._names = {"localhost", host.lower().strip("[]")} | _own_names(host)
        self._loopback = is_loopback(host)
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer why not."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, sentence = refusal
            log.warning("%s was refused: %s", str(scope["path"])[:100], sentence)
            await _answer(scope, receive, send, status, sentence)
            return
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if self._token and given and scope["type"] == "http":
            # Out of the address bar, into a cookie that only this page sends.
            cookie = f"{COOKIE}={quote(self._token)}; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000"
            await _answer(scope, receive, send, 303, "", [("Location", "/"), ("Set-Cookie", cookie)])
            return
        await self._app(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_here(host):
            return 403, "This panel has another address: open the one that vocaldm live says."
        origin = headers.get("origin")
        reading = scope["type"] == "http" and scope["method"] in READING
        if origin is None and not reading:
            return 403, "A request must say where it comes from (Origin): use the panel's own page."
        if origin is not None and not _same(origin, host):
            return 403, "Only the panel's own page may do that."
        # What carries no Origin, a picture or a sound in a foreign page, is told by the browser itself.
        foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign and not (headers.get("sec-fetch-mode") == "navigate" and scope["path"] == "/"):
            return 403, "Only the panel's own page may read that."
        if self._token and not self._has_token(scope, headers):
            return 401, "This panel wants its token: open it once as http://ADDRESS/?token=TOKEN."
        return None

    def _is_here(self, host: str) -> bool:
        name = (urlsplit(f"//{host}").hostname or "") if _readable(host) else ""
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._loopback

    def _has_token(self, scope: Scope, headers: dict[str, str]) -> bool:
        given = ""
        if scope["type"] == "http" and scope["path"] == "/":
            given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if not given:
            try:
                morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
            except CookieError:
                morsel = None
            given = unquote(morsel.value) if morsel is not None else ""
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def is_loopback(host: str) -> bool:
    """Whether a host name or address is this machine's own and nobody else's."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_names(host: str) -> set[str]:
    if is_loopback(host):
        return set()
    name = socket.gethostname().lower()
    return {name, f"{name.split('.')[0]}.local"}


def _readable(host: str) -> bool:
    try:
        urlsplit(f"//{host}").port  # noqa: B018 - raises where it is no number
    except ValueError:
        return False
    return bool(host) and not set(host) & set("/@?#\\ ")


def _same(origin: str, host: str) -> bool:
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()


def _with_headers(send: Send) -> Send:
    async def add(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", []), *more]}
        await send(message)

    return add


async def _answer(
    scope: Scope,
    receive: Receive,
    send: Send,
    status: int,
    sentence: str,
    headers: list[tuple[str, str]] | None = None,
) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    body = f"{sentence}\n".encode()
    all_headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    all_headers += [*(headers or []), *HEADERS.items(), ("Cache-Control", "no-store")]
    raw = [(name.lower().encode(), value.encode()) for name, value in all_headers]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
