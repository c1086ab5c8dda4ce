"""Training examples: the same number gives the same example, and shards hold what was put into them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from disks import remount, small_disk
from tiny import assert_sentence

from training import dataset as dataset_module
from training.cli import main
from training.data.formats import read_collection
from training.data.split import split_by_group
from training.dataset import ARRAYS, Synthesis, make_dataset, read_dataset
from training.errors import DataError
from training.examples import CLIP_FRAMES, HELD_OUT_FAMILIES, Example, level, make_example, make_sound, vary
from training.library import LibrarySound, read_library, trim_silence
from training.synthesis.families import FAMILIES

SEED = 5
FRAMES = 64


@pytest.fixture(scope="module")
def example() -> Example:
    return make_example(0, SEED, [], frames=FRAMES)


def real_sound(seconds: float = 0.6, name: str = "door/creak.wav") -> LibrarySound:
    times = np.arange(round(seconds * 48000)) / 48000
    samples = (0.4 * np.sin(2 * np.pi * 300.0 * times) * np.exp(-4.0 * times)).astype(np.float32)
    return LibrarySound(name, samples, False)


def test_an_example_has_the_shapes_that_the_networks_take(example: Example) -> None:
    assert example.mel.shape == example.imitation.shape == example.reference.shape == (128, FRAMES)
    assert example.mel.dtype == example.imitation.dtype == example.reference.dtype == np.float16
    assert example.sketch.shape == example.imitation_sketch.shape == (4, FRAMES)
    assert example.sketch.dtype == example.imitation_sketch.dtype == np.float32
    assert all(np.isfinite(getattr(example, name)).all() for name in ARRAYS)
    assert example.family in FAMILIES and example.source == example.family


def test_the_same_number_gives_the_same_example(example: Example) -> None:
    again, other = (make_example(index, SEED, [], frames=FRAMES) for index in (0, 1))
    assert all(np.array_equal(getattr(again, name), getattr(example, name)) for name in ARRAYS)
    assert not np.array_equal(other.mel, example.mel)


def test_the_voice_is_another_sound(example: Example) -> None:
    assert np.abs(example.imitation.astype(np.float32) - example.reference).mean() > 0.05
    assert not np.array_equal(example.sketch, example.imitation_sketch)


def test_the_sketch_is_that_of_the_mel(example: Example) -> None:
    """Frames that the sketch calls loud are loud in the mel."""
    energy = np.log(np.exp(2.0 * example.mel.astype(np.float64)).sum(axis=0))
    loudness = np.convolve(example.sketch[0], np.ones(3) / 3, mode="same")
    assert np.corrcoef(energy[2:-2], loudness[2:-2])[0, 1] > 0.7


def test_held_out_families_come_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(name: str, rng: np.random.Generator, seconds: float) -> np.ndarray:
        return rng.standard_normal(round(seconds * 48000)).astype(np.float32)

    monkeypatch.setattr("training.synthesis.families.render", quick)
    drawn = {
        is_held_out: {make_sound(index, SEED, [], 0.3, is_held_out, frames=4)[1] for index in range(300)}
        for is_held_out in (False, True)
    }
    assert drawn[True] == set(HELD_OUT_FAMILIES)
    assert drawn[False] == set(FAMILIES) - set(HELD_OUT_FAMILIES)


def test_held_out_sounds_have_held_out_voices(monkeypatch: pytest.MonkeyPatch) -> None:
    from training import examples
    from training.synthesis.voice import HELD_OUT_SPEAKERS

    heard: list[object] = []

    def listen(sketch: object, rng: object, rate: int, speaker: object) -> np.ndarray:
        heard.append(speaker)
        return np.zeros(4800, np.float32)

    monkeypatch.setattr("training.synthesis.imitate.imitate", listen)
    for is_held_out in (True, False):
        examples.imitate_sound(real_sound().samples, np.random.default_rng(0), is_held_out)
    assert heard[0] in HELD_OUT_SPEAKERS and heard[1] is None


def test_real_sounds_are_drawn_at_their_share() -> None:
    library = [real_sound(), real_sound(0.3, "glass/tap.wav")]
    drawn = [make_sound(index, SEED, library, 1.0, False, frames=32) for index in range(12)]
    assert {family for _, family, _ in drawn} == {"real"}
    assert {source for _, _, source in drawn} == {"door/creak.wav", "glass/tap.wav"}
    for samples, _, _ in drawn:
        assert samples.shape == (32 * 480,) and 0.1 < np.abs(samples).max() < 0.95


def test_variations_differ_and_keep_their_length() -> None:
    sound = real_sound()
    one, other = (vary(sound.samples, 24000, [sound], np.random.default_rng(seed)) for seed in (0, 1))
    assert one.shape == other.shape == (24000,) and one.dtype == np.float32
    assert not np.allclose(one, other)


def test_a_level_is_a_level() -> None:
    peaks = [np.abs(level(real_sound().samples, np.random.default_rng(seed))).max() for seed in range(50)]
    assert 10 ** (-16.0 / 20) <= min(peaks) < 0.25 and 0.75 < max(peaks) <= 10 ** (-0.5 / 20)


class Counting:
    """Stands in for make_example: quick, and counts what it was asked for."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(
        self, index: int, seed: int, library: list[LibrarySound], real_share: float, is_held_out: bool
    ) -> Example:
        self.made.append(index)
        rng = np.random.default_rng([seed, index])
        pictures = [rng.standard_normal((128, 8)).astype(np.float16) for _ in range(3)]
        curves = [rng.standard_normal((4, 8)).astype(np.float32) for _ in range(2)]
        name = f"family {index}, sound \u00e9"
        return Example(pictures[0], curves[0], curves[1], pictures[1], pictures[2], name, name + ".wav")


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    made = Counting()
    monkeypatch.setattr(dataset_module, "SHARD", 2)
    monkeypatch.setattr(dataset_module, "make_example", made)
    return made


