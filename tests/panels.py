"""A daemon with its panel for tests, and a plain HTTP client that says what it likes about itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemons import started
from osc_peers import Peer

from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.daemon.page import open_panel
from vocaldm_live.panel.panel import Panel


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def plain(self) -> Any:
        return json.loads(self.body)


@dataclass
class House:
    """A daemon, its panel, and a peer that watches over OSC."""

    place: Path
    daemon: Daemon
    panel: Panel
    peer: Peer

    @property
    def origin(self) -> str:
        return self.panel.address.rstrip("/")

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """A request; `Host` and `Origin` as given, else Host alone as a browser would say it."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.panel.port, timeout=60)
        try:
            connection.request(method, path, body, named)
            got = connection.getresponse()
            return Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()

    def drop(self, name: str, body: bytes) -> Answer:
        return self.ask(f"/dropped?name={name}", "POST", body, Origin=self.origin)

    def clip(self, path: Path) -> list[Any]:
        """The arguments of `ready` for a file."""
        self.peer.send("generate", "clip", str(path))
        return self.peer.wait("ready")


@contextmanager
def housed(place: Path, **changes: Any) -> Iterator[House]:
    """A running daemon with a panel on a free port."""
    with (
        started(place, warm=False, **{"panel.port": 0, **changes}) as daemon,
        Peer(daemon.server.port) as peer,
    ):
        panel = open_panel(daemon)
        try:
            peer.subscribe(0, 600.0, 0, str(changes.get("osc.token", "")))
            yield House(place, daemon, panel, peer)
        finally:
            panel.stop()
