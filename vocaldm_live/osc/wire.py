"""Wire: OSC messages as bytes and back, with python-osc, hardened against what its parser lets through."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_message import OscMessage
from pythonosc.osc_message import ParseError as MessageError
from pythonosc.osc_message_builder import BuildError, OscMessageBuilder
from pythonosc.parsing import osc_types

from vocaldm_live.osc.table import TABLE, Entry, OscError

LARGEST_DATAGRAM = 1400  # what we send: passes every network and every host's receive buffer
LARGEST_PACKET = 65507  # what we take: the most that one UDP datagram can carry
LONGEST_MESSAGE = 8192  # what one message may be: no command comes near, and longer ones are slow to parse
DEEPEST_BUNDLE = 8
MOST_MESSAGES = 1000
MOST_ARGUMENTS = 64
SEQ_END = 2**31
BUNDLE = b"#bundle\x00"
IMMEDIATELY = 1
NTP_TO_UNIX = 2208988800
# h and d come from programs that guess types; T, F and N from those that send booleans. All become i, f or s.
READABLE = frozenset("ifsbhdTF")
_PARSER_TROUBLE = (
    MessageError, osc_types.ParseError, struct.error, IndexError, ValueError, TypeError, OverflowError,
)  # fmt: skip


class WireError(Exception):
    """A packet that is not OSC, or not OSC we take; `kind` is the name of its counter."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


@dataclass(frozen=True)
class Message:
    """One message that came in. `when`: seconds since 1970 at which its bundle wants it, None: at once."""

    address: str
    arguments: tuple[Any, ...]
    when: float | None = None


def read_packet(packet: bytes, refused: Callable[[WireError], None]) -> list[Message]:
    """The messages of a packet in their order. WireError for a packet of no use at all.

    A bundle's good messages are given even where others in it are bad; those go to `refused`.
    """
    if len(packet) > LARGEST_PACKET:
        raise WireError("too_long", f"A packet has {len(packet)} bytes: the most is {LARGEST_PACKET}.")
    if packet.startswith(BUNDLE):
        messages: list[Message] = []
        for element, when in _elements(packet, 1):
            if len(messages) >= MOST_MESSAGES:
                refused(WireError("bundle", f"A bundle has more than {MOST_MESSAGES} messages."))
                break
            try:
                messages.append(_message(element, when))
            except WireError as error:
                refused(error)
        return messages
    return [_message(packet, None)]


def _elements(bundle: bytes, depth: int) -> Iterator[tuple[bytes, float | None]]:
    # Walked here because python-osc's OscBundle never ends on a negative element size, recurses as deep as it
    # is told to and logs through the root logger.
    if depth > DEEPEST_BUNDLE:
        raise WireError("bundle", f"Bundles are nested deeper than {DEEPEST_BUNDLE}.")
    if len(bundle) < 16:
        raise WireError("bundle", "A bundle ends before its timetag does.")
    (timetag,) = struct.unpack_from(">Q", bundle, 8)
    when = None if timetag == IMMEDIATELY else timetag / 2**32 - NTP_TO_UNIX
    index = 16
    while index < len(bundle):
        if index + 4 > len(bundle):
            raise WireError("bundle", "A bundle ends inside an element's size.")
        (size,) = struct.unpack_from(">i", bundle, index)
        index += 4
        if size <= 0 or size % 4 or index + size > len(bundle):
            raise WireError("bundle", f"A bundle's element claims {size} bytes.")
        element = bundle[index : index + size]
        index += size
        if element.startswith(BUNDLE):
            yield from _elements(element, depth + 1)
        else:
            yield element, when


def _message(packet: bytes, when: float | None) -> Message:
    if not packet.startswith(b"/"):
        raise WireError("not_osc", "A packet starts neither like an OSC message nor like a bundle.")
    if len(packet) > LONGEST_MESSAGE:
        raise WireError("too_long", f"A message has {len(packet)} bytes: the most is {LONGEST_MESSAGE}.")
    try:
        address, index = osc_types.get_string(packet, 0)
        tags = osc_types.get_string(packet, index)[0] if packet[index:] else ","
    except _PARSER_TROUBLE as error:
        raise WireError("malformed", "A message's address or type tags cannot be read.") from error
    # Checked before python-osc reads on: it logs unknown tags through the root logger and reads the rest wrongly.
    if not tags.startswith(",") or len(tags) > MOST_ARGUMENTS + 1 or not READABLE.issuperset(tags[1:]):
        raise WireError("types", f"{address[:100]} has the type tags {tags[:20]!r}: send i, f and s only.")
    try:
        return Message(address, tuple(OscMessage(packet).params), when)
    except _PARSER_TROUBLE as error:
        raise WireError("malformed", f"The arguments of {address[:100]} cannot be read.") from error


@dataclass(frozen=True)
class Event:
    """One event in bytes, for any number of subscribers: only `seq` differs between them."""

    address: str
    packet: bytes
    seq_at: int

    def numbered(self, seq: int) -> bytes:
        """The datagram with this seq (0..2^31-1)."""
        return self.packet[: self.seq_at] + struct.pack(">i", seq % SEQ_END) + self.packet[self.seq_at + 4 :]


def event(address: str, *arguments: Any) -> Event:
    """An event of the table in bytes, at most 1400.

    Sentences are shortened to fit; what else does not fit raises OscError `too_long`. ValueError where the
    table has no such event or the arguments are not its arguments: a mistake of the caller, not of a client.
    """
    entry = TABLE.get(address)
    if entry is None or entry.role == "command":
        raise ValueError(f"the table has no event {address}")
    if len(arguments) != len(entry.arguments):
        raise ValueError(f"{address} takes {len(entry.arguments)} arguments, not {len(arguments)}")
    values = [
        _outgoing(address, argument.kind, value)
        for argument, value in zip(entry.arguments, arguments, strict=True)
    ]
    packet = _build(entry, values)
    excess = len(packet) - LARGEST_DATAGRAM
    sentence = next((i for i, a in enumerate(entry.arguments) if a.name in ("sentence", "text")), None)
    if excess > 0 and sentence is not None:
        text = values[sentence].encode()
        kept = max(len(text) - excess - 8, 0)
        values[sentence] = text[:kept].decode(errors="ignore") + "..."
        packet = _build(entry, values)
    if len(packet) > LARGEST_DATAGRAM:
        raise OscError("too_long", f"{address} has {len(packet)} bytes, {LARGEST_DATAGRAM} fit a datagram.")
    tags_at = _padded(len(address.encode()))
    return Event(address, packet, tags_at + _padded(2 + len(values)))


def _padded(length: int) -> int:
    return (length // 4 + 1) * 4


def _outgoing(address: str, kind: str, value: Any) -> Any:
    try:
        if kind == "s":
            # A NUL ends an OSC string early; a lone surrogate (a file name that is not UTF-8) cannot be encoded.
            return str(value).replace("\x00", "").encode("utf-8", "replace").decode()
        if kind == "b":
            return bytes(value)
        number = int(value) if kind == "i" else float(value)
        struct.pack(">i" if kind == "i" else ">f", number)
        return number
    except (TypeError, ValueError, OverflowError, struct.error) as error:
        raise ValueError(f"{address}: {value!r} does not go into an OSC argument of type {kind}") from error


def _build(entry: Entry, values: list[Any]) -> bytes:
    builder = OscMessageBuilder(entry.address)
    builder.add_arg(0, "i")
    for argument, value in zip(entry.arguments, values, strict=True):
        builder.add_arg(value, argument.kind)
    try:
        return builder.build().dgram
    except BuildError as error:
        raise ValueError(f"{entry.address}: {error}") from error
