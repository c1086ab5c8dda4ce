"""Sketches of voices in training: a denoiser may learn from what moves it at play, with the sound's own loudness or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from torch import Tensor

parts.package("lightning_fabric")  # of the extra [training]

from stacked_sounds import stacked_sounds  # noqa: E402
from tiny import make_tiny_preset  # noqa: E402
from train_denoisers import trainer_of  # noqa: E402

from training.data.spec import DataSpec  # noqa: E402
from training.draws import Draws  # noqa: E402
from training.preset.recipe import PresetRecipe  # noqa: E402
from training.preset.training import denoiser_recipe  # noqa: E402
from training.shards import StackedSounds  # noqa: E402
from training.trainers.vocaldm import VocalDMTrainer  # noqa: E402
from vocaldm_live.model.sketch_image import draw_sketch  # noqa: E402
from vocaldm_live.sound.sketch import REFERENCE_LOUDNESS, Sketch  # noqa: E402

CPU = torch.device("cpu")
FRAMES, FACTOR, ROWS = 16, 4, 40
BRIGHTNESS, LOUDNESS = 1, slice(3, 3 + FACTOR)
"""Channels of a sketch's image (model/sketch_image.py): the centroid, and the loudness of each frame in a latent's."""

STILL = (
    "gestures.drop=0",
    "gestures.loosen=0",
    "gestures.drop_pitch=0",
    "gestures.room_noise=0",
    "lengths=[16]",
)


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_preset(tmp_path_factory.mktemp("presets"), "tiny")


def imitated(count: int = 8) -> StackedSounds:
    """Sounds whose voices are brighter by an octave, 20 dB softer, half as long, and move otherwise."""
    plain = stacked_sounds(count)
    voices = plain.sketches.copy()[:, :, ::2]
    voices[:, 0] = -60.0 + 4.0 * np.random.default_rng(9).standard_normal(voices[:, 0].shape)
    voices[:, 1] += 12.0
    return replace(plain, voice_sketches=voices)


def images(trainer: VocalDMTrainer) -> Tensor:
    """Of a step of many rows, `[rows, channels, frames, bins]`."""
    found = trainer.batch(Draws(1, 0, tuple(range(ROWS)), ROWS, CPU), FRAMES).image
    assert found is not None
    return found


def drawn(trainer: VocalDMTrainer, sketches: np.ndarray) -> Tensor:
    assert trainer.geometry is not None
    return draw_sketch(torch.from_numpy(sketches), trainer.geometry)


def nearest(shown: Tensor, known: Tensor) -> Tensor:
    """How far each image's loudness is from that of the known one that it is nearest to, but for its level."""

    def moves(image: Tensor) -> Tensor:
        loudness = image[:, LOUDNESS, :, 0].flatten(1)
        return loudness - loudness.mean(1, keepdim=True)

    return torch.cdist(moves(shown), moves(known)).min(1).values


def voices_as_played(sounds: StackedSounds) -> np.ndarray:
    """What an engine makes of the voices: levelled, and as long as the clip."""
    return np.stack(
        [
            Sketch.of(voice).levelled()[0].stretched(sounds.sketches.shape[2]).array()
            for voice in sounds.voice_sketches
        ]
    )


@pytest.mark.parametrize("whole", [True, False])
def test_a_voice_tells_how_bright_and_either_says_how_loud(preset: Path, whole: bool) -> None:
    sounds = imitated()
    trainer = trainer_of(preset, *STILL, "voice_sketches=1", f"voice_loudness={whole}", sounds=sounds)
    shown, own, voices = (
        images(trainer),
        drawn(trainer, sounds.sketches),
        drawn(trainer, voices_as_played(sounds)),
    )
    torch.testing.assert_close(shown[:, BRIGHTNESS], voices[:1, BRIGHTNESS].expand(ROWS, -1, -1))
    assert not torch.allclose(shown[:1, BRIGHTNESS], own[:1, BRIGHTNESS], atol=0.1)
    same, other = (voices, own) if whole else (own, voices)
    assert float(nearest(shown, same).max()) < 0.1 < 0.5 < float(nearest(shown, other).min())


def test_a_voice_is_levelled_as_at_play(preset: Path) -> None:
    """How loud a microphone is says nothing."""
    sounds, telling = imitated(), trainer_of(preset, *STILL, "voice_sketches=1").telling
    own, voice = sounds.sketches[0], sounds.voice_sketches[0]
    louder = voice + np.array([[15.0], [0.0], [0.0], [0.0]], np.float32)
    told = telling.as_voice(own, voice)
    assert told.shape == own.shape
    np.testing.assert_allclose(told, telling.as_voice(own, louder), atol=1e-3)
    assert abs(told[0].max() - REFERENCE_LOUDNESS) < 6.0


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_examples_and_what_judges_them_are_told_in_the_stated_shares(preset: Path, share: float) -> None:
    """Judged by sketches that it hardly learned from, a run's best weights would be those that learned least."""
    sounds = imitated()
    trainer = trainer_of(
        preset, *STILL, f"voice_sketches={share}", "batch=40", sounds=sounds, held_out=sounds
    )
    own = drawn(trainer, sounds.sketches)[0, BRIGHTNESS, 0, 0]
    judging = trainer.bank_batch.image
    assert judging is not None
    for shown in (images(trainer), judging):
        found = float((shown[:, BRIGHTNESS, 0, 0] != own).float().mean())
        assert abs(found - share) <= (0.0 if share in (0.0, 1.0) else 0.15)


def test_a_preset_learns_from_voices_as_they_come_but_follows_loudness() -> None:
    recipe = PresetRecipe(data=DataSpec(source="sounds"), name="doors")
    told = denoiser_recipe(recipe, 10.0)
    assert told.voice_sketches == recipe.voice_sketches > 0 and not told.voice_loudness
    none = denoiser_recipe(recipe.model_copy(update={"voice_sketches": 0.0}), 10.0)
    assert none.voice_sketches == 0.0
