"""Spectral measures: known values for noise, buzz found where it was added."""

from __future__ import annotations

import numpy as np
import pytest

from vocaldm_live.errors import SoundError
from vocaldm_live.measure.spectra import (
    RAYLEIGH_LOG_VARIANCE,
    frame_rate_tone_db,
    frame_rate_tones,
    log_magnitude_variance,
    mel_distance,
    multi_resolution_stft_distance,
    stft_magnitude,
    triangular_bands,
)

RATE = 48000


def noise(seconds: float = 3.0, seed: int = 0) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))


def test_distance_is_zero_for_a_copy_and_grows_with_what_is_added() -> None:
    sound = noise(1.0) * np.linspace(0, 1, RATE)
    distances = [multi_resolution_stft_distance(sound, sound + g * noise(1.0, 1)) for g in (0, 0.01, 0.1, 1)]
    assert distances[0] == 0
    assert all(a < b for a, b in zip(distances, distances[1:], strict=False))


def test_distance_of_a_halved_sound_is_known() -> None:
    """Convergence 1/2 and a log difference of ln 2 in every bin."""
    sound = noise(1.0)
    assert multi_resolution_stft_distance(sound, sound / 2) == pytest.approx(0.5 + np.log(2), abs=0.01)


def test_distance_to_and_from_silence_is_finite_and_lengths_may_differ() -> None:
    sound = noise(0.5)
    assert multi_resolution_stft_distance(sound, np.zeros_like(sound)) > 5
    assert np.isfinite(multi_resolution_stft_distance(np.zeros_like(sound), sound))
    assert multi_resolution_stft_distance(sound, np.append(sound, np.ones(999))) == 0


@pytest.mark.parametrize("colour", ["white", "brown", "band", "swelling"])
def test_gaussian_noise_of_any_colour_has_the_rayleigh_variance(colour: str) -> None:
    sound = noise()
    if colour == "brown":
        sound = np.cumsum(sound) - np.mean(np.cumsum(sound))
    elif colour == "band":
        sound = np.convolve(sound, np.sin(0.3 * np.arange(60)) * np.hanning(60), "same")
    elif colour == "swelling":
        sound = sound * np.linspace(0.2, 1, sound.size)
    assert log_magnitude_variance(sound) == pytest.approx(RAYLEIGH_LOG_VARIANCE, rel=0.06)


def test_haze_has_less_variance_and_crackle_more() -> None:
    """Haze: noise whose STFT magnitudes were averaged over time, with the noise's own phases."""
    sound, size, hop = noise(), 1024, 256
    starts = np.arange(0, sound.size - size, hop)
    window = np.hanning(size)
    spectra = np.array([np.fft.rfft(sound[s : s + size] * window) for s in starts])
    flat = np.sqrt((np.abs(spectra) ** 2).mean(axis=0)) * np.exp(1j * np.angle(spectra))
    haze = np.zeros_like(sound)
    for start, spectrum in zip(starts, flat, strict=True):
        haze[start : start + size] += np.fft.irfft(spectrum) * window
    crackle = sound * (np.random.default_rng(5).random(sound.size) < 0.0005)
    assert log_magnitude_variance(haze) < 0.75 * RAYLEIGH_LOG_VARIANCE
    assert log_magnitude_variance(crackle) > 1.25 * RAYLEIGH_LOG_VARIANCE


def test_texture_of_silence_or_of_too_little_is_refused() -> None:
    with pytest.raises(SoundError, match="silent"):
        log_magnitude_variance(np.zeros(RATE))
    with pytest.raises(SoundError, match="at least"):
        log_magnitude_variance(noise(0.01))


def test_a_comb_at_the_frame_rate_is_found_and_one_elsewhere_is_not() -> None:
    clean = noise()
    comb, elsewhere = np.zeros_like(clean), np.zeros_like(clean)
    comb[::480] = 1.0
    elsewhere[::431] = 1.0
    assert abs(frame_rate_tone_db(clean, RATE, 480)) < 1.5
    assert frame_rate_tone_db(clean + comb, RATE, 480) > 5
    assert frame_rate_tone_db(clean + elsewhere, RATE, 480) < 1.5
    louder = [frame_rate_tone_db(clean + g * comb, RATE, 480) for g in (0.3, 1, 3)]
    assert louder[0] < louder[1] < louder[2]


def test_a_single_tone_on_the_comb_is_found_at_its_multiple() -> None:
    tone = 0.02 * np.sin(2 * np.pi * 500 * np.arange(3 * RATE) / RATE)
    assert frame_rate_tone_db(noise() + tone, RATE, 480) > 2.5
    tones = frame_rate_tones(noise() + tone, RATE, 480)
    assert len(tones) == 120 and int(np.argmax(tones)) == 4 and tones[4] > 10


def test_other_pitches_and_silence_are_no_buzz() -> None:
    time = np.arange(3 * RATE) / RATE
    voice = sum(np.sin(2 * np.pi * 137 * k * time) / k for k in range(1, 60))
    assert frame_rate_tone_db(0.1 * voice, RATE, 480) < 1
    assert frame_rate_tone_db(np.zeros(RATE), RATE, 480) == 0
    with pytest.raises(SoundError, match="at least"):
        frame_rate_tone_db(noise(0.1), RATE, 480)


def test_mel_distance() -> None:
    mel = np.random.default_rng(0).normal(size=(128, 50))
    assert mel_distance(mel, mel[:, :30]) == 0
    assert mel_distance(mel, mel + 0.7) == pytest.approx(0.7)
    with pytest.raises(SoundError, match="bands"):
        mel_distance(mel, mel[:64])


def test_stft_frames_lie_where_they_are_said_to() -> None:
    click = np.zeros(4800)
    click[2400] = 1
    assert int(np.argmax(stft_magnitude(click, 512, 480).sum(axis=1))) == 5
    assert stft_magnitude(click, 512, 480).shape == (10, 257)


def test_bands_keep_a_flat_spectrum_flat_even_when_narrower_than_a_bin() -> None:
    bands = triangular_bands(np.geomspace(40, 20000, 242), 2048, RATE)
    assert bands.shape == (1025, 240)
    np.testing.assert_allclose(np.ones(1025) @ bands, 1)
