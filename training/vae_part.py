"""VAE part: the network that a VAE run trains, of a recipe's sizes or a preset's, and what its run says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.base import open_base
from training.draws import Draws
from training.errors import DataError, RecipeError
from training.partial import load_partly
from training.recipe import Count, Strict
from vocaldm_live.checkpoints.audioldm_parts import GROUPS, AudioLDMVAEPart
from vocaldm_live.checkpoints.header import VAEPart
from vocaldm_live.model.audioldm import AudioLDMVAE
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import Geometry


class VAESizes(Strict):
    """Of the network: its kind, the width of each level, residual blocks a level, groups of its norms.

    audioldm-vae has attention in its middle and always 32 groups.
    """

    kind: Literal["autoencoder-kl", "audioldm-vae"] = "autoencoder-kl"
    channels: tuple[Count, ...] = (16, 32, 64)
    layers: Count = 1
    groups: Count = 8


@dataclass(frozen=True, eq=False)
class VAEMade:
    """A network to train, what preset.yaml says of it, its mel, and what it goes on from.

    fresh: whether its latents' statistics are still to be measured. peak: the level at which its base knows sounds.
    """

    network: MelVAE
    part: Mapping[str, Any]
    geometry: Geometry
    fresh: bool
    base_sha256: str | None = None
    peak: float | None = None


def make_vae(sizes: VAESizes, geometry: Geometry, base: str | None, weights_of: str | None) -> VAEMade:
    """A VAE of these sizes, or that of a preset, with the weights of a file over it.

    Raises RecipeError for sizes that make no network, PresetError or DataError where weights cannot be had.
    """
    sha256, peak = None, None
    if base is not None:
        opened = open_base(base, ["vae"])
        preset = opened.preset
        part, geometry, sha256 = preset.header.parts.vae, opened.geometry, preset.sha256
        assert isinstance(part, (VAEPart, AudioLDMVAEPart))
        plain = part.model_dump(mode="json", exclude={"file", "sha256"}, exclude_none=True)
        if getattr(preset.header.parts.unet, "trained_centred", False):
            peak = preset.header.parts.unet.trained_peak
        network = opened.networks["vae"].requires_grad_(True)
        assert isinstance(network, MelVAE)
    else:
        network, plain = _network(sizes, geometry), sizes.model_dump(mode="json")
        if sizes.kind == "audioldm-vae":
            del plain["groups"]
    if weights_of is not None:
        try:
            load_partly(network, load_file(weights_of))
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"{weights_of} cannot be read ({error}); name the weights of a trained VAE."
            ) from error
    return VAEMade(network, plain, geometry, base is None and weights_of is None, sha256, peak)


def _network(sizes: VAESizes, geometry: Geometry) -> MelVAE:
    groups = GROUPS if sizes.kind == "audioldm-vae" else sizes.groups
    if any(width % groups for width in sizes.channels):
        raise RecipeError(
            f"sizes.channels {list(sizes.channels)} do not divide by {groups} groups; correct the recipe."
        )
    if 2 ** (len(sizes.channels) - 1) != geometry.factor:
        raise RecipeError(
            f"sizes.channels has {len(sizes.channels)} levels, which make latents 1/{2 ** (len(sizes.channels) - 1)} as "
            f"long where geometry.factor is {geometry.factor}; correct one of them."
        )
    if sizes.kind == "audioldm-vae":
        return AudioLDMVAE(geometry, sizes.channels, sizes.layers)
    return MelVAE(geometry, sizes.channels, sizes.layers, sizes.groups)


def measure_channels(vae: MelVAE, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Take mean and deviation of each channel from mels `[batch, bands, frames]`, real frames of them alone."""
    with torch.no_grad():
        found = [row for mel, valid in batches for row in _real(vae, vae.posterior(mel)[0], valid)]
        vae.fit(torch.cat(found, dim=1)[None])


def measure_deviation(vae: MelVAE, mel: Tensor, valid: Tensor, draws: Draws) -> None:
    """Take one deviation for all channels from latents that are drawn for mels, and no mean (arXiv 2112.10752, G)."""
    with torch.no_grad():
        mean, spread = vae.posterior(mel)
        raw = mean + draws.normal(mean.shape[1:], "latent") * (0.5 * spread).exp()
        whole = torch.cat([row.flatten() for row in _real(vae, raw, valid)])
        vae.latent_mean.zero_()
        vae.latent_scale.fill_(float(whole.std().clamp_min(1e-3)))


def _real(vae: MelVAE, raw: Tensor, valid: Tensor) -> list[Tensor]:
    frames = -torch.div(-valid, vae.geometry.factor, rounding_mode="floor")
    return [row[:, : int(count)] for row, count in zip(raw, frames, strict=True)]


def about_vae(made: VAEMade) -> dict[str, Any]:
    """What run.json says of the part, and of the geometry of a preset that is made around it."""
    return {"parts": {"vae": dict(made.part)}, "geometry": made.geometry.as_dict()}
