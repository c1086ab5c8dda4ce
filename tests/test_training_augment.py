"""Augmentations change what they are named for, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from training.augment.audio import KINDS, AudioAugmentation, stretched, vary
from training.augment.mel import MelAugmentation, filter_edges, masked

RATE = 32000


def tone(note: float = 440.0, seconds: float = 0.8) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * note * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def note_of(samples: np.ndarray) -> float:
    """The strongest frequency in Hz, between the bins too."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return float(spectrum.argmax()) * RATE / (1 << 18)


def varied(kind: Any, seed: int, samples: np.ndarray | None = None, **told: Any) -> np.ndarray:
    settings = AudioAugmentation(kinds=(kind,), share=1.0, **told)
    return vary(tone() if samples is None else samples, settings, np.random.default_rng(seed))


@pytest.mark.parametrize("factor", [0.8, 1.25, 1.7])
def test_stretching_keeps_the_pitch(factor: float) -> None:
    longer = stretched(tone(), factor)
    assert len(longer) == round(len(tone()) * factor)
    assert abs(note_of(longer) - 440.0) < 3.0
    level = np.sqrt(np.mean(longer[4000:-4000] ** 2))
    assert 0.8 < level / np.sqrt(0.125) < 1.2


def test_pitch_moves_by_semitones_at_the_same_length() -> None:
    moved = [varied("pitch", seed) for seed in range(6)]
    semitones = [12 * np.log2(note_of(each) / 440.0) for each in moved]
    assert all(abs(len(each) - len(tone())) < 64 for each in moved)
    assert all(abs(each) < 3.1 for each in semitones) and np.std(semitones) > 0.5


def test_gain_shift_noise_and_drop_do_what_they_say() -> None:
    gains = [20 * np.log10(np.abs(varied("gain", seed)).max() / 0.5) for seed in range(8)]
    assert max(gains) > 1.0 and min(gains) < -1.0 and max(map(abs, gains)) <= 10.1
    lengths = [len(varied("shift", seed)) / len(tone()) for seed in range(8)]
    assert min(lengths) < 0.95 and max(lengths) > 1.05 and 0.69 < min(lengths) and max(lengths) < 1.31
    silence = np.zeros(RATE, np.float32)
    assert all(0.0009 < varied("noise", seed, silence).std() < 0.016 for seed in range(8))
    changed = [len(varied("drop", seed)) - len(tone()) for seed in range(20)]
    assert min(changed) < 0 and max(changed) > 0 and 0 in changed, "gone, twice and silent"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [1, 500, 9000])
def test_every_kind_takes_short_sounds_and_draws_the_same_again(kind: str, length: int) -> None:
    samples = tone()[:length]
    before = samples.copy()
    one, other = (varied(kind, 3, samples) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(samples, before)
    assert len(one) and one.dtype == np.float32 and np.isfinite(one).all()
    if kind != "noise":
        assert not varied(kind, 3, np.zeros(length, np.float32)).any(), "silence stays silence"


def test_share_and_kinds_are_obeyed() -> None:
    never = AudioAugmentation(share=0.0)
    none = AudioAugmentation(kinds=(), share=1.0)
    for told in (never, none):
        assert all(vary(tone(), told, np.random.default_rng(seed)) is not None for seed in range(3))
        np.testing.assert_array_equal(vary(tone(), told, np.random.default_rng(0)), tone())
    half = [
        not np.array_equal(vary(tone(), AudioAugmentation(share=0.5), np.random.default_rng(seed)), tone())
        for seed in range(40)
    ]
    assert 8 < sum(half) < 32
    two = AudioAugmentation(kinds=("gain", "noise"), share=1.0, at_once=2)
    both = vary(tone(), two, np.random.default_rng(1))
    assert np.abs(both).max() != pytest.approx(0.5) and note_of(both) == pytest.approx(440.0, abs=1.0)


def test_masks_leave_most_of_a_picture() -> None:
    mel = np.random.default_rng(0).normal(-1.0, 0.3, (128, 60)).astype(np.float32)
    told = MelAugmentation(bands=8, frames=300, masks=1)
    shares = []
    for seed in range(40):
        found = masked(mel, told, np.random.default_rng(seed))
        hidden = found != mel
        assert set(np.unique(found[hidden])) <= {np.float32(0.9)}
        shares.append(hidden.mean())
    assert 0.02 < np.mean(shares) and max(shares) < 0.56
    floor = masked(mel, MelAugmentation(blank="floor", level=0.25), np.random.default_rng(1))
    assert floor.min() >= mel.min() - 0.25
    np.testing.assert_array_equal(masked(mel, MelAugmentation(share=0.0), np.random.default_rng(1)), mel)


def test_filter_edges_are_efficientats() -> None:
    edges = [filter_edges(MelAugmentation(), np.random.default_rng(seed)) for seed in range(200)]
    assert {low for low, _ in edges} == set(map(float, range(10)))
    assert 14001 <= min(high for _, high in edges) and max(high for _, high in edges) <= 16000
    still = MelAugmentation(edge_low=0, edge_high=0)
    assert filter_edges(still, np.random.default_rng(0)) == (0.0, 15000.0)
