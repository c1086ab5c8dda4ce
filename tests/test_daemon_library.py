"""A library over OSC: chosen, searched page by page, giving gestures their timbre; out of reach where it should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import write_gesture
from daemons import voice
from osc_peers import Peer
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.library.build import build
from vocaldm_live.library.ears import EncoderEars
from vocaldm_live.library.places import index_of


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("module")
    make_tiny_preset(folder / "presets", "one")
    make_tiny_preset(folder / "presets", "other", seed=1)
    for name, note in (("low", 110.0), ("middle", 700.0), ("high", 3000.0)):
        write_gesture(folder / "sounds" / "more" / f"{name}.wav", note=note)
    return folder


@pytest.fixture
def place(presets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own, with the index of `sounds` where the daemon looks for it."""
    monkeypatch.chdir(presets)
    monkeypatch.setattr("vocaldm_live.daemon.daemon.default_folders", lambda: {"state": tmp_path / "default"})
    index(presets / "sounds", index_of(presets / "sounds", tmp_path / "state" / "libraries"), presets)
    return tmp_path


def index(sounds: Path, where: Path, presets: Path) -> Path:
    build(sounds, where, EncoderEars(read_preset(presets / "presets" / "one")), print, workers=1)
    return where


def page(peer: Peer, id_: str) -> tuple[list[Any], list[list[Any]]]:
    """The numbers of a page and its items."""
    head = peer.wait("library/begin")
    items = [peer.wait("library/item") for _ in range(head[2])]
    assert peer.wait("library/end") == [id_] and head[0] == id_ and {item[0] for item in items} == {id_}
    return head[1:], [item[1:] for item in items]


@pytest.mark.slow
def test_sounds_are_found_page_by_page(presets: Path, place: Path, peer: Peer) -> None:
    query = write_gesture(place / "files" / "query.wav", note=2900.0)
    folder = str(presets / "sounds")
    peer.send("library/find", "a", str(query), 0, 2, folder)
    head, first = page(peer, "a")
    assert head == [0, 2, 3] and first[0][:2] == [1, str(presets / "sounds" / "more" / "high.wav")]
    peer.send("library/find", "b", str(query), 2, 2, folder)
    head, second = page(peer, "b")
    assert head == [2, 1, 3] and second[0][0] == 3 and second[0][1] not in {one[1] for one in first}
    scores = [item[3] for item in [*first, *second]]
    assert scores == sorted(scores, reverse=True) and 0 < scores[0] <= 1.001


@pytest.mark.slow
def test_the_library_in_use_gives_gestures_their_timbre(presets: Path, place: Path, peer: Peer) -> None:
    folder = str(presets / "sounds")
    peer.send("library/use", folder, 2)
    assert peer.wait("library/using") == [folder, 2]
    peer.send("generate", "mine", str(write_gesture(place / "files" / "hit.wav", note=2900.0)))
    clip = peer.wait("ready")
    recipe = json.loads(Path(clip[2]).with_suffix(".json").read_text())
    assert (
        recipe["library"] == folder
        and recipe["nearest"][0] == "more/high.wav"
        and len(recipe["nearest"]) == 2
    )
    peer.send("refine", "finer", clip[3], 3)
    refined = json.loads(Path(peer.wait("ready")[2]).with_suffix(".json").read_text())
    assert (refined["steps"], refined["anchor"]) == (3, recipe["anchor"])
    # The last gesture, by nothing but being the last, and the clip's own by its id.
    for sound in ("", clip[3]):
        peer.send("library/find", "again", sound)
        assert page(peer, "again")[1][0][1].endswith("high.wav")
    other = Peer(peer.to[1])
    state = dict(other.subscribe())
    assert state["library/using"][1:] == [folder, 2]
    other.close()
    peer.send("library/use", "")
    assert peer.wait("library/using") == ["", 0]
    peer.send("again", "plain")
    assert "anchor" not in json.loads(Path(peer.wait("ready")[2]).with_suffix(".json").read_text())


def test_an_example_and_a_library_give_way_to_each_other(presets: Path, place: Path, peer: Peer) -> None:
    example = voice(place / "files" / "example.wav")
    peer.send("like", str(example))
    peer.wait("liking")
    peer.send("library/use", str(presets / "sounds"))
    assert peer.wait("library/using") == [str(presets / "sounds"), 4] and peer.wait("liking") == [""]
    peer.send("like", str(example))
    assert peer.wait("liking") == [str(example)] and peer.wait("library/using") == ["", 0]


@pytest.mark.slow
def test_libraries_out_of_reach_stay_there(presets: Path, place: Path, peer: Peer) -> None:
    outside = index(presets / "sounds", place / "outside", presets)
    inside = index(presets / "sounds", place / "files" / "index", presets)
    for name, code in ((str(outside), "path"), ("sounds", "path"), (str(place), "library")):
        peer.send("library/use", name)
        got = peer.wait("error")
        assert got[:2] == [code, "/vocaldm/library/use"]
        assert_sentence(got[3])
    peer.send("library/use", str(inside))
    assert peer.wait("library/using")[0] == str(presets / "sounds")
    peer.send("library/use", "")
    peer.wait("library/using")
    peer.send("library/find", "x", str(write_gesture(place / "files" / "q.wav")))
    assert peer.wait("error")[:3] == ["library", "/vocaldm/library/find", "x"]
    peer.send("library/find", "y", str(write_gesture(place / "q.wav")), 0, 3, str(inside))
    assert peer.wait("error")[:3] == ["path", "/vocaldm/library/find", "y"]
    peer.send("library/find", "z", "", 0, 3, str(inside))
    assert peer.wait("error")[0] == "gesture"


@pytest.mark.slow
def test_a_preset_with_another_encoder_lets_go_of_the_library(presets: Path, place: Path, peer: Peer) -> None:
    peer.send("library/use", str(presets / "sounds"))
    peer.wait("library/using")
    peer.send("param/preset", "other")
    assert peer.wait("library/using") == ["", 0]
    got = peer.wait("error")
    assert got[0] == "library" and "another encoder" in got[3]
    peer.send("library/use", str(presets / "sounds"))
    got = peer.wait("error")
    assert "build" in got[3]
    assert_sentence(got[3])
