"""The daemon as its clients meet it: inbox and OSC in, complete clips, history and events out."""

from __future__ import annotations

import json
import shutil
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from daemons import make, started, voice
from osc_peers import Peer
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.errors import VocalDMError
from vocaldm_live.sound.audio import read_sound


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    """A daemon that may still be loading its preset when the first commands come."""
    with started(place, warm=False) as made:
        yield made


@pytest.mark.slow
def test_a_new_subscriber_learns_the_whole_state(daemon: Daemon) -> None:
    assert daemon.warm.wait(60)
    peer = Peer(daemon.server.port)
    peer.send("subscribe")
    peer.wait("state/end")
    state = {name: values[1:] for name, values in peer.heard}
    assert state["param/preset"] == ["one"] and state["param/steps"] == [2] and state["listening"] == [0]
    assert state["preset/is"][0] == "one" and state["engine"][0] == "warm"
    assert_sentence(state["mic/lost"][0])
    peer.close()


@pytest.mark.slow
def test_a_file_by_osc_becomes_a_complete_clip(place: Path, daemon: Daemon, peer: Peer) -> None:
    path = voice(place / "files" / ".." / "files" / "hit.wav")
    peer.send("param/seed", 7)
    peer.send("generate", "mine", str(path))
    id_, variation, clip, clip_id, seconds, seed = peer.wait("ready")
    sound = soundfile.SoundFile(clip)
    assert (id_, variation, seed) == ("mine", 0, "7")
    assert sound.samplerate == 48000 and len(sound) / 48000 == pytest.approx(seconds, abs=0.01)
    assert json.loads((place / "outbox" / "latest.json").read_text())["clip"] == clip
    assert peer.wait("done") == ["mine"]
    names = [name for name, values in peer.heard if values[1:2] == ["mine"]]
    assert (
        names[0] == "accepted" and names.count("progress") >= 3 and names.index("ready") < names.index("done")
    )
    assert daemon.session.history.get(clip_id).path == Path(clip)


@pytest.mark.slow
def test_a_file_in_the_inbox_becomes_a_clip(place: Path, peer: Peer) -> None:
    voice(place / "inbox" / "knock.wav")
    assert "knock" in Path(peer.wait("ready")[2]).name


@pytest.mark.slow
def test_again_refine_and_cancel(place: Path, peer: Peer) -> None:
    peer.send("again", "too-soon")
    assert_sentence(peer.wait("error")[3])
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    first = peer.wait("ready")
    peer.send("again", "b")
    second = peer.wait("ready")
    assert second[0] == "b" and second[5] != first[5]
    peer.send("refine", "c", first[3], 5)
    third = peer.wait("ready")
    recipe = json.loads(Path(third[2]).with_suffix(".json").read_text())
    assert third[5] == first[5] and recipe["steps"] == 5
    kept = Path(recipe["imitation"])
    assert kept.is_file()
    peer.send("param/steps", 100)
    peer.send("again", "d", first[3])
    peer.wait("accepted")
    peer.send("cancel", "d")
    assert peer.wait("cancelled") == ["d"]
    peer.send("cancel", "d")
    assert peer.wait("error")[0] == "id"


@pytest.mark.slow
def test_variations_have_each_their_own_seed(place: Path, peer: Peer) -> None:
    peer.send("param/variations", 3)
    peer.send("param/seed", 40)
    peer.send("generate", "k", str(voice(place / "files" / "hit.wav")))
    assert [peer.wait("ready")[5] for _ in range(3)] == ["40", "41", "42"]


@pytest.mark.slow
def test_every_client_hears_of_a_slider(daemon: Daemon, peer: Peer) -> None:
    assert daemon.warm.wait(60)
    other = Peer(daemon.server.port)
    other.send("param/guidance", 4)
    assert peer.wait("param/guidance") == [4.0]
    other.send("param/guidance", 19.0)
    got = other.wait("error")
    assert got[0] == "range" and "0 to 10" in got[3]
    other.send("param/text", "a big bell")
    assert other.wait("error")[0] == "text"
    other.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../outside.wav", "link.wav", "missing.wav", "relative"])
def test_files_outside_the_folders_are_out_of_reach(place: Path, peer: Peer, name: str) -> None:
    outside = voice(place / "outside.wav")
    (place / "files").mkdir()
    (place / "files" / "link.wav").symlink_to(outside)
    peer.send("generate", "x", "files/hit.wav" if name == "relative" else str(place / "files" / name))
    code, address, request, sentence = peer.wait("error")
    assert (code, address, request) == ("path", "/vocaldm/generate", "x")
    assert_sentence(sentence)


