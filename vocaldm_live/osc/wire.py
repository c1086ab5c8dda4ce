"""Wire: messages to bytes and back, through python-osc; TCP framing of OSC 1.0 (length prefix) and 1.1 (SLIP)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from vocaldm_live.osc.table import OscError, Value

LARGEST_DATAGRAM = 1400
LARGEST_FRAME = 65536
END = 0xC0


def encode(address: str, types: str, values: Sequence[Value]) -> bytes:
    """One message with explicit type tags (i, f, s, b); python-osc would guess them otherwise."""
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for kind, value in zip(types, values, strict=True):
        builder.add_arg(value, kind)
    return builder.build().dgram


def fit(address: str, types: str, values: Sequence[Value], longest: int = LARGEST_DATAGRAM) -> bytes:
    """The message in at most `longest` bytes, its last text shortened where needed; OscError where that won't do."""
    data = encode(address, types, values)
    if len(data) <= longest:
        return data
    last = values[-1] if values else None
    room = len(last.encode()) - (len(data) - longest) - 8 if isinstance(last, str) else 0
    if room < 16 or not isinstance(last, str):
        raise OscError(
            "length", f"A message to {address} is longer than {longest} bytes: use shorter paths and ids."
        )
    short = last.encode()[:room].decode(errors="ignore") + "..."
    return encode(address, types, [*values[:-1], short])


def decode(data: bytes) -> list[tuple[float, str, tuple[object, ...]]]:
    """(unix time at which it is due, address, arguments) of every message in a packet; ValueError for garbage."""
    from pythonosc.osc_packet import OscPacket

    try:
        return [
            (float(timed.time), timed.message.address, tuple(timed.message.params))
            for timed in OscPacket(data).messages
        ]
    except Exception as error:
        # Bytes from outside make the parser fail in many ways; all of them mean the same here.
        raise ValueError(f"{type(error).__name__}: {error}") from error


def frame(data: bytes, slip: bool) -> bytes:
    """A packet as it travels over TCP."""
    if not slip:
        return struct.pack(">I", len(data)) + data
    escaped = data.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
    return b"\xc0" + escaped + b"\xc0"


class Frames:
    """Cuts a TCP stream into packets; which framing it is, the first byte tells."""

    def __init__(self) -> None:
        self.slip: bool | None = None
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The packets that are whole now; raises ValueError where the stream is not OSC or a packet too large."""
        self._held += data
        if self.slip is None and self._held:
            self.slip = self._held[0] == END
        yield from self._slip() if self.slip else self._prefixed()
        if len(self._held) > 2 * LARGEST_FRAME:
            raise ValueError("a packet without an end")

    def _prefixed(self) -> Iterator[bytes]:
        while len(self._held) >= 4:
            (length,) = struct.unpack_from(">I", self._held)
            if length > LARGEST_FRAME:
                raise ValueError(f"a packet of {length} bytes")
            if len(self._held) < 4 + length:
                return
            packet = bytes(self._held[4 : 4 + length])
            del self._held[: 4 + length]
            if packet:
                yield packet

    def _slip(self) -> Iterator[bytes]:
        while (end := self._held.find(END)) >= 0:
            packet = bytes(self._held[:end])
            del self._held[: end + 1]
            if packet:
                yield packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
