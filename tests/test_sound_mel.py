"""Mel: the scale and filters have their published values, frames count and lie where they should."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vocaldm_live.sound.geometry import HOUSE, Geometry
from vocaldm_live.sound.mel import (
    fold,
    hz_to_mel,
    log_mel,
    mel_centres,
    mel_filters,
    mel_to_hz,
    stft_magnitude,
    unfold,
)


def tone(frequency: float, samples: int = 24000, peak: float = 0.5) -> torch.Tensor:
    return peak * torch.sin(2 * math.pi * frequency * torch.arange(samples) / HOUSE.sample_rate)[None]


def test_the_scale_has_slaneys_values() -> None:
    """200 / 3 Hz a mel up to 1 kHz, from there 27 mel for each factor 6.4."""
    hertz = [0.0, 60.0, 200.0, 440.0, 1000.0, 6400.0, 1000.0 * math.sqrt(6.4)]
    np.testing.assert_allclose(hz_to_mel(np.array(hertz)), [0.0, 0.9, 3.0, 6.6, 15.0, 42.0, 28.5], atol=1e-9)


def test_the_scale_has_an_inverse_and_rises_without_a_jump() -> None:
    hertz = np.concatenate([np.linspace(0.0, 24000.0, 501), [999.999, 1000.0, 1000.001]])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, atol=1e-8)
    fine = hz_to_mel(np.arange(0.0, 24000.0, 1.0))
    assert (np.diff(fine) > 0).all() and np.diff(fine).max() < 0.0151


def test_filters_have_the_values_worked_out_by_hand() -> None:
    """Four bands up to 1 kHz: corners every 200 Hz, bins every 10 Hz, peaks of 2 / 400 Hz."""
    small = Geometry(
        sample_rate=2000, n_fft=200, hop=50, mel_bands=4, fmin=0.0, fmax=1000.0, fold=1, factor=1
    )
    filters = mel_filters(small)
    assert filters.shape == (4, 101) and filters.dtype == np.float32
    np.testing.assert_allclose(mel_centres(small), [200.0, 400.0, 600.0, 800.0])
    for band in range(4):
        row = np.zeros(101)
        start = 20 * band
        row[start : start + 41] = 0.005 * (1.0 - np.abs(np.arange(-20, 21)) / 20.0)
        np.testing.assert_allclose(filters[band], row, atol=1e-8)


def test_every_wide_band_has_the_area_of_one() -> None:
    filters = mel_filters(HOUSE)
    assert filters.shape == (HOUSE.mel_bands, HOUSE.n_fft // 2 + 1)
    width = (filters > 0).sum(axis=1)
    area = filters.sum(axis=1) * HOUSE.sample_rate / HOUSE.n_fft
    assert (width >= 20).sum() > 30
    np.testing.assert_allclose(area[width >= 20], 1.0, atol=0.02)


def test_no_band_of_the_house_is_empty() -> None:
    assert (mel_filters(HOUSE).max(axis=1) > 0).all()


def test_folding_has_an_inverse() -> None:
    mel = torch.randn(2, HOUSE.mel_bands, 12) * 3.0 - 6.0
    image = fold(mel, HOUSE)
    assert image.shape == (2, 2, 12, 64)
    torch.testing.assert_close(unfold(image, HOUSE), mel)


def test_neighbouring_bands_become_channels() -> None:
    mel = torch.full((1, HOUSE.mel_bands, 3), HOUSE.mel_mean)
    mel[0, 41, 1] += HOUSE.mel_scale
    image = fold(mel, HOUSE)
    assert image[0, 1, 1, 20] == 1.0 and image.abs().sum() == 1.0


@pytest.mark.parametrize("samples", [1, 479, 480, 481, 1500, 24000, 24001])
def test_there_is_a_frame_for_every_started_hop(samples: int) -> None:
    mel = log_mel(torch.randn(2, samples), HOUSE)
    assert mel.shape == (2, HOUSE.mel_bands, -(-samples // HOUSE.hop))
    assert mel.isfinite().all()


def test_frames_are_centred_half_a_hop_in() -> None:
    samples = torch.zeros(1, 24000)
    samples[0, 20 * HOUSE.hop + HOUSE.hop // 2] = 1.0
    energy = stft_magnitude(samples, HOUSE)[0].square().sum(0)
    assert energy.argmax() == 20
    torch.testing.assert_close(energy[19], energy[21])


@pytest.mark.parametrize("frequency", [60.0, 250.0, 1000.0, 3150.0, 9000.0, 18000.0])
def test_a_tone_lands_in_its_band(frequency: float) -> None:
    mel = log_mel(tone(frequency), HOUSE)[0, :, 10:-10].mean(1)
    place = np.interp(frequency, mel_centres(HOUSE), np.arange(HOUSE.mel_bands))
    assert abs(int(mel.argmax()) - place) <= 1.0


def test_level_moves_the_mel_and_silence_is_the_floor() -> None:
    loud, soft = log_mel(tone(1000.0), HOUSE), log_mel(tone(1000.0, peak=0.25), HOUSE)
    heard = soft > math.log(HOUSE.mel_floor) + 1.0
    assert heard.any()
    torch.testing.assert_close(
        (loud - soft)[heard], torch.full_like(loud[heard], math.log(2.0)), atol=1e-3, rtol=0
    )
    assert (log_mel(torch.zeros(1, 4800), HOUSE) == torch.tensor(HOUSE.mel_floor).log()).all()


def test_a_geometry_that_cannot_be_folded_is_refused() -> None:
    with pytest.raises(ValueError, match="100 mel bands"):
        Geometry(mel_bands=100)


def test_latent_frames_cover_the_sound() -> None:
    assert [HOUSE.latent_frames(n) for n in (0, 1, 1920, 1921, 48000)] == [1, 1, 1, 2, 25]
    assert (HOUSE.latent_bins, HOUSE.frames_per_second) == (16, 100.0)
