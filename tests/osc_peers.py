"""Other sides of the OSC port for tests: a server with plain parameters, and clients over UDP and TCP."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pythonosc import slip
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from vocaldm_live.osc.parameters import Parameters
from vocaldm_live.osc.server import OscServer, OscSettings

PLAIN: dict[str, Any] = {
    "steps": 20,
    "guidance": 2.5,
    "follow": 1.0,
    "strength": 1.0,
    "sampler": "ddim",
    "eta": 0.0,
    "variations": 1,
    "seed": -1,
    "duration": 0.0,
    "preset": "house",
    "text": "",
    "text_weight": 1.0,
    "negative": "",
    "candidates": 1,
}
PATIENCE = 10.0


def message(address: str, *arguments: Any, types: str = "") -> bytes:
    builder = OscMessageBuilder(address)
    guessed = types or "".join(
        {str: "s", int: "i", float: "f", bytes: "b", bool: "T"}[type(a)] for a in arguments
    )
    for value, kind in zip(arguments, guessed, strict=True):
        builder.add_arg(value, kind)
    return builder.build().dgram


def bundle(timetag: int, *elements: bytes) -> bytes:
    sized = b"".join(struct.pack(">i", len(element)) + element for element in elements)
    return b"#bundle\x00" + struct.pack(">Q", timetag) + sized


def ntp(seconds: float) -> int:
    return int((seconds + 2208988800) * 2**32)


@contextmanager
def serving(commands: Any = None, state: Any = lambda: [], **settings: Any) -> Iterator[OscServer]:
    server = OscServer(OscSettings(port=0, **settings), commands or {}, Parameters(PLAIN), state, "9.9")
    server.start()
    try:
        yield server
    finally:
        server.stop()


class Udp:
    """A client with one socket."""

    def __init__(self, server: OscServer | int, receive_buffer: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]
        self.to = ("127.0.0.1", server if isinstance(server, int) else server.port)

    def __enter__(self) -> Udp:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def raw(self, packet: bytes) -> None:
        self.socket.sendto(packet, self.to)

    def send(self, address: str, *arguments: Any, types: str = "") -> None:
        self.raw(message(f"/vocaldm/{address}", *arguments, types=types))

    def next(self) -> tuple[str, list[Any]]:
        """The next event: name below /vocaldm, arguments with seq."""
        packet = self.socket.recv(65536)
        assert len(packet) <= 1400
        got = OscMessage(packet)
        return got.address.removeprefix("/vocaldm/"), got.params

    def until(self, name: str) -> list[tuple[str, list[Any]]]:
        """Events up to and with this one."""
        got = [self.next()]
        while got[-1][0] != name:
            got.append(self.next())
        return got

    def subscribe(self, *arguments: Any) -> list[tuple[str, list[Any]]]:
        self.send("subscribe", *(arguments or (0, 60.0)))
        return self.until("state/end")

    def still_there(self) -> None:
        """The server answers a ping; whatever else came before is thrown away."""
        self.send("ping", "there")
        self.until("pong")


class Peer(Udp):
    """A client that remembers: `heard` is every event, its arguments with seq."""

    def __init__(self, server: OscServer | int) -> None:
        super().__init__(server, 1 << 22)
        self.heard: list[tuple[str, list[Any]]] = []

    def next(self) -> tuple[str, list[Any]]:
        self.heard.append(super().next())
        return self.heard[-1]

    def wait(self, name: str, seconds: float = 60.0) -> list[Any]:
        """The arguments after seq of the next event of this name."""
        end = time.monotonic() + seconds
        with suppress(TimeoutError):
            while (rest := end - time.monotonic()) > 0:
                self.socket.settimeout(rest)
                got = self.next()
                if got[0] == name:
                    return got[1][1:]
        raise AssertionError(f"no {name} came, only {[one[0] for one in self.heard][-30:]}")

    def close(self) -> None:
        self.socket.close()


class Tcp(Udp):
    """A client over TCP, kind `length` (OSC 1.0) or `slip` (1.1)."""

    def __init__(self, server: OscServer, kind: str) -> None:
        self.kind = kind
        self.socket = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
        self.held = b""

    def raw(self, packet: bytes) -> None:
        self.socket.sendall(
            slip.encode(packet) if self.kind == "slip" else struct.pack(">I", len(packet)) + packet
        )

    def _exactly(self, count: int) -> bytes:
        while len(self.held) < count:
            self._more()
        part, self.held = self.held[:count], self.held[count:]
        return part

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.held += data

    def next(self) -> tuple[str, list[Any]]:
        if self.kind == "length":
            packet = self._exactly(struct.unpack(">I", self._exactly(4))[0])
        else:
            while self.held.count(slip.END) < 2:
                self._more()
            _, frame, self.held = self.held.split(slip.END, 2)
            packet = slip.decode(slip.END + frame + slip.END)
        got = OscMessage(packet)
        return got.address.removeprefix("/vocaldm/"), got.params
