"""Random and mutated packets: the server answers or ignores, counts, and goes on.

VOCALDM_FUZZ_PACKETS sets how many packets the slow run takes (100,000 unless set).
"""

from __future__ import annotations

import os
import random
import socket
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from osc_peers import PLAIN, Tcp, Udp, bundle, message, ntp, serving

from vocaldm_live.osc.framing import Framer
from vocaldm_live.osc.table import TABLE, entries
from vocaldm_live.osc.wire import WireError, read_packet

KINDS = {
    "not_osc",
    "malformed",
    "types",
    "too_long",
    "bundle",
    "bundle_far",
    "done",
}  # what a storm is told to be


def seeds():
    made = [message(address) for address in TABLE]
    some = {"i": 3, "f": 0.5, "s": "../../etc/passwd", "b": b"1234"}
    for entry in entries("command", "parameter"):
        made.append(message(entry.address, *(some[a.kind] for a in entry.arguments)))
        made.append(message(entry.address, *("x" for _ in entry.arguments)))
    made += [bundle(tag, *made[-4:]) for tag in (0, 1, 2, ntp(1e9), ntp(2.08e9), 2**64 - 1)]
    deep = message("/vocaldm/ping", "deep")
    for _ in range(500):
        deep = bundle(1, deep)
    return [*made, deep, bundle(1, *[message("/vocaldm/ping")] * 2000), message("/vocaldm/ping", "x" * 60000),
            message("/" + "y" * 60000), b"#bundle\x00" + bytes(8) + struct.pack(">i", -4),
            b"/vocaldm/ping\x00\x00\x00," + b"[" * 3000 + bytes(4), b"", b"/", b"#bundle\x00"]  # fmt: skip


def mutated(rng, packets):
    packet = bytearray(rng.choice(packets))
    for _ in range(rng.randrange(0, 6)):
        at = rng.randrange(len(packet) + 1)
        how = rng.randrange(5)
        if how == 0:
            packet[at : at + 1] = rng.randbytes(1)
        elif how == 1:
            packet[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif how == 2:
            del packet[at : at + rng.randrange(1, 9)]
        elif how == 3:
            packet[at // 4 * 4 : at // 4 * 4 + 4] = rng.choice((b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4)))
        else:
            packet += rng.choice(packets)[: rng.randrange(200)]
    return bytes(packet[:65000]) if rng.random() < 0.95 else rng.randbytes(rng.randrange(300))


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda b: b"/a\x00\x00," + b),
                 st.binary(max_size=200).map(lambda b: b"#bundle\x00" + b)))  # fmt: skip
def test_any_bytes_are_messages_or_a_wire_error(packet):
    try:
        messages = read_packet(packet, lambda error: None)
    except WireError as error:
        assert error.kind
    else:
        assert all(one.address.startswith("/") for one in messages)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(1, 7))
def test_framing_gives_back_any_packets_however_the_stream_is_cut(packets, step):
    for first in (b"\xc0", b"\x00"):
        sender, receiver = Framer(), Framer()
        sender.kind = "slip" if first == b"\xc0" else "length"
        stream = b"".join(sender.wrap(packet) for packet in packets)
        got = [p for at in range(0, len(stream), step) for p in receiver.feed(stream[at : at + step])]
        assert got == packets


def storm(count):
    rng = random.Random(11)
    packets = seeds()
    commands = {e.address: lambda arguments, client: None for e in entries("command", "parameter")}
    for own in ("subscribe", "unsubscribe", "state", "ping", "version"):
        del commands[f"/vocaldm/{own}"]
    with serving(commands) as server, Udp(server) as watcher, Udp(server) as client:
        server.counters.seconds_between_lines = 60.0
        client.socket.setblocking(False)
        for number in range(count):
            client.raw(mutated(rng, packets))
            if number % 50 == 49:
                watcher.still_there()  # and so the storm is no faster than the server
                try:
                    while True:
                        client.socket.recv(65536)
                except BlockingIOError:
                    pass
        watcher.still_there()
        assert server.counters["internal"] == 0, server.counters
        assert server.counters["packets"] >= count
        assert len(server.leases) <= server.settings.most_leases
        for name, value in server.parameters.values().items():
            server.parameters.check(name, value)
            assert type(value) is type(PLAIN[name])
        return dict(server.counters)


def test_a_storm_of_bad_packets_does_no_harm():
    assert KINDS <= set(storm(2000))


@pytest.mark.slow
def test_a_long_storm_of_bad_packets_does_no_harm():
    count = int(os.environ.get("VOCALDM_FUZZ_PACKETS", "100000"))
    counted = storm(count)
    print(counted)
    assert counted["packets"] >= count and KINDS <= set(counted)


def test_bad_streams_end_their_connection_only():
    with serving() as server, Udp(server) as watcher, Tcp(server, "slip") as good:
        for bad in (b"GET / HTTP/1.1\r\n\r\n", b"\x00\xff\xff\xff", b"\xc0" + b"x" * 200000, b"\x00\x00"):
            with socket.create_connection(("127.0.0.1", server.port), 10) as peer:
                try:
                    peer.sendall(bad)
                    if len(bad) > 2:
                        assert peer.recv(10) == b""
                except ConnectionError:
                    pass
        good.still_there()
        watcher.still_there()
        assert server.counters["framing"] >= 3


def test_sixty_kilobytes_in_one_string_are_refused_at_once():
    with serving() as server, Udp(server) as client:
        before = time.monotonic()
        client.raw(message("/vocaldm/param/text", "x" * 60000))
        assert client.next()[1][1] == "too_long"
        assert time.monotonic() - before < 10
        assert server.counters["too_long"] == 1
