"""Onsets: found where they were put, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocaldm_live.measure.onsets import match_onsets, onset_f1, onset_times

RATE = 48000
TIMES = [0.1, 0.4, 0.55, 0.9, 1.3, 1.8]


def bursts(sample_rate: int, times: list[float], seed: int = 0, decay: float = 0.02) -> np.ndarray:
    rng = np.random.default_rng(seed)
    samples = np.zeros(2 * sample_rate)
    for start in times:
        time = np.arange(int(0.08 * sample_rate)) / sample_rate
        first = int(start * sample_rate)
        samples[first : first + time.size] += 0.3 * np.exp(-time / decay) * rng.standard_normal(time.size)
    return samples


@pytest.mark.parametrize("sample_rate", [16000, 44100, 48000])
@pytest.mark.parametrize("gain", [1.0, 0.01])
def test_bursts_are_found_within_ten_milliseconds_at_any_level(sample_rate: int, gain: float) -> None:
    found = onset_times(gain * bursts(sample_rate, TIMES), sample_rate)
    assert len(found) == len(TIMES)
    assert np.abs(found - TIMES).max() <= 0.0101


def test_clicks_and_note_changes_are_found() -> None:
    clicks = np.zeros(2 * RATE)
    clicks[[int(t * RATE) for t in TIMES]] = 0.5
    assert onset_f1(TIMES, onset_times(clicks, RATE), 0.02) == 1.0
    time = np.arange(int(0.3 * RATE)) / RATE
    phases = [2 * np.pi * pitch * time for pitch in (220, 262, 330, 262)]
    notes = [np.exp(-time / 0.1) * sum(np.sin(k * p) / k for k in range(1, 12)) for p in phases]
    assert onset_f1([0.0, 0.3, 0.6, 0.9], onset_times(0.1 * np.concatenate(notes), RATE), 0.03) == 1.0


def test_steady_sounds_begin_once() -> None:
    time = np.arange(2 * RATE) / RATE
    phase = 2 * np.pi * 200 * time + 5 * np.sin(2 * np.pi * 6 * time)
    vibrato = sum(np.sin(k * phase) / k for k in range(1, 8))
    tremolo = (1 + 0.5 * np.sin(2 * np.pi * 3 * time)) * np.sin(2 * np.pi * 300 * time)
    noise = np.random.default_rng(0).standard_normal(time.size)
    for sound in (vibrato, tremolo, noise):
        assert (onset_times(0.1 * sound, RATE) <= 0.02).all()
        assert len(onset_times(0.1 * sound, RATE)) == 1


def test_silence_has_no_onsets_and_two_silences_no_f1() -> None:
    silent = onset_times(np.zeros(RATE), RATE)
    assert len(silent) == 0
    assert onset_f1(silent, silent) is None
    assert onset_f1(silent, [0.1]) == 0


def test_a_constant_lag_beyond_the_tolerance_loses_all() -> None:
    found = onset_times(bursts(RATE, TIMES), RATE)
    assert onset_f1(found, found + 0.03) == 1.0
    assert onset_f1([0.5, 1.0], [0.58, 1.08]) == 0.0


def test_one_onset_answers_for_one_only() -> None:
    assert onset_f1([1.0], [0.98, 1.0, 1.02]) == pytest.approx(0.5)
    # Greedy by nearest would pair 1.00 with 1.01 and leave both others alone.
    assert match_onsets([0.97, 1.00], [1.01, 1.05]) == [(0, 0), (1, 1)]


times = st.lists(st.integers(0, 200), max_size=12, unique=True).map(lambda t: [x / 100 for x in t])


@given(times, times)
def test_f1_is_symmetric_and_within_bounds(first: list[float], second: list[float]) -> None:
    one, other = onset_f1(first, second), onset_f1(second, first)
    assert one == other
    assert one is None or 0 <= one <= 1
    if first:
        assert onset_f1(first, first) == 1
