"""Sketch image: curves drawn on the latent's time-frequency grid, where the denoiser can add them to its input.

Loudness keeps its 10 ms frames as four channels a latent frame, so that an onset is placed more finely than
the latent's 40 ms. Pitch is drawn as a comb of its harmonics at mel resolution and folded exactly as the
VAE folds its mel, so that position needs no learning; centroid is a ridge over the latent's bins.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import hz_to_mel, mel_centres
from vocaldm_live.sound.sketch import LOUDNESS_FLOOR

LOUDNESS_CENTRE = -40.0
LOUDNESS_SCALE = 20.0
CENTROID_CENTRE = 90.0
CENTROID_SCALE = 20.0
COMB_WIDTH = 0.6
RIDGE_WIDTH = 1.0


def image_channels(geometry: Geometry) -> int:
    """Channels of a sketch image: presence, loudness, centroid, salience, ridge, comb."""
    return 4 + geometry.factor + geometry.fold * geometry.factor**2


@lru_cache(maxsize=8)
def _grid(geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Band centres in Hz and distance between neighbouring bands in Hz, float32 `[mel_bands]`."""
    centres = mel_centres(geometry)
    return torch.from_numpy(centres.astype(np.float32)), torch.from_numpy(
        np.gradient(centres).astype(np.float32)
    )


def draw_sketch(curves: Tensor, geometry: Geometry) -> Tensor:
    """Curves `[batch, 4, frames]` (order of `Sketch`) to an image `[batch, channels, frames / factor, bins]`.

    `frames` must divide by the geometry's factor.
    """
    batch, _, frames = curves.shape
    factor, bins = geometry.factor, geometry.latent_bins
    short = frames // factor
    loudness, centroid, pitch, salience = curves.unbind(1)

    def broad(rows: Tensor) -> Tensor:
        return rows[..., None].expand(*rows.shape, bins)

    fine = ((loudness.clamp_min(LOUDNESS_FLOOR) - LOUDNESS_CENTRE) / LOUDNESS_SCALE).reshape(
        batch, short, factor
    )
    centre = ((centroid - CENTROID_CENTRE) / CENTROID_SCALE).reshape(batch, short, factor).mean(-1)
    voiced = salience.reshape(batch, short, factor).mean(-1)

    hertz = 440.0 * 2.0 ** ((centroid.reshape(batch, short, factor).mean(-1) - 69.0) / 12.0)
    low, high = float(hz_to_mel(geometry.fmin)), float(hz_to_mel(geometry.fmax))
    linear = hertz * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 * torch.log(hertz.clamp_min(1e-3) / 1000.0) / float(np.log(6.4))
    place = (torch.where(hertz < 1000.0, linear, logarithmic) - low) / (high - low) * bins - 0.5
    distance = torch.arange(bins, device=curves.device, dtype=curves.dtype) - place[..., None]
    ridge = torch.exp(-0.5 * (distance / RIDGE_WIDTH) ** 2)

    comb = _comb(pitch, salience, geometry).reshape(batch, bins * factor, geometry.fold, short, factor)
    comb = comb.reshape(batch, bins, factor, geometry.fold, short, factor).permute(0, 2, 3, 5, 4, 1)
    comb = comb.reshape(batch, geometry.fold * factor * factor, short, bins)
    flat = torch.stack([torch.ones_like(centre), centre, voiced], dim=1)
    return torch.cat([broad(flat), broad(fine.permute(0, 2, 1)), ridge[:, None], comb], dim=1)


def _comb(pitch: Tensor, salience: Tensor, geometry: Geometry) -> Tensor:
    """Harmonics of the pitch at mel resolution, `[batch, mel_bands, frames]`, 0..1 times salience."""
    centres, spacing = (part.to(pitch.device)[:, None] for part in _grid(geometry))
    fundamental = (440.0 * 2.0 ** ((pitch - 69.0) / 12.0))[:, None]
    number = (centres / fundamental).round().clamp_min(1.0)
    distance = (centres - number * fundamental) / spacing
    return torch.exp(-0.5 * (distance / COMB_WIDTH) ** 2) * salience[:, None]
