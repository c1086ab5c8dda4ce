"""Voices: every sound is imitated, by the recording that there is or by a synthetic voice, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_sets import burst, put
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

import training.voices as voices
from training.base import open_base
from training.data.collection import Collection
from training.data.features import Features
from training.data.formats import open_collection, read_collection
from training.data.spec import DataSpec
from training.errors import DataError
from training.imitated_sounds import imitated_sounds
from training.synthesis.speaker import HELD_OUT_SPEAKERS
from training.voices import imitated


def library(folder: Path) -> Collection:
    """Two sounds with recorded imitations, one of them with two, and two sounds without."""
    for number, name in enumerate(("bell", "rain", "saw", "wind")):
        put(folder / f"{name}.wav", burst(number, 0.4, 48000), 48000)
    put(folder / "bell_imitation.wav", burst(10, 0.4, 48000), 48000)
    put(folder / "rain_imitation_1.wav", burst(11, 0.4, 48000), 48000)
    put(folder / "rain_imitation_2.wav", burst(12, 0.4, 48000), 48000)
    return read_collection(str(folder))


@pytest.fixture
def performed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Tasks of the synthesiser, as they are done in this process."""
    done: list[Any] = []
    own = voices.perform

    def counted(task: Any) -> Any:
        done.append(task)
        return own(task)

    monkeypatch.setattr(voices, "perform", counted)
    return done


def test_recorded_voices_come_before_synthetic_ones(tmp_path: Path, performed: list[Any]) -> None:
    collection = library(tmp_path / "sounds")
    found = imitated(collection, tmp_path / "cache", count=2)
    means = [(item.key, item.means) for item in found.items]
    assert means == [
        ("bell_imitation.wav", "bell.wav"),
        ("rain_imitation_1.wav", "rain.wav"),
        ("rain_imitation_2.wav", "rain.wav"),
        ("saw.wav voice 1", "saw.wav"),
        ("saw.wav voice 2", "saw.wav"),
        ("wind.wav voice 1", "wind.wav"),
        ("wind.wav voice 2", "wind.wav"),
    ]
    assert all(item.role == "imitation" for item in found.items) and len(performed) == 4
    recorded = found.read(found.items[0])
    np.testing.assert_array_equal(recorded.samples, burst(10, 0.4, 48000))
    first, second = (found.read(item).samples for item in found.items[3:5])
    assert len(first) == len(second) == 19200 and np.abs(first).max() > 0.01
    assert np.corrcoef(first, second)[0, 1] < 0.9
    assert len({found.content_key(item) for item in found.items}) == 7


def test_a_voice_is_rendered_once_and_is_its_contents_own(tmp_path: Path, performed: list[Any]) -> None:
    collection = library(tmp_path / "sounds")
    before = imitated(collection, tmp_path / "cache")
    assert len(performed) == 2
    (tmp_path / "sounds" / "saw.wav").rename(tmp_path / "sounds" / "a saw.wav")
    again = imitated(read_collection(str(tmp_path / "sounds")), tmp_path / "cache")
    assert len(performed) == 2
    old = {item.key: before.read(item).samples for item in before.items}
    new = {item.key: again.read(item).samples for item in again.items}
    np.testing.assert_array_equal(old["saw.wav voice 1"], new["a saw.wav voice 1"])
    imitated(collection_of(tmp_path), tmp_path / "cache", seed=2)
    assert len(performed) == 4
    fresh = imitated(collection_of(tmp_path), tmp_path / "other")
    for item in fresh.items:
        np.testing.assert_array_equal(fresh.read(item).samples, new[item.key])


def collection_of(folder: Path) -> Collection:
    return read_collection(str(folder / "sounds"))


