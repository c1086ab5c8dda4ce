"""The tray's line to the daemon: it subscribes, renews, comes back, and says what is wrong."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from osc_peers import PLAIN, serving

from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.server import OscServer, OscSettings
from vocaldm_live.osc.table import OscError
from vocaldm_live.tray import link as room
from vocaldm_live.tray.link import Link


class Ear(queue.Queue):  # type: ignore[type-arg]
    """What a link tells."""

    def __call__(self, name: str, values: tuple[Any, ...]) -> None:
        self.put((name, values))

    def until(self, name: str) -> tuple[Any, ...]:
        while True:
            got = self.get(timeout=20)
            if got[0] == name:
                return got[1]  # type: ignore[no-any-return]


@contextmanager
def linked(port: int, token: str = "") -> Iterator[tuple[Link, Ear]]:
    ear = Ear()
    link = Link("127.0.0.1", port, ear, token)
    link.start()
    try:
        yield link, ear
    finally:
        link.stop()


def test_it_subscribes_hears_and_says() -> None:
    said: queue.Queue[Any] = queue.Queue()
    commands = {"/vocaldm/star": lambda arguments, client: said.put(arguments)}
    with serving(commands) as server, linked(server.port) as (link, ear):
        ear.until("link/up")
        server.broadcast("/vocaldm/engine", "warm", "Ready.")
        assert ear.until("engine") == ("warm", "Ready.")
        assert link.send("star", "c1", 1)
        assert said.get(timeout=20) == ("c1", 1)
        with pytest.raises(OscError):
            link.send("star", "c1", 7)


@pytest.mark.slow
def test_a_lease_is_renewed_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "LEASE", 1.0)
    monkeypatch.setattr(room, "RENEW", 0.3)
    with serving() as server, linked(server.port) as (_, ear):
        for _ in range(6):  # 1.5 s: without renewal the lease would have ended
            ear.until("state/end")
        assert len(server.leases) == 1
        server.broadcast("/vocaldm/engine", "busy", "")
        assert ear.until("engine") == ("busy", "")


def test_it_leaves_no_lease_behind() -> None:
    with serving() as server:
        with linked(server.port) as (_, ear):
            ear.until("link/up")
            assert len(server.leases) == 1
        deadline = threading.Event()
        for _ in range(200):
            if not len(server.leases):
                break
            deadline.wait(0.05)
        assert len(server.leases) == 0


@pytest.mark.slow
def test_it_comes_back_when_the_daemon_does() -> None:
    with serving() as server:
        port = server.port
        with linked(port) as (link, ear):
            ear.until("link/up")
            server.stop()
            assert ear.until("link/down") == ("",)
            assert not link.send("state")
            again = OscServer(OscSettings(port=port), {}, Parameters(PLAIN), lambda: [], "9.9")
            again.start()
            try:
                ear.until("link/up")
                assert link.send("state")
            finally:
                again.stop()


def test_a_wrong_token_is_told_and_never_up() -> None:
    with serving(token="secret") as server:
        with linked(server.port, "guess") as (_, ear):
            assert ear.until("error")[0] == "token"
            assert all(name != "link/up" for name, _ in list(ear.queue))
        with linked(server.port, "secret") as (_, ear):
            ear.until("link/up")


def test_something_else_at_the_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        with linked(other.getsockname()[1]) as (_, ear):
            line, _ = other.accept()
            line.sendall(b"HTTP/1.0 400 what\r\n\r\n")
            (reason,) = ear.until("link/down")
            assert "not VocalDM Live" in reason
            line.close()


def test_a_daemon_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SILENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with linked(mute.getsockname()[1]) as (_, ear):
            assert "answer" in ear.until("link/down")[0]


def test_an_event_that_was_lost_is_noticed() -> None:
    with serving() as server, linked(server.port) as (_, ear):
        ear.until("link/up")
        (lease,) = server.leases
        lease.next_seq()
        server.broadcast("/vocaldm/engine", "busy", "")
        ear.until("link/gap")
        ear.until("state/end")  # the whole state was asked for again


def test_nobody_there_is_no_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with linked(port) as (link, ear):
        assert ear.until("link/down") == ("",)
        assert not link.send("record", 1)
