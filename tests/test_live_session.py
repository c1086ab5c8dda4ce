"""A whole session: a voice into the microphone, the gate hears it, a clip lies in the outbox, others see `ready`."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from osc_peer import UdpPeer
from parts import needs
from test_cli_live import Running
from virtual_microphone import VirtualMicrophone

import vocaldm_live
from vocaldm_live.measure.following import measure_following
from vocaldm_live.sound.audio import read_sound

pytestmark = pytest.mark.slow
DEMO = Path(vocaldm_live.__file__).parent / "demo" / "creature.wav"
PRESETS = Path(vocaldm_live.__file__).resolve().parent.parent / "presets"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_from_the_voice_to_the_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs("oscdump")
    settings = {
        "preset": "house",
        "device": "cpu",
        "microphone": {"device": "pulse", "listen": True},
        "folders": {name: str(tmp_path / name) for name in ("outbox", "inbox", "state")},
        "osc": {"port": 0, "query": False},
    }
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(settings))
    dump_port = free_port()
    with VirtualMicrophone() as microphone:
        for name, value in microphone.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("VOCALDM_PRESETS", str(PRESETS))
        running = Running(tmp_path, "--log-json")
        dump = subprocess.Popen(["oscdump", "-L", str(dump_port)], stdout=subprocess.PIPE, text=True)
        try:
            port = int(running.until("OSC at").split(":")[1].split(",")[0])
            running.until("Warm after")
            peer = UdpPeer(port)
            peer.send("subscribe", 0, 600.0)
            time.sleep(0.5)  # oscdump does not say when it listens
            peer.send("subscribe", dump_port, 600.0)
            peer.until("state/end")
            peer.send("ping", "the microphone may have been found before")
            time.sleep(2.0)  # the gate learns the room
            player = microphone.play(DEMO)
            assert peer.until("heard", 60.0)[1] == "microphone"
            clip = Path(peer.until("ready", 60.0)[2])
            complete, rate = soundfile.read(clip, dtype="float32")
            assert player.wait(60) == 0
            assert dump.stdout is not None
            seen = next(line for line in dump.stdout if "/vocaldm/ready" in line)
            assert str(clip) in seen and re.search(r"\bisissfs\b", seen)
            gesture = read_sound(next((tmp_path / "state" / "imitations").glob("*.wav")))
            followed = measure_following(gesture.at(rate).samples, complete, rate)
            assert followed.loudness_r is not None and followed.loudness_r > 0.8
            assert float(np.abs(complete).max()) > 0.005
            peer.close()
            assert running.end(15) == 0
            assert not any("overflow" in line for line in running.lines)
        finally:
            dump.kill()
            dump.wait()
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
    assert os.listdir(tmp_path / "outbox")
