"""Vocoder: log-mel to samples through an inverse STFT head, and Griffin-Lim, which needs no weights.

The backbone is that of Vocos (arXiv 2306.00814): ConvNeXt blocks at frame rate. Its head is changed in
three ways: magnitudes are a correction to the mel's own interpolation, phases a correction to peak
following (`model.phase`), and a part of each bin is noise with a predicted level, so that noise is drawn
rather than averaged away.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from vocaldm_live.model.overlap import inverse_stft, stft
from vocaldm_live.model.phase import PeakPhases
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import mel_centres, mel_filters


def band_interpolation(geometry: Geometry) -> Tensor:
    """Matrix `[n_fft / 2 + 1, mel_bands]` that reads a log-mel at each STFT bin, linearly between band centres."""
    centres = mel_centres(geometry)
    bins = np.linspace(0.0, geometry.sample_rate / 2, geometry.n_fft // 2 + 1)
    right = np.clip(np.searchsorted(centres, bins), 1, len(centres) - 1)
    weight = np.clip((bins - centres[right - 1]) / (centres[right] - centres[right - 1]), 0.0, 1.0)
    matrix = np.zeros((len(bins), len(centres)), dtype=np.float32)
    rows = np.arange(len(bins))
    matrix[rows, right - 1] += 1.0 - weight
    matrix[rows, right] += weight
    return torch.from_numpy(matrix)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then a two-layer perceptron per frame; `[batch, channels, frames]`."""

    def __init__(self, channels: int, hidden: int, scale: float) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand = nn.Linear(channels, hidden)
        self.contract = nn.Linear(hidden, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Residual block, shape kept."""
        inner = self.norm(self.depthwise(x).transpose(1, 2))
        inner = self.contract(nn.functional.gelu(self.expand(inner))) * self.scale
        return x + inner.transpose(1, 2)


class Vocoder(nn.Module):
    """Log-mel `[batch, mel_bands, frames]` to samples `[batch, frames * hop]`."""

    interpolation: Tensor

    def __init__(self, geometry: Geometry, channels: int = 256, hidden: int = 640, blocks: int = 8) -> None:
        super().__init__()
        self.geometry = geometry
        bins = geometry.n_fft // 2 + 1
        self.embed = nn.Conv1d(geometry.mel_bands, channels, 7, padding=3)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.blocks = nn.ModuleList(ConvNeXtBlock(channels, hidden, 1.0 / blocks) for _ in range(blocks))
        self.final = nn.LayerNorm(channels, eps=1e-6)
        self.head = nn.Linear(channels, 4 * bins)
        nn.init.normal_(self.head.weight, std=0.01)
        with torch.no_grad():
            self.head.bias.zero_()
            self.head.bias[2 * bins : 3 * bins] = 1.0
        self.register_buffer("interpolation", band_interpolation(geometry), persistent=False)

    def prior(self, mel: Tensor) -> Tensor:
        """Log magnitudes `[batch, n_fft / 2 + 1, frames]` read off the mel: a band is a mean / bin width."""
        bin_width = self.geometry.sample_rate / self.geometry.n_fft
        return self.interpolation @ mel + math.log(bin_width)

    def spectra(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """The drawn-free part, complex, and the noise level, both `[batch, n_fft / 2 + 1, frames]`."""
        prior = self.prior(mel).transpose(1, 2)
        phase = PeakPhases(self.geometry.n_fft, self.geometry.hop)(prior)
        steady, level = self.mix(self.features(mel), prior, phase)
        return steady.transpose(1, 2), level.transpose(1, 2)

    def features(self, mel: Tensor) -> Tensor:
        """The network's `[batch, frames, channels]`."""
        x = self.embed((mel - self.geometry.mel_mean) / self.geometry.mel_scale)
        x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        features: Tensor = self.final(x.transpose(1, 2))
        return features

    def mix(self, features: Tensor, prior: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
        """What `spectra` returns, bins last, from the network's `[batch, frames, channels]` and first guesses.

        Bins last, because the transforms that follow run along them.
        """
        tone, noise, cosine, sine = self.head(features).chunk(4, dim=2)
        magnitude = (prior + tone.clamp(-12.0, 3.0)).clamp_max(8.0).exp()
        level = (prior + (noise - 0.7).clamp(-12.0, 3.0)).clamp_max(8.0).exp()
        scale = magnitude / (cosine.square() + sine.square()).sqrt().clamp_min(1e-4)
        # The correction of the phase is a turn by the angle of (cosine, sine).
        along, across = phase.cos(), phase.sin()
        steady = torch.complex(
            scale * (along * cosine - across * sine), scale * (along * sine + across * cosine)
        )
        return steady, level

    def forward(
        self, mel: Tensor, generator: torch.Generator | None = None, noise: Tensor | None = None
    ) -> Tensor:
        """Samples; noise is drawn from `generator` (CPU) or given, complex `[batch, bins, frames]` of unit power."""
        steady, level = self.spectra(mel)
        if noise is None:
            noise = draw_noise(mel.shape[0], mel.shape[2], self.geometry, generator).to(mel.device)
        return inverse_stft(steady + level * noise, self.geometry)


def draw_noise(
    batch: int, frames: int, geometry: Geometry, generator: torch.Generator | None = None
) -> Tensor:
    """STFT `[batch, n_fft / 2 + 1, frames]` of white noise with unit mean power per bin.

    Drawn as samples, so that its frames agree where they overlap and nothing is lost in overlap-add.
    """
    return unit_noise(torch.randn(batch, frames * geometry.hop, generator=generator), geometry)


def unit_noise(samples: Tensor, geometry: Geometry) -> Tensor:
    """What `draw_noise` gives, of white samples `[batch, frames * hop]` of variance 1."""
    window_power = 0.375 * geometry.n_fft
    return stft(samples, geometry) / math.sqrt(window_power)


def griffin_lim(
    mel: Tensor,
    geometry: Geometry,
    iterations: int = 32,
    momentum: float = 0.99,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Log-mel `[batch, mel_bands, frames]` to samples by fast Griffin-Lim (Perraudin et al., WASPAA 2013).

    Mel to linear magnitudes by the filters' pseudo-inverse, clamped at zero; random start phases.
    """
    filters = torch.from_numpy(mel_filters(geometry))
    magnitude = (torch.linalg.pinv(filters) @ mel.exp().cpu()).clamp_min(0.0)
    phase = torch.rand(magnitude.shape, generator=generator) * (2.0 * math.pi)
    angles = torch.polar(torch.ones_like(magnitude), phase)
    previous = torch.zeros_like(angles)
    for _ in range(iterations):
        rebuilt = stft(inverse_stft(magnitude * angles, geometry), geometry)
        ahead = rebuilt + momentum * (rebuilt - previous)
        angles = ahead / ahead.abs().clamp_min(1e-12)
        previous = rebuilt
    return inverse_stft(magnitude * angles, geometry).to(mel.device)
