"""Drawn mels: sounds beside their mels as the diffusion model draws them, for a vocoder to learn from.

A generated mel is smoother than a measured one, and a vocoder that has heard only measured ones takes the
smooth for steady and hums at the frame rate. Half-noised latents of real sounds, denoised by the UNet and
decoded, are smooth in the same way and still belong to known samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.examples import make_sound
from training.library import LibrarySound
from vocaldm_live.checkpoints.preset import Modules
from vocaldm_live.model.denoise import Prediction, denoise_from
from vocaldm_live.model.samplers import ddim
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.sketch import measure_sketch

STEPS, START = 4, 2


@dataclass(frozen=True)
class Drawn:
    """`samples` float32 `[clips, frames * hop]` and `mel` float16 `[clips, bands, frames]` drawn for them."""

    samples: np.ndarray
    mel: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def segments(self, batch: int, frames: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Random `[batch, frames * hop]` of the samples and `[batch, bands, frames]` of the mels, at the same places."""
        hop = self.samples.shape[1] // self.mel.shape[2]
        samples, mels = [], []
        for clip in rng.integers(len(self), size=batch):
            start = int(rng.integers(0, self.mel.shape[2] - frames + 1))
            samples.append(self.samples[clip, start * hop : (start + frames) * hop])
            mels.append(self.mel[clip, :, start : start + frames])
        return torch.from_numpy(np.stack(samples)), torch.from_numpy(np.stack(mels).astype(np.float32))


def draw_mels(samples: np.ndarray, modules: Modules, prediction: Prediction, seed: int) -> np.ndarray:
    """Mels `[clips, bands, frames]` that the model draws for samples `[clips, n]`, the last half of its steps."""
    geometry = modules.geometry
    curves = np.stack([measure_sketch(row, geometry.sample_rate).array() for row in samples])
    with torch.inference_mode():
        latent = modules.vae.encode(log_mel(torch.from_numpy(samples), geometry))
        frames = latent.shape[2] * geometry.factor
        image = draw_sketch(torch.from_numpy(curves[:, :, :frames]), geometry)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        null = Condition(modules.adapter.null_condition(len(samples)), image)
        drawn = ddim(
            denoise_from(modules.unet, modules.schedule, prediction),
            noise,
            modules.schedule,
            STEPS,
            condition=null,
            x_start=latent,
            start_step=START,
        )
        return modules.vae.decode(drawn).numpy()


def drawn_once(
    path: Path,
    count: int,
    seed: int,
    library: Sequence[LibrarySound],
    modules: Modules,
    prediction: Prediction,
    real_share: float = 0.5,
) -> Drawn:
    """`count` sounds and their drawn mels, kept at `path` so that a resumed run begins at once."""
    if path.exists():
        kept = np.load(path, allow_pickle=False)
        return Drawn(kept["samples"], kept["mel"])
    samples = np.stack(
        [make_sound(index, seed, library, real_share, False)[0] for index in range(count)]
    ).astype(np.float32)
    mels = [
        draw_mels(samples[start : start + 16], modules, prediction, seed + start)
        for start in range(0, count, 16)
    ]
    drawn = Drawn(samples, np.concatenate(mels).astype(np.float16))
    part = path.with_name(f".{path.name}.part.npz")
    np.savez(part, samples=drawn.samples, mel=drawn.mel)
    part.rename(path)
    return drawn
