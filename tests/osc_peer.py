"""A peer for the tests: plain sockets and python-osc, nothing of the server's own."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

PATIENCE = 20.0


def message(address: str, *values: Any) -> bytes:
    builder = OscMessageBuilder(f"/vocaldm/{address}")
    for value in values:
        builder.add_arg(value, {int: "i", float: "f", str: "s", bytes: "b"}[type(value)])
    return builder.build().dgram


class UdpPeer:
    """Sends to a server and keeps what comes back."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.server = (host, port)
        self.heard: list[tuple[str, list[Any]]] = []

    def send(self, address: str, *values: Any) -> None:
        self.socket.sendto(message(address, *values), self.server)

    def raw(self, data: bytes) -> None:
        self.socket.sendto(data, self.server)

    def take(self, timeout: float = PATIENCE) -> tuple[str, list[Any]] | None:
        """The next message, its address without /vocaldm/; None when none comes."""
        self.socket.settimeout(timeout)
        try:
            found = OscMessage(self.socket.recv(65536))
        except TimeoutError:
            return None
        got = (found.address.removeprefix("/vocaldm/"), list(found.params))
        self.heard.append(got)
        return got

    def until(self, address: str, timeout: float = PATIENCE) -> list[Any]:
        """Take messages until one has this address; its arguments without seq."""
        end = time.monotonic() + timeout
        while (rest := end - time.monotonic()) > 0:
            got = self.take(rest)
            if got is not None and got[0] == address:
                return got[1][1:]
        raise AssertionError(f"no {address} came, only {[one[0] for one in self.heard][-30:]}")

    def close(self) -> None:
        self.socket.close()


class TcpPeer:
    """The same over TCP, with a length before each packet or SLIP."""

    def __init__(self, port: int, slip: bool) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.slip = slip
        self._held = b""

    def send(self, address: str, *values: Any) -> None:
        data = message(address, *values)
        if self.slip:
            data = b"\xc0" + data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
        else:
            data = struct.pack(">I", len(data)) + data
        self.socket.sendall(data)

    def take(self) -> tuple[str, list[Any]]:
        while True:
            packet, self._held = self._cut(self._held)
            if packet:
                found = OscMessage(packet)
                return found.address.removeprefix("/vocaldm/"), list(found.params)
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server has closed the connection")
            self._held += more

    def until(self, address: str) -> list[Any]:
        while True:
            got = self.take()
            if got[0] == address:
                return got[1][1:]

    def _cut(self, held: bytes) -> tuple[bytes, bytes]:
        if self.slip:
            held = held.lstrip(b"\xc0")
            packet, end, rest = held.partition(b"\xc0")
            if not end:
                return b"", held
            return packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"), rest
        if len(held) < 4:
            return b"", held
        length = struct.unpack(">I", held[:4])[0]
        return (held[4 : 4 + length], held[4 + length :]) if len(held) >= 4 + length else (b"", held)

    def close(self) -> None:
        self.socket.close()
