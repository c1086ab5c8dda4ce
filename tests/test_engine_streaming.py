"""Decoding piece by piece: what is heard early is the clip itself, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import make_tiny_preset, tiny_header, tiny_networks

from vocaldm_live.checkpoints.preset import read_preset, write_preset
from vocaldm_live.engine.engine import Cancelled, Engine
from vocaldm_live.engine.request import Progress, Request
from vocaldm_live.engine.streaming import FIRST_FRAMES, MOST_FRAMES, segment_plan, stream_vocoder
from vocaldm_live.model.vocoder import draw_noise
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel

RATE = 48000


def glide(seconds: float) -> Sound:
    times = np.arange(int(seconds * RATE)) / RATE
    wave = 0.4 * np.sin(2 * np.pi * (200.0 + 150.0 * times) * times) * (1.0 + np.sin(9.0 * times)) / 2
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(times))
    return Sound((wave + noise).astype(np.float32), RATE)


class Ear:
    """Hears a clip piece by piece."""

    def __init__(self) -> None:
        self.pieces: list[np.ndarray] = []
        self.totals: set[int] = set()

    def __call__(self, first: int, samples: np.ndarray, total: int) -> None:
        assert first == sum(len(piece) for piece in self.pieces)
        self.pieces.append(samples.copy())
        self.totals.add(total)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(read_preset(make_tiny_preset(tmp_path_factory.mktemp("presets"))), "cpu")


@pytest.mark.parametrize("frames", [*range(1, 200), 256, 319, 320, 321, 1000, 6000])
def test_the_plan_covers_every_frame_once(frames: int) -> None:
    plan = segment_plan(frames)
    assert plan[0][0] == 0 and plan[-1][1] == frames
    assert all(one[1] == other[0] for one, other in zip(plan, plan[1:], strict=False))
    assert plan[0][1] == min(FIRST_FRAMES, frames)
    assert max(end - begin for begin, end in plan) <= 1.5 * MOST_FRAMES


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 3, 64, 65, 100, 128, 500, 900])
def test_the_pieces_are_what_the_vocoder_makes_at_once(frames: int) -> None:
    vocoder: Any = tiny_networks()["vocoder"]
    with torch.inference_mode():
        torch.nn.init.normal_(vocoder.head.weight, std=0.3)
        samples = torch.from_numpy(glide(frames * HOUSE.hop / RATE + 0.1).samples[: frames * HOUSE.hop])
        mel = log_mel(samples[None], HOUSE).expand(2, -1, -1)
        noise = draw_noise(2, frames, HOUSE, torch.Generator().manual_seed(1))
        whole = vocoder(mel, noise=noise)
        pieces = list(stream_vocoder(vocoder, mel, noise))
    assert len(pieces) == len(segment_plan(frames))
    streamed = torch.cat(pieces, dim=1)
    assert streamed.shape == whole.shape == (2, frames * HOUSE.hop)
    assert (streamed - whole).abs().max() < 1e-4 * whole.abs().max()
    assert whole[0].abs().max() > 1e-3 and not torch.equal(whole[0], whole[1])


@pytest.mark.slow
def test_what_is_heard_is_the_clip_and_listening_changes_nothing(engine: Engine) -> None:
    ear = Ear()
    request = Request(glide(3.03), seed=4)
    clip = engine.generate(request, audio=ear)
    assert len(ear.pieces) >= 2 and ear.totals == {len(clip.samples)}
    np.testing.assert_array_equal(np.concatenate(ear.pieces), clip.samples)
    np.testing.assert_array_equal(engine.generate(request).samples, clip.samples)


def test_the_first_piece_is_heard_before_the_rest_is_decoded(engine: Engine) -> None:
    order: list[Any] = []

    def progress(now: Progress) -> None:
        if now.stage == "decode":
            order.append((now.step, now.steps))

    engine.generate(Request(glide(3.0)), progress, audio=lambda first, samples, total: order.append("heard"))
    steps = len(segment_plan(300)) + 1
    expected: list[Any] = [(0, steps), (1, steps)]
    for step in range(2, steps + 1):
        expected += ["heard", (step, steps)]
    assert order == expected and steps >= 3


def test_a_clip_is_cancelled_while_it_is_decoded(engine: Engine) -> None:
    ear = Ear()
    with pytest.raises(Cancelled, match="decoded"):
        engine.generate(Request(glide(4.0)), cancelled=lambda: len(ear.pieces) == 1, audio=ear)
    assert len(ear.pieces) == 1
    assert engine.generate(Request(glide(0.5))).samples.size


def test_a_clip_that_is_whole_is_not_cancelled_any_more(engine: Engine) -> None:
    ear = Ear()
    clip = engine.generate(Request(glide(0.5)), cancelled=lambda: bool(ear.pieces), audio=ear)
    np.testing.assert_array_equal(ear.pieces[0], clip.samples)


def test_a_preset_without_vocoder_is_heard_in_one_piece(tmp_path: Path) -> None:
    header = tiny_header()
    header["parts"]["vocoder"] = {"kind": "griffin-lim", "iterations": 2}
    states = {part: network.state_dict() for part, network in tiny_networks().items() if part != "vocoder"}
    folder = write_preset(tmp_path / "plain", header, states, torch.float16).folder
    ear = Ear()
    clip = Engine(read_preset(folder), "cpu").generate(Request(glide(0.6)), audio=ear)
    assert len(ear.pieces) == 1
    np.testing.assert_array_equal(ear.pieces[0], clip.samples)
