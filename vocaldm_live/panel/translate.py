"""Translate: the page's JSON to OSC packets by the types of the address table, and the daemon's packets to JSON."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from pythonosc.osc_message_builder import OscMessageBuilder

from vocaldm_live.osc.table import ROOT, TABLE, OscError, Value
from vocaldm_live.osc.wire import read_packet

LONGEST_TEXT = 16 * 1024  # characters of one message from the page
# The bridge holds the lease itself: a page that could change it could silence its own connection only, but
# it would have to know the daemon's token for that, and no page needs to.
OWN = (f"{ROOT}/subscribe", f"{ROOT}/unsubscribe")


def message(address: str, *values: Value) -> bytes:
    """An OSC message of the table with its arguments checked; OscError where they are not legal."""
    entry = TABLE[address]
    checked = entry.check(values)
    builder = OscMessageBuilder(address)
    for argument, value in zip(entry.arguments, checked, strict=False):
        builder.add_arg(value, argument.kind)
    return bytes(builder.build().dgram)


def to_osc(text: str) -> tuple[str, bytes]:
    """Address and packet of a message `{"address": ..., "args": [...]}` from the page.

    OscError where it is no such thing, where the table has no such command, or where its arguments are not legal.
    """
    if len(text) > LONGEST_TEXT:
        raise OscError("json", f"A message has {len(text)} characters: send {LONGEST_TEXT} at most.")
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError):
        plain = None
    address = plain.get("address") if isinstance(plain, dict) else None
    values = plain.get("args", []) if isinstance(plain, dict) else None
    if not isinstance(address, str) or not isinstance(values, list):
        raise OscError(
            "json", 'A message is not JSON as it belongs here: send {"address": "...", "args": []}.'
        )
    entry = TABLE.get(address)
    if entry is None or entry.role == "event" or address in OWN:
        raise OscError(
            "unknown", f"{address[:100]} is nothing a page can send: docs/osc.md lists what there is."
        )
    return address, message(address, *values)


def request_id(text: str) -> tuple[str, str]:
    """Address and request id of a message that could not be sent, as far as they can be read."""
    try:
        plain = json.loads(text)
        address = str(plain["address"])[:200]
        names = [argument.name for argument in TABLE[address].arguments]
        return address, str(plain["args"][names.index("id")])[:100]
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return "", ""


def from_osc(packet: bytes) -> Iterator[str]:
    """Each message of a packet from the daemon as JSON; bytes become base64. WireError where it is no OSC."""
    for one in read_packet(packet, lambda error: None):
        yield as_json(one.address, *one.arguments)


def as_json(address: str, *arguments: Any) -> str:
    """A message as the page gets it."""
    return json.dumps({"address": address, "args": [_plain(value) for value in arguments]}, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        # Single precision on the wire: 2.4 comes as 2.4000000953674316. JSON has no infinity.
        return float(f"{value:.7g}") if abs(value) < float("inf") else None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    return value
