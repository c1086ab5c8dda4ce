"""The OSC server with real sockets: leases, errors, both framings of TCP, bundles in time, and garbage."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osc_peer import TcpPeer, UdpPeer, message
from tiny import assert_sentence

from vocaldm_live.osc.leases import Client, Leases
from vocaldm_live.osc.server import Server
from vocaldm_live.osc.table import OscError
from vocaldm_live.osc.wire import Frames, encode, fit, frame


class House:
    """A server that writes down what it is asked and answers `state` with one event."""

    def __init__(self, **more: Any) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []
        self.came = threading.Condition()
        self.server = Server(self.handle, **more)
        self.server.start()

    def handle(self, client: Client, entry: Any, values: tuple[Any, ...]) -> None:
        name = entry.address.removeprefix("/vocaldm/")
        if name == "star":
            raise OscError("clip", "There is no such clip: see history.")
        if name == "history":
            raise RuntimeError("a fault inside")
        if name == "state":
            self.server.send(client, "state/begin")
        with self.came:
            self.asked.append((name, values))
            self.came.notify_all()

    def wait_for(self, name: str, count: int = 1) -> list[tuple[Any, ...]]:
        def found() -> list[tuple[Any, ...]]:
            return [values for asked, values in self.asked if asked == name]

        with self.came:
            assert self.came.wait_for(lambda: len(found()) >= count, 20), f"{name} did not come: {self.asked}"
        return found()


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    yield made
    made.server.close()


@pytest.fixture
def peer(house: House) -> Iterator[UdpPeer]:
    made = UdpPeer(house.server.port)
    yield made
    made.close()


def test_ping_is_answered_where_it_came_from(peer: UdpPeer) -> None:
    peer.send("ping", "hello")
    assert peer.take() == ("pong", [0, "hello"])


def test_commands_come_checked_and_in_their_types(house: House, peer: UdpPeer) -> None:
    peer.send("param/steps", 8.0)
    peer.send("param/guidance", 3)
    peer.send("capture", 4.0)
    assert house.wait_for("capture") == [(4.0, "")]
    assert house.wait_for("param/steps") == [(8,)] and house.wait_for("param/guidance") == [(3.0,)]


@pytest.mark.parametrize(
    ("address", "values", "code"),
    [
        ("nowhere", (), "unknown"),
        ("ready", (), "unknown"),
        ("param/steps", ("many",), "type"),
        ("param/steps", (0,), "range"),
        ("generate", ("one",), "arguments"),
        ("star", ("abcd", 1), "clip"),
        ("history", (5,), "internal"),
    ],
)
def test_every_error_has_one_form(peer: UdpPeer, address: str, values: tuple[Any, ...], code: str) -> None:
    peer.send(address, *values)
    got = peer.take()
    assert got is not None and got[0] == "error"
    assert got[1][1:3] == [code, f"/vocaldm/{address}"]
    assert_sentence(got[1][4])


def test_an_error_names_the_request(peer: UdpPeer) -> None:
    peer.send("refine", "mine", "abcd", 0)
    assert peer.until("error")[2] == "mine"


def test_a_subscriber_gets_the_state_at_once_and_events_in_order(house: House, peer: UdpPeer) -> None:
    peer.send("subscribe")
    peer.until("state/begin")
    for number in range(200):
        house.server.broadcast("accepted", f"r{number}", 1)
    got = [peer.take() for _ in range(200)]
    assert [one[1][1] for one in got if one] == [f"r{number}" for number in range(200)]
    numbers = [one[1][0] for one in peer.heard]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_many_clients_have_each_their_own_lease_and_count(house: House) -> None:
    peers = [UdpPeer(house.server.port) for _ in range(8)]
    for one in peers:
        one.send("subscribe", 0, 60.0)
        one.until("state/begin")
    house.server.broadcast("done", "x")
    assert [one.take() for one in peers] == [("done", [1, "x"])] * 8
    peers[0].send("unsubscribe")
    peers[0].send("ping")
    peers[0].until("pong")
    house.server.broadcast("done", "y")
    assert peers[1].take() == ("done", [2, "y"]) and peers[0].take(0.3) is None
    for one in peers:
        one.close()


def test_events_go_to_the_port_that_was_asked_for(house: House, peer: UdpPeer) -> None:
    other = UdpPeer(house.server.port)
    peer.send("subscribe", other.port, 60.0)
    other.until("state/begin")
    peer.send("param/steps", 0)
    assert other.until("error")[0] == "range"
    other.close()


def test_a_lease_lapses_and_renewing_keeps_it() -> None:
    leases, one, two = Leases(), Client("udp", "127.0.0.1", 1), Client("udp", "127.0.0.1", 2)
    leases.grant(one, one, 10.0, False)
    leases.grant(two, two, 10.0, False)
    lease, is_new = leases.grant(one, one, 30.0, True) or (None, None)
    assert lease is not None and not is_new and lease.audio
    assert [gone.target for gone in leases.lapse(20.0)] == [two] and len(leases) == 1
    assert leases.lapse(30.0)[0].target == one and len(leases) == 0


def test_a_lapsed_client_gets_nothing(house: House, peer: UdpPeer) -> None:
    peer.send("subscribe", 0, 1.0)
    peer.until("state/begin")
    deadline = time.monotonic() + 20
    while len(house.server.leases) and time.monotonic() < deadline:
        time.sleep(0.05)
    house.server.broadcast("done", "x")
    assert peer.take(0.3) is None


@pytest.mark.parametrize("slip", [False, True])
def test_tcp_in_both_framings(house: House, slip: bool) -> None:
    peer = TcpPeer(house.server.port, slip)
    peer.send("ping", "\u00c0\u00db end")
    assert peer.until("pong") == ["\u00c0\u00db end"]
    peer.send("subscribe", 0, 60.0, 1)
    peer.until("state/begin")
    house.server.broadcast("audio/chunk", "one", 0, 7, bytes(range(256)) * 5)
    assert peer.until("audio/chunk") == ["one", 0, 7, bytes(range(256)) * 5]
    peer.close()
    deadline = time.monotonic() + 20
    while len(house.server.leases) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(house.server.leases) == 0


def test_audio_goes_only_to_those_who_asked(house: House, peer: UdpPeer) -> None:
    peer.send("subscribe")
    peer.until("state/begin")
    house.server.broadcast("audio/chunk", "one", 0, 0, b"1234")
    house.server.broadcast("done", "one")
    assert peer.take() == ("done", [1, "one"])


def test_nothing_larger_than_1400_bytes_leaves_over_udp(house: House, peer: UdpPeer) -> None:
    peer.send("subscribe")
    peer.until("state/begin")
    house.server.broadcast("failed", "x", "word " * 1000)
    got = peer.take()
    assert got is not None and got[0] == "failed" and got[1][2].endswith("...")
    assert len(encode("/vocaldm/failed", "iss", got[1])) <= 1400
    house.server.broadcast("ready", "x", 0, "/" + "p" * 1500, "abcd", 1.0, "5")
    assert peer.until("error")[0] == "length"
    assert_sentence(peer.heard[-1][1][4])


def bundle(delay: float, *parts: bytes) -> bytes:
    moment = time.time() + delay + 2208988800
    whole = int(moment)
    tag = struct.pack(">II", whole & 0xFFFFFFFF, int((moment - whole) * 2**32) & 0xFFFFFFFF)
    return b"#bundle\0" + tag + b"".join(struct.pack(">i", len(part)) + part for part in parts)


def test_a_bundle_waits_for_its_time_and_nobody_waits_with_it(house: House, peer: UdpPeer) -> None:
    peer.raw(bundle(0.6, message("listen", 1)))
    peer.send("ping", "meanwhile")
    assert peer.until("pong") == ["meanwhile"]
    assert [name for name, _ in house.asked] == []
    assert house.wait_for("listen") == [(1,)]


def test_bundles_of_the_past_run_and_of_the_far_future_are_refused(house: House, peer: UdpPeer) -> None:
    peer.raw(bundle(-1000.0, message("listen", 1), bundle(-5.0, message("record", 1))))
    assert house.wait_for("listen") and house.wait_for("record")
    peer.raw(bundle(3600.0, message("listen", 0)))
    assert peer.until("error")[0] == "time"
    assert house.server.counters["too far ahead"] == 1


def test_a_second_daemon_is_told(house: House) -> None:
    second = Server(house.handle, port=house.server.port)
    with pytest.raises(OscError, match="another daemon") as caught:
        second.start()
    assert_sentence(str(caught.value))


def test_a_token_is_asked_for() -> None:
    house = House(token="open sesame")
    peer = UdpPeer(house.server.port)
    peer.send("listen", 1)
    assert peer.until("error")[0] == "token"
    peer.send("subscribe", 0, 60.0, 0, "guess")
    assert peer.until("error")[0] == "token"
    peer.send("subscribe", 0, 60.0, 0, "open sesame")
    peer.until("state/begin")
    peer.send("listen", 1)
    assert house.wait_for("listen") == [(1,)]
    peer.close()
    house.server.close()


def test_a_client_that_never_reads_is_let_go(house: House) -> None:
    peer = TcpPeer(house.server.port, False)
    peer.send("subscribe", 0, 600.0, 1)
    peer.until("state/begin")
    for number in range(20000):
        house.server.broadcast("audio/chunk", "one", 0, number, bytes(1200))
        if number % 500 == 0 and not len(house.server.leases):
            break
    deadline = time.monotonic() + 20
    while len(house.server.leases) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(house.server.leases) == 0
    peer.close()


def test_frames_are_cut_wherever_the_stream_breaks() -> None:
    packets = [message("ping", "a"), message("ping", "\u00c0\u00db"), message("listen", 1)]
    for slip in (False, True):
        stream = b"".join(frame(packet, slip) for packet in packets)
        for size in (1, 3, 7, len(stream)):
            frames = Frames()
            cut = [
                packet
                for start in range(0, len(stream), size)
                for packet in frames.feed(stream[start : start + size])
            ]
            assert cut == packets
    with pytest.raises(ValueError, match="packet"):
        list(Frames().feed(struct.pack(">I", 10**8) + b"x"))


def test_a_path_is_never_shortened() -> None:
    with pytest.raises(OscError, match="shorter"):
        fit("/vocaldm/preset/is", "iss", (0, "a" * 1400, "b"))


VALID = [
    message("ping", "x"),
    message("subscribe", 0, 5.0),
    message("param/steps", 4),
    message("generate", "id", "../../etc/passwd"),
    message("generate", "id", "p" * 60000),
    bundle(0.0, message("listen", 1), message("cancel", "x")),
    bundle(1e9, message("listen", 1)),
    bundle(-1e9, message("listen", 1)),
]


@st.composite
def packets(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(data) - 1))
        change = draw(st.integers(0, 2))
        if change == 0:
            data[place] = draw(st.integers(0, 255))
        elif change == 1 and len(data) > 4:
            del data[place]
        else:
            data[place:place] = draw(st.binary(max_size=9))
    return bytes(data[:65000])


def flood(count: int) -> None:
    house = House()
    peer = UdpPeer(house.server.port)
    stranger = Client("udp", "127.0.0.1", 9)

    @settings(max_examples=count, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(packets())
    def one(data: bytes) -> None:
        house.server._loop.call_soon_threadsafe(house.server.receive, stranger, data)

    try:
        one()
        peer.send("ping", "still there")
        assert peer.until("pong") == ["still there"]
        assert sum(house.server.counters.values()) > 0 and house.server._thread.is_alive()
        assert house.server.counters["malformed"] > 0
    finally:
        peer.close()
        house.server.close()


def test_garbage_is_counted_and_changes_nothing() -> None:
    flood(1500)


@pytest.mark.slow
def test_a_flood_of_garbage() -> None:
    flood(int(os.environ.get("VOCALDM_FUZZ", "20000")))
