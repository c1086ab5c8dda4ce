"""Spectral losses: multi-resolution STFT distances between batches of samples, and their energy-distance form."""

from __future__ import annotations

import torch
from torch import Tensor

SIZES = (512, 1024, 2048)
FLOOR = 1e-4


def log_magnitudes(samples: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Magnitudes and their floored natural logs, `[batch, size / 2 + 1, frames]`, of samples `[batch, n]`."""
    window = torch.hann_window(size, device=samples.device)
    spectrum = torch.stft(samples, size, size // 4, size, window, return_complex=True)
    magnitude = (spectrum.real.square() + spectrum.imag.square() + 1e-10).sqrt()
    return magnitude, magnitude.clamp_min(FLOOR).log()


def energy_distance(
    target: Tensor, first: Tensor, second: Tensor, repulsion: float, sizes: tuple[int, ...] = SIZES
) -> tuple[Tensor, Tensor]:
    """Log-magnitude and linear distance of two draws to the target, less `repulsion` times that between the draws.

    Expected value of a proper score when `repulsion` is 1: noise is rewarded for having the target's spread,
    where a plain distance rewards the median (Gritsenko et al., arXiv 2008.01160).
    """
    logarithmic = target.new_zeros(())
    linear = target.new_zeros(())
    for size in sizes:
        wanted, wanted_log = log_magnitudes(target, size)
        one, one_log = log_magnitudes(first, size)
        two, two_log = log_magnitudes(second, size)
        near = 0.5 * ((one_log - wanted_log).abs().mean() + (two_log - wanted_log).abs().mean())
        logarithmic = logarithmic + near - 0.5 * repulsion * (one_log - two_log).abs().mean()
        norm = wanted.mean(dim=(1, 2), keepdim=True) + 1e-2
        close = 0.5 * (((one - wanted) / norm).abs().mean() + ((two - wanted) / norm).abs().mean())
        linear = linear + close - 0.5 * repulsion * ((one - two) / norm).abs().mean()
    return logarithmic / len(sizes), linear / len(sizes)
