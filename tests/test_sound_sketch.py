"""Sketches: loudness, centroid and pitch of known sounds, and what stretching and loosening do to them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from vocaldm_live.sound.sketch import (
    HIGHEST_NOTE,
    LOUDNESS_FLOOR,
    REFERENCE_LOUDNESS,
    Sketch,
    a_weighting,
    hz_to_note,
    loosened,
    measure_sketch,
    median_filter,
    note_to_hz,
)

RATE = 48000
INNER = slice(5, -5)


def tone(frequency: float, seconds: float = 0.5, peak: float = 1.0, rate: int = RATE) -> np.ndarray:
    return (peak * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def sung(hertz: np.ndarray, harmonics: int = 6) -> np.ndarray:
    """A tone with harmonics of falling level, its fundamental given sample by sample."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    partials = [np.sin(k * phase) / k for k in range(1, harmonics + 1)]
    return (0.2 * np.sum(partials, axis=0)).astype(np.float32)


def some_sketch(frames: int = 200, seed: int = 0) -> Sketch:
    """Curves that wander, with an unvoiced third in the middle."""
    rng = np.random.default_rng(seed)
    voiced = np.ones(frames, bool)
    voiced[frames // 3 : 2 * frames // 3] = False
    walks = rng.standard_normal((3, frames)).cumsum(axis=1)
    return Sketch(
        (-40.0 + 2.0 * walks[0]).clip(-79.0, 0.0).astype(np.float32),
        (80.0 + walks[1]).astype(np.float32),
        np.where(voiced, 60.0 + 0.5 * walks[2], 0.0).astype(np.float32),
        np.where(voiced, 0.9, 0.0).astype(np.float32),
    )


def test_a_full_scale_tone_has_minus_three_db() -> None:
    loudness = measure_sketch(tone(1000.0), RATE).loudness
    np.testing.assert_allclose(loudness[INNER], -3.0, atol=0.1)


def test_half_the_amplitude_is_six_db_less() -> None:
    loud, soft = (measure_sketch(tone(1000.0, peak=peak), RATE).loudness for peak in (0.5, 0.25))
    np.testing.assert_allclose((loud - soft)[INNER], 20 * np.log10(2.0), atol=0.01)


def test_loudness_hears_as_the_ear_does() -> None:
    """A 100 Hz tone of the same amplitude is 19.1 dB softer than one of 1 kHz (IEC 61672-1, table 3)."""
    low, middle = (np.median(measure_sketch(tone(hertz), RATE).loudness) for hertz in (100.0, 1000.0))
    assert middle - low == pytest.approx(19.1, abs=1.0)


@pytest.mark.parametrize(("hertz", "decibel"), [(31.5, -39.4), (100.0, -19.1), (1000.0, 0.0), (8000.0, -1.1)])
def test_a_weighting_has_the_values_of_the_standard(hertz: float, decibel: float) -> None:
    assert a_weighting(np.array([hertz]))[0] == pytest.approx(decibel, abs=0.2)


def test_notes_and_hertz() -> None:
    np.testing.assert_allclose(hz_to_note(np.array([440.0, 880.0, 261.6256])), [69.0, 81.0, 60.0], atol=1e-4)
    np.testing.assert_allclose(note_to_hz(hz_to_note(np.array([55.0, 1234.5]))), [55.0, 1234.5])


@pytest.mark.parametrize("hertz", [440.0, 1000.0, 3000.0, 9000.0])
def test_the_centroid_of_a_tone_is_its_note(hertz: float) -> None:
    centroid = measure_sketch(tone(hertz), RATE).centroid[INNER]
    np.testing.assert_allclose(centroid, hz_to_note(np.array([hertz]))[0], atol=0.1)


@pytest.mark.parametrize("hertz", [80.0, 130.0, 220.0, 440.0, 800.0, 1500.0])
def test_pitch_is_found(hertz: float) -> None:
    sketch = measure_sketch(sung(np.full(RATE // 2, hertz)), RATE)
    assert (sketch.salience[INNER] > 0.5).all()
    # The tracker looks 60 ms around a frame: at the ends it knows less.
    cents = 1200 * np.log2(note_to_hz(sketch.pitch[10:-10]) / hertz)
    assert np.abs(cents).max() < 20.0


def test_a_glide_is_followed() -> None:
    hertz = 150.0 * 3.0 ** np.linspace(0.0, 1.0, RATE)
    sketch = measure_sketch(sung(hertz), RATE)
    middle = hertz[240::480]
    voiced = sketch.salience > 0
    assert voiced.mean() > 0.9
    cents = 1200 * np.log2(note_to_hz(sketch.pitch[voiced]) / middle[voiced])
    assert np.median(np.abs(cents)) < 25.0 and np.percentile(np.abs(cents), 95) < 60.0


def test_noise_has_no_pitch() -> None:
    noise = 0.1 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    sketch = measure_sketch(noise, RATE)
    assert (sketch.salience > 0).mean() < 0.05
    assert np.array_equal(sketch.pitch > 0, sketch.salience > 0)


def test_silence_is_the_floor_without_pitch() -> None:
    sketch = measure_sketch(np.zeros(RATE // 5, np.float32), RATE)
    assert sketch.frames == 20
    assert (sketch.loudness == LOUDNESS_FLOOR).all()
    assert not sketch.pitch.any() and not sketch.salience.any() and np.isfinite(sketch.centroid).all()


def test_silence_holds_the_centroid() -> None:
    silence = np.zeros(RATE // 4, np.float32)
    sketch = measure_sketch(np.concatenate([silence, tone(1000.0, 0.25, 0.3), silence]), RATE)
    note = hz_to_note(np.array([1000.0]))[0]
    assert (sketch.loudness[:20] == LOUDNESS_FLOOR).all() and (sketch.loudness[55:] == LOUDNESS_FLOOR).all()
    assert not sketch.pitch[55:].any()
    # The frames at the tone's ends hear its click too.
    held = sketch.centroid[[30, 60, 70]]
    assert np.ptp(sketch.centroid[55:]) == 0.0 and np.ptp(sketch.centroid[:20]) == 0.0
    assert held[0] == pytest.approx(note, abs=0.1) and abs(held[1] - note) < 24.0
    assert sketch.centroid.max() <= HIGHEST_NOTE


def test_an_onset_moved_by_200_ms_moves_20_frames() -> None:
    hit = tone(500.0, 0.3) * np.exp(-np.arange(RATE * 3 // 10) / 3000.0).astype(np.float32)
    early, late = np.zeros((2, RATE), np.float32)
    early[9600 : 9600 + len(hit)] = hit
    late[19200 : 19200 + len(hit)] = hit
    curves = [measure_sketch(samples, RATE) for samples in (early, late)]
    np.testing.assert_allclose(curves[0].loudness[:-20], curves[1].loudness[20:], atol=0.01)
    rises = [int(np.argmax(curve.loudness > -30.0)) for curve in curves]
    assert rises[1] - rises[0] == 20 and abs(rises[0] - 20) <= 1


@pytest.mark.parametrize("rate", [16000, 44100, 96000])
def test_the_rate_of_the_recording_does_not_matter(rate: int) -> None:
    sketch = measure_sketch(tone(1000.0, peak=0.5, rate=rate), rate)
    assert sketch.frames == 50
    np.testing.assert_allclose(sketch.loudness[INNER], -9.0, atol=0.15)
    np.testing.assert_allclose(sketch.centroid[INNER], hz_to_note(np.array([1000.0]))[0], atol=0.1)


@pytest.mark.parametrize("samples", [1, 480, 481, 2000])
def test_short_sounds_have_a_frame_for_every_started_10_ms(samples: int) -> None:
    sketch = measure_sketch(tone(440.0)[:samples], RATE)
    assert sketch.array().shape == (4, -(-samples // 480)) and sketch.array().dtype == np.float32
    assert np.isfinite(sketch.array()).all()


def test_levelling_takes_the_microphones_gain_away() -> None:
    samples = sung(np.full(RATE // 2, 220.0)) * np.linspace(0.2, 1.0, RATE // 2, dtype=np.float32)
    loud, soft = (measure_sketch(samples * gain, RATE).levelled() for gain in (1.0, 0.05))
    np.testing.assert_allclose(loud[0].loudness, soft[0].loudness, atol=0.05)
    assert soft[1] - loud[1] == pytest.approx(20 * np.log10(20.0), abs=0.01)
    assert np.percentile(loud[0].loudness, 99) == pytest.approx(REFERENCE_LOUDNESS, abs=0.01)
    assert np.array_equal(loud[0].pitch, measure_sketch(samples, RATE).pitch)


def test_levelling_leaves_silence_silent() -> None:
    sketch = some_sketch(100)
    quiet = sketch.loudness.copy()
    quiet[40:60] = LOUDNESS_FLOOR
    raised, _ = Sketch(quiet, sketch.centroid, sketch.pitch, sketch.salience).levelled(-3.0)
    assert (raised.loudness[40:60] == LOUDNESS_FLOOR).all()


def test_fitting_cuts_or_adds_silence() -> None:
    sketch = some_sketch(100)
    shorter, longer = sketch.fitted(60), sketch.fitted(130)
    assert np.array_equal(shorter.array(), sketch.array()[:, :60])
    assert np.array_equal(longer.array()[:, :100], sketch.array())
    assert (longer.loudness[100:] == LOUDNESS_FLOOR).all() and (
        longer.centroid[100:] == sketch.centroid[-1]
    ).all()
    assert not longer.pitch[100:].any() and not longer.salience[100:].any()


def test_an_array_makes_the_same_sketch_again() -> None:
    sketch = some_sketch(50)
    assert np.array_equal(Sketch.of(sketch.array()).array(), sketch.array())


@pytest.mark.parametrize("frames", [50, 100, 173, 400])
def test_stretching_moves_everything_in_proportion(frames: int) -> None:
    ramp = np.linspace(-60.0, -10.0, 100, dtype=np.float32)
    pitch = np.where(np.arange(100) < 50, 0.0, 60.0).astype(np.float32)
    sketch = Sketch(ramp, ramp + 100.0, pitch, (pitch > 0) * np.float32(0.8)).stretched(frames)
    assert sketch.array().shape == (4, frames)
    np.testing.assert_allclose(sketch.loudness, np.linspace(-60.0, -10.0, frames), atol=0.6)
    assert set(np.unique(sketch.pitch)) == {0.0, 60.0}, "a stretched gesture has no pitches between its own"
    assert abs((sketch.pitch > 0).sum() - frames / 2) <= 1
    assert np.array_equal(sketch.pitch > 0, sketch.salience > 0)


def test_following_fully_changes_nothing() -> None:
    sketch = some_sketch()
    assert np.array_equal(loosened(sketch, 1.0).array(), sketch.array())
    assert np.array_equal(loosened(sketch, 1.5).array(), sketch.array())


def test_following_less_is_smoother() -> None:
    sketch = some_sketch()
    curves = [loosened(sketch, follow) for follow in (1.0, 0.8, 0.5, 0.0)]
    for name in ("loudness", "centroid"):
        roughness = [np.abs(np.diff(getattr(curve, name))).sum() for curve in curves]
        assert all(less < more for more, less in pairwise(roughness))
    for curve in curves:
        assert np.array_equal(curve.pitch > 0, curve.salience > 0)
        voiced = curve.pitch[curve.pitch > 0]
        assert len(voiced) and voiced.min() >= sketch.pitch[sketch.pitch > 0].min()


def test_loosening_keeps_lasting_steps_and_drops_blips() -> None:
    loudness = np.where(np.arange(200) < 100, -60.0, -20.0).astype(np.float32)
    loudness[50:53] = -10.0
    still = np.full(200, 60.0, np.float32)
    loose = loosened(Sketch(loudness, still, still, np.ones(200, np.float32)), 0.5).loudness
    assert (loose[:100] == -60.0).all() and (loose[100:] == -20.0).all()


def test_the_median_filter_is_the_median() -> None:
    curve = np.random.default_rng(3).standard_normal(40).astype(np.float32)
    padded = np.concatenate([[curve[0]] * 3, curve, [curve[-1]] * 3])
    wanted = [np.median(padded[i : i + 7]) for i in range(40)]
    np.testing.assert_array_equal(median_filter(curve, 7), np.array(wanted, np.float32))
    assert np.array_equal(median_filter(curve, 1), curve)
    assert median_filter(curve[:3], 61).shape == (3,)
