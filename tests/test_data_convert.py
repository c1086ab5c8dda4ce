"""Convert: there and back again, and what cannot go along is told."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from data_sets import audioldm, burst, put, qvim_dev, vimsketch
from disks import small_disk

from training.cli import main
from training.data.collection import Collection, content_key
from training.data.convert import convert
from training.data.copying import Copies, safe_name
from training.data.formats import known, read_collection
from training.errors import DataError, RecipeError


def sounds(collection: Collection) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Role and labels by content, which names do not change."""
    return {
        content_key(collection.read(item).samples.tobytes()): (item.role, item.labels)
        for item in collection.items
    }


def pairs(collection: Collection) -> set[tuple[bytes, bytes]]:
    return {
        (collection.read(one).samples.tobytes(), collection.read(other).samples.tobytes())
        for one, other in collection.pairs()
    }


@pytest.mark.parametrize("start", [vimsketch, qvim_dev])
@pytest.mark.parametrize("to", ["vimsketch", "qvim-dev", "table", "folders"])
def test_pairs_go_round(tmp_path: Path, start: object, to: str) -> None:
    source = start(tmp_path / "source")  # type: ignore[operator]
    before = read_collection(str(source))
    done = convert(str(source), tmp_path / "there", to)
    assert (done.written, done.left_out) == (len(before.items), ())
    there = read_collection(str(tmp_path / "there"))
    assert pairs(there) == pairs(before) and len(pairs(before)) == 4
    convert(str(tmp_path / "there"), tmp_path / "back", "table", come_from=to)
    back = read_collection(str(tmp_path / "back"))
    assert pairs(back) == pairs(before)
    if to in ("qvim-dev", "table"):
        assert sounds(there) == sounds(before) == sounds(back)


def test_audioldm_goes_round_with_captions_labels_and_splits(tmp_path: Path) -> None:
    audioldm(tmp_path / "source")

    def facts(collection: Collection) -> dict[bytes, tuple[str, tuple[str, ...], tuple[str, ...]]]:
        return {
            collection.read(item).samples.tobytes(): (item.split, item.captions, item.labels)
            for item in collection.items
        }

    before = facts(read_collection(str(tmp_path / "source")))
    for number, to in enumerate(("audioldm", "table", "audioldm")):
        source = tmp_path / ("source" if not number else f"{number - 1}")
        convert(str(source), tmp_path / str(number), to)
        assert facts(read_collection(str(tmp_path / str(number)))) == before
    root = json.loads((tmp_path / "0" / "metadata" / "dataset_root.json").read_text())
    assert list(root["metadata"]["path"]["clips"]) == ["train", "test", "class_label_indices"]
    entry = json.loads((tmp_path / "0" / "metadata" / "train.json").read_text())["data"][0]
    assert not entry["wav"].startswith("/") and set(entry) == {"wav", "caption", "caption_2", "labels"}


def test_what_has_no_place_there_is_told(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.wav", 1)
    put(tmp_path / "in" / "b_imitation.wav", 2)
    (tmp_path / "in" / "torn.wav").touch()
    done = convert(str(tmp_path / "in"), tmp_path / "out", "audioldm")
    assert done.written == 1 and len(done.left_out) == 2
    assert "torn.wav" in done.left_out[0] and "1 imitations are left out" in done.left_out[1]
    done = convert(str(tmp_path / "in"), tmp_path / "pairs", "vimsketch")
    assert any("b_imitation.wav means no sound" in sentence for sentence in done.left_out)


def test_names_that_no_disk_takes_become_ones_that_it_does(tmp_path: Path) -> None:
    for name in (
        "../../up.wav",
        "a:b?c*.wav",
        "C:\\x\\y.wav",
        "." * 5,
        "/root.wav",
        "é音" * 90 + ".wav",
        "a\nb",
        "",
    ):
        clean = safe_name(name)
        assert clean and ".." not in clean.split("/") and not clean.startswith(("/", "."))
        assert not set(clean) & set('<>:"|?*\\\n') and all(
            len(part.encode()) <= 120 for part in clean.split("/")
        )
    put(tmp_path / "in" / ("音" * 60 + "1.wav"), 1)
    put(tmp_path / "in" / ("音" * 60 + "2.wav"), 2)
    put(tmp_path / "in" / "Case.wav", 3)
    put(tmp_path / "in" / "case.wav", 4)
    for to in ("table", "folders", "audioldm"):
        assert convert(str(tmp_path / "in"), tmp_path / to, to).written == 4
        assert len(sounds(read_collection(str(tmp_path / to)))) == 4


def test_a_second_run_writes_no_sound_again(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.flac", 1)
    for number in range(3):
        put(tmp_path / "in" / f"{number}.wav", number)
    convert(str(tmp_path / "in"), tmp_path / "out", "vimsketch")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    lost = next(iter(before))
    lost.unlink()
    convert(str(tmp_path / "in"), tmp_path / "out", "vimsketch")
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.wav")}
    assert set(after) == set(before)
    assert [path for path in before if after[path] != before[path]] == [lost]


def test_a_full_disk_is_one_sentence_and_the_rest_goes_on_later(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path / "in" / f"{number:02d}.wav", burst(number, 1.0))
    with small_disk(tmp_path / "small", "400k") as disk:
        with pytest.raises(DataError, match="cannot be written .*what is there is kept") as raised:
            convert(str(tmp_path / "in"), disk / "out", "folders")
        assert "\n" not in str(raised.value)
        there = sorted(path.name for path in (disk / "out").iterdir())
        assert 0 < len(there) < 12 and not any(name.startswith(".") for name in there)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert convert(str(tmp_path / "in"), disk / "out", "folders").written == 12
        assert sounds(read_collection(str(disk / "out"))) == sounds(read_collection(str(tmp_path / "in")))


def test_other_rates_and_formats_keep_their_samples(tmp_path: Path) -> None:
    put(tmp_path / "in" / "low.wav", burst(1, rate=8000), 8000)
    stereo = np.stack([burst(2), burst(3)], axis=1)
    put(tmp_path / "in" / "stereo.wav", stereo, 44100)
    convert(str(tmp_path / "in"), tmp_path / "out", "audioldm")
    found = read_collection(str(tmp_path / "out"))
    assert [found.read(item).sample_rate for item in found.items] == [8000, 44100]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vimsketch(tmp_path / "in")
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "out"), "--to", "qvim-dev"]) == 0
    said = capsys.readouterr()
    assert said.out == f"7 items written to {tmp_path / 'out'} as qvim-dev, 0 troubles.\n" and said.err == ""
    assert len(read_collection(str(tmp_path / "out"), "qvim-dev").pairs()) == 4
    for arguments, code in (
        (["--to", "wishes"], 2),
        (["--to", "hub"], 2),
        (["--to", "table", "--from", "audioldm"], 1),
        ([], 2),
    ):
        assert main(["convert", str(tmp_path / "in"), str(tmp_path / "new"), *arguments]) == code
        said = capsys.readouterr()
        assert said.err.count("\n") == 1 and said.err.endswith(".\n")
    assert main(["convert", str(tmp_path / "in"), str(tmp_path / "in" / "out"), "--to", "table"]) == 2


