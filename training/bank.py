"""Bank: the noise and timesteps that a denoiser is judged with, the same at every validation of every run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SEED = 1234
"""Of the bank, whatever the recipe's: figures of two runs can be compared."""


@dataclass(frozen=True, eq=False)
class Bank:
    """noise: of the latents' shape; timesteps: long `[clips]`, every part of the schedule as often as any other."""

    noise: Tensor
    timesteps: Tensor


def fixed_bank(latents: Tensor, steps: int) -> Bank:
    """The bank for latents `[clips, channels, frames, bins]` and a schedule of so many timesteps.

    Drawn on the CPU, so that it is the same on every device. Timesteps are the middles of equal parts, shuffled.
    """
    generator = torch.Generator().manual_seed(SEED)
    clips = len(latents)
    noise = torch.randn(latents.shape, generator=generator)
    spread = (2 * torch.arange(clips) + 1) * steps // (2 * clips)
    timesteps = spread[torch.randperm(clips, generator=generator)]
    return Bank(noise.to(latents.device), timesteps.to(latents.device))
