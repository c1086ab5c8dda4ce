"""A voice: glottal pulses and breath through a moving vocal tract.

The model is the classical source and filter: a band-limited pulse train with jitter, shimmer, vibrato and
roughness, and noise gated by the open glottis, are multiplied frame by frame with the response of a
parallel formant bank or of a fricative constriction. Curves are given 200 times a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.synthesis.speaker import HELD_OUT_SPEAKERS, Speaker, is_reserved, random_speaker

__all__ = [
    "CURVE_RATE",
    "HELD_OUT_SPEAKERS",
    "VOWELS",
    "Burst",
    "Score",
    "Speaker",
    "curve_frames",
    "is_reserved",
    "random_speaker",
    "speak",
]

Floats = NDArray[np.float32]

CURVE_RATE = 200
TABLE_SIZE = 8192
_BLOCK = 32  # frames worked on at once, so that they stay in the cache
LOWEST_TABLE_HZ = 25.0
HIGHEST_HARMONIC_HZ = 9000.0

VOWELS = ("open", "front", "ooo", "eee", "hum", "whistle")

# First three formants in Hz of a neutral tract, from dark to bright.
_FORMANTS: dict[str, tuple[tuple[float, float, float], ...]] = {
    "open": ((320, 760, 2350), (460, 880, 2500), (720, 1220, 2650), (700, 1700, 2600), (560, 1950, 2750)),
    "front": ((310, 800, 2300), (320, 1150, 2250), (330, 1600, 2350), (400, 2050, 2750), (320, 2350, 3150)),
    "ooo": ((290, 620, 2250), (310, 680, 2300), (330, 760, 2300), (360, 850, 2350), (400, 950, 2400)),
    "eee": ((280, 1800, 2500), (290, 2000, 2700), (300, 2150, 2900), (320, 2300, 3050), (340, 2400, 3200)),
    "hum": ((240, 1000, 2200), (250, 1050, 2250), (260, 1100, 2300), (270, 1200, 2350), (290, 1300, 2400)),
}
_GAINS_DB = {"hum": (0.0, -22.0, -28.0, -32.0, -36.0)}
_OPEN_MOUTH_GAINS_DB = (0.0, -7.0, -15.0, -20.0, -26.0)
_BRIGHT_GAINS_DB = (0.0, 8.0, 15.0, 19.0, 22.0)


@dataclass(frozen=True)
class Burst:
    """One plosive or tongue click: time in s, level in dB (of the score), brightness 0..1, decay in s."""

    time: float
    level: float
    brightness: float
    decay: float
    click: bool = False


@dataclass(frozen=True)
class Score:
    """What the mouth does, as curves [frames] at `CURVE_RATE`, frame i at i / `CURVE_RATE` s.

    level in dB (any reference), pitch in MIDI notes (filled everywhere), voicing and brightness 0..1.
    `vowel` is one of `VOWELS`; `effort` 0..1 goes from a murmur to a shout; `flutter_rate` in Hz (0 = none)
    is a lip or tongue trill of `flutter_depth` 0..1.
    """

    level: Floats
    pitch: Floats
    voicing: Floats
    brightness: Floats
    vowel: str = "open"
    roughness: float = 0.0
    effort: float = 0.3
    flutter_rate: float = 0.0
    flutter_depth: float = 0.0
    bursts: tuple[Burst, ...] = ()


def hertz(note: Floats) -> Floats:
    """MIDI note numbers to Hz."""
    return (440.0 * np.exp2((np.asarray(note, np.float32) - 69.0) / 12.0)).astype(np.float32)


def curve_frames(samples: int, sample_rate: int) -> int:
    """Number of curve frames that a score for `samples` samples must have."""
    hop = sample_rate // CURVE_RATE
    return -(-samples // hop) + 1


def smooth(curve: Floats, frames: int) -> Floats:
    """Moving average [n] -> [n] over an odd number of frames, ends repeated."""
    half = int(frames) // 2
    if half < 1:
        return curve
    padded = np.pad(curve, (half + 1, half), mode="edge").astype(np.float64)
    total = np.cumsum(padded)
    width = 2 * half + 1
    return ((total[width:] - total[:-width]) / width).astype(np.float32)


def ear_weight(frequencies: Floats) -> Floats:
    """A-weighting as an amplitude factor, not below -14 dB so that hums are not pushed up without limit."""
    square = np.asarray(frequencies, np.float64) ** 2
    weight = (
        1.2589
        * (12194.0**2 * square**2)
        / ((square + 20.6**2) * np.sqrt((square + 107.7**2) * (square + 737.9**2)) * (square + 12194.0**2))
    )
    return np.maximum(weight, 0.2).astype(np.float32)


def pulse_tables(open_quotient: float, vowel: str) -> Floats:
    """One cycle of glottal flow derivative per octave of pitch [levels, TABLE_SIZE], each band-limited.

    Shape after the LF model (Fant, Liljencrants and Lin 1985): a growing sinusoid that ends in a sharp
    closure, then an exponential return.
    """
    phase = np.arange(TABLE_SIZE) / TABLE_SIZE
    if vowel == "whistle":
        cycle = np.sin(2 * np.pi * phase) + 0.03 * np.sin(4 * np.pi * phase)
    else:
        opened = phase / open_quotient
        rising = np.exp(2.6 * (opened - 1.0)) * np.sin(1.3 * np.pi * opened) / np.sin(1.3 * np.pi)
        closing = np.exp(-(phase - open_quotient) / 0.025)
        cycle = -np.where(phase < open_quotient, rising, closing)
    spectrum = np.fft.rfft(cycle - cycle.mean())
    levels = 8
    tables = np.empty((levels, TABLE_SIZE), np.float32)
    for level in range(levels):
        top = max(2, int(HIGHEST_HARMONIC_HZ / (LOWEST_TABLE_HZ * 2.0 ** (level + 1))))
        limited = spectrum.copy()
        limited[top + 1 :] = 0
        tables[level] = np.fft.irfft(limited, TABLE_SIZE)
    return tables / np.sqrt(np.mean(tables[0] ** 2))


def glottal_source(
    score: Score, speaker: Speaker, rng: np.random.Generator, samples: int, sample_rate: int
) -> tuple[Floats, Floats]:
    """Pulse train and opening of the glottis (0..1), both [samples], running through the whole score."""
    frames = len(score.pitch)
    time = np.arange(frames) / CURVE_RATE
    unsteady = 0.8 * smooth(rng.standard_normal(frames).astype(np.float32), 61)
    rate = speaker.vibrato_rate * (1.0 + unsteady)
    vibrato = speaker.vibrato_depth * np.sin(2 * np.pi * np.cumsum(rate) / CURVE_RATE)
    vibrato *= np.clip(time / 0.4, 0.0, 1.0)
    roughness = float(np.clip(score.roughness + speaker.roughness * 0.5, 0.0, 1.0))
    wander = smooth(rng.standard_normal(frames).astype(np.float32), 31) * 0.4
    shake = rng.standard_normal(frames) * speaker.jitter * 17.3 * (1.0 + 3.0 * roughness)
    pitch = (score.pitch + vibrato + wander + shake).astype(np.float32)
    frequency = np.clip(hertz(pitch), LOWEST_TABLE_HZ, 4000.0)
    where = np.arange(samples, dtype=np.float32) * (CURVE_RATE / sample_rate)
    increment = np.interp(where, np.arange(frames), frequency) / sample_rate
    phase = np.cumsum(increment)
    cycle = phase.astype(np.int32)
    fraction = (phase - cycle).astype(np.float32)
    level = np.clip(np.log2(frequency / LOWEST_TABLE_HZ), 0, 7).astype(np.int32)
    level = np.repeat(level, sample_rate // CURVE_RATE)[:samples]
    tables = pulse_tables(speaker.open_quotient, score.vowel)
    pulses = tables.ravel()[level * TABLE_SIZE + (fraction * TABLE_SIZE).astype(np.int32)]
    count = int(cycle[-1]) + 1
    strength = 1.0 + speaker.shimmer * rng.standard_normal(count)
    if roughness > 0.05:
        period = int(rng.integers(2, 4))
        weak = np.arange(count) % period != 0
        strength = strength * np.where(weak, 1.0 - 0.75 * roughness, 1.0)
        strength = strength * (1.0 - roughness * rng.uniform(0.0, 0.7, count))
    pulses *= np.clip(strength, 0.0, 2.0).astype(np.float32)[cycle]
    opening = np.clip(1.0 - np.abs(fraction / speaker.open_quotient - 0.6), 0.0, 1.0)
    return pulses, opening.astype(np.float32)


def formant_tracks(score: Score, speaker: Speaker, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Formant frequencies, bandwidths (Hz) and gains (linear), each [frames, 5]."""
    frames = len(score.pitch)
    path = np.asarray(_FORMANTS[score.vowel if score.vowel in _FORMANTS else "open"], np.float32)
    position = score.brightness * (len(path) - 1)
    tracks = np.empty((frames, 5), np.float32)
    for index in range(3):
        tracks[:, index] = np.interp(position, np.arange(len(path)), path[:, index])
    tracks[:, 3:] = (3600.0, 4600.0)
    drift = rng.standard_normal((5, frames // 40 + 3)).astype(np.float32) * 0.03
    for index in range(5):
        tracks[:, index] *= 1.0 + np.interp(np.arange(frames) / 40.0, np.arange(drift.shape[1]), drift[index])
    tracks /= speaker.tract
    pitch = hertz(score.pitch)
    tracks[:, 0] = np.maximum(tracks[:, 0], np.minimum(pitch * 1.03, 1100.0))
    tracks[:, 1] = np.maximum(tracks[:, 1], tracks[:, 0] * 1.25)
    widths = np.asarray((60.0, 80.0, 120.0, 180.0, 260.0), np.float32) * (1.0 + 0.6 * speaker.breathiness)
    widths = widths + 0.25 * np.minimum(pitch, 800.0)[:, None]
    base = np.asarray(_GAINS_DB.get(score.vowel, _OPEN_MOUTH_GAINS_DB), np.float32)
    gains = base + (score.brightness + 0.7 * score.effort - 0.2)[:, None] * np.asarray(
        _BRIGHT_GAINS_DB, np.float32
    )
    return tracks, widths.astype(np.float32), (10.0 ** (gains / 20.0)).astype(np.float32)


def formant_response(
    frequencies: Floats, tracks: Floats, widths: Floats, gains: Floats
) -> NDArray[np.complex64]:
    """Parallel resonances with alternating signs [frames, bins] (Holmes 1983), every other frame computed."""
    square = frequencies * frequencies
    coarse = np.zeros(((len(tracks) + 1) // 2, len(frequencies)), np.complex64)
    signed = gains * np.asarray([1, -1, 1, -1, 1], np.float32)[: tracks.shape[1]]
    for begin in range(0, len(coarse), _BLOCK):
        rows = slice(2 * begin, 2 * (begin + _BLOCK), 2)
        block = coarse[begin : begin + _BLOCK]
        for index in range(tracks.shape[1]):
            damping = widths[rows, index, None] * frequencies
            stiffness = np.square(tracks[rows, index, None]) - square
            scale = stiffness * stiffness
            scale += damping * damping
            np.divide(signed[rows, index, None] * damping, np.maximum(scale, 1.0, out=scale), out=scale)
            damping *= scale
            stiffness *= scale
            block.real += damping
            block.imag += stiffness
    response = np.empty((2 * len(coarse), len(frequencies)), np.complex64)
    response[::2] = coarse
    response[1:-1:2] = coarse[1:]
    response[1:-1:2] += coarse[:-1]
    response[1:-1:2] *= np.float32(0.5)
    response[-1] = coarse[-1]
    return response[: len(tracks)]


def fricative_response(frequencies: Floats, brightness: Floats, tract: float) -> Floats:
    """Noise colour of a constriction [frames, bins], from "hhh" (0) over "khh" and "shh" to "sss" (1)."""
    centre = np.log2(400.0) + brightness * np.log2(7200.0 / 400.0) - np.log2(tract)
    scale = np.log2(np.maximum(frequencies, 20.0))
    response = np.empty((len(brightness), len(frequencies)), np.float32)
    for begin in range(0, len(response), _BLOCK):
        octaves = scale - centre[begin : begin + _BLOCK, None].astype(np.float32)
        slope = np.where(octaves > 0, np.float32(-0.89), np.float32(-2.0))
        np.square(octaves, out=octaves)
        response[begin : begin + _BLOCK] = np.exp(slope * octaves)
        response[begin : begin + _BLOCK] += np.float32(0.02) * np.exp(np.float32(-0.125) * octaves)
    return response


def _window(hop: int) -> Floats:
    size = 4 * hop
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    return (np.sqrt(hann / 2.0)).astype(np.float32)


def _spectra(signal: Floats, hop: int, frames: int, size: int) -> NDArray[np.complex64]:
    window = _window(hop)
    padded = np.zeros((frames + 4) * hop, np.float32)
    padded[2 * hop : 2 * hop + len(signal)] = signal
    views = np.lib.stride_tricks.sliding_window_view(padded, 4 * hop)[::hop][:frames]
    windowed = np.zeros((frames, size), np.float32)
    np.multiply(views, window, out=windowed[:, : 4 * hop])
    # Any norm but the default keeps single precision throughout, several times as fast.
    return np.fft.rfft(windowed, norm="ortho").astype(np.complex64, copy=False)


def _signal(spectra: NDArray[np.complex64], hop: int, samples: int, size: int) -> Floats:
    pieces = np.fft.irfft(spectra, size, norm="ortho")[:, : 4 * hop] * _window(hop)
    frames = len(pieces)
    total = np.zeros((frames + 3, hop), np.float32)
    for part in range(4):
        total[part : part + frames] += pieces[:, part * hop : (part + 1) * hop]
    return total.ravel()[2 * hop : 2 * hop + samples]


def _levelled(spectra: NDArray[np.complex64], weight: Floats, frames: int) -> Floats:
    """Gain [frames] that brings spectra to unit weighted power, steady over the ripple of single pulses."""
    parts = spectra.view(np.float32)
    power = np.empty(len(parts), np.float32)
    squares = np.repeat(np.square(weight), 2)
    for begin in range(0, len(parts), _BLOCK):
        power[begin : begin + _BLOCK] = np.square(parts[begin : begin + _BLOCK]) @ squares
    return (1.0 / np.sqrt(smooth(power, frames) + 1e-9)).astype(np.float32)


def speak(score: Score, speaker: Speaker, rng: np.random.Generator, samples: int, sample_rate: int) -> Floats:
    """Render a score dry, before room and microphone.

    Returns [samples]; 0 dB of the score's level is about 0.1 of full scale RMS. The score's curves must have
    `curve_frames(samples, sample_rate)` frames, else ValueError.
    """
    frames = curve_frames(samples, sample_rate)
    if len(score.level) != frames:
        raise ValueError(
            f"A score for {samples} samples needs {frames} frames, not {len(score.level)}: see curve_frames."
        )
    hop = sample_rate // CURVE_RATE
    size = 1 << (4 * hop - 1).bit_length()
    frequencies = (np.arange(size // 2 + 1) * (sample_rate / size)).astype(np.float32)
    weight = ear_weight(frequencies)
    noise = rng.standard_normal(samples, dtype=np.float32)
    tracks, widths, gains = formant_tracks(score, speaker, rng)
    response = formant_response(frequencies, tracks, widths, gains)
    voicing = np.clip(score.voicing, 0.0, 1.0)
    sung = None
    if voicing.max() > 0.0:
        pulses, opening = glottal_source(score, speaker, rng, samples, sample_rate)
        sung = _spectra(pulses, hop, frames, size)
        if score.vowel != "whistle":
            sung *= response
        sung *= (_levelled(sung, weight, 17) * np.sqrt(voicing))[:, None]
        gate = np.repeat(voicing, hop)[:samples]
        noise *= 1.0 - gate * (1.0 - 1.6 * opening)
    breath = 1.0 - voicing * (1.0 - 0.15 * speaker.breathiness - 0.06 * score.roughness - 0.004)
    colour = fricative_response(frequencies, score.brightness, speaker.tract)
    if score.vowel == "whistle" and sung is not None:
        _whistle_colour(colour, frequencies, score)
    else:
        mouth = np.abs(response)
        above = np.maximum(np.log2(np.maximum(frequencies, 20.0) / 500.0), 0.0).astype(np.float32)
        dullness = (0.9 * (score.brightness - 1.0) * (1.0 - voicing)).astype(np.float32)
        mouth *= np.exp(dullness[:, None] * above)
        mouth *= (0.9 - 0.7 * score.brightness + 0.5 * voicing)[:, None]
        colour += mouth
    mixed = _spectra(noise, hop, frames, size)
    mixed *= colour
    mixed *= (_levelled(mixed, weight, 9) * np.sqrt(breath))[:, None]
    if sung is not None:
        mixed += sung
    voice = _signal(mixed, hop, samples, size)
    amplitude = np.where(score.level > -75.0, 10.0 ** (score.level / 20.0), 0.0).astype(np.float32)
    where = np.arange(samples, dtype=np.float32) / hop
    voice *= np.interp(where, np.arange(frames), amplitude).astype(np.float32)
    if score.flutter_rate > 0.0:
        voice *= _flutter(score, rng, samples, sample_rate)
    voice *= 0.1 * np.float32(np.sqrt(hop / 2.0))
    for burst in score.bursts:
        _add_burst(voice, burst, speaker, rng, sample_rate)
    return voice


def _whistle_colour(colour: Floats, frequencies: Floats, score: Score) -> None:
    whistled = score.voicing > 0.5
    notes = np.log2(hertz(score.pitch[whistled]))[:, None]
    octaves = np.log2(np.maximum(frequencies, 20.0))[None, :] - notes
    colour[whistled] = np.exp(-0.5 * np.square(octaves / 0.12)) + 0.01


def _flutter(score: Score, rng: np.random.Generator, samples: int, sample_rate: int) -> Floats:
    frames = len(score.level)
    rate = score.flutter_rate * (1.0 + 0.08 * rng.standard_normal(frames))
    where = np.arange(samples) * (CURVE_RATE / sample_rate)
    phase = np.interp(where, np.arange(frames), np.cumsum(rate) / CURVE_RATE)
    closed = np.square(0.5 - 0.5 * np.cos(2 * np.pi * phase))
    return (1.0 - score.flutter_depth * closed).astype(np.float32)


def _add_burst(
    voice: Floats, burst: Burst, speaker: Speaker, rng: np.random.Generator, sample_rate: int
) -> None:
    start = int(burst.time * sample_rate)
    length = min(int(sample_rate * min(burst.decay * 6.0, 0.15)), len(voice) - start)
    if start < 0 or length < 16:
        return
    time = np.arange(length, dtype=np.float32) / sample_rate
    size = 1 << (length - 1).bit_length()
    frequencies = (np.arange(size // 2 + 1) * (sample_rate / size)).astype(np.float32)
    brightness = np.asarray([burst.brightness], np.float32)
    spectrum = np.fft.rfft(rng.standard_normal(length), size)
    spectrum *= fricative_response(frequencies, brightness, speaker.tract)[0]
    sound = np.fft.irfft(spectrum, size)[:length]
    sound = sound / (np.sqrt(np.mean(sound**2)) + 1e-9)
    if burst.click:
        tone = (700.0 + 1800.0 * burst.brightness) / speaker.tract
        sound = 0.4 * sound + 1.6 * np.sin(2 * np.pi * tone * time * (1.0 + 4.0 * time))
    shape = np.minimum(time / 0.0007, 1.0) * np.exp(-time / burst.decay)
    voice[start : start + length] += (0.1 * 10.0 ** (burst.level / 20.0) * sound * shape).astype(np.float32)
