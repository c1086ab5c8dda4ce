"""Split: what belongs together stays on one side, whatever it is called."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest
from data_sets import put, vimsketch
from hypothesis import given
from hypothesis import strategies as st

from training import sounds as heard
from training.data import formats
from training.data.collection import Collection, Files, Item, content_key
from training.data.formats import open_collection, read_collection
from training.data.spec import DataSpec
from training.data.split import held_out, refuse_leaks, split_by_group
from training.errors import DataError
from training.preset.index import index


def sides(collection: Collection) -> dict[str, str]:
    return {item.key: item.split for item in collection.items}


def test_a_renamed_copy_stays_with_its_twin(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path / f"one-{number}.wav", number)
        put(tmp_path / f"other name {number}.wav", number)
    found = sides(split_by_group(read_collection(str(tmp_path)), 0.4))
    assert set(found.values()) == {"train", "validation"}
    assert all(found[f"one-{number}.wav"] == found[f"other name {number}.wav"] for number in range(20))


def test_names_and_company_do_not_move_a_sound(tmp_path: Path) -> None:
    for number in range(30):
        put(tmp_path / "a" / f"{number}.wav", number)
        put(tmp_path / "b" / "below" / f"x{number}y.wav", number)
    put(tmp_path / "b" / "more.wav", 99)
    one = sides(split_by_group(read_collection(str(tmp_path / "a")), 0.3))
    other = sides(split_by_group(read_collection(str(tmp_path / "b")), 0.3))
    assert [one[f"{number}.wav"] for number in range(30)] == [
        other[f"below/x{number}y.wav"] for number in range(30)
    ]
    assert 2 <= sum(split == "validation" for split in one.values()) <= 18


def test_imitations_go_where_their_sound_goes(tmp_path: Path) -> None:
    found = split_by_group(read_collection(str(vimsketch(tmp_path))), 0.5)
    assert len(found.pairs()) == 4
    assert all(imitation.split == reference.split for imitation, reference in found.pairs())


def test_a_table_whose_imitations_name_no_group_keeps_pairs_together(tmp_path: Path) -> None:
    lines = ["path,role,group,means"]
    for number in range(12):
        put(tmp_path / f"s{number}.wav", number)
        put(tmp_path / f"v{number}.wav", 100 + number)
        lines += [f"v{number}.wav,imitation,,s{number}.wav", f"s{number}.wav,sound,kind {number % 6},"]
    (tmp_path / "sounds.csv").write_text("\n".join(lines))
    found = read_collection(str(tmp_path))
    assert len(found.groups()) == 6
    # Whatever a reader says of groups: who imitates a sound is on its side.
    for one in (found, found.of(replace(item, group=item.key) for item in found.items)):
        split = split_by_group(one, 0.5)
        assert {item.split for item in split.items} == {"train", "validation"} and len(split.pairs()) == 12
        assert all(imitation.split == sound.split for imitation, sound in split.pairs())


class Unreadable(Files):
    """Files of which some cannot be read."""

    def content(self, item: Item) -> bytes:
        if item.key.startswith("bad"):
            raise DataError(f"{item.key} cannot be read (Permission denied): check the disk.")
        return super().content(item)


def test_one_unreadable_file_does_not_end_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(6):
        put(tmp_path / f"{number}.wav", number)
        put(tmp_path / f"{number}_imitation.wav", 10 + number)
    put(tmp_path / "bad.wav", 20)
    put(tmp_path / "bad_imitation.wav", 21)
    os.rename(tmp_path / "bad_imitation.wav", tmp_path / "imitation of bad_imitation.wav")
    read = formats.read_collection

    def here(source: str, name: str = "auto") -> Collection:
        found = replace(read(source, name), medium=Unreadable())
        means = {"imitation of bad_imitation.wav": "bad.wav"}
        return found.of(replace(item, means=means.get(item.key, item.means)) for item in found.items)

    monkeypatch.setattr(formats, "read_collection", here)
    monkeypatch.setattr(heard, "read_collection", here)
    said: list[str] = []
    found = open_collection(DataSpec(source=str(tmp_path), held_out=0.4), said.append)
    assert len(said) == 1 and said[0].startswith("bad.wav cannot be read") and found.problems == tuple(said)
    assert len(found.items) == 13 and len(found.pairs()) == 6
    assert [item.means for item in found.items if item.key.startswith("imitation of")] == [None]
    for way in ("content", "name"):
        del said[:]
        monkeypatch.setattr(heard, "held_out", lambda key: key < "3")
        spec = DataSpec(source=str(tmp_path), held_out=0.4)
        parts = heard.read_sounds(spec, 16000, tmp_path / "cache" / way, said.append, way)  # type: ignore[arg-type]
        assert sum(map(len, parts)) == 6 and len(said) == 1
    everything = here(str(tmp_path))
    with pytest.raises(DataError, match="Nothing of .* can be read"):
        split_by_group(everything.of(item for item in everything.items if item.key == "bad.wav"), 0.5)


def test_a_preset_leaves_out_a_recording_that_cannot_be_read(tmp_path: Path) -> None:
    for number in range(6):
        put(tmp_path / f"{number}.wav", number)
    put(tmp_path / "bad_imitation.wav", 20)
    put(tmp_path / "0_imitation.wav", 21)
    found = replace(read_collection(str(tmp_path)), medium=Unreadable())
    found = found.of(
        replace(item, means="1.wav") if item.key.startswith("bad") else item for item in found.items
    )
    said: list[str] = []
    indexed = index(found, 0.4, said.append)
    assert len(said) == 1 and said[0].startswith("bad_imitation.wav cannot be read")
    assert indexed.sounds == 6 and indexed.recorded == 1
    assert len(indexed.taken(found).items) == 7


def test_twins_that_a_check_found_stay_together(tmp_path: Path) -> None:
    for number in range(16):
        put(tmp_path / f"{number:02d}.wav", number)
    keys = [f"{number:02d}.wav" for number in range(16)]
    found = sides(split_by_group(read_collection(str(tmp_path)), 0.5, [tuple(keys[:8]), tuple(keys[8:12])]))
    assert len({found[key] for key in keys[:8]}) == 1 and len({found[key] for key in keys[8:12]}) == 1


@pytest.mark.parametrize(("count", "least"), [(1, 0), (3, 0), (4, 1), (5, 1)])
def test_few_sounds_keep_something_to_train_on(tmp_path: Path, count: int, least: int) -> None:
    for number in range(count):
        put(tmp_path / f"{number}.wav", number)
    found = list(sides(split_by_group(read_collection(str(tmp_path)), 0.02)).values())
    assert found.count("validation") >= least
    for share in (0.0, 0.99):
        found = list(sides(split_by_group(read_collection(str(tmp_path)), share)).values())
        assert found.count("train") >= 1 or count == 1
    assert "validation" not in sides(split_by_group(read_collection(str(tmp_path)), 0.0)).values()


def test_given_splits_that_leak_are_refused(tmp_path: Path) -> None:
    for split, numbers in (("train", range(4)), ("test", range(4, 6))):
        for number in numbers:
            put(tmp_path / split / f"{number}.wav", number)
    spec = DataSpec(source=str(tmp_path), split="given")
    clean = open_collection(spec, print)
    assert len(clean.part("train").items) == 4 and len(clean.part("test").items) == 2
    put(tmp_path / "test" / "new name.wav", 2)
    with pytest.raises(DataError, match="lies in test and train, as 1 groups"):
        open_collection(spec, print)


def test_a_reference_in_both_splits_is_refused(tmp_path: Path) -> None:
    found = read_collection(str(vimsketch(tmp_path)))
    torn = found.of(replace(item, split="test" if "00099" in item.key else "train") for item in found.items)
    with pytest.raises(DataError, match="lies in test and train"):
        refuse_leaks(torn)
    assert refuse_leaks(found.of(replace(item, split="train") for item in found.items)) is not None


@given(st.binary(max_size=400), st.binary(max_size=40), st.booleans())
def test_any_bytes_have_a_content_key(data: bytes, samples: bytes, wave: bool) -> None:
    chunks = b"".join(
        name + len(body).to_bytes(4, "little") + body + b"\0" * (len(body) % 2)
        for name, body in ((b"fmt ", b"\1\0\1\0"), (b"data", samples))
    )
    extra = b"LIST" + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) % 2)
    head = b"RIFF\0\0\0\0WAVE"
    if wave and samples:
        assert (
            content_key(head + chunks + extra)
            == content_key(head + extra + chunks)
            == content_key(head + chunks)
        )
        other = chunks[: 12 + 8] + bytes(255 - byte for byte in samples)
        assert content_key(head + chunks) != content_key(head + other)
    else:
        assert content_key(data) == hashlib.sha256(data).hexdigest()
        assert len(content_key(head + data)) == 64


def test_held_out_goes_by_name_alone() -> None:
    names = [f"folder/sound-{index}.wav" for index in range(2000)]
    kept = [name for name in names if held_out(name)]
    assert 150 < len(kept) < 250
    # Fixed for ever: another split would move training sounds into the judging set.
    assert [int(name[13:-4]) for name in kept[:5]] == [6, 10, 24, 26, 73]
    assert [name for name in reversed(names) if held_out(name)] == kept[::-1]
    assert sum(held_out(name, share=2) for name in names) == pytest.approx(1000, abs=100)
