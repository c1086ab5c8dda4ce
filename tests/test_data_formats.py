"""Formats: every layout becomes the same kind of collection, and what is wrong with it is told in a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from data_sets import audioldm, burst, put, qvim_dev, vimsketch

from training.data.collection import Collection
from training.data.formats import FORMATS, open_collection, read_collection
from training.data.spec import DataSpec
from training.errors import DataError, RecipeError


def keys(collection: Collection, role: str = "sound") -> list[str]:
    return [item.key for item in collection.items if item.role == role]


def test_plain_folders_name_their_labels(tmp_path: Path) -> None:
    put(tmp_path / "doors" / "wood" / "slam.wav", 1)
    put(tmp_path / "rain.wav", 2)
    put(tmp_path / ".hidden" / "no.wav", 3)
    (tmp_path / "notes.txt").write_text("no sound")
    found = read_collection(str(tmp_path))
    assert keys(found) == ["doors/wood/slam.wav", "rain.wav"]
    assert [item.labels for item in found.items] == [("doors/wood",), ()]
    assert [item.group for item in found.items] == keys(found)
    assert [round(item.seconds, 3) for item in found.items] == [0.2, 0.2]
    np.testing.assert_array_equal(found.read(found.items[0]).samples, burst(1))


def test_folders_called_like_splits_are_splits(tmp_path: Path) -> None:
    for number, name in enumerate(("Train/a.wav", "valid/b.wav", "test/c.wav")):
        put(tmp_path / name, number)
    assert [item.split for item in read_collection(str(tmp_path)).items] == ["train", "test", "validation"]
    put(tmp_path / "loose.wav", 9)
    assert {item.split for item in read_collection(str(tmp_path)).items} == {""}


@pytest.mark.parametrize(
    "names",
    [
        ("dog_reference.wav", "dog_imitation_1.wav", "dog_imitation_2.wav", "cat_reference.wav"),
        ("dog.wav", "dog_imitation_1.wav", "dog_imitation_2.wav", "cat.wav"),
        ("references/dog.wav", "imitations/dog.wav", "imitations/dog_imitation_2.wav", "references/cat.wav"),
    ],
)
def test_imitations_find_their_sound(tmp_path: Path, names: tuple[str, ...]) -> None:
    for number, name in enumerate(names):
        put(tmp_path / name, number)
    found = read_collection(str(tmp_path))
    pairs = found.pairs()
    assert [reference.key for _, reference in pairs] == [names[0]] * 2
    assert {imitation.key for imitation, _ in pairs} == {names[1], names[2]}
    assert len(found.groups()) == 2


def test_an_imitation_of_nothing_means_nothing(tmp_path: Path) -> None:
    put(tmp_path / "dog_imitation.wav", 1)
    put(tmp_path / "cat.wav", 2)
    found = read_collection(str(tmp_path))
    assert found.pairs() == () and keys(found, "imitation") == ["dog_imitation.wav"]


def test_a_table_says_everything(tmp_path: Path) -> None:
    for number, name in enumerate(("a.wav", "deep/b.wav", "b1.wav")):
        put(tmp_path / name, number)
    (tmp_path / "list.csv").write_text(
        "Path;role;means;split;Caption;long caption;labels\n"
        "a.wav;;;train;a hit;a hard hit;metal;\ndeep/b.wav;sound;;val;;;door ; wood\n"
        "b1.wav;imitation;deep/b.wav;val;;;\ngone.wav;;;;;;\na.wav;;;;;;\nb1.wav2;choir;;;;;\n"
    )
    found = read_collection(str(tmp_path / "list.csv"))
    items = {item.key: item for item in found.items}
    assert items["a.wav"].captions == ("a hit", "a hard hit") and items["a.wav"].split == "train"
    assert items["b1.wav"].role == "imitation" and items["b1.wav"].group == "deep/b.wav"
    assert items["b1.wav"].split == "validation"
    assert [fault.kind for fault in found.faults] == ["name", "name", "missing"]
    assert "choir" in found.problems[1] and "gone.wav is listed and not there" in found.problems[2]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name,role\na.wav,sound\n", "no column `path`"),
        ("", "no column `path`"),
        ('path\n"a.wav\n', "quotes"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_collection(str(tmp_path / "list.csv"))


@pytest.mark.parametrize("inside", ["", "Vim_Sketch_Dataset"])
def test_vimsketch(tmp_path: Path, inside: str) -> None:
    vimsketch(tmp_path / inside)
    (tmp_path / inside / "references" / "003_003-bell.wav").write_bytes(b"torn")
    found = read_collection(str(tmp_path))
    assert found.name == "VimSketch"
    assert len(found.pairs()) == 2 and all(one.labels == other.labels for one, other in found.pairs())
    assert [fault.kind for fault in found.faults] == ["unreadable"]
    lost = [item for item in found.items if item.role == "imitation" and item.means is None]
    assert len(lost) == 2


def test_qvim_dev(tmp_path: Path) -> None:
    qvim_dev(tmp_path)
    (tmp_path / "qvim-dev" / "Queries" / "Rain" / "hard_q1.wav").unlink()
    found = read_collection(str(tmp_path))
    assert found.name == "QVIM-DEV"
    assert [(one.path.name, other.path.name) for one, other in found.pairs() if one.path and other.path] == [
        ("tit_q1.wav", "tit.wav"),
        ("tit_q2.wav", "tit.wav"),
        ("soft_q1.wav", "soft.wav"),
    ]
    assert {item.labels for item in found.items} == {("Rain",), ("Birds",)}
    assert [fault.kind for fault in found.faults] == ["missing"] and "hard_q1" in found.problems[0]


def test_audioldm_trees(tmp_path: Path) -> None:
    audioldm(tmp_path)
    found = read_collection(str(tmp_path))
    items = {item.key.rpartition("/")[2]: item for item in found.items}
    assert sorted(items) == ["0.wav", "1.wav", "2.wav", "3.wav", "4.wav"]
    assert items["0.wav"].captions == ("a door", "a wooden door")
    assert items["0.wav"].labels == ("Door", "Rain, light")
    assert items["1.wav"].captions == ("rain", "more rain") and items["1.wav"].labels == ("Rain, light",)
    assert items["3.wav"].labels == ("/m/9",)
    assert [items[f"{at}.wav"].split for at in range(5)] == ["train", "train", "train", "test", "test"]
    assert [fault.kind for fault in found.faults] == ["name", "missing"]
    root = tmp_path / "data/dataset/metadata/dataset_root.json"
    assert keys(read_collection(str(root))) == keys(found)


def test_one_split_of_audioldm_alone(tmp_path: Path) -> None:
    put(tmp_path / "a.wav", 1)
    (tmp_path / "my_val.json").write_text(json.dumps({"data": [{"wav": "a.wav", "caption": "x"}]}))
    found = read_collection(str(tmp_path / "my_val.json"))
    assert found.items[0].split == "validation" and found.items[0].captions == ("x",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ("7", "no JSON object"),
        ("{}", "neither `metadata: path` nor `data`"),
        ('{"data": []}', "no sound that can be read"),
        ('{"data": [3]}', "has no `wav`"),
        ('{"metadata": {"path": {"clips": {}}}}', "names no folder of sounds"),
        ('{"c": ".", "metadata": {"path": {"c": {"class_label_indices": "x.csv"}}}}', "names the classes"),
    ],
)
def test_json_that_is_none_of_theirs(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "root.json").write_text(text)
    with pytest.raises(DataError, match=sentence) as raised:
        read_collection(str(tmp_path / "root.json"))
    assert str(raised.value).count("\n") == 0 and str(raised.value).endswith(".")


def test_bad_files_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    put(tmp_path / "good.wav", 1)
    put(tmp_path / "one.wav", np.ones(1, np.float32))
    (tmp_path / "empty.wav").touch()
    (tmp_path / "torn.wav").write_bytes(b"RIFF\x10\0\0\0WAVEfmt ")
    put(tmp_path / "naïve 音.wav", 2)
    os.makedirs(os.fsencode(tmp_path) + b"/caf\xe9")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9/br\xfcll.wav"))
    odd.write_bytes((tmp_path / "good.wav").read_bytes())
    found = read_collection(str(tmp_path))
    assert len(found.items) == 4
    assert sorted(fault.key for fault in found.faults) == ["empty.wav", "torn.wav"]
    one = next(item for item in found.items if b"br\xfcll" in os.fsencode(item.key))
    assert len(found.read(one).samples) == 3200


def test_nothing_there_is_one_sentence(tmp_path: Path) -> None:
    for source in (str(tmp_path), str(tmp_path / "gone"), "hub:"):
        with pytest.raises(DataError) as raised:
            read_collection(source)
        assert "\n" not in str(raised.value) and str(raised.value).endswith(".")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(DataError, match="no known format"):
        read_collection(str(tmp_path / "notes.txt"))
    with pytest.raises(RecipeError, match="no format wishes"):
        read_collection(str(tmp_path), "wishes")


@pytest.mark.parametrize("name", ["vimsketch", "qvim-dev", "audioldm", "mel-images", "table", "folders"])
def test_every_format_refuses_another_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError) as raised:
        read_collection(str(tmp_path / "nothing"), name)
    assert "\n" not in str(raised.value)
    assert name in FORMATS


def test_a_recipe_opens_its_data(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path / f"{number:02d}.wav", number)
    (tmp_path / "torn.wav").touch()
    problems: list[str] = []
    found = open_collection(DataSpec(source=str(tmp_path), limit=8, held_out=0.3), problems.append)
    assert len(found.items) == 8 and len(problems) == 1
    assert {item.split for item in found.items} == {"train", "validation"}
    with pytest.raises(DataError, match="says no split for 12 of 12"):
        open_collection(DataSpec(source=str(tmp_path), split="given"), problems.append)


@pytest.mark.parametrize("wrong", [{"source": ""}, {"held_out": 1.0}, {"limit": 0}, {"sauce": "x"}])
def test_a_recipe_cannot_ask_for_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        DataSpec(**{"source": "x", **wrong})  # type: ignore[arg-type]


def test_sets_whose_folders_have_one_name_stay_apart(tmp_path: Path) -> None:
    paths = {}
    for at, (name, split) in enumerate((("clotho", "train"), ("fsd", "test"), ("more", "val"))):
        put(tmp_path / name / "audio" / "1.wav", at)
        listed = tmp_path / "metadata" / f"{name}.json"
        listed.parent.mkdir(exist_ok=True)
        listed.write_text(json.dumps({"data": [{"wav": "1.wav", "caption": name}]}))
        paths[name] = {split: f"metadata/{name}.json"}
    (tmp_path / "more" / "audio").rename(tmp_path / "more" / "sounds")
    roots = {"clotho": "clotho/audio", "fsd": str(tmp_path / "fsd" / "audio"), "more": "more/sounds"}
    root = {**roots, "metadata": {"path": paths}}
    (tmp_path / "metadata" / "dataset_root.json").write_text(json.dumps(root))
    found = open_collection(DataSpec(source=str(tmp_path), split="given"), pytest.fail)
    assert {item.key: item.captions for item in found.items} == {
        "clotho/audio/1.wav": ("clotho",),
        "fsd/audio/1.wav": ("fsd",),
        "sounds/1.wav": ("more",),
    }
    assert len(found.groups()) == 3
