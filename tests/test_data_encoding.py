"""Encoding: features of a collection are the engine's own, computed once by content, whoever was killed meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data_sets import burst, put
from disks import small_disk
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from training.base import Base, open_base
from training.cli import main
from training.cluster.encode import Counted
from training.data import features as made
from training.data.collection import Collection
from training.data.encoding import Encoded, encode
from training.data.features import Features, parts_for, sound_mel
from training.data.formats import open_collection, read_collection
from training.data.masks import crop_or_pad
from training.data.pieces import cut
from training.data.spec import DataSpec
from training.draws import Draws
from training.errors import DataError, RecipeError
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.scale import scale_of
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.sketch import measure_sketch

HOUSE_LIKE = ("latent", "imitation", "reference", "sketch")
AUDIOLDM_LIKE = ("latent", "clap", "sketch")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("presets")
    return {"house": make_tiny_preset(folder), "audioldm": make_tiny_audioldm(folder)}


def base_of(preset: Path, wanted: tuple[str, ...]) -> Base:
    return open_base(str(preset), parts_for(wanted))


def sounds(folder: Path, count: int = 3, seconds: float = 0.4) -> Path:
    for number in range(count):
        rate = (16000, 44100, 48000)[number % 3]
        put(folder / f"{number}.wav", burst(number, seconds + 0.1 * number, rate), rate)
    return folder


class Counter:
    """How often a module's method was called, and with what."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.given: list[Any] = []
        own = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.given.append(arguments)
            return own(*arguments, **named)

        monkeypatch.setattr(owner, name, counted)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["house", "audioldm"])
