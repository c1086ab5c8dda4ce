"""The adapter is aimed at a folder's sounds, and clips say how much of what was learned goes into a preset."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tiny import assert_sentence
from torch import Tensor
from torch.nn import functional

from training.preset import aiming
from training.preset.aiming import aim
from training.preset.choosing import SHARES, Choice, choose
from training.preset.gestures import Gesture
from training.preset.judge import Performance
from vocaldm_live.measure.following import measure_following
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.sound.audio import Sound

RATE = 16000


@dataclass(frozen=True)
class Heard:
    """Sounds and the voices that mean them, as an encoder hears them: unit vectors `[n, 960]`."""

    sounds: Tensor
    voices: Tensor

    def __len__(self) -> int:
        return len(self.sounds)

    def imitations(self, index: int) -> int:
        return 1

    def vector(self, index: int, tower: str, which: int = 0) -> Tensor:
        return self.voices[index] if tower == "imitation" else self.sounds[index]


def heard(count: int, seed: int, related: bool = True) -> Heard:
    """Voices are turned and blurred copies of their sounds, or have nothing to do with them."""
    draw = torch.Generator().manual_seed(seed)
    turn = torch.Generator().manual_seed(99)
    sounds = torch.randn(count, 12, generator=draw) @ torch.randn(12, 960, generator=turn)
    other = torch.randn(count, 12, generator=draw) @ torch.randn(12, 960, generator=turn)
    voices = (sounds if related else other).roll(100, 1) + 0.4 * other
    return Heard(functional.normalize(sounds, dim=1), functional.normalize(voices, dim=1))


@pytest.fixture(scope="module")
def adapter() -> Adapter:
    torch.manual_seed(0)
    made = Adapter()
    made.fit(heard(64, 5).sounds)
    return made.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiming, "STEPS", 100)


@pytest.mark.slow
def test_voices_come_to_mean_their_sounds(adapter: Adapter) -> None:
    found = aim(adapter, heard(96, 1), heard(24, 2), 1)  # type: ignore[arg-type]
    assert found.after > found.before + 0.3 and found.step > 0
    again = aim(adapter, heard(96, 1), heard(24, 2), 1)  # type: ignore[arg-type]
    for name, value in found.adapter.state_dict().items():
        assert torch.equal(value, again.adapter.state_dict()[name]), "the same pairs give the same weights"
    held = heard(24, 2)
    with torch.no_grad():
        kept = functional.cosine_similarity(found.adapter(held.sounds), adapter(held.sounds)).mean()
    assert kept > 0.9, "what it says of sounds themselves stays"
    assert torch.equal(found.adapter.null, adapter.null)


@pytest.mark.slow
def test_an_aim_that_helps_nobody_is_not_taken(adapter: Adapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held-out voices that are their sounds are meant as well as can be, whatever the others teach."""
    monkeypatch.setattr(aiming, "STEPS", aiming.EVERY)  # one look
    sounds = heard(24, 2).sounds
    found = aim(adapter, heard(96, 1, related=False), Heard(sounds, sounds), 1)  # type: ignore[arg-type]
    assert found.step == 0 and found.after == found.before == pytest.approx(1.0, abs=1e-5)
    for name, value in found.adapter.state_dict().items():
        assert torch.equal(value, adapter.state_dict()[name])


class Pitch:
    """Hears nothing but how high a sound is, in octaves, twice."""

    name = "pitch"
    sha256 = "0" * 64
    rate = RATE
    width = 2

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(samples))
        octave = np.log2(np.argmax(spectrum) + 1.0)
        return np.array([octave, -octave], dtype=np.float32)


def tone(hertz: float, envelope: np.ndarray) -> np.ndarray:
    times = np.arange(len(envelope)) / RATE
    return (0.5 * envelope * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def envelope(number: int) -> np.ndarray:
    draw = np.random.default_rng(number)
    return np.interp(np.linspace(0, 1, RATE), np.linspace(0, 1, 9), draw.uniform(0.02, 1.0, 9))


GESTURES = [
    Gesture(str(n), str(n), tone(200.0, envelope(n)).repeat(3), tone(2000.0 + 40 * n, envelope(n)).repeat(3))
    for n in range(5)
]
REFERENCE = [Sound(tone(1000.0 * 2 ** (n / 4), envelope(50 + n)), RATE) for n in range(9)]


def played(hertz: float, follows: bool = True) -> Performance:
    clips = [tone(hertz + 35 * n, envelope(n if follows else 80 + n)) for n in range(5)]
    followings = [measure_following(tone(200.0, envelope(n)), clip, RATE) for n, clip in enumerate(clips)]
    return Performance("some", RATE, tuple(clips), tuple(followings))


def chosen(
    by_choice: dict[tuple[float, float], Performance], shares: tuple[float, ...] = (*SHARES, 0.0)
) -> Choice:
    def play(choice: Choice) -> Performance:
        return by_choice[choice.unet, choice.guidance]

    base = played(150.0)
    return choose([Pitch()], REFERENCE, GESTURES, base, play, shares, 0.03, lambda sentence: None)


@pytest.mark.slow
def test_what_brings_clips_closer_is_taken() -> None:
    far, near, nearest = played(200.0), played(800.0), played(1900.0)
    assert chosen({(0.0, 1.0): far, (0.5, 1.0): near, (1.0, 1.0): far, (0.5, 1.5): far}) == Choice(0.5)
    found = chosen({(0.0, 1.0): near, (0.5, 1.0): far, (1.0, 1.0): far, (0.0, 1.5): nearest})
    assert found == Choice(0.0, 1.0, 1.5), "more guidance helped too"


@pytest.mark.slow
def test_what_is_no_closer_than_chance_is_not_taken() -> None:
    same, again = played(800.0), played(800.5)
    assert chosen({(0.0, 1.0): same, (0.5, 1.0): again, (1.0, 1.0): again, (0.0, 1.5): again}) == Choice(0.0)


@pytest.mark.slow
def test_what_follows_nothing_is_not_taken_however_near() -> None:
    near, deaf = played(800.0), played(1950.0, follows=False)
    assert chosen({(0.0, 1.0): near, (0.5, 1.0): near, (1.0, 1.0): deaf, (0.0, 1.5): deaf}) == Choice(0.0)


def test_too_few_sounds_choose_nothing() -> None:
    tried: list[Choice] = []

    def play(choice: Choice) -> Performance:
        tried.append(choice)
        return played(800.0)

    found = choose(
        [Pitch()], REFERENCE[:2], GESTURES, played(150.0), play, SHARES, 0.03, lambda sentence: None
    )
    assert found == Choice() and tried == [Choice()], "it is only heard whether it follows"


@pytest.mark.slow
def test_what_follows_worse_goes_less_far() -> None:
    """By gestures that choose, so that those that judge have no say in what they judge."""
    told: list[str] = []

    def play(choice: Choice) -> Performance:
        one = played(800.0, follows=choice.adapter < 0.5)
        return replace(one, bank=one.followings)

    base = replace(played(150.0), bank=played(150.0).followings)
    found = choose([Pitch()], REFERENCE, GESTURES, base, play, (0.5, 1.0, 0.0), 0.03, told.append)
    assert found == Choice(0.0, 1.0).weaker(0.3)
    assert [sentence for sentence in told if "30% of all" in sentence]
    for sentence in told:
        assert_sentence(sentence)


def test_a_weaker_choice_goes_less_far_in_everything() -> None:
    assert Choice(0.5, 1.0, 1.5).weaker(0.6) == Choice(0.3, 0.6, pytest.approx(1.3))