def test_held_out_sounds_have_speakers_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import training.synthesis.imitate as synthesis

    speakers: list[Any] = []
    own = synthesis.imitate

    def noted(sketch: Any, rng: Any, rate: int, speaker: Any = None) -> Any:
        speakers.append(speaker)
        return own(sketch, rng, rate, speaker)

    monkeypatch.setattr(synthesis, "imitate", noted)
    for number in range(6):
        put(tmp_path / "sounds" / f"{number}.wav", number)
    spec = DataSpec(source=str(tmp_path / "sounds"), held_out=0.3)
    collection = open_collection(spec, lambda sentence: None)
    held_out = sum(item.split == "validation" for item in collection.items)
    imitated(collection, tmp_path / "cache")
    assert 0 < held_out < 6 and sum(speaker is not None for speaker in speakers) == held_out
    assert all(speaker in HELD_OUT_SPEAKERS for speaker in speakers if speaker is not None)


def test_what_cannot_be_imitated_is_told(tmp_path: Path) -> None:
    put(tmp_path / "sounds" / "still.wav", np.zeros(16000, np.float32))
    put(tmp_path / "sounds" / "a.wav", 1)
    put(tmp_path / "sounds" / "gone.wav", 2)
    collection = read_collection(str(tmp_path / "sounds"))
    (tmp_path / "sounds" / "gone.wav").unlink()
    found = imitated(collection, tmp_path / "cache")
    assert [item.means for item in found.items] == ["a.wav"] and len(found.faults) == 2
    for fault in found.faults:
        assert_sentence(fault.sentence)
    with pytest.raises(DataError, match="Nothing of sounds can be imitated") as caught:
        imitated(collection.of(item for item in collection.items if item.key != "a.wav"), tmp_path / "c")
    assert_sentence(str(caught.value))


@pytest.mark.slow
def test_sounds_are_cut_imitated_and_encoded_once(
    tmp_path: Path, performed: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    preset = make_tiny_preset(tmp_path / "presets")
    library(tmp_path / "sounds")
    spec = DataSpec(source=str(tmp_path / "sounds"), held_out=0.25)
    collection = open_collection(spec, lambda sentence: None)
    base = open_base(str(preset), ("vae", "encoder"))
    stages: list[str] = []
    found = imitated_sounds(
        collection, base, tmp_path / "cache", 2, progress=lambda name, done, whole: stages.append(name)
    )
    assert list(dict.fromkeys(stages)) == ["cutting", "imitating", "encoding", "hearing"]
    names = [found.sounds.items[at].key for at in found.which]
    assert names == ["bell.wav", "rain.wav", "saw.wav", "wind.wav"]
    assert [found.imitations(index) for index in range(4)] == [1, 2, 2, 2]
    for index in range(4):
        frames = found.valid(index)
        assert found.latent(index).shape == (8, frames, 16)
        assert found.sketch(index).shape == (4, 4 * frames)
        voice, other = found.vector(index, "imitation"), found.vector(index, "reference")
        assert voice.shape == other.shape == (960,) and not torch.equal(voice, other)
        assert found.voice_sketch(index).shape[0] == 4
    assert not torch.equal(found.vector(1, "imitation", 0), found.vector(1, "imitation", 1))
    parts = [found.part(split) for split in ("train", "validation")]
    assert sum(map(len, parts)) == 4 and len(parts[1]) > 0 and parts[0].digest() != parts[1].digest()

    calls: list[int] = []
    monkeypatch.setattr(Features, "of", lambda *arguments: calls.append(1))
    del performed[:]
    again = imitated_sounds(collection, base, tmp_path / "cache", 2)
    assert not calls and not performed and again.digest() == found.digest()


def test_without_an_encoder_clap_hears(tmp_path: Path) -> None:
    preset = make_tiny_audioldm(tmp_path / "presets")
    collection = library(tmp_path / "sounds")
    found = imitated_sounds(collection, open_base(str(preset), ("vae", "clap_audio")), tmp_path / "cache")
    assert found.vector(0, "imitation").shape == found.vector(0, "reference").shape == (512,)
    assert not torch.equal(found.vector(0, "imitation"), found.vector(0, "reference"))
