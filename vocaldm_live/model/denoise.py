"""The contract between networks and samplers, and the wrappers that bring every network to it.

The contract: denoise(x_t, t, condition) -> x_0, with x_t and x_0 [batch, channels, frames, bins], t a long
tensor [batch] on the same device, and any object as condition, which is handed on untouched.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from vocaldm_live.model.schedule import Schedule

Prediction = Literal["v", "eps", "x0"]


class Denoise(Protocol):
    """Clean data expected from a noisy latent: the one thing that samplers and guidance call."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """x_t [batch, channels, frames, bins], t long [batch] -> x_0 of x_t's shape and dtype."""
        ...


class Network(Protocol):
    """A network with the contract's arguments that may predict v, eps or x0."""

    def __call__(self, x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        """x_t [batch, channels, frames, bins], t long [batch] -> its prediction, of x_t's shape."""
        ...


def denoise_from_v(network: Network, schedule: Schedule, dtype: torch.dtype | None = None) -> Denoise:
    """Wrap a network that predicts v (arXiv 2202.00512); right at every level, zero SNR included.

    dtype: what the network computes in (bfloat16 for instance); x_t is cast to it and the result is
    brought back to x_t's dtype, so that the sampler's state stays precise.
    """

    def denoise(x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        v = network(x_t if dtype is None else x_t.to(dtype), t, condition).to(x_t.dtype)
        return schedule.x_0_from_v(x_t, v, t).to(x_t.dtype)

    return denoise


def denoise_from_eps(network: Network, schedule: Schedule, dtype: torch.dtype | None = None) -> Denoise:
    """Wrap a network that predicts the noise, as official AudioLDM does; dtype as in denoise_from_v.

    Raises ValueError where the schedule has zero terminal SNR.
    """
    schedule.refuse_eps()

    def denoise(x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        eps = network(x_t if dtype is None else x_t.to(dtype), t, condition).to(x_t.dtype)
        return schedule.x_0_from_eps(x_t, eps, t).to(x_t.dtype)

    return denoise


def denoise_from_x0(network: Network, schedule: Schedule, dtype: torch.dtype | None = None) -> Denoise:
    """Wrap a network that predicts clean data; the schedule is not needed; dtype as in denoise_from_v."""

    def denoise(x_t: Tensor, t: Tensor, condition: Any) -> Tensor:
        return network(x_t if dtype is None else x_t.to(dtype), t, condition).to(x_t.dtype)

    return denoise


def denoise_from(
    network: Network, schedule: Schedule, prediction: Prediction, dtype: torch.dtype | None = None
) -> Denoise:
    """Wrap a network by the name of what it predicts: v, eps or x0. Raises ValueError for another name."""
    wrappers = {"v": denoise_from_v, "eps": denoise_from_eps, "x0": denoise_from_x0}
    if prediction not in wrappers:
        raise ValueError(f"A network predicts v, eps or x0, not {prediction!r}; correct the preset.")
    return wrappers[prediction](network, schedule, dtype)
