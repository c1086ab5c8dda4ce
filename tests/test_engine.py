"""The engine on a tiny preset: repeatable, cancellable, and alive after every failure."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Cancelled, Engine, choose_device
from vocaldm_live.engine.request import Progress, Request, resolve
from vocaldm_live.errors import RequestError, SoundError
from vocaldm_live.sound.audio import Sound

RATE = 16000


def gesture(seconds: float = 0.8, pitch: float = 220.0, start: float = 0.1) -> Sound:
    times = np.arange(int(seconds * RATE)) / RATE
    envelope = np.where(times >= start, np.exp(-3.0 * (times - start)), 0.0)
    return Sound((0.4 * envelope * np.sin(2 * np.pi * pitch * times)).astype(np.float32), RATE)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = make_tiny_preset(tmp_path_factory.mktemp("presets"))
    return Engine(read_preset(Path(folder)), "cpu")


def test_the_same_request_gives_the_same_samples_and_another_seed_others(engine: Engine) -> None:
    first = engine.generate(Request(gesture(), seed=5))
    again = engine.generate(Request(gesture(), seed=5))
    other = engine.generate(Request(gesture(), seed=6))
    assert np.array_equal(first.samples, again.samples)
    assert np.abs(first.samples - other.samples).max() > 1e-3


def test_a_clip_in_a_batch_is_the_clip_alone_but_for_rounding(engine: Engine) -> None:
    sound = gesture()
    alone = [engine.generate(Request(sound, seed=seed)).samples for seed in (1, 2, 3)]
    batch = engine.generate_batch([Request(sound, seed=seed) for seed in (1, 2, 3)])
    for one, clip in zip(alone, batch, strict=True):
        assert np.abs(one - clip.samples).max() < 1e-3 * max(1.0, np.abs(one).max())
    assert [clip.request.seed for clip in batch] == [1, 2, 3]


def test_different_voices_of_one_padded_length_share_a_batch(engine: Engine) -> None:
    requests = [
        Request(gesture(0.70, 220.0), "one", seed=1, follow=1.0),
        Request(gesture(0.90, 700.0, 0.4), "two", seed=2, follow=0.4),
        Request(gesture(0.80, 300.0), "three", seed=3, unconditional=True),
    ]
    alone = [engine.generate(request) for request in requests]
    batch = engine.generate_batch(requests)
    for one, clip in zip(alone, batch, strict=True):
        assert clip.samples.shape == one.samples.shape and clip.level_db == one.level_db
        assert np.abs(one.samples - clip.samples).max() < 1e-3 * max(1.0, np.abs(one.samples).max())
        assert clip.request.name == one.request.name


@pytest.mark.parametrize("change", [{"steps": 3}, {"guidance": 1.5}, {"duration": 2.0}, {"sampler": "deis"}])
def test_a_batch_of_what_cannot_share_one_is_refused(engine: Engine, change: dict[str, object]) -> None:
    with pytest.raises(RequestError) as caught:
        engine.generate_batch([Request(gesture()), Request(gesture(), **change)])  # type: ignore[arg-type]
    assert_sentence(str(caught.value))


def test_a_clip_is_as_long_as_the_imitation_and_its_tail(engine: Engine) -> None:
    clip = engine.generate(Request(gesture(0.73), tail=0.2))
    assert clip.sample_rate == 48000
    assert len(clip.samples) == round((0.73 + 0.2) * 48000)
    longer = engine.generate(Request(gesture(0.73), tail=0.0, duration=1.5))
    assert len(longer.samples) == 72000


def test_progress_tells_every_step_and_timings_every_stage(engine: Engine) -> None:
    told: list[Progress] = []
    clip = engine.generate(Request(gesture(), steps=3, id="abc"), progress=told.append)
    assert [(one.step, one.steps) for one in told if one.stage == "sample"] == [
        (0, 3),
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert {one.id for one in told} == {"abc"}
    assert [one.stage for one in told][0] == "encode" and told[-1].stage == "decode"
    assert all(clip.timings_ms[stage] > 0.0 for stage in ("encode", "sample", "decode"))


def test_cancelling_stops_within_one_step_and_the_engine_goes_on(engine: Engine) -> None:
    steps: list[int] = []

    def watch(progress: Progress) -> None:
        if progress.stage == "sample":
            steps.append(progress.step)

    with pytest.raises(Cancelled):
        engine.generate(Request(gesture(), steps=8), progress=watch, cancelled=lambda: len(steps) >= 3)
    assert steps == [0, 1, 2]
    assert engine.generate(Request(gesture(), steps=2)).samples.size


def test_memory_that_runs_out_fails_one_request_and_not_the_engine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*arguments: object) -> torch.Tensor:
        raise torch.OutOfMemoryError("no memory left")

    with monkeypatch.context() as patch:
        patch.setattr(type(engine.modules.unet), "forward", exhausted)
        with pytest.raises(RequestError) as caught:
            engine.generate(Request(gesture()))
    assert_sentence(str(caught.value))
    assert "emory" in str(caught.value)
    assert engine.generate(Request(gesture())).samples.size


def test_without_vector_and_sketch_the_imitation_leaves_no_trace(engine: Engine) -> None:
    one = engine.generate(Request(gesture(pitch=150.0), follow=0.0, unconditional=True))
    other = engine.generate(Request(gesture(pitch=900.0, start=0.4), follow=0.0, unconditional=True))
    assert np.array_equal(one.samples, other.samples)


def test_an_example_sound_changes_the_clip_by_its_weight(engine: Engine) -> None:
    example = gesture(1.0, 1200.0, 0.0)
    plain = engine.generate(Request(gesture())).samples
    weightless = engine.generate(Request(gesture(), like=example, like_weight=0.0)).samples
    assert np.array_equal(plain, weightless)
    assert not np.array_equal(plain, engine.generate(Request(gesture(), like=example)).samples)


def test_threads_may_ask_at_once(engine: Engine) -> None:
    expected = {seed: engine.generate(Request(gesture(), seed=seed)).samples for seed in range(3)}
    found: dict[int, np.ndarray] = {}

    def ask(seed: int) -> None:
        found[seed] = engine.generate(Request(gesture(), seed=seed)).samples

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[seed], expected[seed]) for seed in expected)


def test_resynthesis_is_as_long_as_the_sound(engine: Engine) -> None:
    assert len(engine.resynthesise(gesture(0.61))) == round(0.61 * 48000)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 0},
        {"steps": 2.5},
        {"guidance": -3.0},
        {"guidance": float("nan")},
        {"follow": 2.0},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": "seven"},
        {"sampler": "magic"},
        {"eta": 1.5},
        {"duration": 0.0},
        {"duration": 601.0},
        {"tail": -0.1},
        {"like_weight": 1.1},
    ],
)
def test_illegal_values_are_refused_in_one_sentence(engine: Engine, change: dict[str, object]) -> None:
    with pytest.raises(RequestError) as caught:
        resolve(Request(gesture(), **change), engine.preset.header)  # type: ignore[arg-type]
    assert_sentence(str(caught.value))


def test_silence_is_refused_and_named(engine: Engine) -> None:
    with pytest.raises(SoundError, match="hush"):
        engine.generate(Request(Sound(np.zeros(RATE, dtype=np.float32), RATE), "hush"))


def test_devices_that_are_not_there_are_refused() -> None:
    assert choose_device("cpu").type == "cpu"
    with pytest.raises(RequestError):
        choose_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(RequestError, match="cuda"):
            choose_device("cuda")
