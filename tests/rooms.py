"""Rooms: streams in which real imitations are mixed with noise, and a count of what the gate makes of them.

    PYTHONPATH=. python tests/rooms.py FOLDER_WITH_IMITATIONS

prints a table: hits, splits, misses and false triggers for each kind of noise and each level.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vocaldm_live.listen.gate import Gate, GateSettings, Segment
from vocaldm_live.sound.audio import read_sound

RATE = 48000
GAP_SECONDS = 3.0
BLOCK = 1024
NOISES = ("white", "pink", "hum")


@dataclass(frozen=True)
class Count:
    """What became of the utterances of a stream, and how long it took to say that they had ended, s."""

    utterances: int
    hits: int
    splits: int
    misses: int
    false: int
    waits: tuple[float, ...]


def noise(kind: str, seconds: float, seed: int = 0) -> np.ndarray:
    """Noise of RMS 1, float32 `[n]`: white, pink, or hum (brown noise with mains hum at 50 Hz)."""
    count = int(seconds * RATE)
    white = np.random.default_rng(seed).standard_normal(count)
    if kind != "white":
        frequencies = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0)
        slope = 0.5 if kind == "pink" else 1.0
        white = np.fft.irfft(np.fft.rfft(white) / frequencies**slope, count)
    white = white / white.std()
    if kind == "hum":
        times = np.arange(count) / RATE
        for harmonic, level in ((1, 1.0), (2, 0.6), (3, 0.4), (5, 0.2)):
            white = white + level * np.sin(2 * np.pi * 50 * harmonic * times + harmonic)
    return (white / white.std()).astype(np.float32)


def voices(folder: Path, level_db: float = -26.0) -> list[np.ndarray]:
    """The real imitations of a folder at RATE, their ends of silence cut off, brought to one RMS level in dBFS."""
    found = []
    for path in sorted(folder.glob("*_imitation__*.wav")):
        samples = read_sound(path).at(RATE).samples
        loud = np.flatnonzero(np.abs(samples) > np.abs(samples).max() * 10 ** (-35 / 20))
        samples = samples[loud[0] : loud[-1]]
        found.append(samples * np.float32(10 ** (level_db / 20) / np.sqrt(np.mean(samples**2))))
    return found


def stream(
    spoken: Sequence[np.ndarray], kind: str, snr_db: float
) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """A stream of utterances with gaps in noise, and where each lies; the ratio is that of mean power."""
    gap = np.zeros(int(GAP_SECONDS * RATE), np.float32)
    parts, places, position = [gap], [], len(gap)
    for samples in spoken:
        places.append((position, position + len(samples)))
        parts += [samples, gap]
        position += len(samples) + len(gap)
    quiet = np.concatenate(parts)
    power = np.mean([np.mean(samples**2) for samples in spoken])
    level = np.sqrt(power) * 10 ** (-snr_db / 20)
    return quiet + level * noise(kind, len(quiet) / RATE)[: len(quiet)], places


def heard(samples: np.ndarray, settings: GateSettings | None = None) -> list[Segment]:
    """What an automatic gate makes of a stream that it is fed block by block."""
    gate = Gate(RATE, settings, listening=True)
    segments = []
    for start in range(0, len(samples), BLOCK):
        segments += gate.feed(start, samples[start : start + BLOCK])
    return segments


def count(segments: Sequence[Segment], places: Sequence[tuple[int, int]], samples: np.ndarray) -> Count:
    """Compare segments with utterances. A hit holds 90 % of an utterance's energy in one segment."""
    hits = splits = misses = 0
    waits: list[float] = []
    used: set[int] = set()
    for start, stop in places:
        inside = [s for s in segments if s.start < stop and s.stop > start]
        used.update(id(s) for s in inside)
        energy = samples[start:stop].astype(np.float64) ** 2
        caught = [
            energy[max(0, s.start - start) : max(0, s.stop - start)].sum() / energy.sum() for s in inside
        ]
        if len(inside) == 1 and caught[0] >= 0.9:
            hits += 1
        elif sum(caught) >= 0.9:
            splits += 1
        else:
            misses += 1
        if inside:
            waits.append((inside[-1].decided - min(inside[-1].stop, stop)) / RATE)
    false = sum(id(s) not in used for s in segments)
    return Count(len(places), hits, splits, misses, false, tuple(waits))


def table(folder: Path, settings: GateSettings | None = None) -> list[str]:
    """The lines of the table for a folder of real imitations."""
    spoken = voices(folder)
    lines = ["noise  SNR dB  utterances  hits  split  missed  false  wait s (median, longest)"]
    for kind in NOISES:
        for snr in (60, 40, 20, 10, 5):
            samples, places = stream(spoken, kind, snr)
            result = count(heard(samples, settings), places, samples)
            lines.append(
                f"{kind:<6} {snr:>5}  {result.utterances:>10}  {result.hits:>4}  {result.splits:>5}  {result.misses:>6}"
                f"  {result.false:>5}  {np.median(result.waits):.2f}, {max(result.waits):.2f}"
            )
    return lines


if __name__ == "__main__":
    print("\n".join(table(Path(sys.argv[1]))))
