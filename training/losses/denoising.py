"""Denoising: the error of a denoiser, row by row, in what it predicts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vocaldm_live.model.denoise import Network, Prediction
from vocaldm_live.model.schedule import Schedule


def denoising_error(
    network: Network,
    schedule: Schedule,
    prediction: Prediction,
    latent: Tensor,
    condition: Any,
    t: Tensor,
    noise: Tensor,
    valid: Tensor,
) -> Tensor:
    """Mean squared error of each row, `[batch]`, float32, over its valid frames alone.

    latent, noise: `[batch, channels, frames, bins]`; t: long `[batch]`; valid: how many latent frames of each row
    are sound, long `[batch]`. Padding is noised as the rest is, for that is what the network meets when it plays,
    but what it says there counts nothing.
    """
    x_t = schedule.add_noise(latent, noise, t)
    wanted = target(schedule, prediction, latent, noise, t)
    error = (network(x_t, t, condition).float() - wanted.float()).square().mean((1, 3))
    heard = torch.arange(latent.shape[2], device=latent.device) < valid.to(latent.device)[:, None]
    return torch.where(heard, error, 0.0).sum(1) / heard.sum(1).clamp_min(1)


def target(schedule: Schedule, prediction: Prediction, latent: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What a network of this prediction (v, eps or x0) should say, of the latent's shape."""
    if prediction == "v":
        return schedule.v_from_data(latent, noise, t)
    if prediction == "eps":
        return noise
    if prediction == "x0":
        return latent
    raise ValueError(f"A network predicts v, eps or x0, not {prediction!r}; correct the preset.")
