"""An imported AudioLDM in the daemon: anchored by a library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import write_gesture
from daemons import make
from osc_peers import Peer
from tiny import assert_sentence, make_tiny_preset
from tiny_audioldm import make_tiny_audioldm

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.library.build import build
from vocaldm_live.library.ears import ClapEars, EncoderEars
from vocaldm_live.library.places import index_of


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("module")
    make_tiny_preset(folder / "presets", "house")
    make_tiny_audioldm(folder / "presets", "small")
    for name, note in (("low", 110.0), ("middle", 700.0), ("high", 3000.0)):
        write_gesture(folder / "sounds" / f"{name}.wav", note=note)
    return folder


@pytest.fixture
def place(presets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(presets)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("vocaldm_live.daemon.daemon.default_folders", lambda: {"state": tmp_path / "default"})
    return tmp_path


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    made = make(place, preset="small")
    made.start()
    assert made.warm.wait(60)
    yield made
    made.close()


@pytest.fixture
def peer(daemon: Daemon) -> Iterator[Peer]:
    made = Peer(daemon.server.port)
    made.send("subscribe", 0, 600.0)
    made.until("state/end")
    yield made
    made.close()


def recipe(path: str) -> dict[str, Any]:
    return json.loads(Path(path).with_suffix(".json").read_text())


def test_a_library_anchors_gestures_and_follows_the_preset(presets: Path, place: Path, peer: Peer) -> None:
    sounds, voice = presets / "sounds", write_gesture(place / "files" / "voice.wav", note=2900.0)
    index = index_of(sounds, place / "state" / "libraries")
    house, small = (read_preset(presets / "presets" / name) for name in ("house", "small"))
    build(sounds, index, EncoderEars(house), print, workers=1)
    peer.send("library/use", str(sounds), 2)
    code, _, _, sentence = peer.wait("error")
    assert code == "request" and "--preset small" in sentence
    assert_sentence(sentence)

    build(sounds, index, ClapEars(small), print, workers=1)
    peer.send("library/use", str(sounds), 2)
    assert peer.wait("library/using") == [str(sounds), 2]
    peer.send("generate", "a", str(voice))
    clip = peer.wait("ready")
    first = recipe(clip[2])
    assert (
        first["library"] == str(sounds) and first["nearest"][0] == "high.wav" and len(first["nearest"]) == 2
    )
    assert len(first["anchor"]) == -(-512 * 2 // 3) * 4
    peer.send("refine", "b", clip[3], 4)
    assert recipe(peer.wait("ready")[2])["anchor"] == first["anchor"]
    peer.send("library/find", "c", str(voice), 0, 1)
    assert peer.wait("library/item")[2] == str(sounds / "high.wav")

    peer.send("param/preset", "house")
    assert peer.wait("library/using") == [str(sounds), 2]
    peer.send("generate", "d", str(voice))
    other = recipe(peer.wait("ready")[2])
    assert other["nearest"] == first["nearest"] and len(other["anchor"]) == 960 * 2 // 3 * 4