@pytest.mark.slow
def test_like_takes_a_file_and_a_clip(place: Path, peer: Peer) -> None:
    example = voice(place / "files" / "example.wav", seed=5)
    peer.send("generate", "plain", str(example))
    clip = peer.wait("ready")
    peer.send("like", str(example))
    assert peer.wait("liking") == [str(example)]
    peer.send("again", "with")
    made = peer.wait("ready")
    assert json.loads(Path(made[2]).with_suffix(".json").read_text())["like"] == str(example)
    peer.send("like", clip[3])
    assert peer.wait("liking") == [clip[2]]
    peer.send("like", "")
    assert peer.wait("liking") == [""]


def test_history_over_osc(place: Path, peer: Peer) -> None:
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    clip = peer.wait("ready")
    peer.send("star", clip[3], 1)
    assert peer.wait("starred") == [clip[3], 1]
    peer.send("history", 5)
    peer.wait("history/begin")
    item = peer.wait("history/item")
    assert item[0] == clip[3] and item[6] == 1 and item[1] == clip[2]


@pytest.mark.slow
def test_a_preset_is_swapped_and_a_bad_one_refused(place: Path, peer: Peer) -> None:
    make_tiny_preset(place / "presets", "two", seed=3)
    bad = shutil.copytree(place / "presets" / "one", place / "presets" / "bad")
    (bad / "unet.safetensors").write_bytes(b"no weights")
    peer.send("param/preset", "two")
    while peer.wait("preset/is")[0] != "two":  # the folder's watcher may have refused the bad one before
        pass
    peer.send("param/preset", "bad")
    name, sentence = peer.wait("preset/refused")
    assert name == "bad"
    assert_sentence(sentence)
    peer.send("param/preset", "nowhere")
    assert peer.wait("error")[0] == "preset"
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    recipe = json.loads(Path(peer.wait("ready")[2]).with_suffix(".json").read_text())
    assert recipe["preset"] == "two"


@pytest.mark.slow
def test_a_changed_preset_is_played_without_being_asked_for(place: Path, daemon: Daemon, peer: Peer) -> None:
    assert daemon.warm.wait(60)
    before = daemon.loader.playing
    make_tiny_preset(place / "presets", "one", seed=9)
    while peer.wait("preset/is")[1] == getattr(before, "sha256", ""):
        pass


@pytest.mark.slow
def test_the_outbox_may_vanish_and_come_back(place: Path, peer: Peer) -> None:
    path = voice(place / "files" / "hit.wav")
    peer.send("generate", "a", str(path))
    peer.wait("done")
    shutil.rmtree(place / "outbox")
    peer.send("generate", "b", str(path))
    assert Path(peer.wait("ready")[2]).is_file()


@pytest.mark.slow
def test_a_clip_that_cannot_be_written_comes_when_it_can(place: Path, daemon: Daemon, peer: Peer) -> None:
    path = voice(place / "files" / "hit.wav")
    assert daemon.warm.wait(60)
    shutil.rmtree(place / "outbox")
    (place / "outbox").write_text("in the way")
    peer.send("param/seed", 5)
    peer.send("generate", "a", str(path))
    id_, sentence = peer.wait("failed")
    assert id_ == "a" and "kept" in sentence
    assert_sentence(sentence)
    (place / "outbox").unlink()
    ready = peer.wait("ready")
    assert ready[0] == "a" and ready[5] == "5" and Path(ready[2]).is_file()
    assert daemon.session.history.get(ready[3]).request == "a"


@pytest.mark.slow
def test_what_could_not_be_written_is_tried_once_more_at_the_end(place: Path) -> None:
    daemon = make(place)
    daemon.start()
    assert daemon.warm.wait(60)
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0)
    shutil.rmtree(place / "outbox")
    (place / "outbox").write_text("in the way")
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    peer.wait("failed")
    (place / "outbox").unlink()
    daemon.close()
    assert len(list((place / "outbox").glob("*.wav"))) == 1
    peer.close()


def test_a_history_that_fails_hides_no_clip(place: Path, daemon: Daemon, peer: Peer) -> None:
    path = voice(place / "files" / "hit.wav")
    assert daemon.warm.wait(60)
    daemon.session.history._base.execute("DROP TABLE clips")
    peer.send("generate", "a", str(path))
    code, _, request, sentence = peer.wait("error")
    assert (code, request) == ("history", "a")
    assert_sentence(sentence)
    ready = peer.wait("ready")
    assert Path(ready[2]).is_file() and ready[3] == ""
    assert peer.wait("done") == ["a"]


@pytest.mark.slow
def test_stopping_leaves_no_part_and_no_thread(place: Path) -> None:
    before = {thread.name for thread in threading.enumerate()}
    daemon = make(place)
    daemon.start()
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0)
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    peer.wait("accepted")
    daemon.warm.wait(60)
    daemon.close(finish=False)

    def left() -> set[str]:
        names = {thread.name for thread in threading.enumerate()} - before
        return {name for name in names if "sketch" not in name}

    deadline = time.monotonic() + 20
    while left() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == set()
    assert not list(place.rglob("*.part*"))
    peer.close()


