"""Every procedural sound family: level, length, determinism, and whether it follows its curves."""

from __future__ import annotations

import numpy as np
import pytest

from training.synthesis import curves, dsp, families
from training.synthesis.curves import FLOOR_DB, Curves

RATE = 48000
SECONDS = 2.5
NAMES = sorted(families.FAMILIES)
CONTINUOUS = [name for name in NAMES if families.FAMILIES[name].continuous]
TIGHT = [name for name in CONTINUOUS if (families.FAMILIES[name].flatten or 1.0) <= 0.12]
STRUCK = [name for name in NAMES if not families.FAMILIES[name].continuous]
CLEAN = ["synth", "theremin", "engine", "servo", "swarm", "squeak"]


def constant(frames: int, loudness: float = 0.0, pitch: float = 220.0, brightness: float = 4000.0) -> Curves:
    """Curves that stand still."""
    values = [np.full(frames, v, np.float32) for v in (loudness, pitch, brightness)]
    return Curves(*values)


def rendered(name: str, wanted: Curves, seed: int = 3) -> dsp.Array:
    """A family's sound for given curves."""
    n = len(wanted.loudness) * RATE // 100
    return families.render_curves(name, np.random.default_rng(seed), wanted, n, RATE)


def frame_db(sound: dsp.Array, smooth: float = 0.03) -> dsp.Array:
    """RMS of each 10 ms frame in dB re the clip's loudest, floor -60."""
    own = dsp.envelope(sound, RATE, smooth)
    return np.maximum(20.0 * np.log10(own / own.max() + 1e-9), FLOOR_DB)


def centroid(sound: dsp.Array) -> float:
    """Power-weighted mean frequency in Hz."""
    power = np.abs(np.fft.rfft(sound)) ** 2
    return float(np.sum(np.fft.rfftfreq(len(sound), 1.0 / RATE) * power) / np.sum(power))


