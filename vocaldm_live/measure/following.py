"""Following: how well a clip moves with an imitation, curve by curve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vocaldm_live.measure.onsets import onset_f1, onset_times
from vocaldm_live.measure.spectra import Array, mono
from vocaldm_live.measure.yin import PitchTrack, track_pitch
from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, Sketch, measure_sketch

LOUDNESS_RANGE_DB = 50.0  # below each sound's own peak; what is quieter counts as this quiet
CENTROID_RANGE_DB = 40.0  # frames quieter than this below the peak have no centroid worth following
FEWEST_FRAMES = 5  # a correlation over fewer frames says nothing
STILL_LOUDNESS_DB = 0.2  # a curve whose standard deviation is below this stands still
STILL_CENTROID_NOTES = 0.1
PITCH_CENTS = 50.0
ONSET_SECONDS = 0.05
FARTHEST_LAG = 25  # frames of 10 ms
SILENT_PEAK = 1e-4  # -80 dBFS
RESAMPLES = 2000  # of the bootstrap

MEASURES = (
    "loudness_r",
    "loudness_db",
    "centroid_r",
    "pitch_within_50_cents",
    "pitch_within_50_cents_folded",
    "voicing_f1",
    "onset_f1",
    "onset_lag_ms",
)


@dataclass(frozen=True)
class Following:
    """How one clip follows one imitation; None where a figure has no meaning, and then a note says why."""

    loudness_r: float | None  # Pearson r of the loudness curves, each clamped 50 dB below its peak
    loudness_db: float | None  # mean |difference| in dB after a gain match by median
    centroid_r: float | None  # Pearson r of the centroid curves (note numbers) on frames loud in both
    pitch_within_50_cents: float | None  # of the frames voiced in both, in the same octave
    pitch_within_50_cents_folded: float | None  # the same in any octave
    voicing_f1: float | None  # of voiced frames, the imitation's being the truth
    onset_f1: float | None  # onsets within 50 ms, matched one to one
    onset_lag_ms: float | None  # + when the clip is later
    frames: int  # 10 ms frames compared
    loud_frames: int  # frames the centroid was compared on
    voiced_frames: int  # frames voiced in both
    notes: tuple[str, ...] = ()
    stood_still: tuple[str, ...] = ()  # correlations missing because the clip alone did not move


def _pearson(first: Array, second: Array) -> float:
    a, b = first - first.mean(), second - second.mean()
    return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))


def _correlation(
    first: Array, second: Array, still: float, curve: str, unit: str
) -> tuple[float | None, str, bool]:
    """Pearson r, or None with the reason and whether the second curve alone stood still."""
    if len(first) < FEWEST_FRAMES:
        return None, f"{curve}: only {len(first)} frames to compare, {FEWEST_FRAMES} needed.", False
    spread = float(np.std(first)), float(np.std(second))
    if min(spread) < still:
        who = [name for name, value in zip(("imitation", "clip"), spread, strict=True) if value < still]
        verb = "stand" if len(who) == 2 else "stands"
        note = f"{curve}: {' and '.join(who)} {verb} still (under {still:g} {unit}), so r is undefined."
        return None, note, who == ["clip"]
    return _pearson(first, second), "", False


def _clamped(loudness: Array) -> Array:
    return np.maximum(loudness, loudness.max() - LOUDNESS_RANGE_DB)


def onset_lag(imitation: ArrayLike, clip: ArrayLike) -> float | None:
    """How many ms later the clip's loudness rises than the imitation's: two loudness curves [frames], dB.

    The best lag within 250 ms of the cross-correlation of the rises (positive slopes of the clamped
    curves, silence taken to lie before the start), refined between frames by a parabola. None when one is
    silent or they never rise within 250 ms of each other.
    """

    def rises(loudness: ArrayLike) -> Array:
        level = np.asarray(loudness, dtype=np.float64)
        if level.max() <= LOUDNESS_FLOOR:
            return np.zeros(level.size + 2 * FARTHEST_LAG + 4)
        level = _clamped(level)
        before = np.concatenate([[level.max() - LOUDNESS_RANGE_DB], level])
        slope = np.maximum(np.diff(before), 0)
        return np.convolve(np.pad(slope, FARTHEST_LAG + 2), [0.25, 0.5, 0.25], mode="same")

    frames = min(len(np.asarray(imitation)), len(np.asarray(clip)))
    first, second = rises(np.asarray(imitation)[:frames]), rises(np.asarray(clip)[:frames])
    lags = np.arange(-FARTHEST_LAG - 1, FARTHEST_LAG + 2)
    score = np.array([np.dot(first, np.roll(second, -lag)) for lag in lags])
    # A hair's preference for the smaller lag decides between equals, as in a regular rattle.
    best = int(np.argmax(score[1:-1] * (1 - 1e-3 * np.abs(lags[1:-1])))) + 1
    if score[best] <= 0:
        return None
    left, middle, right = score[best - 1 : best + 2]
    curve = left - 2 * middle + right
    shift = float(np.clip(0.5 * (left - right) / curve, -0.5, 0.5)) if curve < 0 else 0.0
    return 10.0 * (float(lags[best]) + shift)


def _pitch_figures(
    imitation: PitchTrack, clip: PitchTrack
) -> tuple[float | None, float | None, float | None, int, list[str]]:
    frames = min(len(imitation.frequency), len(clip.frequency))
    first = imitation.frequency[:frames].astype(np.float64)
    second = clip.frequency[:frames].astype(np.float64)
    both = (first > 0) & (second > 0)
    voiced = int((first > 0).sum() + (second > 0).sum())
    if voiced == 0:
        return None, None, None, 0, ["pitch: neither sound is voiced."]
    f1 = 2 * int(both.sum()) / voiced
    if not both.any():
        which = "no frame is voiced in both"
        if not (first > 0).any():
            which = "the imitation is never voiced"
        elif not (second > 0).any():
            which = "the clip is never voiced"
        return None, None, f1, 0, [f"pitch: {which}."]
    cents = 1200 * np.log2(second[both] / first[both])
    folded = np.mod(cents + 600, 1200) - 600
    exact = float(np.mean(np.abs(cents) <= PITCH_CENTS))
    return exact, float(np.mean(np.abs(folded) <= PITCH_CENTS)), f1, int(both.sum()), []


def _at_full_scale(samples: Array) -> Array:
    peak = float(np.abs(samples).max())
    return samples / peak if peak > SILENT_PEAK else np.zeros_like(samples)


def _cut(sketch: Sketch, frames: int) -> tuple[Array, Array]:
    return sketch.loudness[:frames].astype(np.float64), sketch.centroid[:frames].astype(np.float64)


def measure_following(imitation: ArrayLike, clip: ArrayLike, sample_rate: int) -> Following:
    """Measure how a clip follows an imitation over their common length: two sounds [samples] -> Following.

    Loudness and centroid are those of `measure_sketch`; pitch comes from a tracker that had no part in the
    sketch. Both are first brought to full scale, so that a quiet one does not sink into the sketch's floor
    of -80 dB; a peak below -80 dBFS counts as silence. Copying the imitation scores best on all of it:
    read it beside a measure of being another sound.
    Raises SoundError on an empty sound, several channels, NaN samples.
    """
    one, two = mono(imitation, "imitation"), mono(clip, "clip")
    length = min(one.size, two.size)
    one, two = one[:length], two[:length]
    one, two = _at_full_scale(one), _at_full_scale(two)
    sketches = [measure_sketch(sound.astype(np.float32), sample_rate) for sound in (one, two)]
    frames = min(len(sketch.loudness) for sketch in sketches)
    (loud_one, centroid_one), (loud_two, centroid_two) = (_cut(sketch, frames) for sketch in sketches)
    notes: list[str] = []
    stood: list[str] = []

    level_one, level_two = _clamped(loud_one), _clamped(loud_two)
    loudness_r, note, still = _correlation(level_one, level_two, STILL_LOUDNESS_DB, "loudness", "dB")
    notes += [note] if note else []
    stood += ["loudness_r"] if still else []
    audible = loud_one > loud_one.max() - LOUDNESS_RANGE_DB
    silent = [
        name for name, curve in (("imitation", loud_one), ("clip", loud_two)) if curve.max() <= LOUDNESS_FLOOR
    ]
    loudness_db = None
    if not silent:
        difference = (level_two - level_one)[audible]
        loudness_db = float(np.mean(np.abs(difference - np.median(difference))))
    else:
        notes.append(f"loudness: no gain matches where {' and '.join(silent)} lie in silence.")

    loud = (loud_one > loud_one.max() - CENTROID_RANGE_DB) & (loud_two > loud_two.max() - CENTROID_RANGE_DB)
    centroid_r, note, still = _correlation(
        centroid_one[loud], centroid_two[loud], STILL_CENTROID_NOTES, "centroid", "semitones"
    )
    notes += [note] if note else []
    stood += ["centroid_r"] if still else []

    exact, folded, voicing, voiced_frames, why = _pitch_figures(
        track_pitch(one, sample_rate), track_pitch(two, sample_rate)
    )
    notes += why
    onsets = onset_f1(onset_times(one, sample_rate), onset_times(two, sample_rate), ONSET_SECONDS)
    if onsets is None:
        notes.append("onsets: neither sound has one.")
    lag = onset_lag(loud_one, loud_two)
    if lag is None:
        notes.append("onset lag: the two never rise within 250 ms of each other, or one is silent.")
    return Following(
        loudness_r=loudness_r,
        loudness_db=loudness_db,
        centroid_r=centroid_r,
        pitch_within_50_cents=exact,
        pitch_within_50_cents_folded=folded,
        voicing_f1=voicing,
        onset_f1=onsets,
        onset_lag_ms=lag,
        frames=frames,
        loud_frames=int(loud.sum()),
        voiced_frames=voiced_frames,
        notes=tuple(notes),
        stood_still=tuple(stood),
    )


def median_interval(
    values: Sequence[float] | NDArray[np.float64], seed: int = 0
) -> tuple[float, float, float]:
    """Median and its bootstrap 95 % interval: median, low, high.

    Percentiles of the medians of 2000 resamples drawn with a fixed seed. Raises ValueError on no values.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("median_interval needs at least one value.")
    drawn = np.random.default_rng(seed).integers(0, array.size, (RESAMPLES, array.size))
    low, high = np.percentile(np.median(array[drawn], axis=1), [2.5, 97.5])
    return float(np.median(array)), float(low), float(high)