def test_the_mel_is_the_engines_bit_for_bit(
    presets: dict[str, Path], kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = base_of(presets[kind], ("latent",))
    engine = Engine(read_preset(presets[kind]), "cpu")
    encoder = Features(base, ("latent",))
    ours = Counter(monkeypatch, base.networks["vae"], "encode")
    theirs = Counter(monkeypatch, engine.modules.vae, "encode")
    for number, (rate, seconds) in enumerate(((44100, 0.613), (48000, 0.25), (16000, 0.07))):
        sound = Sound(burst(number, seconds, rate) + np.float32(0.02), rate)
        as_it_is = encoder.of(sound, "imitation", "key", ("latent",))["latent"]
        engine.resynthesise(sound)
        np.testing.assert_array_equal(ours.given[-1][0], theirs.given[-1][0])
        samples = sound.at(base.geometry.sample_rate).samples
        assert as_it_is.shape[1] == base.geometry.latent_frames(len(samples))

        levelled = encoder.of(sound, "sound", "key", ("latent",))["latent"]
        assert np.abs(levelled - as_it_is).max() > 1e-3
    if kind == "audioldm":  # as AudioLDM's loader has it, and as the engine hears a sound that is edited
        sound = Sound(burst(5, 0.64, 16000) + np.float32(0.02), 16000)
        encoder.of(sound, "sound", "key", ("latent",))
        mel = engine._editor.mel(sound.samples, scale_of(sound.samples, engine.preset.header.parts.unet))  # type: ignore[arg-type]
        np.testing.assert_array_equal(ours.given[-1][0], mel[:, :, :64])


def test_the_houses_sounds_stand_at_the_peaks_of_its_training(presets: dict[str, Path]) -> None:
    encoder = Features(base_of(presets["house"], ("latent",)), ("latent",))
    peaks = []
    for number in range(40):
        scale = encoder._scale(burst(1, level=0.01), "sound", str(number))
        peaks.append(20.0 * np.log10(np.abs(scale.there(burst(1, level=0.01))).max()))
    assert -16.1 < min(peaks) < -13.0 and -3.5 < max(peaks) < -0.4


def test_every_network_goes_to_the_device_that_was_told(
    presets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that stayed behind would be given sounds that lie where it is not."""
    put(tmp_path / "sounds" / "a.wav", burst(1, 0.3), 16000)
    for name, wanted in (("audioldm", ("clap", "latent", "sketch")), ("house", ("imitation", "latent"))):
        base = base_of(presets[name], wanted)
        asked = {part: Counter(monkeypatch, network, "to").given for part, network in base.networks.items()}
        sent = Counter(monkeypatch, base.networks["vae"], "encode").given
        there = torch.device("cpu", 0)
        encode(read_collection(str(tmp_path / "sounds")), base, wanted, tmp_path / "cache", device=there)
        for part in {"audioldm": ("clap_audio", "vae"), "house": ("encoder", "vae")}[name]:
            assert asked[part] == [(there,)], part
        assert len(sent) == 1


def test_features_are_the_engines(presets: dict[str, Path], tmp_path: Path) -> None:
    put(tmp_path / "voices" / "a_imitation.wav", burst(1, 0.5, 48000), 48000)
    put(tmp_path / "voices" / "a.wav", burst(2, 0.5, 48000), 48000)
    collection = read_collection(str(tmp_path / "voices"))
    wanted = ("latent", "imitation", "reference", "sketch")
    found = encode(collection, base_of(presets["house"], wanted), wanted, tmp_path / "cache")
    assert found.pairs() == ((found.place("a_imitation.wav"), found.place("a.wav")),)
    voice, other = found.pairs()[0]
    sound = collection.read(found.items[voice])
    engine = Engine(read_preset(presets["house"]), "cpu")
    np.testing.assert_allclose(found.vector(voice, "imitation"), engine.embedding(sound), atol=1e-5)
    assert found.latent(voice).shape == (8, found.valid(voice), 16) and found.valid(voice) == 13
    expected = measure_sketch(sound.samples, 48000).fitted(52).array()
    np.testing.assert_array_equal(found.sketch(voice), expected)
    assert not found.sketch(voice).flags.writeable and found.sketch(voice).base is not None
    assert abs(float(found.vector(other, "reference").norm()) - 1.0) < 1e-5

    wanted = ("clap",)
    heard = encode(collection, base_of(presets["audioldm"], wanted), wanted, tmp_path / "cache")
    there = Engine(read_preset(presets["audioldm"]), "cpu")
    clap = there._hearing.sound(sound)[0]  # type: ignore[attr-defined]
    np.testing.assert_allclose(heard.clap(voice), clap, atol=1e-5)


def test_claps_numbers_are_float32_whatever_surrounds_them(presets: dict[str, Path], tmp_path: Path) -> None:
    base = base_of(presets["audioldm"], ("clap", "latent"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = Features(base, ("clap", "latent")).of(
            Sound(burst(1), 16000), "sound", "k", ("clap", "latent")
        )
    outside = Features(base, ("clap", "latent")).of(Sound(burst(1), 16000), "sound", "k", ("clap", "latent"))
    for kind in outside:
        np.testing.assert_array_equal(inside[kind], outside[kind])
        assert inside[kind].dtype == np.float32


def test_nothing_is_encoded_twice(
    presets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sounds(tmp_path / "sounds")
    shutil.copy(folder / "0.wav", folder / "copy of 0.wav")
    calls = Counter(monkeypatch, Features, "of")

    def run(*wanted: str, preset: str = "house") -> Encoded:
        del calls.given[:]
        base = base_of(presets[preset], wanted)
        return encode(read_collection(str(folder)), base, wanted, tmp_path / "cache")

    first = run("latent", "sketch")
    assert len(calls.given) == 3 and len(first) == 4
    assert torch.equal(first.latent(0), first.latent(3))
    assert run("latent", "sketch") is not None and not calls.given
    shutil.move(folder / "1.wav", folder / "another name.wav")
    assert len(run("latent")) == 4 and not calls.given
    run("latent", "sketch", "reference")
    assert [given[4] for given in calls.given] == [("reference",)] * 3
    run("latent", "sketch", preset="audioldm")
    assert len(calls.given) == 3
    put(folder / "new.wav", 9)
    assert run("latent", "sketch").digest() != first.digest() and len(calls.given) == 1


def test_what_a_power_cut_damaged_is_encoded_again(
    presets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, cache = sounds(tmp_path / "sounds"), tmp_path / "cache"
    base = base_of(presets["house"], ("latent", "sketch"))

    def run() -> Encoded:
        return encode(read_collection(str(folder)), base, ("latent", "sketch"), cache)

    before = [run().latent(i) for i in range(3)]
    calls = Counter(monkeypatch, Features, "of")
    for path in cache.glob("*.records"):
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    again = run()
    assert 0 < len(calls.given) <= 3
    assert all(torch.equal(again.latent(i), before[i]) for i in range(3))
    assert all(np.isfinite(again.sketch(i)).all() for i in range(3))


def test_the_command_takes_the_data_as_a_recipe_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split, numbers in (("train", range(6)), ("test", range(6, 8))):
        for number in numbers:
            put(tmp_path / "sounds" / split / f"{number}.wav", number)
    taken: list[Collection] = []
    monkeypatch.setattr("training.cluster.encode.fitting_base", lambda preset: None)
    monkeypatch.setattr(
        "training.cluster.encode.encode_all",
        lambda collection, *more: taken.append(collection) or Counted(1, 0, ()),
    )
    given = ["encode", str(tmp_path / "sounds"), "--cache", str(tmp_path), "--workers", "1"]
    for more, told in (
        (["--split", "given", "--limit", "4"], {"split": "given", "limit": 4}),
        (["--held-out", "0.5"], {"held_out": 0.5}),
        ([], {}),
    ):
        assert main([*given, *more]) == 0
        spec = DataSpec(source=str(tmp_path / "sounds"), **told)  # type: ignore[arg-type]
        assert taken[-1].items == open_collection(spec, pytest.fail).items
    assert main([*given, "--split", "halves"]) == 2


def test_other_weights_make_other_numbers(presets: dict[str, Path], tmp_path: Path) -> None:
    folder = sounds(tmp_path / "sounds", 1)
    base = base_of(presets["house"], ("latent",))
    before = encode(read_collection(str(folder)), base, ("latent",), tmp_path / "cache").latent(0)
    with torch.no_grad():
        next(base.networks["vae"].parameters()).add_(0.1)
    after = encode(read_collection(str(folder)), base, ("latent",), tmp_path / "cache").latent(0)
    assert (before - after).abs().max() > 1e-4


PROGRAM = """
import sys
from pathlib import Path
from training.base import open_base
from training.data.encoding import encode
from training.data.features import parts_for
from training.data.formats import read_collection
if __name__ == "__main__":
    sounds, preset, cache, workers = sys.argv[1:5]
    tell = lambda done, whole: print(done, flush=True)
    wanted = ("latent", "sketch")
    base = open_base(preset, parts_for(wanted))
    encode(read_collection(sounds), base, wanted, Path(cache), int(workers), tell)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_two_workers_make_the_same(
    presets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sounds(tmp_path / "sounds", 12, 0.2)
    program = tmp_path / "encode_here.py"
    program.write_text(PROGRAM)
    command = [sys.executable, str(program), str(folder), str(presets["house"]), str(tmp_path / "cache"), "2"]
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    assert process.stdout is not None
    done = [process.stdout.readline() for _ in range(4)][-1]
    process.send_signal(signal.SIGKILL)
    process.wait()
    # The workers end by themselves: their ends of the pipe are closed when they have.
    process.stdout.read()
    process.stdout.close()

    wanted = ("latent", "sketch")
    calls = Counter(monkeypatch, Features, "of")
    base, collection = base_of(presets["house"], wanted), read_collection(str(folder))
    mended = encode(collection, base, wanted, tmp_path / "cache")
    assert len(mended) == 12 and 0 < len(calls.given) <= 12 - int(done)
    alone = encode(collection, base, wanted, tmp_path / "other")
    for i in range(12):
        assert torch.equal(mended.latent(i), alone.latent(i))
        np.testing.assert_array_equal(mended.sketch(i), alone.sketch(i))


def test_what_cannot_be_heard_is_told_and_the_rest_goes_on(presets: dict[str, Path], tmp_path: Path) -> None:
    folder = sounds(tmp_path / "sounds")
    put(folder / "one sample.wav", np.ones(1, np.float32))
    put(folder / "still.wav", np.full(16000, 0.3, np.float32))
    os.rename(put(folder / "7.wav", 7), folder / "Ünï\udcff.wav")
    whole = (folder / "0.wav").read_bytes()
    (folder / "torn.wav").write_bytes(whole[:60])
    put(folder / "gone.wav", 5)
    collection = read_collection(str(folder))
    (folder / "gone.wav").unlink()
    wanted = ("latent", "reference", "sketch")
    found = encode(collection, base_of(presets["house"], wanted), wanted, tmp_path / "cache")
    assert len(found) == 4 and found.place("Ünï\udcff.wav") is not None
    assert len(found.problems) in (3, 4)  # the torn file may have been left out before
    for problem in found.problems:
        assert_sentence(problem)
    assert any("one sample.wav is 0.1 ms long" in problem for problem in found.problems)
    assert any("still.wav is silent" in problem for problem in found.problems)
    assert found.place("still.wav") is None and found.place("gone.wav") is None


def test_what_has_nothing_or_no_part_is_one_sentence(presets: dict[str, Path], tmp_path: Path) -> None:
    put(tmp_path / "still" / "a.wav", np.zeros(16000, np.float32))
    still = read_collection(str(tmp_path / "still"))
    base = base_of(presets["house"], ("latent",))
    with pytest.raises(DataError, match="Nothing of still can be encoded") as caught:
        encode(still, base, ("latent",), tmp_path / "cache")
    assert_sentence(str(caught.value))
    for wanted in (("clap",), ("loudness",)):
        with pytest.raises(RecipeError) as refused:
            encode(still, base, wanted, tmp_path / "cache")
        assert_sentence(str(refused.value))


def test_a_full_disk_is_one_sentence_and_the_next_run_goes_on(
    presets: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = read_collection(str(sounds(tmp_path / "sounds", 12, 1.0)))
    base = base_of(presets["house"], ("latent",))
    with small_disk(tmp_path / "disk", "192k") as disk:
        with pytest.raises(DataError, match="cannot be used") as caught:
            encode(collection, base, ("latent",), disk / "cache")
        assert_sentence(str(caught.value))
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        calls = Counter(monkeypatch, Features, "of")
        assert len(encode(collection, base, ("latent",), disk / "cache")) == 12
        assert 0 < len(calls.given) < 12


def test_padding_is_no_part_of_what_is_kept(presets: dict[str, Path], tmp_path: Path) -> None:
    folder = sounds(tmp_path / "sounds", 3, 0.3)
    wanted = ("latent",)
    found = encode(
        read_collection(str(folder)), base_of(presets["house"], wanted), wanted, tmp_path / "cache"
    )
    draws = Draws(1, 0, (0, 1, 2), 3, torch.device("cpu"))
    batch, valid = crop_or_pad([found.latent(i) for i in range(3)], 32, draws)
    assert batch.shape == (3, 8, 32, 16)
    assert valid.tolist() == [found.valid(i) for i in range(3)] == [8, 10, 13]


def test_pieces_are_loud_short_and_cut_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    still = np.zeros(16000 * 2, np.float32)
    long = np.concatenate([burst(1, 0.5), still, burst(2, 2.5), still])
    put(tmp_path / "sounds" / "rain" / "two.wav", long)
    put(tmp_path / "sounds" / "rain" / "one.wav", burst(3, 0.5))
    put(tmp_path / "sounds" / "rain" / "still.wav", still)
    put(tmp_path / "sounds" / "rain" / "v_imitation.wav", np.concatenate([still, burst(4, 3.0), still]))
    put(tmp_path / "sounds" / "rain" / "v.wav", np.concatenate([burst(5, 0.5), still, burst(6, 0.5)]))
    collection = read_collection(str(tmp_path / "sounds"))
    reads = Counter(monkeypatch, Collection, "read")
    pieces = cut(collection, tmp_path / "cache", longest=2.0)
    assert len(reads.given) == 5
    names = [item.key for item in pieces.items]
    assert names[0] == "rain/one.wav" and len(names) == 6
    assert [item.group for item in pieces.items if "two" in item.key] == ["rain/two.wav"] * 3
    assert all(item.labels == ("rain",) and 0.05 <= item.seconds <= 2.01 for item in pieces.items)
    assert [fault.key for fault in pieces.faults] == ["rain/still.wav"]
    assert len(pieces.pairs()) == 1 and pieces.pairs()[0][1].seconds == pytest.approx(2.0)
    for item in pieces.items:
        read = pieces.read(item)
        assert read.seconds == pytest.approx(item.seconds) and np.abs(read.samples).max() > 0.01
    keys = [pieces.content_key(item) for item in pieces.items]
    assert len(set(keys)) == 6

    os.rename(tmp_path / "sounds" / "rain" / "two.wav", tmp_path / "sounds" / "rain" / "renamed.wav")
    del reads.given[:]
    again = cut(read_collection(str(tmp_path / "sounds")), tmp_path / "cache", longest=2.0)
    assert not reads.given and sorted(keys) == sorted(again.content_key(item) for item in again.items)


def test_pieces_are_encoded_one_by_one(presets: dict[str, Path], tmp_path: Path) -> None:
    put(tmp_path / "sounds" / "a.wav", burst(1, 2.5))
    pieces = cut(read_collection(str(tmp_path / "sounds")), tmp_path / "cache", longest=1.0)
    wanted = ("latent", "sketch")
    found = encode(pieces, base_of(presets["house"], wanted), wanted, tmp_path / "cache")
    assert len(found) == 3 and [found.valid(i) for i in range(3)] == [21, 21, 21]
    assert found.sketch(0).shape == (4, 84)


def test_the_mel_fills_whole_latent_frames() -> None:
    from vocaldm_live.sound.geometry import HOUSE

    assert sound_mel(burst(1, 0.1, 48000), HOUSE).shape == (1, 128, 12)
    assert made.LONGEST_SECONDS * 48000 == 491520