def test_nothing_is_written_over_what_is_read(tmp_path: Path) -> None:
    put(tmp_path / "birds" / "a.wav", 1)
    table = tmp_path / "birds" / "sounds.csv"
    table.write_text("path,caption,mine\na.wav,a tit,dear\n")
    root = audioldm(tmp_path / "x") / "data" / "dataset" / "metadata" / "dataset_root.json"
    put(tmp_path / "deep" / "dog" / "dog" / "a.wav", 1)
    other = tmp_path / "lists" / "of.csv"
    other.parent.mkdir()
    other.write_text("path\n../birds/a.wav\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    for source, target, to in (
        (table, tmp_path / "birds", "table"),
        (table, tmp_path, "folders"),
        (root, tmp_path / "x" / "data" / "dataset", "audioldm"),
        (tmp_path / "deep" / "dog", tmp_path / "deep", "folders"),
        (other, tmp_path / "birds", "table"),
    ):
        with pytest.raises(RecipeError, match="give a folder elsewhere"):
            convert(str(source), target, to)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert convert(str(table), tmp_path / "birds" / "out", "table").written == 1
    assert convert(str(other), tmp_path / "lists" / "out", "audioldm").written == 1


@pytest.mark.parametrize("to", ["vimsketch", "folders", "qvim-dev"])
def test_an_imitation_of_a_sound_that_was_not_written_is_left_out(tmp_path: Path, to: str) -> None:
    vimsketch(tmp_path / "in")
    found = read_collection(str(tmp_path / "in"))
    (tmp_path / "in" / "references" / "002_002-wind_whistling-everyday.wav").unlink()
    copies = Copies(found, tmp_path / "out")
    known(to).write(found, copies)
    assert len(copies.written) == 5 and len(copies.left_out) == 2
    assert "means no sound" in copies.left_out[1] and "wind" in copies.left_out[1]
    there = read_collection(str(tmp_path / "out"), to)
    assert len(there.items) == 5 and len(there.pairs()) == 3


def test_mel_images_make_no_sounds(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.wav", 1)
    convert(str(tmp_path / "in"), tmp_path / "mels", "mel-images")
    with pytest.raises(DataError, match="no sounds again"):
        convert(str(tmp_path / "mels"), tmp_path / "out", "table")
    with pytest.raises(RecipeError, match="lies in"):
        convert(str(tmp_path / "in"), tmp_path / "in", "table")


@pytest.mark.parametrize("to", ["folders", "table", "audioldm", "qvim-dev", "mel-images"])
def test_names_that_are_no_text_go_along(tmp_path: Path, to: str) -> None:
    (tmp_path / "in").mkdir()
    os.mkdir(os.fsencode(tmp_path / "in") + b"/d\xe9but")
    for number, name in enumerate((b"caf\xe9.wav", b"caf\xe8.wav", b"d\xe9but/x.wav")):
        path = put(tmp_path / "new.wav", burst(number, 1.0))
        os.rename(path, os.fsencode(tmp_path / "in") + b"/" + name)
        (tmp_path / "in" / "dog_imitation.wav").write_bytes(put(tmp_path / "new.wav", 7).read_bytes())
        (tmp_path / "in" / "dog_reference.wav").write_bytes(put(tmp_path / "new.wav", 8).read_bytes())
    convert(str(tmp_path / "in"), tmp_path / "out", to)
    found = read_collection(str(tmp_path / "out"), to)
    sounds_there = [item for item in found.items if item.role == "sound"]
    assert len(sounds_there) == (5 if to == "mel-images" else 4)
