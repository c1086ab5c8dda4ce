"""The trained house preset, heard through its own measurements: it follows, and each control does what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import vocaldm_live
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import check_preset, read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.hearing import Hearing
from vocaldm_live.engine.request import Request
from vocaldm_live.measure.following import measure_following
from vocaldm_live.sound.audio import Sound, read_sound

DEMOS = sorted((Path(vocaldm_live.__file__).parent / "demo").glob("*.wav"))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(read_preset(resolve_preset("house")), "cpu")


def loudness_r(imitation: Sound, samples: np.ndarray) -> float:
    value = measure_following(imitation.at(48000).samples, samples, 48000).loudness_r
    return 0.0 if value is None else value


def test_the_preset_is_whole_and_small() -> None:
    folder = resolve_preset("house")
    assert check_preset(folder) == []
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 40_000_000


def test_it_says_how_it_was_trained() -> None:
    header = read_preset(resolve_preset("house")).header
    assert header.training and header.metrics and header.credits


@pytest.mark.slow
def test_clips_follow_the_loudness_of_the_demo(engine: Engine) -> None:
    assert len(DEMOS) >= 5
    values = [
        loudness_r(sound, engine.generate(Request(sound, seed=1)).samples) for sound in map(read_sound, DEMOS)
    ]
    assert float(np.median(values)) > 0.85


def test_an_onset_200_ms_later_comes_200_ms_later(engine: Engine) -> None:
    def onset(start: float) -> float:
        times = np.arange(48000) / 48000.0
        burst = np.random.default_rng(0).standard_normal(48000) * np.where(
            times >= start, np.exp(-8.0 * (times - start)), 0.0
        )
        clip = engine.generate(Request(Sound((0.2 * burst).astype(np.float32), 48000), seed=2)).samples
        power = np.convolve(clip**2, np.ones(480), "same")
        return float(np.argmax(power > 0.1 * power.max())) / 48000.0

    assert onset(0.5) - onset(0.3) == pytest.approx(0.2, abs=0.03)


@pytest.mark.slow
def test_another_seed_is_another_clip_with_the_same_gesture(engine: Engine) -> None:
    sound = read_sound(DEMOS[0])
    one, other = (engine.generate(Request(sound, seed=seed)).samples for seed in (1, 2))
    assert np.corrcoef(one, other)[0, 1] < 0.5
    assert loudness_r(Sound(one, 48000), other) > 0.7


@pytest.mark.slow
def test_follow_0_frees_the_clip_from_the_curve(engine: Engine) -> None:
    bound, free = [], []
    for sound in map(read_sound, DEMOS):
        bound.append(loudness_r(sound, engine.generate(Request(sound, seed=3)).samples))
        free.append(loudness_r(sound, engine.generate(Request(sound, seed=3, follow=0.0)).samples))
    assert float(np.mean(bound)) > float(np.mean(free)) + 0.25


@pytest.mark.slow
def test_guidance_moves_the_clip_toward_the_condition(engine: Engine) -> None:
    """Contrast: nearness to the own condition beyond that to the other demos', where the adapter sees them."""
    sounds, adapter = [read_sound(path) for path in DEMOS], engine.modules.adapter
    hearing = Hearing(engine.modules, engine.device)
    with torch.inference_mode():
        wanted = adapter(torch.cat([hearing.embed(sound, True) for sound in sounds]))

    def contrast(guidance: float) -> float:
        clips = [engine.generate(Request(sound, seed=4, guidance=guidance)) for sound in sounds]
        with torch.inference_mode():
            heard = [hearing.embed(Sound(clip.samples, clip.sample_rate), False) for clip in clips]
            cosines = adapter(torch.cat(heard)) @ wanted.T
        own = float(cosines.diagonal().mean())
        others = float(cosines.sum() - cosines.diagonal().sum()) / (len(sounds) * (len(sounds) - 1))
        return own - others

    assert contrast(5.0) > contrast(0.0) + 0.01


@pytest.mark.slow
def test_real_voices_are_followed(engine: Engine, test_data: Path) -> None:
    values = []
    for path in sorted((test_data / "imitations").glob("*_imitation__*.wav")):
        sound = read_sound(path)
        values.append(loudness_r(sound, engine.generate(Request(sound, seed=1)).samples))
    assert len(values) == 8
    assert float(np.median(values)) > 0.85
