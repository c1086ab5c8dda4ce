"""Finished: whether a sound file holds all that its header promises."""

from __future__ import annotations

import struct
from pathlib import Path

UNKNOWN_SIZE = 0xFFFFFFFF


def shortfall(path: Path) -> str | None:
    """None when the sizes in a WAV, RF64 or AIFF file agree with its length, else what is missing, in words.

    Programs that write the header last leave sizes of 0 or 0xFFFFFFFF while they record. Other formats carry no
    sizes: None. Raises OSError.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12:
            return f"it is {length} bytes long"
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return _chunks(file, "<", length, struct.unpack("<I", head[4:8])[0], b"data")
        if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
            return _chunks(file, ">", length, struct.unpack(">I", head[4:8])[0], b"SSND")
        if head[:4] == b"RF64" and head[8:12] == b"WAVE":
            part = file.read(24)
            if part[:4] == b"ds64" and len(part) >= 24:
                promised, data = struct.unpack("<QQ", part[8:24])
                if not data or promised + 8 > length:
                    return f"its header promises {promised + 8} bytes and it has {length}"
    return None


def _chunks(file, order: str, length: int, promised: int, wanted: bytes) -> str | None:  # type: ignore[no-untyped-def]
    if promised in (0, UNKNOWN_SIZE):
        return "its header has no length yet"
    if promised + 8 > length:
        return f"its header promises {promised + 8} bytes and it has {length}"
    position = 12
    while position + 8 <= length:
        file.seek(position)
        name, size = struct.unpack(order + "4sI", file.read(8))
        if name == wanted:
            if size == UNKNOWN_SIZE or (size == 0 and length > position + 8):
                return "its header has no length yet"
            if position + 8 + size > length:
                return f"its samples should take {size} bytes and {length - position - 8} are there"
            return None
        position += 8 + size + size % 2
    return "it has no samples yet"
