"""Views: what a card shows of a clip: waveform, spectrogram, and the sketches of the clip and of its imitation."""

from __future__ import annotations

import json
import struct
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from vocaldm_live.deliver.recipe import read_recipe
from vocaldm_live.errors import VocalDMError
from vocaldm_live.sound.audio import LONGEST_SECONDS, Sound, read_sound

if TYPE_CHECKING:
    from vocaldm_live.panel.library import Shown

PEAKS = 300
POINTS = 240
COLUMNS = 480
LOWEST_HZ, HIGHEST_HZ = 50.0, 20_000.0  # of the picture's axis, which is logarithmic
RANGE_DB = 72.0  # shown below a spectrogram's own peak
LOWEST_LOUDNESS, HIGHEST_LOUDNESS = -64.0, -8.0  # of levelled sketches, whose loudest frames lie at -14
LONGEST_CLIP = 2 * LONGEST_SECONDS


@dataclass(frozen=True)
class View:
    """One clip's figures as JSON and its spectrogram as PNG, both as bytes."""

    figures: bytes
    picture: bytes


class Views:
    """Makes views and keeps the last `most`; one at a time, so that pages do not take the model's processor."""

    def __init__(self, most: int = 200) -> None:
        self._most = most
        self._kept: OrderedDict[str, View] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, shown: Shown) -> View:
        """The view of a clip; SoundError where its file cannot be read."""
        with self._lock:
            view = self._kept.get(shown.entry.id)
            if view is None:
                view = make_view(shown)
            self._kept[shown.entry.id] = view
            self._kept.move_to_end(shown.entry.id)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return view


def make_view(shown: Shown) -> View:
    """Measure a clip and its imitation.

    Heights of pitch and centroid are on the picture's axis, 0 at its bottom, 1 at its top; loudness is that of
    levelled sketches (a microphone's gain says nothing), 0 for silence; null where there is nothing to draw.
    """
    sound = read_sound(shown.path, LONGEST_CLIP)
    entry = shown.entry
    figures: dict[str, Any] = {
        "id": entry.id,
        "name": entry.name,
        "seconds": round(sound.seconds, 4),
        "preset": entry.preset,
        "steps": entry.steps,
        "guidance": entry.guidance,
        "follow": entry.follow,
        "source": entry.source,
        "parent": entry.parent,
        "peaks": peaks(sound.samples),
        "clip": curves(sound, sound.seconds),
        "voice": _voice(shown),
    }
    return View(json.dumps(figures, allow_nan=False).encode(), spectrogram(sound))


def peaks(samples: np.ndarray, count: int = PEAKS) -> list[float]:
    """The largest magnitude in each of `count` equal parts."""
    bounds = np.linspace(0, len(samples), min(count, len(samples)) + 1).astype(int)[:-1]
    largest = np.maximum.reduceat(np.abs(samples), bounds)
    return [round(float(value), 3) for value in largest]


def curves(sound: Sound, seconds: float) -> dict[str, Any]:
    """A sound's sketch as heights from 0 to 1, `POINTS` of each at most, drawn over `seconds`."""
    from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, measure_sketch, note_to_hz

    sketch, _ = measure_sketch(sound.samples, sound.sample_rate).levelled()
    at = np.linspace(0, sketch.frames - 1, min(POINTS, sketch.frames)).round().astype(int)
    audible = sketch.loudness[at] > max(LOUDNESS_FLOOR, LOWEST_LOUDNESS)
    loudness = (sketch.loudness[at] - LOWEST_LOUDNESS) / (HIGHEST_LOUDNESS - LOWEST_LOUDNESS)
    return {
        "seconds": round(seconds, 4),
        "loudness": [round(float(value), 3) for value in np.clip(loudness, 0.0, 1.0)],
        "centroid": _heights(note_to_hz(sketch.centroid[at]), audible),
        "pitch": _heights(note_to_hz(sketch.pitch[at]), audible & (sketch.salience[at] > 0.0)),
    }


def spectrogram(sound: Sound) -> bytes:
    """A grey PNG of 128 rows from 50 Hz (bottom) to 20 kHz: black for silence, white for the loudest.

    Mel bands, whose low ones alone would take a strip too narrow to see a pitch in, are drawn on a logarithmic
    axis. The page colours it, so that one picture fits a dark and a light one.
    """
    from vocaldm_live.sound.geometry import HOUSE
    from vocaldm_live.sound.mel import hz_to_mel, mel_centres, mel_filters

    samples = sound.at(HOUSE.sample_rate).samples
    frames = max(1, -(-len(samples) // HOUSE.hop))
    size = HOUSE.n_fft
    # Few enough windows for a quick picture of a long clip, none left out of a short one.
    stride = max(1, frames // COLUMNS)
    pad = size // 2
    padded = np.pad(samples, (pad, pad + size))
    starts = np.arange(0, frames, stride) * HOUSE.hop
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    filters = mel_filters(HOUSE).T
    columns = [
        np.abs(np.fft.rfft(padded[starts[i : i + 64, None] + np.arange(size)] * window, axis=1)) @ filters
        for i in range(0, len(starts), 64)
    ]
    power = np.concatenate(columns) ** 2
    loudest = max(float(power.max()), 1e-9)
    decibel = 10.0 * np.log10(np.maximum(power / loudest, 10.0 ** (-RANGE_DB / 10.0)))
    wanted = np.geomspace(LOWEST_HZ, HIGHEST_HZ, HOUSE.mel_bands)
    at = np.interp(hz_to_mel(wanted), hz_to_mel(mel_centres(HOUSE)), np.arange(HOUSE.mel_bands))
    lower = np.minimum(at.astype(int), HOUSE.mel_bands - 2)
    share = (at - lower).astype(np.float32)
    rows = decibel[:, lower] * (1.0 - share) + decibel[:, lower + 1] * share
    grey = np.round((rows / RANGE_DB + 1.0) * 255.0).astype(np.uint8)
    return png(np.ascontiguousarray(grey.T[::-1]))


def png(grey: np.ndarray) -> bytes:
    """A PNG of grey values, uint8 `[height, width]` (ISO/IEC 15948: signature, IHDR, IDAT, IEND)."""
    height, width = grey.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), grey], axis=1).tobytes()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows, 6)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _voice(shown: Shown) -> dict[str, Any] | None:
    if shown.imitation is None:
        return None
    try:
        sound = read_sound(shown.imitation, LONGEST_SECONDS)
        # Where a duration was asked for, the gesture was stretched to it.
        seconds = read_recipe(shown.entry.recipe_path).duration or sound.seconds
    except VocalDMError:
        return None
    return curves(sound, seconds)


def _heights(hertz: np.ndarray, drawn: np.ndarray) -> list[float | None]:
    heights = np.log(np.maximum(hertz, LOWEST_HZ) / LOWEST_HZ) / np.log(HIGHEST_HZ / LOWEST_HZ)
    return [round(min(1.0, float(h)), 3) if on else None for h, on in zip(heights, drawn, strict=True)]
