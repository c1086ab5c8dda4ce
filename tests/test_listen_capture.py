"""Retro capture: the near-silence around what was heard goes, the sound stays."""

from __future__ import annotations

import numpy as np
import pytest
import rooms

from vocaldm_live.errors import SoundError
from vocaldm_live.listen.capture import trim
from vocaldm_live.listen.gate import Gate
from vocaldm_live.sound.audio import Sound

RATE = rooms.RATE


def scene(at: float, length: float, total: float = 6.0) -> np.ndarray:
    """A hiss that sweeps in level, in a room with noise."""
    samples = 0.001 * rooms.noise("pink", total, 1)
    burst = 0.2 * rooms.noise("white", length, 2)
    burst *= 0.5 + 0.5 * np.sin(np.linspace(0, 12, len(burst)))
    samples[int(at * RATE) : int(at * RATE) + len(burst)] += burst
    return samples.astype(np.float32)


def test_the_silence_around_a_sound_is_cut() -> None:
    begin, end = trim(scene(2.0, 1.5), RATE)
    assert 1.85 <= begin / RATE <= 2.0
    assert 3.5 <= end / RATE <= 3.75


def test_a_sound_that_fills_the_whole_capture_stays_whole_where_the_room_is_known() -> None:
    samples = scene(2.0, 3.0)
    gate = Gate(RATE)
    gate.feed(0, samples[: 2 * RATE])
    begin, end = trim(samples[int(2.2 * RATE) : int(4.8 * RATE)], RATE, gate.floor)
    assert (begin, end) == (0, int(4.8 * RATE) - int(2.2 * RATE))


def test_a_pause_inside_is_kept() -> None:
    begin, end = trim(scene(1.0, 0.5) + scene(4.0, 0.5), RATE)
    assert begin / RATE <= 1.0 and end / RATE >= 4.5


@pytest.mark.parametrize("samples", [np.zeros(3 * RATE), 0.01 * rooms.noise("white", 3), np.zeros(10)])
def test_nothing_heard_is_said(samples: np.ndarray) -> None:
    with pytest.raises(SoundError, match="heard"):
        trim(samples.astype(np.float32), RATE)


def test_a_key_press_at_the_end_is_not_taken_along() -> None:
    samples = scene(1.0, 1.0)
    samples[int(5.5 * RATE) : int(5.5 * RATE) + 100] += 0.3
    _, end = trim(samples, RATE)
    assert Sound(samples[:end], RATE).seconds < 2.3
