"""Masks: which part of a latent is free, and a denoise function that holds the rest at what is known.

Latent bin j of a folded geometry stands for the mel bands j * n to (j + 1) * n - 1, n = fold * factor: folding
puts *neighbouring* bands into channels, so the bins stay in order and nothing is interleaved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.model.denoise import Denoise
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import hz_to_mel, mel_to_hz
from vocaldm_live.sound.splice import runs


@dataclass(frozen=True, eq=False)
class Projected:
    """A denoise function whose x_0 is `clean` wherever `free` is false.

    Every sampler of `samplers.py` moves x_t in a straight line through x_t and x_0 (or eps, which follows from
    both). Where x_t begins as alpha * clean + sigma * noise and x_0 is always `clean`, eps is always `noise`, and
    so x_t stays alpha * clean + sigma * noise at every level, whatever history the sampler keeps: the known
    part is the noised original after every step, with nothing to overwrite (RePaint's rule, arXiv 2201.09865,
    in terms of x_0). `clean` and `free` (bool) broadcast against x_t.
    """

    denoise: Denoise
    clean: Tensor
    free: Tensor

    def __call__(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """x_t `[batch, channels, frames, bins]`, t long `[batch]` -> x_0."""
        return torch.where(self.free, self.denoise(x_t, t, condition), self.clean)

    def for_timestep(self, timestep: int) -> Denoise:
        """The denoise function of one timestep, as `Guided.for_timestep` has it."""
        chosen = getattr(self.denoise, "for_timestep", None)
        network = self.denoise if chosen is None else chosen(timestep)
        return Projected(network, self.clean, self.free).__call__


def known_frames(known: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Mel frames whose whole analysis window is known, bool `[ceil(n / hop)]`, of known samples `[n]`.

    Beyond the sound's ends nothing is unknown: the analysis mirrors what is inside.
    """
    hop, size = geometry.hop, geometry.n_fft
    frames = -(-len(known) // hop)
    unknown = np.concatenate(([0], np.cumsum(~known)))
    begins = np.arange(frames) * hop + (hop - size) // 2
    ends = np.clip(begins + size, 0, len(known))
    return unknown[ends] == unknown[np.clip(begins, 0, len(known))]


def free_bins(geometry: Geometry, low: float | None, high: float | None) -> np.ndarray:
    """Latent bins that hold any energy of the band `low` to `high` Hz, bool `[bins]`.

    A bin reaches from the lower foot of its first mel triangle to the upper foot of its last, and the analysis
    window spreads every partial by two FFT bins: what is not free knows nothing of the band.
    """
    count = geometry.mel_bands // geometry.latent_bins
    feet = mel_to_hz(np.linspace(hz_to_mel(geometry.fmin), hz_to_mel(geometry.fmax), geometry.mel_bands + 2))
    spread = 2.0 * geometry.sample_rate / geometry.n_fft
    first = np.arange(geometry.latent_bins) * count
    above = feet[first + count + 1] + spread > (low or 0.0)
    below = feet[first] - spread < (np.inf if high is None else high)
    return above & below


def windows(free: np.ndarray, size: int, context: int, multiple: int = 8) -> list[tuple[int, int]]:
    """(begin, end) of the windows in which the free frames of a latent are made, in order.

    free: bool `[frames]`, frames, size and context multiples of `multiple`. A short sound is one window. In a longer
    one each window begins or ends `context` frames inside what is known by then, so that what is new grows out of
    the known, forward where there is something before it, else backward from what follows.
    """
    total = len(free)
    if not free.any():
        return []
    if total <= size:
        return [(0, total)]
    left, plan = free.copy(), []
    while left.any():
        begin, end = runs(left)[0]
        if end - begin + 2 * context <= size:
            first, last = begin - context, end + context
        elif begin == 0 and end < total:
            first, last = end + context - size, end + context
        else:
            first = begin - context
            last = max(first, 0) + size
            if last >= end and end < total:
                # What is left must end with a context on its right too: half of it now, half with that.
                last = (begin + end) // 2
        first = max(0, first) // multiple * multiple
        last = min(total, -(-last // multiple) * multiple)
        plan.append((first, last))
        left[first:last] = False
    return plan
