"""Framing: OSC packets in a TCP stream, OSC 1.0 (length prefix) or 1.1 (SLIP), told apart by the first byte."""

from __future__ import annotations

import struct

from pythonosc import slip

from vocaldm_live.osc.wire import LARGEST_PACKET, WireError

_SLIP_STARTS = b"\xc0/#"  # SLIP's END, or a packet at once from a sender that only closes with END


class Framer:
    """Cuts one connection's bytes into packets and wraps packets for it; it holds at most one packet."""

    def __init__(self) -> None:
        self.kind = ""
        self._held = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are complete now. WireError `framing`: neither kind; the connection is of no use."""
        self._held += data
        if not self.kind and self._held:
            if self._held[0] in _SLIP_STARTS:
                self.kind = "slip"
            elif self._held[0] == 0:
                self.kind = "length"
            else:
                raise WireError("framing", "A connection speaks neither OSC 1.0 nor 1.1 (SLIP).")
        return self._slip() if self.kind == "slip" else self._length()

    def wrap(self, packet: bytes) -> bytes:
        """The packet as it goes into the stream, in the kind that the other side speaks."""
        if self.kind == "slip":
            return slip.encode(packet)
        return struct.pack(">I", len(packet)) + packet

    def _length(self) -> list[bytes]:
        packets = []
        while len(self._held) >= 4:
            (size,) = struct.unpack_from(">I", self._held)
            if size > LARGEST_PACKET:
                raise WireError("framing", f"A connection announces a packet of {size} bytes.")
            if len(self._held) < 4 + size:
                break
            if size:
                packets.append(bytes(self._held[4 : 4 + size]))
            del self._held[: 4 + size]
        return packets

    def _slip(self) -> list[bytes]:
        *complete, rest = bytes(self._held).split(slip.END)
        self._held = bytearray(rest)
        # Escapes can double a packet's bytes.
        if len(rest) > 2 * LARGEST_PACKET:
            raise WireError("framing", "A connection sends without ever ending a packet.")
        return [_unescaped(frame) for frame in complete if frame]


def _unescaped(frame: bytes) -> bytes:
    # A bad escape leaves its bytes as they are: the packet then fails where every malformed packet does.
    return frame.replace(slip.ESC + slip.ESC_END, slip.END).replace(slip.ESC + slip.ESC_ESC, slip.ESC)
