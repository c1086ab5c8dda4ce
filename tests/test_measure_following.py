"""Following: made gestures, whose figures are known beforehand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from vocaldm_live.errors import SoundError
from vocaldm_live.measure.following import (
    Following,
    measure_following,
    median_interval,
    onset_lag,
    summarise,
)

RATE = 48000
SECONDS = 2.0


def gesture(
    seed: int = 0, gain_db: float = 0.0, delay: float = 0.0, octaves: float = 0.0, noise: bool = False
) -> np.ndarray:
    """Three events that die away, with a gliding pitch (or as noise with the same envelope)."""
    time = np.arange(int(SECONDS * RATE)) / RATE - delay
    level = np.zeros(time.size)
    for start, decay, height in ((0.3, 0.05, 1.0), (0.9, 0.12, 0.5), (1.5, 0.08, 0.8)):
        since = np.maximum(time - start, 0)
        level += height * (1 - np.exp(-since / 0.01)) * np.exp(-since / decay)
    pitch = 220 * 2 ** (0.5 * np.sin(2 * np.pi * 0.7 * time) + octaves)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    if noise:
        source = np.random.default_rng(seed).standard_normal(time.size)
    else:
        source = np.sum([np.sin(k * phase) / k for k in range(1, 9)], axis=0)
    return 0.2 * 10 ** (gain_db / 20) * level * source


def test_a_copy_follows_perfectly_at_any_gain() -> None:
    result = measure_following(gesture(), gesture(gain_db=-17), RATE)
    assert result.loudness_r is not None and result.loudness_r > 0.999
    assert result.loudness_db is not None and result.loudness_db < 0.1
    assert result.centroid_r is not None and result.centroid_r > 0.99
    assert result.pitch_within_50_cents == 1.0
    assert result.voicing_f1 is not None and result.voicing_f1 > 0.99
    assert result.onset_f1 == 1.0
    assert result.onset_lag_ms == pytest.approx(0, abs=0.5)
    assert result.frames == 200 and 50 < result.loud_frames < 200 and result.voiced_frames > 50
    assert result.notes == ()


@pytest.mark.parametrize("delay", [-0.1, -0.03, 0.02, 0.06, 0.2])
def test_the_lag_is_the_delay_and_positive_when_the_clip_is_later(delay: float) -> None:
    result = measure_following(gesture(), gesture(delay=delay, noise=True), RATE)
    assert result.onset_lag_ms == pytest.approx(1000 * delay, abs=8)


def test_noise_with_the_same_envelope_follows_in_loudness_but_not_in_voicing() -> None:
    result = measure_following(gesture(), gesture(noise=True), RATE)
    assert result.loudness_r is not None and result.loudness_r > 0.9
    assert result.loudness_db is not None and result.loudness_db < 5
    assert result.voicing_f1 == 0
    assert result.pitch_within_50_cents is None
    assert any("clip is never voiced" in note for note in result.notes)


def test_another_gesture_does_not_follow() -> None:
    rng = np.random.default_rng(1)
    time = np.arange(int(SECONDS * RATE)) / RATE
    other = 0.2 * np.exp(-0.5 * ((time - 1.2) / 0.1) ** 2) * rng.standard_normal(time.size)
    result = measure_following(gesture(), other, RATE)
    assert result.loudness_r is not None and result.loudness_r < 0.4
    assert result.onset_f1 is not None and result.onset_f1 < 0.7


def test_an_octave_below_counts_only_when_folded() -> None:
    result = measure_following(gesture(), gesture(octaves=-1), RATE)
    assert result.pitch_within_50_cents == 0
    assert result.pitch_within_50_cents_folded is not None and result.pitch_within_50_cents_folded > 0.95


@pytest.mark.parametrize(("cents", "expected"), [(35, 1.0), (70, 0.0)])
def test_pitch_tolerance_is_fifty_cents(cents: float, expected: float) -> None:
    result = measure_following(gesture(), gesture(octaves=cents / 1200), RATE)
    assert result.pitch_within_50_cents == pytest.approx(expected, abs=0.03)


def test_brightness_moving_the_other_way_has_negative_r() -> None:
    time = np.arange(RATE) / RATE
    up, down = (np.sin(2 * np.pi * np.cumsum(f) / RATE) * 0.2 for f in (500 * 8**time, 4000 / 8**time))
    same, opposite = measure_following(up, up * 0.3, RATE), measure_following(up, down, RATE)
    assert same.centroid_r is not None and same.centroid_r > 0.99
    assert opposite.centroid_r is not None and opposite.centroid_r < -0.9


def test_silence_between_sounds_does_not_earn_centroid_r() -> None:
    """Same gaps, unrelated brightness: without a mask the held and falling values would correlate."""
    rng = np.random.default_rng(3)
    time = np.arange(2 * RATE) / RATE
    gate = np.repeat([1, 0, 1, 0, 1, 0, 1, 0], RATE // 4)
    one = gate * np.sin(2 * np.pi * 1000 * time * (1 + 0.2 * np.sin(9 * time))) * 0.2
    other = gate * rng.standard_normal(time.size) * 0.2
    result = measure_following(one, other, RATE)
    assert result.loud_frames < 120
    assert result.centroid_r is None or abs(result.centroid_r) < 0.5


def test_a_clip_that_stands_still_is_explained_and_counts_as_zero() -> None:
    tone = 0.2 * np.sin(2 * np.pi * 1000 * np.arange(int(SECONDS * RATE)) / RATE)
    steady = measure_following(gesture(), tone, RATE)
    assert steady.centroid_r is None and "centroid_r" in steady.stood_still
    silent = measure_following(gesture(), np.zeros(int(SECONDS * RATE)), RATE)
    assert silent.loudness_r is None and silent.loudness_db is None and silent.onset_lag_ms is None
    assert "loudness_r" in silent.stood_still
    assert any("clip stands still" in note for note in silent.notes)
    summary = summarise([silent, silent])
    assert summary["loudness_r"]["median"] == 0.0  # type: ignore[index]
    assert summary["loudness_db"]["median"] is None and summary["loudness_db"]["missing"] == 2  # type: ignore[index]


def test_a_still_imitation_is_no_fault_of_the_clip() -> None:
    result = measure_following(np.zeros(RATE), gesture()[:RATE], RATE)
    assert result.loudness_r is None and result.stood_still == ()
    assert any("imitation stands still" in note for note in result.notes)


def test_two_frames_are_too_few_and_say_so() -> None:
    result = measure_following(gesture()[:900], gesture()[:900], RATE)
    assert result.loudness_r is None
    assert any("only 2 frames" in note for note in result.notes)


def test_different_lengths_are_compared_over_the_common_part() -> None:
    whole = gesture()
    result = measure_following(whole, whole[: int(1.2 * RATE)], RATE)
    assert result.frames == 120 and result.loudness_r == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((2, 100)), np.array([0.0, np.nan])])
def test_unusable_sounds_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(SoundError):
        measure_following(gesture(), bad, RATE)


def test_lag_of_curves_without_any_rise_in_common() -> None:
    one, two = np.full(200, -80.0), np.full(200, -80.0)
    one[5:], two[150:] = -20.0, -20.0
    assert onset_lag(one, two) is None


def _made(value: float | None, lag: float, voiced: int = 10) -> Following:
    return Following(0.9, 1.0, 0.5, value, value, 0.8, 1.0, lag, 100, 90, voiced)


def test_summary_counts_pools_and_survives_json() -> None:
    summary = summarise([_made(1.0, -40, 90), _made(0.0, 40, 10), _made(None, 10, 0)])
    read = json.loads(json.dumps(summary))
    assert read["clips"] == 3
    assert read["pitch_within_50_cents"]["count"] == 2 and read["pitch_within_50_cents"]["missing"] == 1
    assert read["pitch_within_50_cents"]["median"] == 0.5
    assert read["pitch_within_50_cents"]["pooled"] == pytest.approx(0.9)
    assert read["onset_lag_ms"]["median"] == 10 and read["onset_lag_ms_size"]["median"] == 40


def test_interval_holds_the_median_and_narrows_with_more_clips() -> None:
    rng = np.random.default_rng(0)
    few, many = rng.normal(5, 1, 10), rng.normal(5, 1, 1000)
    for values in (few, many):
        median, low, high = median_interval(values)
        assert low <= median <= high
    assert median_interval(many)[2] - median_interval(many)[1] < 0.3
    assert median_interval(few) == median_interval(few)
    assert median_interval(few)[2] - median_interval(few)[1] > 0.3
