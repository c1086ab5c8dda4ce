"""Pitch: the fundamental and its salience, by the tracker that makes the sketch (swift-f0)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from vocaldm_live.sound.audio import resample

TRACKER_RATE = 16000
TRACKER_PEAK = 0.5
LOWEST_HZ = 50.0
HIGHEST_HZ = 2000.0
VOICED_SALIENCE = 0.5


@lru_cache(maxsize=1)
def _detector() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)


def track_pitch(samples: np.ndarray, sample_rate: int, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch in Hz (0 unvoiced) and salience 0..1 at `times` in seconds, both float32 `[len(times)]`.

    The sound is brought to 16 kHz and to a fixed peak first: the tracker needs more than -35 dBFS.
    """
    slow = resample(samples, sample_rate, TRACKER_RATE)
    peak = float(np.abs(slow).max()) if len(slow) else 0.0
    if peak < 1e-5:
        return np.zeros(len(times), np.float32), np.zeros(len(times), np.float32)
    slow = np.pad(slow * (TRACKER_PEAK / peak), (0, max(0, 4096 - len(slow))))
    found = _detector().detect(slow, TRACKER_RATE, LOWEST_HZ, HIGHEST_HZ)
    stamps = np.asarray(found.timestamps, dtype=np.float64)
    confidence = np.clip(np.asarray(found.confidence, dtype=np.float64), 0.0, 1.0)
    voiced = confidence >= VOICED_SALIENCE
    if not voiced.any():
        return np.zeros(len(times), np.float32), np.zeros(len(times), np.float32)
    notes = np.interp(times, stamps[voiced], np.log2(np.asarray(found.pitch_hz, dtype=np.float64)[voiced]))
    nearest = _nearest(stamps, times)
    on = voiced[nearest]
    pitch = np.where(on, 2.0**notes, 0.0)
    salience = np.where(on, confidence[nearest], 0.0)
    return pitch.astype(np.float32), salience.astype(np.float32)


def _nearest(stamps: np.ndarray, times: np.ndarray) -> np.ndarray:
    if len(stamps) < 2:
        return np.zeros(len(times), dtype=np.int64)
    right = np.clip(np.searchsorted(stamps, times), 1, len(stamps) - 1)
    return np.where(times - stamps[right - 1] < stamps[right] - times, right - 1, right)