def autocorrelation_pitch(sound: dsp.Array) -> float:
    """Pitch in Hz of a steady sound: the first lag whose normalised autocorrelation is near the highest."""
    size = 2 * len(sound)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(sound, size)) ** 2)[: len(sound) // 2]
    correlation /= np.arange(len(sound), len(sound) - len(correlation), -1)
    lags = np.arange(RATE // 1600, RATE // 50)
    part = correlation[lags]
    peaks = np.flatnonzero((part[1:-1] >= part[:-2]) & (part[1:-1] > part[2:])) + 1
    return RATE / float(lags[peaks[part[peaks] > 0.85 * part[peaks].max()][0]])


def test_there_are_enough_families_in_enough_groups() -> None:
    assert len(NAMES) >= 14
    assert len({family.group for family in families.FAMILIES.values()}) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_is_sound(name: str) -> None:
    clips = [families.render(name, np.random.default_rng(seed), SECONDS) for seed in range(2)]
    for clip in clips:
        assert clip.dtype == np.float32 and clip.shape == (int(SECONDS * RATE),)
        assert np.isfinite(clip).all()
        peak = float(np.abs(clip).max())
        assert 0.05 <= peak <= 0.95
        assert abs(float(clip.mean())) < 1e-3 * peak
    short = [families.render(name, np.random.default_rng(7), 0.4) for _ in range(2)]
    assert np.array_equal(short[0], short[1])
    assert not np.allclose(clips[0], clips[1])


@pytest.mark.parametrize("name", ["wood", "whoosh", "synth", "fire"])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_short_clips_at_other_rates(name: str, rate: int) -> None:
    clip = families.render(name, np.random.default_rng(1), 0.15, rate)
    assert clip.shape == (round(0.15 * rate),) and np.isfinite(clip).all()


@pytest.mark.parametrize("name", TIGHT)
def test_loudness_is_followed(name: str) -> None:
    time = np.arange(150) / 100.0
    wanted = constant(150)
    loudness = (-16.0 + 16.0 * np.cos(2.0 * np.pi * 1.6 * time)).astype(np.float32)
    sound = rendered(name, Curves(loudness, wanted.pitch, wanted.brightness))
    assert np.corrcoef(loudness, frame_db(sound))[0, 1] > 0.9


@pytest.mark.parametrize("name", sorted(set(CONTINUOUS) - set(TIGHT)))
def test_textures_follow_the_slow_course_of_loudness(name: str) -> None:
    wanted = constant(250)
    loudness = np.linspace(-36.0, 0.0, 250).astype(np.float32)
    sound = rendered(name, Curves(loudness, wanted.pitch, wanted.brightness))
    assert np.corrcoef(loudness, frame_db(sound, 0.4))[0, 1] > 0.8


@pytest.mark.parametrize("name", CONTINUOUS)
def test_silence_is_digital_silence(name: str) -> None:
    wanted = constant(200)
    loudness = wanted.loudness.copy()
    loudness[80:140] = FLOOR_DB
    sound = rendered(name, Curves(loudness, wanted.pitch, wanted.brightness))
    assert np.abs(sound[81 * 480 : 139 * 480]).max() == 0.0
    assert np.abs(sound[141 * 480 :]).max() > 0.01


@pytest.mark.parametrize("name", STRUCK)
def test_blows_fall_on_the_onsets(name: str) -> None:
    loudness = np.full(250, FLOOR_DB, np.float32)
    onsets = [20, 90, 170]
    for onset in onsets:
        loudness[onset : onset + 40] = np.linspace(0.0, -40.0, 40)
    wanted = constant(250)
    heard = frame_db(rendered(name, Curves(loudness, wanted.pitch, wanted.brightness)), 0.0)
    for onset in onsets:
        assert heard[onset - 6 : onset - 2].max() < -35.0
        assert heard[onset : onset + 3].max() > -12.0


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("pitch", [140.0, 260.0])
def test_pitch_is_the_one_asked_for(name: str, pitch: float) -> None:
    sound = rendered(name, constant(120, pitch=pitch))
    heard = autocorrelation_pitch(sound[RATE // 2 : RATE])
    assert abs(12.0 * np.log2(heard / pitch)) < 1.0


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"cricket", "bird"}))
def test_brightness_raises_the_centroid(name: str) -> None:
    low, high = families.FAMILIES[name].limits.brightness
    dark, bright = (
        np.mean([centroid(rendered(name, constant(100, brightness=value), seed)) for seed in (1, 2)])
        for value in (1.2 * low, 0.8 * high)
    )
    assert bright > 1.15 * dark


def test_curves_stay_in_range_and_vary() -> None:
    limits = curves.CurveRange()
    drawn = [curves.draw(np.random.default_rng(seed), 300, limits) for seed in range(60)]
    for one in drawn:
        assert all(
            np.isfinite(c).all() and c.shape == (300,) for c in (one.loudness, one.pitch, one.brightness)
        )
        assert FLOOR_DB <= one.loudness.min() and -1.0 < one.loudness.max() <= 0.0
        assert limits.pitch[0] <= one.pitch.min() and one.pitch.max() <= limits.pitch[1] * 1.001
        assert limits.brightness[0] * 0.999 <= one.brightness.min() and one.brightness.max() <= 12001.0
    silent = np.mean([(one.loudness == FLOOR_DB).mean() > 0.05 for one in drawn])
    assert 0.3 <= silent <= 0.8


def test_filters_leave_a_signal_alone_when_open() -> None:
    signal = dsp.shape_spectrum(dsp.noise(np.random.default_rng(0), 9600), 8000.0, RATE)
    passed = dsp.shape_spectrum(signal, 23000.0, RATE, slope=60.0)
    assert np.corrcoef(signal[600:-600], passed[600:-600])[0, 1] > 0.99


def test_resonators_ring_at_their_frequency() -> None:
    click = np.zeros(RATE // 2, np.float32)
    click[100] = 1.0
    rung = dsp.resonators(click, np.array([880.0]), np.array([0.3]), np.array([1.0]), RATE)
    assert abs(autocorrelation_pitch(rung[200:12000]) - 880.0) < 10.0
    level = frame_db(rung, 0.0)
    assert 16.0 < level[5] - level[15] < 24.0
