"""Mel losses: distances between log-mels `[batch, bands, frames]`, each row's over its real frames alone, `[batch]`."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from training.data.masks import masked_mean

LOUDEST = 8.0  # natural log: what a network may ask for before magnitudes run over
PATCHES = (2, 4, 8)


def absolute_distance(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute distance."""
    return _mean((one - other).abs(), valid)


def square_distance(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """Mean square distance."""
    return _mean((one - other).square(), valid)


def slope_distance(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute distance of the slopes over time and over bands: edges and texture."""
    over_time = _mean((one.diff(dim=2) - other.diff(dim=2)).abs(), (valid - 1).clamp_min(0))
    return over_time + _mean((one.diff(dim=1) - other.diff(dim=1)).abs(), valid)


def magnitude_distance(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """Mean absolute distance of linear magnitudes over the mean magnitude: the partials that carry a pitch."""
    wanted = other.exp()
    return _mean((one.clamp_max(LOUDEST).exp() - wanted).abs(), valid) / (_mean(wanted, valid) + 1e-3)


def resolution_distance(one: Tensor, other: Tensor, valid: Tensor, floor: float) -> Tensor:
    """Mean absolute distance of log-mels at lower resolutions: of mean magnitudes of 2 x 2, 4 x 4 and 8 x 8 patches.

    floor: the smallest magnitude, as a mel has it. A size that no real frames fill counts nothing.
    """
    total = one.new_zeros(len(one))
    loud, wanted = one.clamp_max(LOUDEST).exp(), other.exp()
    for size in PATCHES:
        if min(one.shape[1:]) < size:
            continue
        first, second = (avg_pool2d(image[:, None], size)[:, 0] for image in (loud, wanted))
        far = (first.clamp_min(floor).log() - second.clamp_min(floor).log()).abs()
        total = total + _mean(far, torch.div(valid, size, rounding_mode="floor"))
    return total / len(PATCHES)


def divergence(mean: Tensor, log_variance: Tensor, valid: Tensor) -> Tensor:
    """KL of normal distributions `[batch, c, frames, bins]` from standard normal ones, a mean over what is real."""
    apart = 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance)
    return masked_mean(apart, valid)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return masked_mean(values.transpose(1, 2)[:, None], valid)