def test_shards_hold_what_was_put_into_them(tmp_path: Path, counting: Counting) -> None:
    names = list(make_dataset(None, tmp_path / "set", 3, SEED, 0.3, False, 1))
    assert names == ["shard-00000.npz", "shard-00001.npz"] and counting.made == [0, 1, 2, 3]
    data = read_dataset(tmp_path / "set")
    assert len(data) == 4 and data.mel.shape == (4, 128, 8)
    for index in range(4):
        wanted = Counting()(index, SEED, [], 0.3, False)
        for name in ARRAYS:
            stored = getattr(data, name)[index]
            assert (
                np.array_equal(stored, getattr(wanted, name)) and stored.dtype == getattr(wanted, name).dtype
            )
        assert (data.family[index], data.source[index]) == (wanted.family, wanted.source)


def test_finished_shards_are_kept(tmp_path: Path, counting: Counting) -> None:
    list(make_dataset(None, tmp_path, 2, SEED, 0.3, False, 1))
    first = (tmp_path / "shard-00000.npz").read_bytes()
    (tmp_path / ".shard-00001.npz.unfinished").write_bytes(b"a killed process left this")
    list(make_dataset(None, tmp_path, 4, SEED, 0.3, False, 1))
    assert counting.made == [0, 1, 2, 3], "the first shard must not be made again"
    assert (tmp_path / "shard-00000.npz").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "shard-00000.npz",
        "shard-00001.npz",
        "shards.json",
    ]
    assert len(read_dataset(tmp_path)) == 4


def test_shards_of_another_make_are_refused(
    tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [real_sound(), replace(real_sound(0.5, "held.wav"), held_out=True)]
    monkeypatch.setattr(dataset_module, "read_library", lambda folder: (found, []))
    out, sounds = tmp_path / "set", tmp_path / "sounds"
    list(make_dataset(sounds, out, 2, SEED, 0.3, False, 1))
    for given, what in (
        ((sounds, out, 4, SEED + 1, 0.3, False), "another seed"),
        ((sounds, out, 4, SEED, 0.4, False), "another share"),
        ((sounds, out, 4, SEED, 0.3, True), "another side"),
        ((None, out, 4, SEED, 0.3, False), "another choice of sounds"),
    ):
        with pytest.raises(DataError, match=what) as caught:
            list(make_dataset(*given, 1))
        assert_sentence(str(caught.value))
    assert counting.made == [0, 1]
    list(make_dataset(sounds, out, 4, SEED, 0.3, False, 1))
    assert counting.made == [0, 1, 2, 3]
    found[0] = real_sound(0.7)
    with pytest.raises(DataError, match="another choice of sounds"):
        list(make_dataset(sounds, out, 4, SEED, 0.3, False, 1))
    for said in ("{torn", "[]"):
        (out / "shards.json").write_text(said)
        with pytest.raises(DataError, match=r"shards\.json does not say") as caught:
            list(make_dataset(sounds, out, 4, SEED, 0.3, False, 1))
        assert_sentence(str(caught.value))


def test_sounds_that_are_all_on_the_other_side_are_refused(
    tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset_module, "read_library", lambda folder: ([real_sound()], []))
    with pytest.raises(DataError, match="none of them held out") as caught:
        list(make_dataset(tmp_path, tmp_path / "set", 2, SEED, 0.3, True, 1))
    assert_sentence(str(caught.value))
    list(make_dataset(tmp_path, tmp_path / "set", 2, SEED, 0.0, True, 1))
    assert counting.made == [0, 1]


def test_no_more_than_the_limit_is_read(tmp_path: Path, counting: Counting) -> None:
    list(make_dataset(None, tmp_path, 6, SEED, 0.3, False, 1))
    for limit in (2, 3, 100):
        data = read_dataset(tmp_path, limit)
        assert len(data) == len(data.mel) == len(data.source) == min(limit, 6)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="convert --synthesise"):
        read_dataset(tmp_path)


