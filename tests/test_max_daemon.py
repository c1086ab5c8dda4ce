"""The Max package's scripts with a real daemon: what udpsend and udpreceive would carry goes over the wire."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from daemons import started, voice
from max_script import Script
from osc_peers import message
from pythonosc.osc_message import OscMessage

from vocaldm_live.daemon.daemon import Daemon

pytestmark = pytest.mark.slow


class Patch:
    """`vocaldm.client` and `vocaldm.session`, wired as in `vocaldm.maxpat`."""

    def __init__(self, port: int) -> None:
        self.client = Script("vocaldm.client.js", "127.0.0.1", port)
        self.session = Script("vocaldm.session.js")
        self.to = port
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.shown: list[list[Any]] = []
        self.events: list[list[Any]] = []
        self.route(self.client.send("loadbang"))

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()

    def route(self, got: list[list[Any]]) -> None:
        """Outlets of the client."""
        for outlet, first, *rest in got:
            if outlet == 0:
                self.events.append([first, *rest])
                self.ask(first, *rest)
            elif outlet == 1:
                self.ask(first, *rest)
            elif outlet == 2 and first == "port":
                self.to = rest[0]
            elif outlet == 2 and first != "host":
                self.sender.sendto(message(first, *rest), ("127.0.0.1", self.to))
            elif outlet == 3:
                self.receiver.close()
                self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self.receiver.bind(("127.0.0.1", rest[0]))
                self.receiver.settimeout(0.2)

    def ask(self, name: str, *values: Any) -> None:
        """A message into the session; what it wants of the daemon is sent."""
        for outlet, first, *rest in self.session.send(name, *values):
            if outlet == 0:
                self.sender.sendto(message(first, *rest), ("127.0.0.1", self.to))
            else:
                self.shown.append([outlet, first, *rest])

    def until(self, seen: Callable[[], bool], seconds: float = 60.0) -> None:
        """Let a second pass again and again until something was seen."""
        end = time.monotonic() + seconds
        ticked = 0.0
        while not seen():
            assert time.monotonic() < end, f"{self.events[-20:]} {self.shown[-20:]}"
            if time.monotonic() - ticked >= 1.0:
                ticked = time.monotonic()
                self.route(self.client.tick())
            try:
                got = OscMessage(self.receiver.recv(65536))
            except TimeoutError:
                continue
            self.route(self.client.send(got.address, *got.params))

    def wait(self, name: str) -> list[Any]:
        """The next event of this name."""
        begun = len(self.events)

        def found() -> list[list[Any]]:
            return [one for one in self.events[begun:] if one[0] == f"/vocaldm/{name}"]

        self.until(lambda: bool(found()))
        return found()[0][1:]


@pytest.fixture
def patch(daemon: Daemon) -> Iterator[Patch]:
    made = Patch(daemon.server.port)
    made.wait("state/end")
    yield made
    made.close()


def test_from_a_dropped_file_to_a_row_of_the_history(place: Path, patch: Patch) -> None:
    assert [1, "set", "one plays."] in patch.shown and [6, "append", "one"] in patch.shown
    patch.ask("generate", str(voice(place / "files" / "a hit.wav")))
    first = patch.wait("ready")
    assert any(one[:2] == [7, "shown"] for one in patch.shown)
    patch.wait("history/end")
    assert [5, "append", "a hit   0.60 s"] in patch.shown
    patch.ask("pick", 0)
    assert [7, "read", 1, first[2]] in patch.shown
    patch.ask("refine", 3)
    assert patch.wait("ready")[5] == first[5]
    patch.ask("star")
    patch.wait("history/end")
    assert any(one[:2] == [5, "append"] and one[2].startswith("* a hit") for one in patch.shown)
    patch.ask("like", "clip")
    assert patch.wait("liking")[0].endswith(".wav")
    patch.ask("like", "none")
    assert patch.wait("liking") == [""]
    patch.ask("lock", 1)
    assert patch.wait("param/seed")[0] >= 0
    patch.ask("generate", str(place / "nowhere.wav"))
    patch.wait("error")
    assert patch.shown[-1][:2] == [2, "set"] and patch.shown[-1][2].endswith(".")


def test_the_scripts_find_a_daemon_that_was_started_again(place: Path, daemon: Daemon, patch: Patch) -> None:
    port = daemon.server.port
    daemon.close()
    patch.until(lambda: [1, "set", "Not connected: start the daemon with vocaldm live."] in patch.shown)
    with started(place, warm=False, **{"osc.port": port}) as again:
        patch.wait("state/end")
        assert again.warm.wait(60)
        again.server.set_parameter("guidance", 1.25)
        assert patch.wait("param/guidance") == [1.25]
