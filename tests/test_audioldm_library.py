"""A library anchors an AudioLDM: the sounds nearest to a voice by the encoder are the condition, as CLAP hears them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from cli_helpers import Said, run, write_gesture
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.checkpoints.preset import load_encoder, load_part, read_preset
from vocaldm_live.commands.anchoring import open_anchoring
from vocaldm_live.deliver.recipe import read_recipe
from vocaldm_live.engine.anchor import Anchor
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request, resolve
from vocaldm_live.errors import LibraryError, RequestError
from vocaldm_live.library.places import index_of
from vocaldm_live.model.adapter import blend
from vocaldm_live.model.clap_audio import clap_mel, filled
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.sound.audio import Sound, read_sound

NOTES = {"low": 110.0, "middle": 700.0, "high": 3000.0}


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "house")
    make_tiny_audioldm(folder, "small")
    make_tiny_audioldm(folder, "other", seed=1)
    make_tiny_audioldm(folder, "vocaldm", seed=2, vocaldm=True)
    make_tiny_audioldm(folder, "words", seed=3, audio=False)
    return folder


@pytest.fixture
def sounds(tmp_path: Path, presets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three short sounds and a long one, not yet indexed; the presets are found by name."""
    monkeypatch.setenv("VOCALDM_PRESETS", str(presets))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("vocaldm_live.commands.library.libraries_folder", lambda: tmp_path / "libraries")
    for name, note in NOTES.items():
        write_gesture(tmp_path / "sounds" / f"{name}.wav", note=note)
    times = np.arange(int(13 * 16000)) / 16000
    noise = np.random.default_rng(0).standard_normal(len(times))
    soundfile.write(tmp_path / "sounds" / "long.wav", 0.1 * noise * (times > 3.5), 16000)
    return tmp_path / "sounds"


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    return write_gesture(tmp_path / "voice.wav", note=2900.0)


@pytest.fixture
def library(capsys: pytest.CaptureFixture[str]) -> Any:
    """A function that runs `vocaldm library`."""

    def command(*arguments: object) -> Said:
        return run(capsys, "library", *arguments)

    return command