def test_real_examples_make_a_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_module, "SHARD", 1)
    assert Synthesis(tmp_path, SEED, (real_sound(),), 1.0, False)(3) == "shard-00003.npz"
    data = read_dataset(tmp_path)
    assert data.mel.shape == data.imitation.shape == (1, 128, CLIP_FRAMES) and data.sketch.shape == (
        1,
        4,
        CLIP_FRAMES,
    )
    assert (data.family, data.source) == (("real",), ("door/creak.wav",))


def test_the_library_leaves_out_what_cannot_be_used(tmp_path: Path) -> None:
    import soundfile

    (tmp_path / "inner").mkdir()
    sound = np.concatenate([np.zeros(12000, np.float32), real_sound().samples])
    soundfile.write(tmp_path / "inner" / "good.wav", sound, 48000)
    soundfile.write(tmp_path / "click.wav", np.array([0.5] * 100), 48000)
    (tmp_path / "text.wav").write_text("not a sound")
    sounds, skipped = read_library(tmp_path)
    assert [one.name for one in sounds] == ["inner/good.wav"]
    assert len(skipped) == 2 and "click.wav" in skipped[0] and "text.wav" in skipped[1]
    assert abs(len(sounds[0].samples) - len(real_sound().samples)) < 4800


def test_trimming_silence() -> None:
    samples = np.zeros(100, np.float32)
    samples[20:30] = 0.5
    assert len(trim_silence(samples)) == 10
    assert len(trim_silence(np.zeros(100, np.float32))) == len(trim_silence(samples[:0])) == 0


def test_shards_are_a_format_of_data(tmp_path: Path, counting: Counting) -> None:
    list(make_dataset(None, tmp_path / "set", 6, SEED, 0.3, False, 1))
    collection = read_collection(str(tmp_path / "set"))
    data = read_dataset(tmp_path / "set")
    assert (collection.kind, len(collection.items)) == ("mel", 6)
    for index, item in enumerate(collection.items):
        np.testing.assert_array_equal(collection.mel(item), data.mel[index].astype(np.float32))
        assert (item.labels, item.group) == ((data.family[index],), data.source[index])
    assert len({collection.content_key(item) for item in collection.items}) == 6
    split = split_by_group(collection, 0.3)
    assert {item.split for item in split.items} == {"train", "validation"}
    assert main(["check", str(tmp_path / "set")]) == 0


def test_a_damaged_shard_is_one_sentence(tmp_path: Path, counting: Counting) -> None:
    list(make_dataset(None, tmp_path / "set", 4, SEED, 0.3, False, 1))
    shard = tmp_path / "set" / "shard-00001.npz"
    whole = shard.read_bytes()
    for damage in (b"", b"no shard", whole[: len(whole) // 2]):
        shard.write_bytes(damage)
        for look in (read_dataset, lambda folder: read_collection(str(folder))):
            with pytest.raises(DataError, match="shard-00001.npz is damaged") as caught:
                look(tmp_path / "set")
            assert_sentence(str(caught.value))


def test_the_command_synthesises_shards(
    tmp_path: Path, counting: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", real_sound().samples, 48000)
    soundfile.write(tmp_path / "sounds" / "click.wav", np.array([0.5] * 100), 48000)
    out = str(tmp_path / "out")
    given = ["convert", "--synthesise", str(tmp_path / "sounds"), out, "--clips", "4", "--workers", "1"]
    assert main(given) == 0 and len(read_dataset(tmp_path / "out")) == 4 and counting.made == [0, 1, 2, 3]
    told = capsys.readouterr()
    assert "click.wav is shorter than 50 ms" in told.err and "2 shards of 2 clips" in told.out
    assert main(given) == 0 and len(counting.made) == 4
    alone = ["convert", "--synthesise", str(tmp_path / "alone"), "--clips", "2", "--workers", "1"]
    assert main(alone) == 0 and len(read_dataset(tmp_path / "alone")) == 2
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    for arguments, code in (
        (["--synthesise", str(tmp_path / "empty"), out], 1),
        (["--synthesise", str(tmp_path / "gone"), out], 1),
        (["--synthesise", out, "--to", "table"], 2),
        ([str(tmp_path / "sounds"), out], 2),
        ([str(tmp_path / "sounds"), "--to", "table"], 2),
        ([str(tmp_path / "sounds"), out, "--to", "shards"], 2),
    ):
        assert main(["convert", *arguments]) == code
        assert_sentence(capsys.readouterr().err.strip())


def test_a_full_disk_ends_a_synthesis_in_one_sentence(tmp_path: Path, counting: Counting) -> None:
    with small_disk(tmp_path / "disk", "64k") as disk:
        with pytest.raises(DataError, match="cannot be written") as caught:
            list(make_dataset(None, disk / "set", 40, SEED, 0.3, False, 1))
        assert_sentence(str(caught.value))
        remount(disk, "size=4m")
        list(make_dataset(None, disk / "set", 40, SEED, 0.3, False, 1))
        assert len(read_dataset(disk / "set")) == 40
        assert not list((disk / "set").glob(".*"))
