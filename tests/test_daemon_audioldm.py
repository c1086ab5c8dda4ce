"""An imported AudioLDM in the daemon: anchored by a library, and told in words without a voice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
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


@pytest.mark.slow
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


def test_words_without_a_voice_become_a_clip_again_and_refined(daemon: Daemon, peer: Peer) -> None:
    for name, value in (("text", "a dog barks"), ("duration", 0.5), ("steps", 2)):
        peer.send(f"param/{name}", value)
    peer.send("generate", "a")
    assert peer.wait("heard") == ["a", "osc", "a dog barks", 0.5]
    clip = peer.wait("ready")
    first = recipe(clip[2])
    assert "_a dog barks_" in Path(clip[2]).name and clip[4] == pytest.approx(0.5)
    assert (first["imitation"], first["text"], first["duration"]) == (None, "a dog barks", 0.5)
    # Without a voice the words are the gesture: they stay whatever the sliders say by then.
    peer.send("param/text", "rain")
    peer.send("param/duration", 0.0)
    for id_, command in (
        ("b", ("again", "b")),
        ("c", ("again", "c", clip[3])),
        ("d", ("refine", "d", clip[3], 3)),
    ):
        peer.send(*command)
        ready = peer.wait("ready")
        told = recipe(ready[2])
        assert ready[0] == id_ and (told["text"], told["duration"]) == ("a dog barks", 0.5)
        assert (told["seed"] == first["seed"]) == (id_ == "d")
    assert daemon.session.history.get(ready[3]).parent == clip[3]
    peer.send("library/find", "e", clip[3])
    assert peer.wait("error")[0] == "gesture"


def test_an_example_without_a_voice(place: Path, peer: Peer) -> None:
    example = write_gesture(place / "files" / "bell.wav")
    peer.send("like", str(example))
    peer.wait("liking")
    peer.send("param/duration", 0.5)
    peer.send("param/strength", 0.4)
    peer.send("generate", "a", "")
    clip = peer.wait("ready")
    told = recipe(clip[2])
    assert (told["imitation"], told["like"], told["like_weight"]) == (None, str(example), 1.0)
    peer.send("like", "")
    peer.wait("liking")
    peer.send("again", "b", clip[3])
    assert recipe(peer.wait("ready")[2])["like"] == str(example)


@pytest.mark.slow
def test_what_is_missing_without_a_voice_is_told_at_once(peer: Peer) -> None:
    peer.send("generate", "a", "")
    first = peer.wait("error")
    peer.send("param/text", "a dog")
    peer.send("generate", "b", "")
    second = peer.wait("error")
    peer.send("param/preset", "house")
    peer.until("preset/is")
    peer.send("generate", "c", "")
    third = peer.wait("error")
    for told, id_, words in ((first, "a", "Nothing says"), (second, "b", "duration"), (third, "c", "voices")):
        assert told[:3] == ["request", "/vocaldm/generate", id_] and words in told[3]
        assert_sentence(told[3])
    assert not [name for name, _ in peer.heard if name == "accepted"]


@pytest.mark.slow
def test_an_edit_is_heard_at_the_rate_of_its_file(place: Path, daemon: Daemon) -> None:
    """What is kept of a fine sound is kept on its way over OSC too, though the model makes 16 kHz."""
    path = write_gesture(place / "files" / "fine.wav", note=5000.0)
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    peer.send("param/text", "a dog")
    peer.send("edit/inpaint", "a", str(path), 0.15, 0.25)
    begin = peer.wait("audio/begin")
    assert begin[2] == 48000
    peer.wait("audio/end")
    if not any(name == "ready" for name, _ in peer.heard):
        peer.wait("ready")
    clip = next(values[3] for name, values in peer.heard if name == "ready")
    parts = {values[3]: values[4] for name, values in peer.heard if name == "audio/chunk"}
    sent = np.frombuffer(b"".join(parts[number] for number in range(begin[4])), dtype="<i2") / 32767
    written = soundfile.read(clip)[0]
    assert len(sent) == len(written) and np.abs(sent - written).max() < 1e-4
    assert recipe(clip)["text"] == "a dog"
    peer.close()


@pytest.mark.slow
def test_voice_words_and_example_are_blended_by_their_weights(place: Path, peer: Peer) -> None:
    voice, example = (
        write_gesture(place / "files" / f"{name}.wav", note=n) for name, n in (("v", 300.0), ("e", 900.0))
    )
    for name, value in (
        ("text", "a dog"),
        ("negative", "rain"),
        ("steps", 2),
        ("seed", 7),
        ("strength", 0.4),
    ):
        peer.send(f"param/{name}", value)

    def clip(id_: str) -> dict[str, Any]:
        peer.send("generate", id_, str(voice))
        return recipe(peer.wait("ready")[2])

    alone = clip("a")
    assert (alone["text"], alone["text_weight"], alone["negative"], alone["like"]) == (
        "a dog",
        1.0,
        "rain",
        None,
    )
    peer.send("like", str(example))
    peer.wait("liking")
    both = clip("b")
    assert (both["text_weight"], both["like_weight"], both["like"]) == (0.5, pytest.approx(0.4), str(example))
    peer.send("param/text_weight", 0.25)
    peer.wait("param/text_weight")
    assert clip("c")["text_weight"] == pytest.approx(0.25)


@pytest.mark.slow
def test_the_best_of_several_candidates_is_kept_and_heard(place: Path, daemon: Daemon) -> None:
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    for name, value in (("candidates", 3), ("steps", 2), ("seed", 20), ("variations", 2)):
        peer.send(f"param/{name}", value)
    peer.send("generate", "a", str(write_gesture(place / "files" / "v.wav")))
    peer.wait("done")
    ready = [values[1:] for name, values in peer.heard if name == "ready"]
    for number, clip in enumerate(ready):
        told = recipe(clip[2])
        assert 20 + 3 * number <= told["seed"] < 23 + 3 * number and "Best of 3" in told["notes"][0]
    begun = [values for name, values in peer.heard if name == "audio/begin"]
    assert len(begun) == 2 and begun[0][4] == round(ready[0][4] * 16000)
    steps = [values[4:] for name, values in peer.heard if name == "progress" and values[2:4] == [0, "sample"]]
    assert steps == sorted(steps) and steps[-1] == [6, 6]
    peer.close()
