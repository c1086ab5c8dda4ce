"""Alias-free activation: a periodic non-linearity run at twice the rate, between two low-pass filters.

What BigVGAN (arXiv 2206.04658, section 3.2) takes from StyleGAN3 (arXiv 2106.12423): a non-linearity makes
overtones above half the sample rate; made at twice the rate they are filtered off before they fold back.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv_transpose1d, pad

TAPS = 12
LOOKS = 6  # samples to each side that an activation takes in


@cache
def low_pass() -> np.ndarray:
    """The filter on both sides, float32 `[TAPS]`: a sinc to a quarter of the rate under a Kaiser window, sum 1.

    The window's beta follows from its length and a transition of 0.6 of the lower rate by Kaiser's formula
    (Oppenheim and Schafer, Discrete-Time Signal Processing, section 7.5.3).
    """
    attenuation = 2.285 * (TAPS // 2 - 1) * np.pi * 4 * 0.3 + 7.95  # dB: above 50, where this branch holds
    window = np.kaiser(TAPS, 0.1102 * (attenuation - 8.7))
    filter_ = window * np.sinc((np.arange(TAPS) - (TAPS - 1) / 2) / 2)
    return (filter_ / filter_.sum()).astype(np.float32)


class Snake(nn.Module):
    """x + sin(alpha x)^2 / beta for each channel (arXiv 2006.08195), beta being alpha where it has none of its own.

    logarithmic: alpha and beta are stored as logarithms.
    """

    def __init__(self, channels: int, own_beta: bool, logarithmic: bool) -> None:
        super().__init__()
        start = torch.zeros(channels) if logarithmic else torch.ones(channels)
        self.logarithmic = logarithmic
        self.alpha = nn.Parameter(start)
        if own_beta:
            self.beta = nn.Parameter(start.clone())

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, channels, samples]`, shape kept."""
        alpha, beta = self.alpha[:, None], self._parameters.get("beta", self.alpha)[:, None]  # type: ignore[index]
        if self.logarithmic:
            alpha, beta = alpha.exp(), beta.exp()
        return x + (x * alpha).sin().square() * (1.0 / (beta + 1e-9))


class AliasFree(nn.Module):
    """Up by two, the activation, down by two; `[batch, channels, samples]`, shape kept, ends repeated outward."""

    filter: Tensor

    def __init__(self, activation: Snake) -> None:
        super().__init__()
        self.act = activation
        self.register_buffer("filter", torch.from_numpy(low_pass().copy())[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The activation of x, band-limited."""
        channels = x.shape[1]
        filter_ = self.filter.expand(channels, -1, -1)
        side = TAPS // 2 - 1
        doubled = conv_transpose1d(pad(x, (side, side), mode="replicate"), filter_, stride=2, groups=channels)
        # Times two, for half of what is filtered are the zeros between the samples.
        active = self.act(2.0 * doubled[..., 3 * side : -3 * side])
        halved: Tensor = conv1d(
            pad(active, (side, side + 1), mode="replicate"), filter_, stride=2, groups=channels
        )
        return halved
