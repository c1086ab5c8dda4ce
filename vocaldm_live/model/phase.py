"""Phase: a first guess of STFT phases from magnitudes alone, by following spectral peaks.

Single-pass spectrogram inversion (Beauregard, Harish, Wyse, DSP 2015): each peak's frequency is read off
a parabola, its phase advances by that frequency, and the bins of its lobe are locked to it. A network
that is blind to the frame index cannot make this advance itself: a steady tone would come out as a
pattern that repeats every hop.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class PeakPhases:
    """Phases in radians `[batch, frames, bins]` for log magnitudes of that shape; no gradient, no noise.

    A second call goes on where the first ended: a clip may come in several pieces.
    """

    def __init__(self, n_fft: int, hop: int) -> None:
        self._turn = 2.0 * math.pi * hop / n_fft
        self._carried: Tensor | None = None

    @torch.no_grad()
    def __call__(self, log_magnitude: Tensor) -> Tensor:
        """The next frames' phases."""
        level = log_magnitude.contiguous()
        below = torch.nn.functional.pad(level[..., :-1], (1, 0), value=-1e4)
        above = torch.nn.functional.pad(level[..., 1:], (0, 1), value=-1e4)
        peak = (level >= below) & (level > above)
        curvature = (below - 2.0 * level + above).clamp_max(-1e-4)
        index = torch.arange(level.shape[-1], device=level.device)
        frequency = index + (0.5 * (below - above) / curvature).clamp(-0.5, 0.5)
        nearest = nearest_peak(peak)
        advance = self._turn * frequency.gather(2, nearest).double()
        if self._carried is not None:
            advance[:, 0] += self._carried
        total = advance.cumsum(dim=1)
        self._carried = total[:, -1]
        locked = total.gather(2, nearest) + math.pi * (index - nearest)
        return torch.remainder(locked, 2.0 * math.pi).to(level.dtype)


def nearest_peak(peak: Tensor) -> Tensor:
    """For each bin of a boolean `[..., bins]`, the index of the nearest true bin of its frame."""
    bins = peak.shape[-1]
    index = torch.arange(bins, device=peak.device, dtype=torch.int32)
    far = torch.full_like(index, 4 * bins)
    left = torch.where(peak, index, -far).cummax(dim=-1).values
    right = torch.where(peak, index, far).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.where(right - index < index - left, right, left).clamp(0, bins - 1).long()
