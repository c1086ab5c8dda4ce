"""The house preset's vocoder beside Griffin-Lim, by the figures that its training is judged by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.library import read_library
from training.vocoding import again, judge, noises
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.measure.spectra import frame_rate_tone_db, log_magnitude_variance
from vocaldm_live.model.vocoder import Vocoder, griffin_lim
from vocaldm_live.sound.geometry import HOUSE


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    found = load_modules(read_preset(resolve_preset("house"))).vocoder
    assert found is not None
    return found


def render(vocoder: Vocoder, samples: np.ndarray) -> np.ndarray:
    return again(lambda mel, seed: vocoder(mel, torch.Generator().manual_seed(seed)), samples, 3)


def test_noise_stays_noise(vocoder: Vocoder) -> None:
    for samples in noises(2.5):
        ratio = log_magnitude_variance(render(vocoder, samples), 48000) / log_magnitude_variance(
            samples, 48000
        )
        assert 0.75 < ratio < 1.25


def test_silence_stays_silent(vocoder: Vocoder) -> None:
    assert np.abs(render(vocoder, np.zeros(48000, dtype=np.float32))).max() < 10.0 ** (-70.0 / 20.0)


def test_no_tone_stands_at_the_frame_rate(vocoder: Vocoder) -> None:
    noise = noises(4.0)[0]
    assert frame_rate_tone_db(render(vocoder, noise), 48000, HOUSE.hop) < 3.0


def test_a_steady_tone_keeps_its_frequency(vocoder: Vocoder) -> None:
    times = np.arange(96000) / 48000.0
    made = render(vocoder, (0.3 * np.sin(2 * np.pi * 447.0 * times)).astype(np.float32))
    spectrum = np.abs(np.fft.rfft(made[24000:72000] * np.hanning(48000)))
    assert abs(float(np.argmax(spectrum)) - 447.0) <= 2.0


@pytest.mark.slow
def test_it_is_closer_than_griffin_lim_on_held_out_sounds(vocoder: Vocoder, test_data: Path) -> None:
    kept = [sound.samples[:96000] for sound in read_library(test_data / "sounds")[0] if sound.held_out][::3]
    assert len(kept) >= 10
    ours = judge(lambda mel, seed: vocoder(mel, torch.Generator().manual_seed(seed)), kept)
    theirs = judge(
        lambda mel, seed: griffin_lim(mel, HOUSE, 32, generator=torch.Generator().manual_seed(seed)), kept
    )
    assert ours["stft_distance"] < 0.88 * theirs["stft_distance"]
