"""Max device: the container that Live reads, `.amxd`: a header, the patcher's JSON, a list of what lies inside.

Layout after py2max's description (m4l.py, compared there with exported devices); tests/test_max_package.py reads it back
with py2max.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from max_patch.source.max_file import Patcher

AUDIO_EFFECT = b"aaaa"
MADE = 0xE5B7A000  # a fixed time in seconds since 1904, so that the same patch gives the same file


def container(patcher: Patcher, file_name: str) -> bytes:
    """The file of a device; `file_name` is the patcher's name inside."""
    text = (
        json.dumps(patcher.document(**_project(), openrect=[0.0, 0.0, 0.0, 169.0]), indent=1).encode() + b"\0"
    )
    name = file_name.encode() + b"\0"
    name += b"\0" * (-len(name) % 4)
    fields = [(b"sz32", len(text)), (b"of32", 16), (b"vers", 0), (b"flag", 17), (b"mdat", MADE)]
    inside = _chunk(b"type", b"JSON") + _chunk(b"fnam", name)
    inside += b"".join(_chunk(tag, struct.pack(">I", number)) for tag, number in fields)
    body = (
        b"mx@c" + struct.pack(">III", 16, 0, len(text) + 16) + text + _chunk(b"dlst", _chunk(b"dire", inside))
    )
    return b"ampf" + struct.pack("<I", 4) + AUDIO_EFFECT + b"ptch" + struct.pack("<I", len(body)) + body


def _chunk(tag: bytes, payload: bytes) -> bytes:
    return tag + struct.pack(">I", len(payload) + 8) + payload


def _project() -> dict[str, Any]:
    """The block without which Max refuses a device."""
    return {
        "project": {
            "version": 1,
            "creationdate": MADE,
            "modificationdate": MADE,
            "viewrect": [0.0, 0.0, 300.0, 500.0],
            "autoorganize": 1,
            "hideprojectwindow": 1,
            "showdependencies": 1,
            "autolocalize": 0,
            "contents": {"patchers": {}},
            "layout": {},
            "searchpath": {},
            "detailsvisible": 0,
            "amxdtype": struct.unpack(">I", AUDIO_EFFECT)[0],
            "readonly": 0,
            "devpathtype": 0,
            "devpath": ".",
            "sortmode": 0,
            "viewmode": 0,
            "includepackages": 0,
        }
    }
