"""Rendering many clips: what is asked for, by which names, and what is made again when something has changed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from data_sets import burst, put
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from training.cli import main
from training.errors import DataError
from training.orders import Order, read_orders, take_names
from vocaldm_live.sound.audio import read_sound


def test_a_folder_asks_for_its_imitations(tmp_path: Path) -> None:
    for name in ("a.wav", "a_imitation.wav", "b/c_imitation.wav"):
        put(tmp_path / "in" / name, 1)
    orders = read_orders(str(tmp_path / "in"), pytest.fail)
    assert [order.name for order in orders] == ["a_imitation", "b-c_imitation"]
    assert orders[1].imitation == tmp_path / "in" / "b" / "c_imitation.wav"
    for name in ("x.wav", "X.flac", "y.wav"):
        samples = burst(2, rate=48000)
        (tmp_path / "plain").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "plain" / name, samples, 48000)
    names = [order.name for order in read_orders(str(tmp_path / "plain"), pytest.fail)]
    assert sorted(names) == ["X", "x-2", "y"]  # some file systems would take two of them for one


def test_a_table_asks_for_sounds_and_words(tmp_path: Path) -> None:
    put(tmp_path / "v" / "a.wav", 1)
    (tmp_path / "list.csv").write_text(
        "path;text;seconds;seed;name\nv/a.wav;;;;\n;a dog, far away;2.5;7;\nv/a.wav;rain;;;two/words\n"
        ";;;;\nv/gone.wav;;;;\n;x;long;;\n;x;99;;\n;x;;-1;\n"
    )
    told: list[str] = []
    orders = read_orders(str(tmp_path / "list.csv"), told.append)
    assert orders == (
        Order("v-a", tmp_path / "v" / "a.wav"),
        Order("0002 a dog, far away", None, "a dog, far away", 2.5, 7),
        Order("two-words", tmp_path / "v" / "a.wav", "rain"),
    )
    assert len(told) == 5
    for sentence in told:
        assert_sentence(sentence)


def test_what_asks_for_nothing_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "none.csv").write_text("path,text\n")
    (tmp_path / "list.docx").write_text("words")
    (tmp_path / "empty").mkdir()
    for source in ("none.csv", "list.docx", "empty", "gone"):
        with pytest.raises(DataError) as caught:
            read_orders(str(tmp_path / source), lambda sentence: None)
        assert_sentence(str(caught.value))


@pytest.mark.slow
def test_clips_are_made_once_and_again_where_something_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    preset = make_tiny_preset(tmp_path / "presets")
    for number in range(2):
        put(tmp_path / "in" / f"{number}.wav", burst(number, 0.3, 48000), 48000)
    os.rename(
        put(tmp_path / "in" / "é.wav", 5), tmp_path / "in" / f"é{chr(0xDCFF) * (sys.platform == 'linux')}.wav"
    )
    out = tmp_path / "out"

    def run(*more: str) -> str:
        given = ["render", str(tmp_path / "in"), "--out", str(out), "--preset", str(preset), "--workers", "1"]
        assert main([*given, *more]) == 0
        return capsys.readouterr().out.split(" in ")[0]

    assert run("--takes", "2") == "6 clips made" and run("--takes", "2") == run() == "0 clips made"
    sound = read_sound(out / "0.wav")
    told = json.loads((out / "0.json").read_text())
    assert sound.sample_rate == 48000 and abs(sound.seconds - 0.3) < 0.02 and sound.samples[0] == 0.0
    assert told["imitation_sha256"] == read_sound(tmp_path / "in" / "0.wav").digest()
    assert told["preset"] == "tiny" and told["seed"] + 1 == json.loads((out / "0_2.json").read_text())["seed"]
    before = {path.name: path.read_bytes() for path in out.glob("*.wav")}
    put(tmp_path / "in" / "0.wav", burst(9, 0.3, 48000), 48000)
    assert run() == "1 clips made"
    changed = [name for name, data in before.items() if (out / name).read_bytes() != data]
    assert changed == ["0.wav"]
    assert run("--steps", "3") == "3 clips made" and run("--seed", "4", "--steps", "3") == "3 clips made"
    (out / "1.wav").unlink()
    (out / "0.json").write_text("{torn")
    assert run("--seed", "4", "--steps", "3") == "2 clips made"


@pytest.mark.slow
def test_a_take_never_has_another_orders_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    orders = [Order(name) for name in ("kick", "Kick_2", "kick_2-2", "kick_3_2", "kick_3")]
    names = take_names(orders, 3)
    assert names[0] == ("kick", "kick_2-3", "kick_3-2") and names[1] == ("Kick_2", "Kick_2_2", "Kick_2_3")
    assert len({name.casefold() for row in names for name in row}) == 15
    assert [row[:2] for row in names] == take_names(orders, 2), "more takes change no name"

    preset = make_tiny_preset(tmp_path / "presets")
    for number, name in enumerate(("kick", "kick_2")):
        put(tmp_path / "in" / f"{name}.wav", burst(number, 0.3, 48000), 48000)
    given = ["render", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--preset", str(preset)]
    for made in (4, 0):
        assert main([*given, "--takes", "2", "--workers", "1"]) == 0
        assert capsys.readouterr().out.startswith(f"{made} clips made")
    told = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")}
    assert set(told) == {"kick", "kick_2", "kick_2-2", "kick_2_2"}
    for name, of in (("kick_2", "kick_2"), ("kick_2-2", "kick")):
        digest = read_sound(tmp_path / "in" / f"{of}.wav").digest()
        assert told[name]["imitation_sha256"] == digest and (tmp_path / "out" / f"{name}.wav").is_file()


@pytest.mark.slow
def test_words_alone_make_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = make_tiny_audioldm(tmp_path / "presets")
    (tmp_path / "list.csv").write_text("text,seconds\na dog,0.5\nrain,0.4\n")
    given = ["render", str(tmp_path / "list.csv"), "--out", str(tmp_path / "out"), "--workers", "1"]
    assert main([*given, "--preset", str(preset), "--steps", "2"]) == 0
    first, second = (read_sound(tmp_path / "out" / name) for name in ("0001 a dog.wav", "0002 rain.wav"))
    assert abs(first.seconds - 0.5) < 0.02 and abs(second.seconds - 0.4) < 0.02
    assert np.abs(first.samples).max() <= 1.0
    # A preset that understands no words makes nothing of them, and says so of each.
    capsys.readouterr()
    assert main([*given, "--preset", str(make_tiny_preset(tmp_path / "presets"))]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 2
    for line in said:
        assert_sentence(line)