def summarise(followings: Sequence[Following]) -> dict[str, object]:
    """Medians over clips with bootstrap 95 % intervals, as plain numbers ready for JSON or YAML.

    {"clips": n, measure: {"median", "low", "high", "count", "missing"}, ...}; "missing" counts the clips
    without a figure, median and limits are None where no clip has one. A clip that stands still while the
    imitation moves follows nothing: its correlation counts as 0. "onset_lag_ms_size" is that of |lag|.
    The pitch measures also hold "pooled": the fraction over the voiced frames of all clips together.
    """
    result: dict[str, object] = {"clips": len(followings)}
    columns: dict[str, list[float | None]] = {
        name: [0.0 if name in each.stood_still else getattr(each, name) for each in followings]
        for name in MEASURES
    }
    columns["onset_lag_ms_size"] = [None if lag is None else abs(lag) for lag in columns["onset_lag_ms"]]
    for name, column in columns.items():
        present = [value for value in column if value is not None]
        entry: dict[str, float | int | None] = {"median": None, "low": None, "high": None}
        if present:
            entry["median"], entry["low"], entry["high"] = median_interval(present)
        entry["count"], entry["missing"] = len(present), len(column) - len(present)
        if name.startswith("pitch"):
            weights = [each.voiced_frames for each in followings]
            total = sum(weights)
            hits = sum(w * v for w, v in zip(weights, column, strict=True) if v is not None)
            entry["pooled"] = hits / total if total else None
        result[name] = entry
    return result
