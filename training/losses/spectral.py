"""Spectral losses: multi-resolution STFT distances between batches of samples, and their energy-distance form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import log_mel

SIZES = (512, 1024, 2048)
FLOOR = 1e-4


def log_magnitudes(samples: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Magnitudes and their floored natural logs, `[batch, size / 2 + 1, frames]`, of samples `[batch, n]`."""
    window = torch.hann_window(size, device=samples.device)
    spectrum = torch.stft(samples, size, size // 4, size, window, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt()
    return magnitude, magnitude.clamp_min(FLOOR).log()


def energy_distance(
    target: Tensor, first: Tensor, second: Tensor, repulsion: float, sizes: Sequence[int] = SIZES
) -> tuple[Tensor, Tensor]:
    """Log-magnitude and linear distance of two draws to the target, less `repulsion` times that between the draws.

    Each `[batch]`. Expected value of a proper score when `repulsion` is 1: noise is rewarded for having the
    target's spread, where a plain distance rewards the median (Gritsenko et al., arXiv 2008.01160). A network
    that draws nothing gives the same tensor twice: then it is the plain distance.
    """
    logarithmic = target.new_zeros(len(target))
    linear = target.new_zeros(len(target))
    for size in sizes:
        wanted, wanted_log = log_magnitudes(target, size)
        one, one_log = log_magnitudes(first, size)
        two, two_log = (one, one_log) if second is first else log_magnitudes(second, size)
        near = 0.5 * (_mean(one_log - wanted_log) + _mean(two_log - wanted_log))
        logarithmic = logarithmic + near - 0.5 * repulsion * _mean(one_log - two_log)
        norm = wanted.mean(dim=(1, 2), keepdim=True) + 1e-2
        close = 0.5 * (_mean((one - wanted) / norm) + _mean((two - wanted) / norm))
        linear = linear + close - 0.5 * repulsion * _mean((one - two) / norm)
    return logarithmic / len(sizes), linear / len(sizes)


def mel_distance(made: Tensor, mel: Tensor, geometry: Geometry) -> Tensor:
    """Mean absolute distance of the log-mel of samples `[batch, n]` to a mel `[batch, bands, n / hop]`, `[batch]`."""
    return _mean(log_mel(made, geometry) - mel)


def _mean(difference: Tensor) -> Tensor:
    """Of each row's absolute values."""
    return difference.abs().mean(dim=(1, 2))
