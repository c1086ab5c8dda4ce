"""Mel: waveform to natural-log mel magnitudes and the matrices between STFT bins and mel bands."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.sound.geometry import Geometry


def hz_to_mel(frequency: np.ndarray | float) -> np.ndarray:
    """Slaney's mel scale: linear below 1 kHz (3 mel in 200 Hz), logarithmic above (27 mel in a factor 6.4)."""
    frequency = np.asarray(frequency, dtype=np.float64)
    linear = frequency * 3.0 / 200.0
    logarithmic = 15.0 + 27.0 * np.log(np.maximum(frequency, 1e-9) / 1000.0) / np.log(6.4)
    return np.where(frequency < 1000.0, linear, logarithmic)


def mel_to_hz(mel: np.ndarray | float) -> np.ndarray:
    """Inverse of `hz_to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp(np.log(6.4) * (mel - 15.0) / 27.0))


@lru_cache(maxsize=8)
def mel_filters(geometry: Geometry) -> np.ndarray:
    """Slaney-normalised triangular filters, float32 `[mel_bands, n_fft / 2 + 1]` (Slaney, Auditory Toolbox, 1998)."""
    edges = mel_to_hz(np.linspace(hz_to_mel(geometry.fmin), hz_to_mel(geometry.fmax), geometry.mel_bands + 2))
    bins = np.linspace(0.0, geometry.sample_rate / 2, geometry.n_fft // 2 + 1)
    rising = (bins[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins[None, :]) / np.diff(edges)[1:, None]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@lru_cache(maxsize=8)
def mel_centres(geometry: Geometry) -> np.ndarray:
    """Centre frequency of each band in Hz, `[mel_bands]`."""
    edges = np.linspace(hz_to_mel(geometry.fmin), hz_to_mel(geometry.fmax), geometry.mel_bands + 2)
    return mel_to_hz(edges[1:-1])


def stft_magnitude(samples: Tensor, geometry: Geometry) -> Tensor:
    """Magnitudes `[batch, n_fft / 2 + 1, frames]` of `[batch, n]`, frames = ceil(n / hop).

    Framing: (n_fft - hop) / 2 reflected samples on each side and no centring, so that frame i covers
    samples around (i + 1/2) hop and exactly n / hop frames come out (HiFi-GAN's convention).
    """
    hop, size = geometry.hop, geometry.n_fft
    short = -samples.shape[-1] % hop
    pad = (size - hop) // 2
    samples = torch.nn.functional.pad(samples, (0, short))
    mode = "reflect" if samples.shape[-1] > pad else "constant"
    samples = torch.nn.functional.pad(samples[:, None], (pad, pad), mode=mode)[:, 0]
    window = torch.hann_window(size, device=samples.device, dtype=samples.dtype)
    spectrum = torch.stft(samples, size, hop, size, window, center=False, return_complex=True)
    return spectrum.abs()


def log_mel(samples: Tensor, geometry: Geometry) -> Tensor:
    """Natural-log mel magnitudes `[batch, mel_bands, frames]` of float32 samples `[batch, n]`, floored."""
    filters = torch.from_numpy(mel_filters(geometry)).to(samples.device)
    return (filters @ stft_magnitude(samples, geometry)).clamp_min(geometry.mel_floor).log()


def fold(mel: Tensor, geometry: Geometry) -> Tensor:
    """Log-mel `[batch, mel_bands, frames]` to the VAE's image `[batch, fold, frames, mel_bands / fold]`, scaled."""
    batch, bands, frames = mel.shape
    image = ((mel - geometry.mel_mean) / geometry.mel_scale).reshape(
        batch, bands // geometry.fold, geometry.fold, frames
    )
    return image.permute(0, 2, 3, 1)


def unfold(image: Tensor, geometry: Geometry) -> Tensor:
    """Inverse of `fold`: `[batch, fold, frames, mel_bands / fold]` to log-mel `[batch, mel_bands, frames]`."""
    batch, channels, frames, bins = image.shape
    mel = image.permute(0, 3, 1, 2).reshape(batch, channels * bins, frames)
    return mel * geometry.mel_scale + geometry.mel_mean
