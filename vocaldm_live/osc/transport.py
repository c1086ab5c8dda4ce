"""Transport: UDP datagrams and TCP connections of the OSC port, handed on as packets with their sender."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from vocaldm_live.osc.client import Client
from vocaldm_live.osc.counters import Counters, log
from vocaldm_live.osc.framing import Framer
from vocaldm_live.osc.wire import WireError

Receive = Callable[[bytes, Client], None]


class Datagrams(asyncio.DatagramProtocol):
    """The UDP side."""

    def __init__(self, receive: Receive, counters: Counters) -> None:
        self._receive = receive
        self._counters = counters
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._receive(data, Client((addr[0], addr[1]), f"{addr[0]}:{addr[1]}"))

    def error_received(self, exc: Exception) -> None:
        # A subscriber is gone without unsubscribing; the system does not say which, its lease will lapse.
        self._counters["udp_unreachable"] += 1

    def send(self, packet: bytes, target: tuple[str, int]) -> None:
        """Send one datagram; what cannot be sent is counted."""
        if self._transport is None or self._transport.is_closing():
            return
        try:
            self._transport.sendto(packet, target)
        except OSError as error:
            self._counters.note(
                "udp_unsendable", f"A datagram to {target[0]}:{target[1]} was not sent: {error}"
            )

    def close(self) -> None:
        """Close the port."""
        if self._transport is not None:
            self._transport.close()


class Connection(asyncio.Protocol):
    """One TCP client. It is dropped when it reads so slowly that `most_unsent` bytes wait for it."""

    def __init__(
        self,
        receive: Receive,
        counters: Counters,
        open_ones: set[Connection],
        lost: Callable[[Connection], object],
        most_connections: int,
        most_unsent: int,
    ) -> None:
        self._receive = receive
        self._counters = counters
        self._open_ones = open_ones
        self._lost = lost
        self._most_connections = most_connections
        self._most_unsent = most_unsent
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self.client = Client(self, "tcp")

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        peer = transport.get_extra_info("peername") or ("?", 0)
        self.client = Client(self, f"tcp {peer[0]}:{peer[1]}")
        if len(self._open_ones) >= self._most_connections:
            self._counters.note("tcp_full", f"{self.client.name} was turned away: too many connections.")
            transport.abort()
            return
        self._open_ones.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            packets = self._framer.feed(data)
        except WireError as error:
            self._counters.note(error.kind, str(error))
            self.drop()
            return
        for packet in packets:
            self._receive(packet, self.client)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_ones.discard(self)
        self._lost(self)

    def send(self, packet: bytes) -> None:
        """Send one packet, or drop the connection when too much waits already."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > self._most_unsent:
            self._counters["tcp_slow"] += 1
            log.warning("%s reads too slowly and was dropped: it may connect again.", self.client.name)
            self.drop()
            return
        transport.write(self._framer.wrap(packet))

    def drop(self) -> None:
        """Close at once; what waits to be sent is thrown away."""
        if self._transport is not None:
            self._transport.abort()
