"""Vocoding: how near a vocoder comes to sounds of which it gets the mel, and what it makes of noise and silence."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.vocoders import VocoderChoice, load_vocoder
from vocaldm_live.measure.spectra import (
    frame_rate_tone_db,
    log_magnitude_variance,
    multi_resolution_stft_distance,
)
from vocaldm_live.model.vocoder import Vocoder, griffin_lim
from vocaldm_live.sound.geometry import HOUSE, Geometry
from vocaldm_live.sound.mel import log_mel

Render = Callable[[Tensor, int], Tensor]
"""A mel `[1, bands, frames]` and a seed to samples `[1, n]`."""

FIGURES = {
    "stft_distance": "STFT distance",
    "noise_variance_ratio_lowest": "noise, lowest",
    "noise_variance_ratio_highest": "noise, highest",
    "silence_peak_dbfs": "silence, dBFS",
    "frame_rate_tones_db": "frame rate, dB",
}


def noises(seconds: float = 3.0, sample_rate: int = 48000) -> list[np.ndarray]:
    """White, pink, brown and band-limited noise, peak 0.5."""
    rng = np.random.default_rng(11)
    count = int(seconds * sample_rate)
    half = sample_rate / 2
    bins = np.fft.rfftfreq(count, 1.0 / sample_rate)
    made = []
    for slope, low, high in (
        (0.0, 0.0, half),
        (-0.5, 20.0, half),
        (-1.0, 20.0, half),
        (0.0, half / 12, half * 3 / 8),
    ):
        spectrum = np.fft.rfft(rng.standard_normal(count)) * np.maximum(bins, 20.0) ** slope
        spectrum[(bins < low) | (bins > high)] = 0.0
        samples = np.fft.irfft(spectrum, count)
        made.append((0.5 * samples / np.abs(samples).max()).astype(np.float32))
    return made


def judge(render: Render, sounds: Sequence[np.ndarray], geometry: Geometry = HOUSE) -> dict[str, float]:
    """The figures of one vocoder on sounds `[n]` at the geometry's rate; names as in FIGURES.

    The STFT distance is a mean over sounds; of four noises the ratio of the variance of log magnitudes to the
    original's (1: noise stays noise) and how far tones stand out at multiples of the frame rate, above the original's.
    """
    rate = geometry.sample_rate
    distances = [
        multi_resolution_stft_distance(samples, again(render, samples, seed, geometry))
        for seed, samples in enumerate(sounds)
    ]
    ratios, tones = [], []
    for seed, samples in enumerate(noises(sample_rate=rate)):
        made = again(render, samples, seed, geometry)
        ratios.append(log_magnitude_variance(made, rate) / log_magnitude_variance(samples, rate))
        tones.append(
            frame_rate_tone_db(made, rate, geometry.hop) - frame_rate_tone_db(samples, rate, geometry.hop)
        )
    silent = again(render, np.zeros(2 * rate, dtype=np.float32), 0, geometry)
    return {
        "stft_distance": float(np.mean(distances)),
        "noise_variance_ratio_lowest": float(np.min(ratios)),
        "noise_variance_ratio_highest": float(np.max(ratios)),
        "silence_peak_dbfs": float(20 * np.log10(max(1e-9, np.abs(silent).max()))),
        "frame_rate_tones_db": float(np.max(tones)),
    }


def again(render: Render, samples: np.ndarray, seed: int, geometry: Geometry = HOUSE) -> np.ndarray:
    """A sound to mel and back, as long as it was."""
    padded = np.pad(samples, (0, -len(samples) % geometry.hop))
    with torch.inference_mode():
        return render(log_mel(torch.from_numpy(padded)[None], geometry), seed)[0, : len(samples)].numpy()


def by_network(choice: VocoderChoice) -> Render:
    """A vocoder's own network; raises PresetError where its weights are not what its header says."""
    network = load_vocoder(choice)
    assert network is not None

    def render(mel: Tensor, seed: int) -> Tensor:
        samples: Tensor = (
            network(mel, torch.Generator().manual_seed(seed))
            if isinstance(network, Vocoder)
            else network(mel)
        )
        return samples

    return render


def by_griffin_lim(geometry: Geometry, iterations: int = 32) -> Render:
    """Fast Griffin-Lim, which needs no weights: what a vocoder has to be better than."""
    return lambda mel, seed: griffin_lim(
        mel, geometry, iterations, generator=torch.Generator().manual_seed(seed)
    )