@pytest.fixture
def generate(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """A function that runs `vocaldm generate`."""

    def command(*arguments: object) -> Said:
        return run(capsys, "generate", *arguments, "--out", tmp_path / "out", "--json")

    return command


def nearest_by_hand(
    presets: Path, searcher: str, hearer: str, sounds: Path, voice: Path, count: int
) -> torch.Tensor:
    """The mean of the CLAP embeddings of the sounds nearest by the encoder, with nothing of the library in between."""
    encoder = Embedder(load_encoder(read_preset(presets / searcher)))
    tower = load_part(read_preset(presets / hearer), "clap_audio")
    wanted = encoder.vector(read_sound(voice), True)
    found = []
    for path in sorted(sounds.glob("*.wav")):
        sound = read_sound(path)
        starts = (0.0,) if sound.seconds <= 12.5 else (0.0, sound.seconds - 10.0)
        for start in starts:
            first = round(start * sound.sample_rate)
            part = Sound(sound.samples[first : first + 10 * sound.sample_rate], sound.sample_rate)
            found.append((float(encoder.vector(part, False) @ wanted), path, part))
    found.sort(key=lambda one: -one[0])
    kept: dict[Path, Sound] = {}
    for _, path, part in found:
        kept.setdefault(path, part)
    with torch.inference_mode():
        vectors = [
            tower(clap_mel(filled(torch.from_numpy(part.at(48000).samples))[None]))[0]
            for part in list(kept.values())[:count]
        ]
    mean = torch.stack(vectors).mean(0)
    return mean / mean.norm()


@pytest.mark.slow
@pytest.mark.parametrize(("hearer", "searcher"), [("small", "house"), ("vocaldm", "vocaldm")])
def test_the_condition_is_the_mean_of_the_nearest_sounds_as_clap_hears_them(
    hearer: str, searcher: str, library: Any, sounds: Path, voice: Path, presets: Path, tmp_path: Path
) -> None:
    said = library("build", sounds, "--preset", hearer, "--json")
    assert said.code == 0, said.err
    preset = read_preset(presets / hearer)
    engine = Engine(preset, "cpu")
    index = index_of(sounds, tmp_path / "libraries")
    for count in (1, 3, 4):
        wanted = nearest_by_hand(presets, searcher, hearer, sounds, voice, count)
        request = Request(read_sound(voice), anchor=open_anchoring(index, preset, count))
        with torch.inference_mode():
            found, null = engine.condition(resolve(request, preset.header))
            half, _ = engine.condition(resolve(request_with(request, 0.5), preset.header))
            none, _ = engine.condition(resolve(request_with(request, 0.0), preset.header))
            alone, _ = engine.condition(resolve(Request(request.imitation), preset.header))
        assert float(found.norm()) == pytest.approx(1.0, abs=1e-5)
        # The anchor keeps half precision, eleven bits of each number.
        assert torch.allclose(found[0], wanted, atol=1e-4), (count, found[0] @ wanted)
        assert torch.allclose(half, blend(alone, found, 0.5), atol=1e-5) and torch.equal(none, alone)
        assert float((found - alone).norm()) > 1e-3 < float((found - null).norm())


def request_with(request: Request, weight: float) -> Request:
    return replace(request, like_weight=weight)


@pytest.mark.slow
def test_a_second_embedding_is_added_without_reading_by_the_first_again(
    library: Any, sounds: Path, tmp_path: Path
) -> None:
    (first,) = library("build", sounds, "--json").objects
    assert first["read"] == 4 and first["vectors"] == 5 and "clap" not in first
    assert library("check", sounds).code == 0
    said = library("check", sounds, "--preset", "small")
    assert said.code == 1 and "4 sounds have no CLAP" in said.err and "--preset small" in said.err
    (second,) = library("build", sounds, "--preset", "small", "--json").objects
    assert second["read"] == 0 and second["clap"] == {"read": 4, "refused": 0, "vectors": 5}
    assert library("check", sounds, "--preset", "small").code == 0

    write_gesture(sounds / "new.wav", note=1500.0)
    (sounds / "low.wav").unlink()
    (sounds / "broken.wav").write_text("no sound")
    said = library("build", sounds, "--preset", "small", "--json")
    assert said.code == 1 and said.is_one_sentence() and "broken.wav" in said.err
    assert said.objects[0]["read"] == 2 and said.objects[0]["clap"]["read"] == 2
    listed = library("check", sounds, "--preset", "small")
    assert listed.code == 0 and listed.out.count("broken.wav") == 1
    # Another preset's tower gets a place of its own.
    (third,) = library("build", sounds, "--preset", "other", "--json").objects
    assert third["read"] == 0 and third["clap"]["read"] == 5
    assert library("check", sounds, "--preset", "small").code == 0
    told = library("build", sounds, "--preset", "small")
    assert told.out.count("0 read") == 2 and "CLAP of small" in told.out
    with closing(sqlite3.connect(Path(third["index"]) / "library.sqlite")) as database:
        names = {name for (name,) in database.execute("SELECT name FROM spaces")}
    assert len(names) == 3 and "qvim" in names


@pytest.mark.slow
def test_a_clip_is_anchored_and_its_recipe_repeats_it(
    generate: Any, library: Any, sounds: Path, voice: Path
) -> None:
    assert library("build", sounds, "--preset", "small").code == 0
    asked = (voice, "--preset", "small", "--steps", "2", "--eta", "1")
    (plain,) = generate(*asked).objects
    (clip,) = generate(*asked, "--library", sounds, "--nearest", 2, "--like-weight", "0.8").objects
    assert clip["nearest"][0] == "high.wav" and len(clip["nearest"]) == 2
    samples = soundfile.read(clip["clip"], dtype="int32")[0]
    assert not np.array_equal(samples, soundfile.read(plain["clip"], dtype="int32")[0])
    path = Path(clip["clip"]).with_suffix(".json")
    recipe = read_recipe(path)
    assert recipe.library == str(sounds) and list(recipe.nearest) == clip["nearest"]
    assert recipe.anchor_vector() is not None and len(recipe.anchor_vector()) == 512  # type: ignore[arg-type]
    for sound in sounds.iterdir():
        sound.unlink()
    said = generate("--recipe", path)
    assert (said.code, said.err) == (0, "") and said.objects[0]["nearest"] == clip["nearest"]
    assert np.array_equal(samples, soundfile.read(said.objects[0]["clip"], dtype="int32")[0])
    plain_recipe = json.loads(path.read_text())
    path.write_text(json.dumps(plain_recipe | {"anchor": plain_recipe["anchor"][:400]}))
    said = generate("--recipe", path)
    assert said.code == 2 and said.is_one_sentence() and "512" in said.err


@pytest.mark.slow
def test_one_sound_of_the_library_is_that_sound_as_an_example(
    generate: Any, library: Any, sounds: Path, voice: Path
) -> None:
    assert library("build", sounds, "--preset", "small").code == 0
    asked = (voice, "--preset", "small", "--steps", "2")
    (one,) = generate(*asked, "--library", sounds, "--nearest", 1).objects
    (like,) = generate(*asked, "--like", sounds / "high.wav").objects
    a, b = (soundfile.read(made["clip"])[0] for made in (one, like))
    assert np.abs(a - b).max() < 0.02 * np.abs(b).max()


@pytest.mark.slow
def test_candidates_are_ranked_by_the_anchor(generate: Any, library: Any, sounds: Path, voice: Path) -> None:
    assert library("build", sounds, "--preset", "small").code == 0
    said = generate(
        voice, "--preset", "small", "--steps", "1", "--library", sounds, "--candidates", 2, "--text", "a dog",
        "--text-weight", "0.3",
    )  # fmt: skip
    assert said.code == 0, said.err
    recipe = read_recipe(Path(said.objects[0]["clip"]).with_suffix(".json"))
    assert recipe.text == "a dog" and recipe.anchor is not None and "Best of 2" in recipe.notes[0]


@pytest.mark.slow
def test_what_an_index_lacks_is_one_sentence(
    generate: Any, library: Any, sounds: Path, voice: Path, tmp_path: Path, presets: Path
) -> None:
    library("build", sounds)
    said = generate(voice, "--preset", "small", "--library", sounds)
    assert said.code == 1 and said.is_one_sentence()
    assert f"vocaldm library build {sounds} --preset small" in said.err and "CLAP" in said.err
    assert_sentence(said.err.strip())
    assert not (tmp_path / "out").exists() or not any((tmp_path / "out").iterdir())

    library("build", sounds, "--preset", "small")
    write_gesture(sounds / "nearer.wav", note=2900.0)
    library("build", sounds)
    said = generate(voice, "--preset", "small", "--library", sounds, "--nearest", 5)
    assert said.code == 1 and said.is_one_sentence() and "nearer.wav has no CLAP" in said.err

    said = generate(voice, "--preset", "vocaldm", "--library", sounds)
    assert said.code == 1 and said.is_one_sentence() and "another encoder" in said.err
    said = generate(voice, "--preset", "words", "--library", sounds, "--text", "a dog", "--text-weight", "1")
    assert said.code == 2 and said.is_one_sentence() and "hears no sounds" in said.err
    with pytest.raises(LibraryError) as caught:
        open_anchoring(index_of(sounds, tmp_path / "libraries"), read_preset(presets / "other"))
    assert_sentence(str(caught.value))


def test_anchors_of_the_wrong_kind_are_refused(presets: Path, voice: Path) -> None:
    sound = read_sound(voice)
    for name, width, wrong in (("house", 960, 512), ("small", 512, 960)):
        header = read_preset(presets / name).header
        resolve(Request(sound, anchor=Anchor(np.ones(width), "x")), header)
        with pytest.raises(RequestError) as caught:
            resolve(Request(sound, anchor=Anchor(np.ones(wrong), "x")), header)
        assert_sentence(str(caught.value))
    both = read_preset(presets / "vocaldm").header
    for width in (512, 960):
        resolve(Request(sound, anchor=Anchor(np.ones(width), "x")), both)


@pytest.mark.slow
def test_a_library_is_searched_for_a_preset_without_an_encoder(
    library: Any, sounds: Path, voice: Path
) -> None:
    library("build", sounds, "--preset", "small")
    found = library("find", voice, "--preset", "small", "--library", sounds, "--json").objects
    by_house = library("find", voice, "--library", sounds, "--json").objects
    assert found == by_house and found[0]["path"] == str(sounds / "high.wav")
