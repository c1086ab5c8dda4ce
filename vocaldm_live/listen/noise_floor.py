"""Noise floor: how far the sound of this moment stands out of the room, measured in bands.

A voice and a room differ in colour. Each band is compared with its own floor, so that a fan's rumble does not
hide a whisper and hum at 50 Hz hides nothing.
"""

from __future__ import annotations

from collections import deque

import numpy as np

HOP_SECONDS = 0.01
WINDOW_HOPS = 3
BLOCK_FRAMES = 10
BAND_EDGES_HZ = (100, 200, 300, 400, 550, 750, 1000, 1400, 2000, 2800, 4000, 5600, 8000)
# What no room or converter goes below: with digital silence as floor, a last bit would count as a voice.
LOWEST_FLOOR = 1e-9
WARM_BLOCKS = 3
QUICK_BLOCKS = 5
FLOOR_SHARE = 0.4
# A room gets louder or quieter by this much a second at most, dB; a voice that fades is faster.
FASTEST_DRIFT = 4.0


class BandMeter:
    """Samples in blocks of any length become band powers, one row each 10 ms."""

    def __init__(self, sample_rate: int) -> None:
        """`sample_rate` in Hz, 8000 or more."""
        self.hop = round(sample_rate * HOP_SECONDS)
        self.window = WINDOW_HOPS * self.hop
        taper = np.hanning(self.window + 1)[:-1].astype(np.float32)
        frequencies = np.fft.rfftfreq(self.window, 1 / sample_rate)
        edges = [edge for edge in BAND_EDGES_HZ if edge < sample_rate / 2]
        if len(edges) < len(BAND_EDGES_HZ):
            edges.append(int(sample_rate / 2))
        self._bins = np.searchsorted(frequencies, edges)
        self._taper = taper
        self._scale = 2.0 / (self.window * float((taper**2).sum()))
        self._rest = np.zeros(0, dtype=np.float32)

    @property
    def bands(self) -> int:
        """How many bands there are at this sample rate."""
        return len(self._bins) - 1

    def reset(self) -> None:
        """Forget the samples that wait for a whole window."""
        self._rest = np.zeros(0, dtype=np.float32)

    def feed(self, samples: np.ndarray) -> np.ndarray:
        """float32 `[n]` to mean squares `[frames, bands]`; frame k of all begins at sample k x hop."""
        data = np.concatenate([self._rest, samples]) if len(self._rest) else np.asarray(samples, np.float32)
        count = max(0, (len(data) - self.window) // self.hop + 1)
        self._rest = data[count * self.hop :].copy()
        if not count:
            return np.zeros((0, self.bands))
        frames = np.lib.stride_tricks.sliding_window_view(data, self.window)[: count * self.hop : self.hop]
        spectrum = np.fft.rfft(frames * self._taper, axis=1)
        power = (spectrum.real.astype(np.float64) ** 2 + spectrum.imag.astype(np.float64) ** 2) * self._scale
        return np.add.reduceat(power[:, : self._bins[-1]], self._bins[:-1], axis=1)


class NoiseFloor:
    """The room's own level in each band, from blocks of 100 ms in which nobody spoke.

    It is the level that 40 % of the last blocks stay below; it falls at once (half a second) when the room gets
    quieter, and rises over half of `seconds` when it gets louder.
    """

    def __init__(self, bands: int, seconds: float) -> None:
        self._blocks: deque[np.ndarray] = deque(maxlen=max(WARM_BLOCKS, round(seconds * 10)))
        self._gathered: list[np.ndarray] = []
        self.powers = np.full(bands, LOWEST_FLOOR)
        self._warm = False

    @property
    def warm(self) -> bool:
        """Whether enough has been heard to compare anything with; other threads look here before they take `powers`."""
        return self._warm

    def hear(self, powers: np.ndarray) -> None:
        """Take in one frame `[bands]` in which nobody spoke."""
        self._gathered.append(powers)
        if len(self._gathered) == BLOCK_FRAMES:
            self._blocks.append(np.mean(self._gathered, axis=0))
            self._gathered.clear()
            self._settle()

    def replace(self, blocks: list[np.ndarray]) -> None:
        """Start again from these blocks `[bands]`: the room has changed."""
        self._blocks.clear()
        self._blocks.extend(blocks)
        self._gathered.clear()
        self._settle()

    def forget(self) -> None:
        """Start again from nothing: another device, or a stream that was interrupted."""
        self._warm = False
        self._blocks.clear()
        self._gathered.clear()

    def excess_db(self, powers: np.ndarray) -> float:
        """How far a frame `[bands]` stands above the floor, dB; the mean over bands of power over floor."""
        return float(10 * np.log10(np.mean(powers / self.powers) + 1e-12))

    def _settle(self) -> None:
        if len(self._blocks) < WARM_BLOCKS:
            self._warm = False
            return
        heard = np.array(self._blocks)
        usual = np.quantile(heard, FLOOR_SHARE, axis=0)
        lately = heard[-QUICK_BLOCKS:].max(axis=0)
        floor = np.minimum(usual, lately) if len(heard) >= QUICK_BLOCKS else usual
        self.powers = np.maximum(floor, LOWEST_FLOOR)
        self._warm = True


def unsteadiness_db(blocks: np.ndarray, floor: np.ndarray) -> float:
    """How much `[blocks, bands]` of 100 ms move over time, dB, in the bands that stand out of `floor` `[bands]`.

    The median over bands of the deviation from a slow common drift. Measured: synthetic white, pink and brown noise
    that changes its level 0.7; eight recorded voices at least 2.4 at 20 dB over noise, 1.6 at 5 dB.
    """
    out = blocks.mean(axis=0) > 2 * floor
    levels = 10 * np.log10((blocks[:, out] if out.any() else blocks) + 1e-12)
    times = (np.arange(len(levels)) - (len(levels) - 1) / 2) * HOP_SECONDS * BLOCK_FRAMES
    drift = float(times @ levels.mean(axis=1) / max(1e-9, times @ times))
    drift = min(FASTEST_DRIFT, max(-FASTEST_DRIFT, drift))
    return float(np.median(np.std(levels - drift * times[:, None], axis=0)))


def colour_db(blocks: np.ndarray, floor: np.ndarray) -> float:
    """How unevenly `[blocks, bands]` stand out of `floor` `[bands]`: the deviation over bands, dB.

    A room that gets louder does so in all bands alike (measured: 0.4 dB for noise that changes its level); a tone
    stands out of a few of them (a clarinet: 18 dB at 40 dB over noise, 11 dB at 10 dB).
    """
    return float(np.std(np.maximum(0.0, 10 * np.log10(blocks.mean(axis=0) / floor))))
