"""The synthetic voice: what a listener would recognise of the sound in its imitation."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from training.synthesis.imitate import Habits, find_onsets, fold_pitch, imitate, random_habits
from training.synthesis.room import Recording, fast_length, random_recording, record
from training.synthesis.voice import HELD_OUT_SPEAKERS, Speaker, curve_frames, is_reserved, random_speaker

RATE = 48000


@dataclass(frozen=True)
class Curves:
    """The fields of a sketch."""

    loudness: np.ndarray
    centroid: np.ndarray
    pitch: np.ndarray
    salience: np.ndarray


def curves(loudness=-20.0, centroid=90.0, pitch=0.0, salience=None, frames=200) -> Curves:
    """A sketch from numbers or arrays; salience follows the pitch."""
    full = [
        np.broadcast_to(np.asarray(value, np.float32), (frames,)).copy()
        for value in (loudness, centroid, pitch)
    ]
    sure = np.where(full[2] > 0, 0.9, 0.0) if salience is None else np.broadcast_to(salience, (frames,))
    return Curves(full[0], full[1], full[2], np.asarray(sure, np.float32))


def steady_speaker(index: int = 0) -> Speaker:
    return replace(HELD_OUT_SPEAKERS[index], jitter=0.002, vibrato_depth=0.0, roughness=0.0, shimmer=0.02)


def frame_levels(sound: np.ndarray) -> np.ndarray:
    """RMS [frames] in dB re the loudest 10 ms frame, not below -50."""
    power = np.square(sound[: len(sound) // 480 * 480].reshape(-1, 480)).mean(axis=1)
    levels = 10.0 * np.log10(power + 1e-12)
    return np.maximum(levels - levels.max(), -50.0)


def periodicity(sound: np.ndarray, at: float) -> tuple[float, float]:
    """Pitch as a MIDI note and the height of its autocorrelation peak, from 60 ms around `at` seconds."""
    start = int(at * RATE)
    piece = sound[start : start + 2880].astype(np.float64)
    piece = piece - piece.mean()
    size = 8192
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), size)) ** 2
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(len(piece)), size)) ** 2)[:1440]
    correlation = np.fft.irfft(spectrum)[:1440] / window
    correlation /= correlation[0]
    low = 60
    peaks = correlation[low:1000]
    lag = low + int(np.argmax(peaks > 0.92 * peaks.max()))
    while correlation[lag + 1] > correlation[lag]:
        lag += 1
    return 69.0 + 12.0 * np.log2(RATE / lag / 440.0), float(correlation[lag])


def mean_frequency(sound: np.ndarray) -> float:
    magnitude = np.abs(np.fft.rfft(sound))
    return float(np.sum(np.fft.rfftfreq(len(sound), 1 / RATE) * magnitude) / magnitude.sum())


@pytest.mark.parametrize("pitch", [0.0, 55.0])
def test_loudness_follows_the_sound(pitch: float) -> None:
    time = np.arange(300) / 100
    loudness = -25.0 + 15.0 * np.sin(2 * np.pi * 0.7 * time)
    loudness[120:160] = -80.0
    sound = imitate(curves(loudness, pitch=pitch, frames=300), np.random.default_rng(1), habits=Habits())
    wanted = np.maximum(loudness - loudness.max(), -50.0)
    assert np.corrcoef(frame_levels(sound), wanted)[0, 1] > 0.9


def test_loudness_survives_human_habits() -> None:
    time = np.arange(300) / 100
    sketch = curves(-25.0 + 15.0 * np.sin(2 * np.pi * 0.7 * time), frames=300)
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        habits = replace(random_habits(sketch, rng), recording=Recording(floor=-60.0), flutter_rate=0.0)
        levels = frame_levels(imitate(sketch, rng, habits=habits))
        found.append(np.corrcoef(levels, sketch.loudness)[0, 1])
    assert np.median(found) > 0.8


def test_compression_narrows_the_dynamics() -> None:
    loudness = np.where(np.arange(200) < 100, -20.0, -40.0)
    spans = []
    for compression in (1.0, 0.5):
        sound = imitate(curves(loudness), np.random.default_rng(3), habits=Habits(compression=compression))
        levels = frame_levels(sound)
        spans.append(float(np.median(levels[20:80]) - np.median(levels[120:180])))
    assert spans[0] == pytest.approx(20.0, abs=3.0)
    assert spans[1] == pytest.approx(10.0, abs=3.0)


@pytest.mark.parametrize(("note", "speaker"), [(57.0, 0), (81.0, 0), (33.0, 1), (62.0, 2)])
def test_a_pitched_sound_is_sung_on_its_note_or_octaves_away(note: float, speaker: int) -> None:
    voice = steady_speaker(speaker)
    sound = imitate(curves(pitch=note), np.random.default_rng(4), speaker=voice, habits=Habits())
    for at in (0.5, 1.0, 1.5):
        sung, height = periodicity(sound, at)
        assert abs((sung - note + 6.0) % 12.0 - 6.0) < 1.0
        assert height > 0.6
        assert voice.pitch_low - 6.0 < sung < voice.pitch_high + 6.0


def test_a_glide_goes_the_same_way() -> None:
    glide = curves(pitch=np.linspace(50.0, 60.0, 200))
    sound = imitate(glide, np.random.default_rng(5), speaker=steady_speaker(), habits=Habits())
    assert periodicity(sound, 1.7)[0] - periodicity(sound, 0.2)[0] == pytest.approx(7.5, abs=1.0)


def test_bias_shifts_the_note() -> None:
    sound = imitate(
        curves(pitch=55.0), np.random.default_rng(6), speaker=steady_speaker(), habits=Habits(bias=3.0)
    )
    assert (periodicity(sound, 1.0)[0] - 58.0 + 6.0) % 12.0 - 6.0 == pytest.approx(0.0, abs=1.0)


def test_a_noisy_sound_is_not_voiced() -> None:
    sound = imitate(curves(centroid=100.0), np.random.default_rng(7), habits=Habits())
    assert max(periodicity(sound, at)[1] for at in (0.3, 0.8, 1.3)) < 0.5


def test_each_half_is_voiced_as_the_sound_is() -> None:
    pitch = np.where(np.arange(200) < 100, 0.0, 57.0)
    sound = imitate(curves(pitch=pitch), np.random.default_rng(8), speaker=steady_speaker(), habits=Habits())
    assert periodicity(sound, 0.5)[1] < 0.5 < periodicity(sound, 1.5)[1]


@pytest.mark.parametrize("pitch", [0.0, 55.0])
def test_a_brighter_sound_gets_a_brighter_voice(pitch: float) -> None:
    means = [
        mean_frequency(imitate(curves(centroid=note, pitch=pitch), np.random.default_rng(9), habits=Habits()))
        for note in (70.0, 90.0, 110.0)
    ]
    assert means[0] * 1.15 < means[1] and means[1] * 1.15 < means[2]


def test_hits_keep_their_time() -> None:
    loudness = np.full(200, -75.0)
    for begin in (30, 90, 150):
        loudness[begin : begin + 40] = -15.0 - 1.0 * np.arange(40)
    sketch = curves(loudness)
    assert find_onsets(sketch.loudness) == [30, 90, 150]
    levels = frame_levels(
        imitate(sketch, np.random.default_rng(10), habits=Habits(plosives=1.0, closure_db=15.0))
    )
    for begin in (30, 90, 150):
        assert levels[begin - 5] < -25.0
        assert levels[begin : begin + 4].max() > -6.0


def test_onset_jitter_stays_within_its_limit() -> None:
    loudness = np.where(np.arange(200) < 100, -75.0, -15.0)
    for seed in range(4):
        sound = imitate(curves(loudness), np.random.default_rng(seed), habits=Habits(onset_jitter=0.03))
        first = int(np.argmax(frame_levels(sound) > -12.0))
        assert 95 <= first <= 105


def test_the_same_seed_gives_the_same_samples_and_another_does_not() -> None:
    sketch = curves(pitch=60.0)
    first, again, other = (imitate(sketch, np.random.default_rng(seed)) for seed in (11, 11, 12))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_held_out_voices_are_never_drawn() -> None:
    rng = np.random.default_rng(13)
    drawn = [random_speaker(rng) for _ in range(400)]
    assert all(is_reserved(speaker.tract) for speaker in HELD_OUT_SPEAKERS)
    assert not any(is_reserved(speaker.tract) for speaker in drawn)
    assert {speaker.kind for speaker in drawn} == {speaker.kind for speaker in HELD_OUT_SPEAKERS}
    assert min(speaker.tract for speaker in drawn) >= 0.8 and max(speaker.tract for speaker in drawn) <= 1.25


@pytest.mark.parametrize("frames", [1, 7, 123])
@pytest.mark.parametrize("rate", [48000, 16000])
def test_any_sketch_gives_a_sound_of_its_length(frames: int, rate: int) -> None:
    rng = np.random.default_rng(frames)
    for seed in range(5):
        sketch = curves(
            rng.uniform(-80, 0, frames),
            rng.uniform(0, 136, frames),
            rng.choice([0.0, 30.0, 60.0, 100.0], frames),
            frames=frames,
        )
        sound = imitate(sketch, np.random.default_rng(seed), sample_rate=rate)
        assert sound.dtype == np.float32
        assert abs(len(sound) / rate - frames / 100) <= 0.01
        assert np.isfinite(sound).all()
        assert 0.0 < np.abs(sound).max() <= 1.0


def test_silence_is_answered_with_the_room_alone() -> None:
    sound = imitate(curves(-80.0), np.random.default_rng(14))
    assert np.isfinite(sound).all() and np.abs(sound).max() < 0.01


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="yodel"):
        imitate(curves(), np.random.default_rng(0), habits=Habits(mode="yodel"))


def test_folding_moves_by_whole_octaves_into_the_range() -> None:
    pitch = np.concatenate(
        [np.zeros(10), np.full(20, 95.0), np.zeros(10), np.linspace(90.0, 97.0, 20)]
    ).astype(np.float32)
    folded = fold_pitch(pitch, 45.0, 65.0)
    voiced = pitch > 0
    assert np.all(folded[~voiced] == 0)
    assert np.allclose((folded - pitch)[voiced] % 12.0, 0.0)
    assert folded[voiced].min() >= 41.0 and folded[voiced].max() <= 69.0


def test_the_room_keeps_the_level_it_is_asked_for() -> None:
    rng = np.random.default_rng(15)
    voice = rng.standard_normal(24000).astype(np.float32)
    sound = record(voice, Recording(peak=0.25, floor=None, wet=-12.0), rng, RATE)
    assert np.abs(sound).max() == pytest.approx(0.25, rel=1e-3)
    assert len(sound) == len(voice)


def test_the_room_leaves_a_tail_and_a_floor() -> None:
    voice = np.zeros(48000, np.float32)
    voice[1000:1200] = np.random.default_rng(1).standard_normal(200)
    dry = record(voice, Recording(floor=None), np.random.default_rng(2), RATE)
    wet = record(voice, Recording(floor=None, wet=-8.0, decay=0.4), np.random.default_rng(2), RATE)
    noisy = record(voice, Recording(floor=-40.0), np.random.default_rng(2), RATE)
    assert np.std(wet[4000:8000]) > 10.0 * np.std(dry[4000:8000])
    assert 20.0 * np.log10(np.std(noisy[20000:]) / np.abs(noisy).max()) == pytest.approx(-40.0, abs=1.5)


def test_random_recordings_stay_within_microphone_limits() -> None:
    rng = np.random.default_rng(16)
    for _ in range(100):
        recording = random_recording(rng)
        assert 60.0 <= recording.highpass <= 150.0 and 8000.0 <= recording.lowpass <= 20000.0
        assert (
            0.05 <= recording.peak <= 0.9
            and recording.floor is not None
            and -65.0 <= recording.floor <= -35.0
        )


@pytest.mark.parametrize("samples", [1, 2, 997, 48000, 245761])
def test_fast_lengths_are_long_enough_and_smooth(samples: int) -> None:
    size = fast_length(samples)
    assert samples <= size <= max(2, int(samples * 1.2) + 2)
    for factor in (2, 3, 5):
        while size % factor == 0:
            size //= factor
    assert size == 1


def test_curves_cover_every_sample() -> None:
    assert curve_frames(480, RATE) == 3
    assert curve_frames(481, RATE) == 4
