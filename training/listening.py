"""Listening: examples for ears of what a denoiser makes while it is trained: latents by few steps, and their sound."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from vocaldm_live.engine.streaming import stream_network, stream_vocoder
from vocaldm_live.model.denoise import Prediction, denoise_from
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.samplers import SeededNoise, ddim
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.unet import Condition
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.model.vocoder import Vocoder, draw_noise, griffin_lim


@dataclass(frozen=True)
class Sampling:
    """How latents are made: DDIM steps, guidance, eta; leading: AudioLDM's timesteps instead of trailing ones."""

    steps: int
    guidance: float
    eta: float
    leading: bool = False


def make_latents(
    unet: nn.Module,
    schedule: Schedule,
    prediction: Prediction,
    condition: Condition,
    null: Tensor,
    shape: Sequence[int],
    seeds: Sequence[int],
    told: Sampling,
) -> Tensor:
    """Latents of a shape `[rows, channels, frames, bins]` for a condition, guided away from `null` `[rows, 512]`."""
    noise = SeededNoise(seeds, device=condition.vector.device)
    lean = guided(
        denoise_from(unet, schedule, prediction),
        condition,
        Condition(null, condition.image),
        told.guidance,
        timesteps=len(schedule),
    )
    start = noise.initial(shape[1], shape[2], shape[3])
    path = schedule.spaced(told.steps, told.leading)
    return ddim(lean, start, schedule, path, eta=told.eta, noise_source=noise)


def make_sound(vae: MelVAE, vocoder: nn.Module | None, latent: Tensor, seed: int) -> np.ndarray:
    """Samples of one latent `[channels, frames, bins]`, float32 `[n]`; without a vocoder by Griffin-Lim."""
    geometry = vae.geometry
    with torch.inference_mode():
        mel = vae.decode(latent[None])
        generator = torch.Generator().manual_seed(seed)
        if vocoder is None:
            return griffin_lim(mel, geometry, generator=generator)[0].cpu().numpy()
        if isinstance(vocoder, Vocoder):
            noise = draw_noise(1, mel.shape[2], geometry, generator).to(mel.device)
            pieces = list(stream_vocoder(vocoder, mel, noise))
        else:
            pieces = list(stream_network(vocoder, mel))  # type: ignore[arg-type]
        return torch.cat(pieces, dim=1)[0].float().cpu().numpy()


def write_example(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Write samples `[n]` as a WAV file of 24 bit; what lies beyond full scale is cut off.

    Raises OSError where the disk says no: libsndfile writes into memory, for it says so in ways of its own.
    """
    import soundfile

    memory = io.BytesIO()
    soundfile.write(memory, np.clip(samples, -1.0, 1.0), sample_rate, "PCM_24", format="WAV")
    try:
        path.write_bytes(memory.getvalue())
    except OSError:
        # Half a sound would fill the disk for what the run cannot do without.
        with suppress(OSError):
            path.unlink()
        raise