@pytest.mark.slow
def test_a_second_daemon_says_so(place: Path, daemon: Daemon) -> None:
    second = make(place, **{"osc.port": daemon.server.port})
    with pytest.raises(VocalDMError, match="another vocaldm live"):
        second.start()
    second.close()


def test_an_unknown_preset_is_told(place: Path) -> None:
    with started(place, preset="nothing") as daemon:
        assert daemon.failed is not None
        assert_sentence(daemon.failed)


@pytest.mark.slow
def test_samples_come_over_osc_as_they_lie_in_the_file(place: Path, daemon: Daemon) -> None:
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    peer.send("param/seed", 1)  # not one that makes a clip so loud that its file is turned down
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    _, _, rate, count, chunks = peer.wait("audio/begin")
    peer.wait("audio/end")
    if not any(name == "ready" for name, _ in peer.heard):
        peer.wait("ready")
    path = Path([values[3] for name, values in peer.heard if name == "ready"][0])
    parts = {values[3]: values[4] for name, values in peer.heard if name == "audio/chunk"}
    assert rate == 48000 and sorted(parts) == list(range(chunks))
    sent = np.frombuffer(b"".join(parts[number] for number in range(chunks)), dtype="<i2") / 32767
    written = soundfile.read(path)[0]
    assert len(sent) == count == len(written)
    # Fades included; the clip guard, which needs the whole clip, has nothing to do here.
    assert np.abs(written).max() < 0.99 and np.abs(sent - written).max() < 1e-4
    peer.send("audio/resend", "a", 0, 0, 1)
    assert [peer.wait("audio/chunk")[2] for _ in range(2)] == [0, 1]
    peer.close()


@pytest.mark.slow
def test_samples_leave_before_the_clip_is_decoded(place: Path, daemon: Daemon) -> None:
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    peer.send("generate", "a", str(voice(place / "files" / "long.wav", 6.0)))
    peer.wait("done")
    names = [
        name if name != "progress" else (name, *values[3:5])
        for name, values in peer.heard
        if name in ("audio/begin", "progress", "ready")
    ]
    pieces = max(one[2] for one in names if isinstance(one, tuple) and one[1] == "decode")
    assert pieces >= 3 and names.index("audio/begin") < names.index(("progress", "decode", pieces - 1))
    peer.close()


@pytest.mark.slow
def test_a_clip_that_is_cancelled_sends_no_more_samples(place: Path, daemon: Daemon) -> None:
    assert daemon.warm.wait(60)
    peer = Peer(daemon.server.port)
    peer.send("subscribe", 0, 600.0, 1)
    peer.wait("state/end")
    peer.send("generate", "a", str(voice(place / "files" / "long.wav", 25.0)))
    peer.wait("audio/begin")
    peer.send("cancel", "a")
    assert peer.wait("cancelled") == ["a"]
    peer.send("audio/resend", "a", 0, 0, 1)
    assert peer.wait("error")[0] == "gone"
    sent = len(peer.heard)
    peer.send("ping", "x")
    peer.wait("pong")
    assert not [name for name, _ in peer.heard[sent:] if name.startswith("audio")]
    peer.close()


@pytest.mark.slow
def test_oscquery_shows_the_sliders(place: Path) -> None:
    with started(place, **{"osc.query": True, "osc.query_port": 0}) as daemon:
        assert daemon.query is not None
        address = f"http://127.0.0.1:{daemon.query.port}/vocaldm/param/steps"
        with urllib.request.urlopen(address, timeout=20) as answer:
            node = json.load(answer)
    assert node["VALUE"] == [2] and node["RANGE"] == [{"MIN": 1, "MAX": 100}]


def test_a_recipe_in_the_outbox_opens_no_other_folder(place: Path, daemon: Daemon, peer: Peer) -> None:
    peer.send("generate", "a", str(voice(place / "files" / "hit.wav")))
    clip = Path(peer.wait("ready")[2])
    outside = voice(place / "private.wav", seed=8)
    recipe = json.loads(clip.with_suffix(".json").read_text())
    recipe |= {"imitation": str(outside), "imitation_sha256": read_sound(outside).digest()}
    planted = shutil.copyfile(clip, clip.with_name("DSGNSynth_planted_VDM_VocalDM_0001.wav"))
    planted.with_suffix(".json").write_text(json.dumps(recipe))
    entry = daemon.session.history.add(planted, planted.with_suffix(".json"))
    for command in (("again", "x", entry.id), ("refine", "x", entry.id, 3)):
        peer.send(*command)
        assert peer.wait("error")[:3] == ["path", f"/vocaldm/{command[0]}", "x"]
