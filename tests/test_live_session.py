"""A whole session: a voice into the microphone, the gate hears it, a clip lies in the outbox, others see `ready`."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from daemons import ROOT, Running, write_settings
from osc_peers import Peer
from programs import free_port, oscdump, pure_data
from virtual_microphone import VirtualMicrophone

import vocaldm_live
from vocaldm_live.measure.following import measure_following
from vocaldm_live.sound.audio import read_sound

pytestmark = pytest.mark.slow
DEMO = Path(vocaldm_live.__file__).parent / "demo" / "creature.wav"


@pytest.fixture
def place(tmp_path: Path, cable: VirtualMicrophone, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_settings(tmp_path, DEMO.parent, preset="house", microphone={"device": "pulse", "listen": True})
    monkeypatch.setenv("VOCALDM_PRESETS", str(ROOT / "presets"))
    return tmp_path


def test_from_the_voice_to_the_clip(place: Path, cable: VirtualMicrophone) -> None:
    dump_port = free_port()
    with oscdump(dump_port) as dump:
        with Running(place, "--log-json") as running:
            port = running.port()
            running.until("Warm after")
            with Peer(port) as peer, pure_data(place, port) as pd:
                peer.send("subscribe", 0, 600.0)
                for _ in range(100):  # oscdump does not say when it listens
                    peer.send("subscribe", dump_port, 600.0)
                    time.sleep(0.1)
                    if any("state/end" in line for line in dump.lines):
                        break
                peer.wait("state/end")
                pd.wait_for("state end")
                time.sleep(2.0)  # the gate learns the room
                player = cable.play(DEMO)
                assert peer.wait("heard", 60.0)[1] == "microphone"
                clip = Path(peer.wait("ready", 60.0)[2])
                complete, rate = soundfile.read(clip, dtype="float32")
                assert player.wait(60) == 0
                seen = dump.wait_for("/vocaldm/ready")
                assert str(clip) in seen and re.search(r"\bisissfs\b", seen)
                # Pd opened the file at the moment of its `ready`.
                assert int(pd.wait_for("loaded:").split()[-1]) == len(complete)
            gesture = read_sound(next((place / "state" / "imitations").glob("*.wav")))
            followed = measure_following(gesture.at(rate).samples, complete, rate)
            assert followed.loudness_r is not None and followed.loudness_r > 0.8
            assert float(np.abs(complete).max()) > 0.005
            assert running.end(15) == 0
            assert not any("overflow" in line for line in running.lines)
    assert os.listdir(place / "outbox")


def test_fifty_clips_in_a_row_cost_no_sound(place: Path) -> None:
    with Running(place) as running:
        port = running.port()
        running.until("Warm after")
        with Peer(port) as peer:
            peer.send("subscribe", 0, 600.0)
            peer.wait("state/end")
            peer.send("listen", 0)
            peer.wait("mic/level")
            begun = time.monotonic()
            for number in range(50):
                peer.send("generate", f"r{number}", str(DEMO))
                peer.wait("done", 60.0)
            seconds = time.monotonic() - begun
            names = [name for name, _ in peer.heard]
        assert names.count("ready") == 50
        assert "mic/overflow" not in names and "mic/lost" not in names
        # The level's thread was never kept waiting for long either.
        assert names.count("mic/level") > 8.0 * seconds
        print(f"50 clips in {seconds:.0f} s, {names.count('mic/level') / seconds:.1f} levels a second")
        assert running.end(15) == 0
