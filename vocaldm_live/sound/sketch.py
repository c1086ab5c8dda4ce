"""Sketch: the curves of a sound that a clip follows, and how loosely it may follow them.

Loudness, spectral centroid and pitch with salience are the three controls of Sketch2Sound
(arXiv 2412.08550); constants are fixed, so a sketch means the same thing for every preset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vocaldm_live.sound.audio import resample
from vocaldm_live.sound.pitch import track_pitch

SKETCH_RATE = 48000
HOP = 480
WINDOW = 1024
LOUDNESS_FLOOR = -80.0
HIGHEST_NOTE = 136.0
REFERENCE_LOUDNESS = -14.0
LOOSEST_FRAMES = 61


@dataclass(frozen=True)
class Sketch:
    """Frame-wise curves at 100 Hz, each float32 `[frames]`; frame i is centred at (i + 1/2) x 10 ms.

    loudness: dB, A-weighted, -80 at the floor (a full-scale 1 kHz sine gives -3);
    centroid: note number 69 + 12 log2(Hz / 440), held through silence;
    pitch: note number, 0 where unvoiced; salience: 0..1, 0 where unvoiced.
    """

    loudness: np.ndarray
    centroid: np.ndarray
    pitch: np.ndarray
    salience: np.ndarray

    @property
    def frames(self) -> int:
        """Number of 10 ms frames."""
        return len(self.loudness)

    def array(self) -> np.ndarray:
        """The four curves as float32 `[4, frames]`, in the order of the fields."""
        return np.stack([self.loudness, self.centroid, self.pitch, self.salience]).astype(np.float32)

    @staticmethod
    def of(array: np.ndarray) -> Sketch:
        """Inverse of `array`."""
        return Sketch(*(np.ascontiguousarray(row, dtype=np.float32) for row in array))

    def fitted(self, frames: int) -> Sketch:
        """Cut, or lengthened with silence, to `frames`."""
        if frames <= self.frames:
            return Sketch.of(self.array()[:, :frames])
        more = frames - self.frames
        return Sketch(
            np.pad(self.loudness, (0, more), constant_values=LOUDNESS_FLOOR),
            np.pad(self.centroid, (0, more), mode="edge"),
            np.pad(self.pitch, (0, more)),
            np.pad(self.salience, (0, more)),
        )

    def stretched(self, frames: int) -> Sketch:
        """The same gesture slower or faster, `frames` long."""
        if frames == self.frames:
            return self
        at = (np.arange(frames) + 0.5) * self.frames / frames - 0.5
        nearest = np.clip(np.round(at).astype(int), 0, self.frames - 1)
        grid = np.arange(self.frames)
        return Sketch(
            np.interp(at, grid, self.loudness).astype(np.float32),
            np.interp(at, grid, self.centroid).astype(np.float32),
            self.pitch[nearest],
            self.salience[nearest],
        )

    def levelled(self, loudest: float = REFERENCE_LOUDNESS) -> tuple[Sketch, float]:
        """The sketch with its loudest frames (99th percentile) at `loudest` dB, and the gain in dB that did it.

        A microphone's gain says nothing about the sound that is meant.
        """
        gain = float(loudest - np.percentile(self.loudness, 99))
        return self.raised(gain), gain

    def raised(self, gain: float) -> Sketch:
        """The sketch louder by `gain` dB; what lies at the floor stays there."""
        moved = np.where(self.loudness <= LOUDNESS_FLOOR, LOUDNESS_FLOOR, self.loudness + gain)
        return Sketch(
            np.maximum(moved, LOUDNESS_FLOOR).astype(np.float32), self.centroid, self.pitch, self.salience
        )


def a_weighting(frequency: np.ndarray) -> np.ndarray:
    """A-weighting in dB at `frequency` in Hz (IEC 61672-1, annex E)."""
    squared = np.maximum(frequency, 1e-3) ** 2
    gain = (12194.0**2 * squared**2) / (
        (squared + 20.6**2) * np.sqrt((squared + 107.7**2) * (squared + 737.9**2)) * (squared + 12194.0**2)
    )
    return 20.0 * np.log10(np.maximum(gain, 1e-12)) + 2.0


def hz_to_note(frequency: np.ndarray) -> np.ndarray:
    """Frequency in Hz to a note number (A4 = 440 Hz = 69)."""
    return 69.0 + 12.0 * np.log2(np.maximum(frequency, 1e-3) / 440.0)


def note_to_hz(note: np.ndarray) -> np.ndarray:
    """Note number to Hz."""
    return 440.0 * 2.0 ** ((np.asarray(note) - 69.0) / 12.0)


def measure_sketch(samples: np.ndarray, sample_rate: int) -> Sketch:
    """Measure the sketch of mono samples `[n]`; frames = ceil(n / 10 ms)."""
    samples = resample(samples, sample_rate, SKETCH_RATE)
    frames = max(1, -(-len(samples) // HOP))
    pad = (WINDOW - HOP) // 2
    padded = np.pad(samples, (pad, frames * HOP - len(samples) + pad + HOP))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:frames]
    window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
    # norm="forward" keeps numpy on its fast single-precision path.
    spectrum = np.fft.rfft(windows * window, axis=1, norm="forward")
    power = (spectrum.real**2 + spectrum.imag**2) * (2.0 * WINDOW / float((window**2).sum()))
    bins = np.fft.rfftfreq(WINDOW, 1.0 / SKETCH_RATE)
    weighted = power @ (10.0 ** (a_weighting(bins) / 10.0)).astype(np.float32)
    loudness = np.maximum(10.0 * np.log10(np.maximum(weighted, 1e-20)), LOUDNESS_FLOOR).astype(np.float32)

    magnitude = np.sqrt(power[:, 1:])
    total = magnitude.sum(axis=1)
    centre = magnitude @ bins[1:].astype(np.float32) / np.maximum(total, 1e-12)
    heard = loudness > LOUDNESS_FLOOR + 10.0
    centroid = _held(np.clip(hz_to_note(centre), 0.0, HIGHEST_NOTE).astype(np.float32), heard)

    times = (np.arange(frames) + 0.5) * HOP / SKETCH_RATE
    pitch, salience = track_pitch(samples, SKETCH_RATE, times)
    voiced = (salience > 0.0) & heard
    note = np.where(voiced, hz_to_note(np.maximum(pitch, 1.0)), 0.0).astype(np.float32)
    return Sketch(loudness, centroid, note, np.where(voiced, salience, 0.0).astype(np.float32))


def loosened(sketch: Sketch, follow: float) -> Sketch:
    """The sketch as `follow` 0..1 lets it through: a median filter of 1 frame at 1 up to 610 ms at 0.

    The same function draws random looseness in training, so that every setting is one the model has seen.
    """
    length = 1 + 2 * round((1.0 - min(1.0, max(0.0, follow))) * (LOOSEST_FRAMES - 1) / 2)
    if length <= 1:
        return sketch
    voiced = median_filter((sketch.salience > 0.0).astype(np.float32), length) > 0.5
    note = _held(sketch.pitch, sketch.salience > 0.0)
    return Sketch(
        median_filter(sketch.loudness, length),
        median_filter(sketch.centroid, length),
        np.where(voiced, median_filter(note, length), 0.0).astype(np.float32),
        np.where(voiced, np.maximum(median_filter(sketch.salience, length), 0.5), 0.0).astype(np.float32),
    )


def median_filter(curve: np.ndarray, length: int) -> np.ndarray:
    """Running median over an odd number of frames, edges repeated; float32 `[frames]`."""
    half = length // 2
    padded = np.pad(curve, (half, half), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, length), axis=1).astype(np.float32)


def _held(curve: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """`curve` with the last valid value held through invalid frames (the first one before them)."""
    if not valid.any():
        return np.zeros_like(curve)
    last = np.maximum.accumulate(np.where(valid, np.arange(len(curve)), -1))
    last[last < 0] = int(np.argmax(valid))
    return curve[last]
