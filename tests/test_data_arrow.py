"""Arrow sets: what `datasets` writes is read, and what is written `datasets` reads."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from data_sets import burst, put
from parts import package
from PIL import Image

from training.data import mel_images
from training.data.convert import convert
from training.data.formats import open_collection, read_collection
from training.data.mel_images import SAMPLE_RATE, mel_image
from training.data.spec import DataSpec
from training.errors import DataError


@pytest.fixture(scope="module")
def datasets() -> Any:
    return package("datasets")


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def pixels(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (16, 24), dtype=np.uint8)


def wav(number: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, burst(number), 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


def images(datasets: Any, numbers: range, name: str) -> Any:
    rows = {
        "image": [{"bytes": png(pixels(number)), "path": None} for number in numbers],
        "audio_file": [f"{name}/{number // 2}.mp3" for number in numbers],
        "slice": [number % 2 for number in numbers],
    }
    kinds = {
        "image": datasets.Image(),
        "audio_file": datasets.Value("string"),
        "slice": datasets.Value("int16"),
    }
    return datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))


def test_mel_images(datasets: Any, tmp_path: Path) -> None:
    splits = {"train": images(datasets, range(6), "a"), "test": images(datasets, range(6, 8), "b")}
    datasets.DatasetDict(splits).save_to_disk(tmp_path / "set")
    found = read_collection(str(tmp_path / "set"))
    assert found.kind == "mel" and len(found.items) == 8 and len(found.groups()) == 4
    assert {item.split for item in found.items} == {"train", "test"}
    by_key = {item.key: item for item in found.items}
    for number, key in ((3, "a/1.mp3#1"), (6, "b/3.mp3#0")):
        mel = found.mel(by_key[key])
        assert mel.dtype == np.float32 and mel.shape == (16, 24) and mel.min() >= -80 and mel.max() <= 0
        np.testing.assert_allclose((mel + 80) * 255 / 80, pixels(number), atol=1e-3)
    with pytest.raises(DataError, match="no sounds"):
        found.read(found.items[0])
    assert len({found.content_key(item) for item in found.items}) == 8
    spec = DataSpec(source=str(tmp_path / "set"), held_out=0.5)
    together = open_collection(spec, print)
    assert all(len({item.split for item in items}) == 1 for items in together.groups().values())


def test_mels_of_bigvgan(datasets: Any, tmp_path: Path) -> None:
    mels = np.random.default_rng(1).uniform(-11.5129, 2.1, (3, 1, 8, 10)).astype(np.float32)
    features = datasets.Features({"mel": datasets.Array3D((1, 8, 10), "float32")})
    datasets.Dataset.from_dict({"mel": list(mels)}, features=features).save_to_disk(tmp_path / "train")
    found = read_collection(str(tmp_path / "train"))
    assert {item.split for item in found.items} == {"train"}
    np.testing.assert_array_equal(np.stack([found.mel(item) for item in found.items]), mels[:, 0])


def sounds(datasets: Any, numbers: range, named_from: int | None = None) -> Any:
    first = numbers.start if named_from is None else named_from
    rows = {
        "audio": [
            {"bytes": wav(number), "path": f"{at}.wav"} for at, number in enumerate(numbers, start=first)
        ],
        "label": [number % 2 for number in numbers],
        "caption": [f"sound {number}" for number in numbers],
    }
    kinds = {
        "audio": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
        "label": datasets.ClassLabel(names=["door", "rain"]),
        "caption": datasets.Value("string"),
    }
    made = datasets.Dataset.from_dict(rows, features=datasets.Features(kinds))
    # As a column of sounds only now: encoding one wants torchcodec, which nothing here needs.
    return made.cast_column("audio", datasets.Audio())


def assert_sounds(found: Any, count: int) -> None:
    assert found.kind == "sound" and len(found.items) == count
    for number, item in enumerate(found.items):
        assert item.labels == (("door", "rain")[number % 2],) and item.captions == (f"sound {number}",)
        assert found.read(item).sample_rate == 16000
        np.testing.assert_array_equal(found.read(item).samples, burst(number))


def test_sounds_in_arrow_files(datasets: Any, tmp_path: Path) -> None:
    sounds(datasets, range(4)).save_to_disk(tmp_path / "set", num_shards=2)
    found = read_collection(str(tmp_path / "set"))
    assert_sounds(found, 4)
    with pytest.raises(DataError, match="no mel images"):
        found.mel(found.items[0])


def test_names_that_begin_again_are_no_groups(datasets: Any, tmp_path: Path) -> None:
    parts = {"train": sounds(datasets, range(6)), "test": sounds(datasets, range(6, 9))}
    for column in ("id", "path", None):  # None: the file's own name, in folders that are not told
        named = {
            split: part if column is None else part.add_column(column, list(range(len(part))))
            for split, part in parts.items()
        }
        place = tmp_path / f"by {column}"
        if column is None:
            named["test"] = sounds(datasets, range(6, 9), named_from=0)
        datasets.DatasetDict(named).save_to_disk(place)
        found = open_collection(DataSpec(source=str(place), split="given"), pytest.fail)
        assert len({item.key for item in found.items}) == len(found.groups()) == 9
        assert len(found.part("train").items) == 6 and len(found.part("test").items) == 3
        found = open_collection(DataSpec(source=str(place), held_out=0.3), pytest.fail)
        assert {item.split for item in found.items} == {"train", "validation"}


def test_rows_that_hold_nothing_are_left_out(datasets: Any, tmp_path: Path) -> None:
    mels = [np.ones((4, 5 + number)).tolist() for number in range(5)]
    mels[1][2] = [1.0]
    datasets.Dataset.from_dict({"mel": mels}).save_to_disk(tmp_path / "train")
    found = read_collection(str(tmp_path / "train"))
    for read in (found.mel, found.content_key):
        with pytest.raises(DataError, match="train/000001 of train is no mel image: make"):
            read(found.items[1])
    said: list[str] = []
    opened = open_collection(DataSpec(source=str(tmp_path / "train")), said.append)
    assert len(opened.items) == 4 and len(said) == 1 and "train/000001" in said[0]

    made = sounds(datasets, range(4)).cast_column("audio", datasets.Audio(decode=False)).to_dict()
    made["audio"][0] = {"bytes": None, "path": None}
    made["audio"][1] = None
    del said[:]
    datasets.Dataset.from_dict(made).save_to_disk(tmp_path / "sounds")
    opened = open_collection(DataSpec(source=str(tmp_path / "sounds")), said.append)
    assert len(opened.items) == 2 and len(said) == 2
    assert all("is empty: make the set again." in sentence for sentence in said)


def test_a_set_of_the_hub_is_read_without_decoding(datasets: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """A folder of Parquet is opened by the same call as a name on the Hub, and needs no network."""
    (tmp_path / "owner" / "name" / "data").mkdir(parents=True)
    sounds(datasets, range(4)).to_parquet(
        tmp_path / "owner" / "name" / "data" / "train-00000-of-00001.parquet"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    found = read_collection("hub:owner/name")
    assert found.name == "name" and {item.split for item in found.items} == {"train"}
    assert_sounds(found, 4)
    assert_sounds(read_collection("owner/name", "hub"), 4)


def test_an_unknown_name_is_one_sentence(datasets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(name: str, configuration: str | None) -> None:
        raise ConnectionError(f"no such\nset {name}.")

    monkeypatch.setattr(datasets, "load_dataset", unknown)
    with pytest.raises(DataError, match=r"owner/name cannot be loaded \(no such set owner/name\)"):
        read_collection("hub:owner/name")


def test_damaged_arrow_files_are_one_sentence(datasets: Any, tmp_path: Path) -> None:
    images(datasets, range(4), "a").save_to_disk(tmp_path / "set")
    (data,) = (tmp_path / "set").glob("*.arrow")
    whole = data.read_bytes()
    for torn in (whole[: len(whole) // 2], b"", b"nothing"):
        data.write_bytes(torn)
        with pytest.raises(DataError) as raised:
            read_collection(str(tmp_path / "set"))
        assert "\n" not in str(raised.value)
    data.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        read_collection(str(tmp_path / "set"))
    (tmp_path / "set" / "state.json").write_text("[")
    with pytest.raises(DataError, match="save the set again"):
        read_collection(str(tmp_path / "set"))


def test_a_row_that_is_no_image_is_one_sentence(datasets: Any, tmp_path: Path) -> None:
    rows = {"image": [{"bytes": b"none", "path": None}, {"bytes": b"", "path": None}]}
    features = datasets.Features({"image": datasets.Image(decode=False)})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "set")
    found = read_collection(str(tmp_path / "set"))
    for item, sentence in zip(found.items, ("is no image", "is empty"), strict=True):
        with pytest.raises(DataError, match=sentence):
            found.mel(item)
    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(tmp_path / "texts")
    with pytest.raises(DataError, match="no column audio, mel or image"):
        read_collection(str(tmp_path / "texts"))


def test_mel_images_that_we_write_are_read_by_datasets(datasets: Any, tmp_path: Path) -> None:
    long = np.concatenate([burst(1, 6.5, SAMPLE_RATE), np.zeros(131071, np.float32)])
    put(tmp_path / "sounds" / "train" / "long.wav", long, SAMPLE_RATE)
    put(tmp_path / "sounds" / "test" / "short.wav", burst(2, 1.0, 44100), 44100)
    put(tmp_path / "sounds" / "test" / "silent.wav", np.zeros(4000, np.float32))
    done = convert(str(tmp_path / "sounds"), tmp_path / "set", "mel-images")
    assert done.written == 2 and any("silent.wav is silent" in sentence for sentence in done.left_out)
    loaded = datasets.load_from_disk(str(tmp_path / "set"))
    assert sorted(loaded) == ["test", "train"] and len(loaded["train"]) == 2 and len(loaded["test"]) == 1
    row = loaded["train"][0]
    assert row["audio_file"] == "train/long.wav" and row["slice"] == 0
    assert row["image"].size == (256, 256) and row["image"].mode == "L"
    np.testing.assert_array_equal(np.asarray(row["image"]), mel_image(long[:131071]))
    found = read_collection(str(tmp_path / "set"))
    assert [item.split for item in found.items] == ["test", "train", "train"]
    assert found.mel(found.items[0]).shape == (256, 256)


def test_a_split_that_is_there_is_kept_and_others_have_names_of_their_own(
    datasets: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "test"):
        for number in range(2):
            put(tmp_path / "in" / split / f"{number}.wav", burst(number + 5 * (split == "test")))
    put(tmp_path / "in" / "train" / "silent.wav", np.zeros(4000, np.float32))
    made: list[int] = []
    real = mel_images.mel_image
    monkeypatch.setattr(mel_images, "mel_image", lambda part: made.append(len(part)) or real(part))

    def run() -> tuple[int, int, list[tuple[int, int]]]:
        del made[:]
        told: list[tuple[int, int]] = []
        done = convert(
            str(tmp_path / "in"), tmp_path / "set", "mel-images", progress=lambda *now: told.append(now)
        )
        assert len(done.left_out) == 1 and "train/silent.wav" in done.left_out[0]
        return done.written, len(made), told

    def prints() -> dict[str, str]:
        loaded = datasets.load_from_disk(str(tmp_path / "set"))
        return {split: part._fingerprint for split, part in loaded.items()}

    assert run() == (4, 4, [(1, 5), (2, 5), (3, 5), (4, 5)])
    first = prints()
    assert run()[:2] == (4, 0) and prints() == first
    put(tmp_path / "in" / "test" / "1.wav", burst(9))
    assert run()[:2] == (4, 2)
    second = prints()
    assert second["train"] == first["train"] and second["test"] != first["test"]
    # What a run that was stopped left: the one split whole, the other torn.
    (tmp_path / "set" / "train" / "data-00000-of-00001.arrow").write_bytes(b"torn")
    (tmp_path / "set" / "dataset_dict.json").unlink()
    assert run()[:2] == (4, 2) and prints() == second


def test_splits_that_datasets_would_call_alike_stay_apart(datasets: Any, tmp_path: Path) -> None:
    for number in range(2):
        put(tmp_path / "in" / f"{number}.wav", number)
    (tmp_path / "in" / "sounds.csv").write_text("path,split\n0.wav,part-a\n1.wav,part_a\n")
    assert convert(str(tmp_path / "in"), tmp_path / "set", "mel-images").written == 2
    loaded = datasets.load_from_disk(str(tmp_path / "set"))
    assert sorted(part["audio_file"][0] for part in loaded.values()) == ["0.wav", "1.wav"]


def test_an_images_bands_rise_and_its_level_is_lost() -> None:
    times = np.arange(131071) / SAMPLE_RATE
    low, high = (np.sin(2 * np.pi * note * times).astype(np.float32) for note in (300.0, 5000.0))
    rows = [int(mel_image(tone).astype(int).mean(axis=1).argmax()) for tone in (low, high)]
    assert rows[0] < 60 < 150 < rows[1]
    difference = mel_image(low).astype(int) - mel_image(0.01 * low)
    assert np.abs(difference).max() <= 1 and mel_image(low).max() == 255
