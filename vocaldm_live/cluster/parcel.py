"""Parcel: requests and clips as bytes between machines: safetensors with JSON facts, nothing that runs code."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from vocaldm_live.engine.request import Anchor, Clip, Request, ResolvedRequest
from vocaldm_live.engine.words import Words
from vocaldm_live.errors import RequestError
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit

FORMAT = 2
_SOUNDS = ("imitation", "like", "source", "other")
_PLAIN = (
    "name",
    "seed",
    "steps",
    "guidance",
    "follow",
    "sampler",
    "eta",
    "like_weight",
    "duration",
    "tail",
    "unconditional",
    "id",
)


def pack(arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> bytes:
    """Arrays and JSON facts as one run of bytes."""
    text = json.dumps(dict(facts), allow_nan=False)
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"facts": text})


def unpack(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The inverse of `pack`; raises RequestError for other bytes."""
    try:
        arrays = load(data)
        (length,) = struct.unpack("<Q", data[:8])
        facts = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["facts"])
    except (SafetensorError, struct.error, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"What came over the network is no request or clip ({type(error).__name__}): use one version everywhere."
        ) from error
    return arrays, facts


def pack_request(request: ResolvedRequest) -> bytes:
    """A request whose anchor, where it has one, has been found."""
    sounds = {name: sound for name in _SOUNDS if (sound := getattr(request, name)) is not None}
    arrays = {name: sound.samples for name, sound in sounds.items()}
    facts: dict[str, Any] = {name: getattr(request, name) for name in _PLAIN}
    facts["rates"] = {name: sound.sample_rate for name, sound in sounds.items()}
    facts["edit"] = request.edit.as_plain() if request.edit is not None else None
    facts["words"] = asdict(request.words) if request.words is not None else None
    if isinstance(request.anchor, Anchor):
        arrays["anchor"] = request.anchor.vector
        facts["anchor"] = [request.anchor.library, list(request.anchor.nearest)]
    return pack(arrays, facts)


def unpack_request(data: bytes) -> Request:
    """The inverse of `pack_request`; raises RequestError."""
    arrays, facts = unpack(data)
    try:
        sounds: dict[str, Any] = {
            name: Sound(arrays[name], int(rate)) for name, rate in facts["rates"].items()
        }
        anchor = None
        if "anchor" in arrays:
            library, nearest = facts["anchor"]
            anchor = Anchor(arrays["anchor"], library, tuple(nearest))
        edit = Edit.from_plain(facts["edit"]) if facts["edit"] is not None else None
        words = Words(**facts["words"]) if facts["words"] is not None else None
        plain = {name: facts[name] for name in _PLAIN}
        return Request(**sounds, **plain, anchor=anchor, edit=edit, words=words)
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            f"What came over the network is no request ({error}): use one version everywhere."
        ) from error


def pack_clip(clip: Clip) -> bytes:
    """A clip without its request, which whoever asked still has."""
    facts = {
        "rate": clip.sample_rate,
        "timings_ms": clip.timings_ms,
        "level_db": float(clip.level_db),
        "notes": list(clip.notes),
        "anchored": clip.request.anchor is not None,
    }
    return pack({"samples": clip.samples}, facts)


def unpack_clip(data: bytes, request: ResolvedRequest) -> Clip:
    """The clip of a request; raises RequestError."""
    arrays, facts = unpack(data)
    timings, notes = dict(facts["timings_ms"]), tuple(facts["notes"])
    if not facts["anchored"]:
        request = replace(request, anchor=None)
    return Clip(arrays["samples"], int(facts["rate"]), request, timings, facts["level_db"], notes)
