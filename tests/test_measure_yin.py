"""The second pitch tracker: tones, glides, missing fundamentals, noise."""

from __future__ import annotations

import numpy as np
import pytest

from vocaldm_live.errors import SoundError
from vocaldm_live.measure.yin import track_pitch


def stack(frequency: float, partials: range, sample_rate: int, seconds: float = 0.6) -> np.ndarray:
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    below = [k for k in partials if k * frequency < 0.45 * sample_rate]
    return 0.1 * np.sum([np.sin(2 * np.pi * k * frequency * time + k) / k for k in below], axis=0)


def cents(found: np.ndarray, true: float | np.ndarray) -> np.ndarray:
    return 1200 * np.log2(found / true)


@pytest.mark.parametrize("sample_rate", [16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("frequency", [60.0, 82.4, 220.0, 440.0, 987.0, 1480.0])
@pytest.mark.parametrize("partials", [range(1, 2), range(1, 40)])
def test_tones_within_twenty_cents(sample_rate: int, frequency: float, partials: range) -> None:
    track = track_pitch(stack(frequency, partials, sample_rate), sample_rate)
    assert len(track.frequency) == len(track.aperiodicity) == 60
    inside = track.frequency[3:-3]
    assert (inside > 0).all()
    assert np.abs(cents(inside, frequency)).max() < 20
    assert track.aperiodicity[3:-3].max() < 0.1


@pytest.mark.parametrize("partials", [range(1, 2), range(1, 12), range(4, 7)])
@pytest.mark.parametrize("octaves_a_second", [-1.5, 1.5])
def test_glides_are_followed_frame_by_frame(partials: range, octaves_a_second: float) -> None:
    rate = 48000
    time = np.arange(rate) / rate
    phase = 2 * np.pi * np.cumsum(220 * 2 ** (octaves_a_second * (time - 0.5))) / rate
    track = track_pitch(0.1 * sum(np.sin(k * phase) for k in partials), rate)
    true = 220 * 2 ** (octaves_a_second * ((np.arange(100) + 0.5) / 100 - 0.5))
    inside = slice(4, -4)
    assert (track.frequency[inside] > 0).all()
    assert np.abs(cents(track.frequency[inside], true[inside])).max() < 20


@pytest.mark.parametrize("frequency", [100.0, 200.0, 333.0])
@pytest.mark.parametrize("partials", [range(2, 5), range(4, 7), range(7, 10)])
def test_missing_fundamental_is_heard(frequency: float, partials: range) -> None:
    track = track_pitch(stack(frequency, partials, 48000), 48000)
    assert np.abs(cents(track.frequency[3:-3], frequency)).max() < 20


def test_noise_silence_and_pitches_above_the_range_are_unvoiced() -> None:
    rng = np.random.default_rng(0)
    rate = 48000
    white = 0.1 * rng.standard_normal(rate)
    for sound in (white, np.cumsum(white) * 0.01, np.zeros(rate), stack(2500, range(1, 2), rate)):
        assert not track_pitch(sound, rate).frequency.any()
    assert track_pitch(white, rate).aperiodicity.min() > 0.5
    assert (track_pitch(np.zeros(rate), rate).aperiodicity == 1).all()


def test_voice_between_pauses_is_voiced_only_there_even_over_hum_and_hiss() -> None:
    rate = 48000
    rng = np.random.default_rng(1)
    sound = np.zeros(rate)
    sound[rate // 4 : rate // 2] = stack(150, range(1, 20), rate, 0.25)
    sound += 0.002 * rng.standard_normal(rate) + 0.05 * np.sin(2 * np.pi * 20 * np.arange(rate) / rate)
    voiced = track_pitch(sound, rate).frequency > 0
    assert voiced[27:48].all() and not voiced[:23].any() and not voiced[53:].any()


def test_level_does_not_matter_down_to_whispers() -> None:
    sound = stack(180, range(1, 10), 48000)
    loud, quiet = track_pitch(sound, 48000), track_pitch(sound * 0.01, 48000)
    np.testing.assert_allclose(loud.frequency, quiet.frequency, rtol=1e-4)


def test_very_short_and_broken_sounds() -> None:
    assert len(track_pitch(np.zeros(1), 48000).frequency) == 1
    assert len(track_pitch(stack(200, range(1, 5), 48000, 0.02), 48000).frequency) == 2
    with pytest.raises(SoundError, match="no samples"):
        track_pitch(np.zeros(0), 48000)
    with pytest.raises(SoundError, match="NaN"):
        track_pitch(np.array([0.0, np.nan]), 48000)
