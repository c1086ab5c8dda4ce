"""Encoded sounds made in memory: kinds that differ in their latents, with vectors that tell which kind a sound is."""

from __future__ import annotations

import numpy as np
import torch

from training.shards import StackedSounds

KINDS = 4


def stacked_sounds(
    count: int = 16, seed: int = 0, frames: int = 16, width: int = 960, silent: float = 0.0, kinds: int = 7
) -> StackedSounds:
    """Sounds of a few kinds, in turn; `silent`: the share of zeros at every latent's end; `kinds`: which ones."""
    shapes = torch.Generator().manual_seed(kinds)
    pictures = torch.randn(KINDS // 2, 8, 1, 16, generator=shapes)
    pictures = torch.cat((pictures, -pictures))
    meant = torch.nn.functional.normalize(torch.randn(KINDS, width, generator=shapes), dim=1)
    draw = torch.Generator().manual_seed(1000 + seed)
    kind = torch.arange(count) % KINDS
    latents = pictures[kind] + 0.3 * torch.randn(count, 8, frames, 16, generator=draw)
    if silent:
        latents[:, :, round(frames * (1.0 - silent)) :] = 0.0
    heard = [
        torch.nn.functional.normalize(
            meant[kind] + tower * 0.02 * torch.randn(count, width, generator=draw), dim=1
        )
        for tower in (1.0, 0.5)
    ]
    rng = np.random.default_rng(seed)
    loudness = -40.0 + 10.0 * rng.standard_normal((count, frames * 4))
    curves = np.stack(
        [loudness, np.full_like(loudness, 80.0), np.zeros_like(loudness), np.zeros_like(loudness)], 1
    )
    curves = curves.astype(np.float32)
    return StackedSounds(latents, heard[0], heard[1], curves, curves)
