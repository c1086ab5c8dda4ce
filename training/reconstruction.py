"""Reconstruction: whether a base's VAE knows the mels of the sounds that it is to be trained with."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from training.errors import DataError
from vocaldm_live.model.vae import MelVAE


def reconstruction_db(vae: MelVAE, mels: Iterable[Tensor]) -> float:
    """How far what the VAE loses of log-mels `[batch, bands, frames]` lies below what they vary by, in dB.

    10 log10(variance / mean square error) over all of them: 0 dB and less is what a network that says nothing
    but the mean would lose. Mels of another kind than those that the VAE was trained with come out there.
    """
    lost = varied = 0.0
    with torch.inference_mode():
        for mel in mels:
            frames = mel.shape[2] - mel.shape[2] % vae.geometry.factor
            mel = mel[:, :, :frames]
            again = vae.reconstruct(vae.posterior(mel)[0])
            lost += float((again - mel).square().sum())
            varied += float((mel - mel.mean()).square().sum())
    ratio = torch.tensor(varied / max(lost, 1e-12))
    return float(10.0 * ratio.clamp_min(1e-12).log10())


def check_reconstruction(vae: MelVAE, mels: Iterable[Tensor], least_db: float | None, base: str) -> float:
    """`reconstruction_db`; raises DataError where it is below what a base has to reach to learn these sounds."""
    found = reconstruction_db(vae, mels)
    if least_db is not None and not found >= least_db:
        raise DataError(
            f"The VAE of {base} gives these sounds back at {found:.1f} dB where {least_db:g} dB are asked for: they "
            "are of another kind than its mels, so choose another base or a lower least_vae_db."
        )
    return found
