"""Trouble while the daemon runs: one sentence for each, work goes on when the cause is gone, nothing finished is lost."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from daemons import started, voice
from disks import remount, small_disk
from osc_peers import Peer
from tiny import assert_sentence
from virtual_microphone import VirtualMicrophone

import vocaldm_live
from vocaldm_live.daemon.daemon import Daemon
from vocaldm_live.listen.imitation import Imitation
from vocaldm_live.sound.audio import Sound, read_sound

DEMO = Path(vocaldm_live.__file__).parent / "demo" / "creature.wav"


@contextmanager
def watched(place: Path, **changes: Any) -> Iterator[tuple[Daemon, Peer]]:
    """A daemon with settings of the test's own, and a client."""
    with started(place, **changes) as daemon, Peer(daemon.server.port) as peer:
        peer.subscribe(0, 600.0)
        yield daemon, peer


@pytest.mark.slow
def test_a_full_disk_keeps_clips_until_there_is_room(place: Path) -> None:
    path = voice(place / "files" / "hit.wav", 1.0)
    disk = place / "disk"
    outbox = {"folders.outbox": str(disk / "outbox")}
    with small_disk(disk, "1m"), watched(place, **outbox) as (daemon, peer):
        made: list[str] = []
        for number in range(40):
            peer.send("generate", f"r{number}", str(path))
            peer.wait("accepted")
            while peer.heard[-1][0] not in ("done", "failed"):
                peer.next()
            if peer.heard[-1][0] == "failed":
                break
        failed = peer.heard[-1][1]
        made = [values[3] for name, values in peer.heard if name == "ready"]
        assert "full" in failed[2] and made
        assert_sentence(failed[2])
        assert all(soundfile.info(clip).frames > 1000 for clip in made)
        assert not list((disk / "outbox").glob(".*"))
        remount(disk, "size=4m")
        late = peer.wait("ready")
        assert late[0] == failed[1] and soundfile.info(late[2]).frames > 1000
        found = {str(entry.path) for entry in daemon.session.history.entries()}
        assert found == {*made, late[2]} == {str(clip) for clip in (disk / "outbox").glob("*.wav")}


@pytest.mark.slow
def test_an_outbox_on_a_disk_that_becomes_read_only(place: Path) -> None:
    path = voice(place / "files" / "hit.wav")
    disk = place / "disk"
    with small_disk(disk, "4m"), watched(place, **{"folders.outbox": str(disk)}) as (_, peer):
        remount(disk, "ro")
        peer.send("generate", "a", str(path))
        assert_sentence(peer.wait("failed")[1])
        remount(disk, "rw")
        assert peer.wait("ready")[0] == "a"


@pytest.mark.slow
def test_an_inbox_that_takes_no_file_still_gives_its_sounds(place: Path) -> None:
    """On a read-only mount nothing can be put aside or remembered there; each file is heard once all the same."""
    with small_disk(place / "disk", "4m") as disk:
        voice(disk / "knock.wav")
        (disk / "broken.wav").write_bytes(b"RIFF nothing")
        remount(disk, "ro")
        with watched(place, **{"folders.inbox": str(disk)}) as (_, peer):
            if not any(name == "ready" for name, _ in peer.heard):
                peer.wait("ready")
            time.sleep(3.0)
            peer.send("ping", "x")
            peer.wait("pong")
            names = [name for name, _ in peer.heard]
            assert names.count("ready") == 1 and names.count("refused") <= 1
            remount(disk, "rw")
            voice(disk / "second.wav", seed=3)
            assert "second" in Path(peer.wait("ready")[2]).name


@pytest.mark.slow
def test_an_outbox_that_is_deleted_is_made_again(place: Path, peer: Peer) -> None:
    path = voice(place / "files" / "hit.wav")
    for name in ("a", "b"):
        peer.send("generate", name, str(path))
        assert Path(peer.wait("ready")[2]).is_file()
        shutil.rmtree(place / "outbox")


@pytest.mark.slow
def test_memory_that_runs_out_costs_one_clip(
    place: Path, daemon: Daemon, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = voice(place / "files" / "hit.wav")
    engine: Any = daemon.session.jobs.engine

    def forward(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no memory is left")

    with monkeypatch.context() as patched:
        patched.setattr(engine.modules.unet, "forward", forward)
        peer.send("generate", "a", str(path))
        id_, sentence = peer.wait("failed")
        assert id_ == "a" and sentence.startswith("Memory ran out")
        assert_sentence(sentence)
    peer.send("again", "b")
    assert peer.wait("ready")[0] == "b"


@pytest.mark.slow
def test_a_voice_that_no_clip_came_of_is_kept_and_named(
    place: Path, daemon: Daemon, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = read_sound(voice(place / "files" / "hit.wav"))
    engine: Any = daemon.session.jobs.engine
    with monkeypatch.context() as patched:
        patched.setattr(engine.modules.vae, "decode", lambda latent: latent.undefined)
        daemon.session.heard(Imitation(sound, "hit", "microphone", time.time(), time.monotonic()), "a")
        _, sentence = peer.wait("failed")
        assert_sentence(sentence)
        kept = Path(sentence.partition("kept as ")[2].removesuffix("."))
        assert read_sound(kept).digest() == sound.digest()
        # Of silence there is nothing to keep.
        hush = Sound(np.zeros(16000, np.float32), 16000)
        daemon.session.heard(Imitation(hush, "hush", "microphone", time.time(), time.monotonic()), "b")
        assert "kept" not in peer.wait("failed")[1]
    peer.send("generate", "c", str(kept))
    assert peer.wait("ready")[0] == "c"


@pytest.mark.slow
def test_a_fault_in_the_network_costs_one_clip(
    place: Path, daemon: Daemon, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = voice(place / "files" / "hit.wav")
    engine: Any = daemon.session.jobs.engine
    with monkeypatch.context() as patched:
        patched.setattr(engine.modules.vae, "decode", lambda latent: latent.undefined)
        peer.send("generate", "a", str(path))
        assert_sentence(peer.wait("failed")[1])
    peer.send("again", "b")
    assert peer.wait("ready")[0] == "b"


@pytest.mark.slow
def test_a_microphone_that_goes_while_it_records(place: Path, cable: VirtualMicrophone) -> None:
    with watched(place, **{"microphone.enabled": True, "microphone.device": "pulse"}) as (_, peer):
        if not any(name == "mic/ok" and values[1] for name, values in peer.heard):
            peer.wait("mic/ok")
        cable.play(DEMO)
        peer.send("record", 1)
        assert peer.wait("recording") == [1]
        time.sleep(0.5)
        cable.unplug()
        assert_sentence(peer.wait("mic/lost", 30.0)[0])
        # What was said until then is a gesture like any other.
        assert peer.wait("heard")[1] == "microphone"
        assert [values[1] for name, values in peer.heard if name == "recording"][-1] == 0
        peer.wait("ready")
        peer.send("generate", "file", str(voice(place / "files" / "hit.wav")))
        peer.wait("done")
        cable.plug()
        peer.wait("mic/ok", 40.0)
        cable.play(DEMO)
        time.sleep(0.3)
        peer.send("record", 1)
        time.sleep(0.8)
        peer.send("record", 0)
        assert peer.wait("heard")[1] == "microphone"
        peer.wait("ready")
