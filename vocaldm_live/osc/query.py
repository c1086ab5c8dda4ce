"""Query: OSCQuery over HTTP, so that a host can list the addresses with their types, ranges and values."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from vocaldm_live.osc.counters import log
from vocaldm_live.osc.table import ROOT, Argument, Entry, OscError, entries

if TYPE_CHECKING:
    from vocaldm_live.osc.server import OscServer

Values = Mapping[str, tuple[Any, ...]]  # by address: what was last told of it
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "RANGE", "VALUE", "DESCRIPTION")
ACCESS = {"event": 1, "command": 2, "parameter": 3}
LONGEST_HEAD = 8192
SECONDS_FOR_HEAD = 5.0
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
           405: "Method Not Allowed"}  # fmt: skip


@dataclass(frozen=True)
class QuerySettings:
    """Where OSCQuery listens: loopback only, whatever the OSC port does. `announce`: by zeroconf, on loopback."""

    port: int = 9751
    announce: bool = False
    name: str = "VocalDM Live"


def tree(values: Values, legal: Mapping[str, Argument]) -> dict[str, Any]:
    """The whole address tree. `legal`: what a parameter may be now, by name."""
    root: dict[str, Any] = {"FULL_PATH": "/", "ACCESS": 0, "DESCRIPTION": "VocalDM Live", "CONTENTS": {}}
    for entry in entries():
        node = root
        for part in entry.address.strip("/").split("/"):
            path = f"{node['FULL_PATH'].rstrip('/')}/{part}"
            node = node.setdefault("CONTENTS", {}).setdefault(part, {"FULL_PATH": path, "ACCESS": 0})
        node.update(_described(entry, legal))
        if entry.address in values:
            node["VALUE"] = [v for v in values[entry.address] if not isinstance(v, bytes)]
    return root


def _described(entry: Entry, legal: Mapping[str, Argument]) -> dict[str, Any]:
    arguments = entry.arguments
    if entry.role == "parameter":
        arguments = (legal.get(arguments[0].name, arguments[0]),)
    described: dict[str, Any] = {"ACCESS": ACCESS[entry.role], "DESCRIPTION": entry.help}
    if entry.types:
        described["TYPE"] = entry.types
        # An event's first argument is seq, which the table leaves out.
        first = [{"MIN": 0, "MAX": 2**31 - 1}] if entry.role == "event" else []
        described["RANGE"] = first + [_range(argument) for argument in arguments]
    return described


def _range(argument: Argument) -> dict[str, Any] | None:
    if argument.choices:
        return {"VALS": list(argument.choices)}
    if argument.low is None or argument.high is None:
        return None
    whole = argument.kind == "i"
    return {
        "MIN": int(argument.low) if whole else argument.low,
        "MAX": int(argument.high) if whole else argument.high,
    }


def answer(target: str, root: dict[str, Any], host_info: dict[str, Any]) -> tuple[int, Any]:
    """Status and JSON for a request's target such as `/vocaldm/param/steps?VALUE`; None has no body."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return 400, {"ERROR": "That is not an address."}
    if parts.query == "HOST_INFO":
        return 200, host_info
    node: Any = root
    for part in filter(None, unquote(parts.path).split("/")):
        node = node.get("CONTENTS", {}).get(part)
        if node is None:
            return 404, {"ERROR": f"There is no {parts.path[:200]} here."}
    if not parts.query:
        return 200, node
    if parts.query not in ATTRIBUTES:
        return 400, {"ERROR": f"Ask for one of {', '.join(('HOST_INFO', *ATTRIBUTES))}."}
    return (200, {parts.query: node[parts.query]}) if parts.query in node else (204, None)


class QueryServer:
    """Answers HTTP GET in the OSC server's loop. Every answer closes its connection."""

    def __init__(self, server: OscServer, settings: QuerySettings = QuerySettings()) -> None:  # noqa: B008
        self._server = server
        self._settings = settings
        self._http: asyncio.Server | None = None
        self._announcement: Any = None
        self.port = 0

    def start(self) -> None:
        """Serve; the OSC server runs already and closes this when it stops. OscError `port`, `zeroconf`."""
        if self._server.loop is None:
            raise RuntimeError("the OSC server is not running")
        future: Future[None] = asyncio.run_coroutine_threadsafe(self._open(), self._server.loop)
        try:
            future.result()
        except (OSError, OverflowError) as error:
            raise OscError(
                "port",
                f"OSCQuery's port {self._settings.port} cannot be opened ({error}): set osc.query_port to another.",
            ) from error
        if self._settings.announce:
            from vocaldm_live.osc.announce import Announcement

            self._announcement = Announcement(self._settings.name, self.port, self._server.port)
        self._server.on_stop(self._close)

    def host_info(self) -> dict[str, Any]:
        """What `?HOST_INFO` answers."""
        return {
            "NAME": self._settings.name,
            "OSC_IP": self._server.settings.host,
            "OSC_PORT": self._server.port,
            "OSC_TRANSPORT": "UDP",
            "EXTENSIONS": {name: name in ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TYPE")
                           for name in ("ACCESS", "VALUE", "RANGE", "DESCRIPTION", "TYPE", "LISTEN", "PATH_CHANGED")},
        }  # fmt: skip

    def values(self) -> dict[str, tuple[Any, ...]]:
        """Values of the parameters, and of the events that tell the state."""
        parameters = self._server.parameters.values()
        values: dict[str, tuple[Any, ...]] = {f"{ROOT}/param/{n}": (v,) for n, v in parameters.items()}
        # Of an event that the state tells several times (preset/known) the last one stands.
        return {**values, **{address: (0, *arguments) for address, arguments in self._server.state()}}

    def _close(self) -> None:
        if self._http is not None:
            self._http.close()
        if self._announcement is not None:
            self._announcement.close()

    async def _open(self) -> None:
        self._http = await asyncio.start_server(
            self._connected, "127.0.0.1", self._settings.port, family=socket.AF_INET, limit=LONGEST_HEAD
        )
        self.port = self._http.sockets[0].getsockname()[1]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SECONDS_FOR_HEAD)
            writer.write(self._response(head.decode("latin-1")))
            await asyncio.wait_for(writer.drain(), SECONDS_FOR_HEAD)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            writer.write(_response(400, {"ERROR": "That is not an HTTP request."}, True))
        except (asyncio.TimeoutError, OSError):  # noqa: UP041 - another class before Python 3.11
            pass
        finally:
            writer.close()

    def _response(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        words = first.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
            return _response(400, {"ERROR": "That is not an HTTP request."}, True)
        if words[0] not in ("GET", "HEAD"):
            return _response(405, {"ERROR": "Values are read here; OSC sets them."}, True)
        hosts = [line.split(":", 1)[1].strip() for line in lines if line.lower().startswith("host:")]
        if not all(_is_here(host) for host in hosts):
            # A web page may have its own name point at 127.0.0.1 and read what is here; its Host says so.
            return _response(403, {"ERROR": "Ask for 127.0.0.1 or localhost."}, True)
        parameters = self._server.parameters
        root = tree(self.values(), {name: parameters.legal(name) for name in parameters})
        status, body = answer(words[1], root, self.host_info())
        log.debug("OSCQuery %s: %d", words[1][:200], status)
        return _response(status, body, words[0] == "GET")


def _is_here(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _response(status: int, body: Any, with_body: bool) -> bytes:
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    head = [f"HTTP/1.1 {status} {REASONS[status]}", "Connection: close", "Cache-Control: no-store"]
    if status != 204:
        head += ["Content-Type: application/json; charset=utf-8", f"Content-Length: {len(data)}"]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + (data if with_body else b"")
