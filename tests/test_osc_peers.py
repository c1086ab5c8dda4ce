"""Programs nobody here wrote, at the other end: liblo's oscsend and oscdump, Pure Data, SuperCollider."""

from __future__ import annotations

import hashlib
import time

import numpy as np
import pytest
from osc_peers import Udp, serving
from parts import needs
from programs import free_port, oscdump, oscsend, pure_data, sclang

from vocaldm_live.osc.audio import AudioSender


def test_oscdump_sees_what_oscsend_sets():
    needs("oscsend", "oscdump")
    port = free_port()
    with serving() as server, oscdump(port) as dump:
        for _ in range(100):  # oscdump says nothing when it listens
            oscsend(server.port, "/vocaldm/subscribe", "if", str(port), "60")
            time.sleep(0.1)
            if any("state/end" in line for line in dump.lines):
                break
        dump.wait_for("/vocaldm/state/end")
        oscsend(server.port, "/vocaldm/param/steps", "f", "7")
        assert dump.wait_for("/vocaldm/param/steps ii", ends=" 7")
        path = "/music/VocalDM Live/caf\u00e9 1.wav"
        server.broadcast("/vocaldm/ready", "r1", 0, path, "c1", 1.5, "4294967295")
        line = dump.wait_for("/vocaldm/ready")
        assert "isissfs" in line and '"4294967295"' in line
        oscsend(server.port, "/vocaldm/unsubscribe", "i", str(port))
        with Udp(server) as client:
            client.still_there()
        assert len(server.leases) == 0


def test_pure_data_subscribes_and_sees_events(tmp_path):
    with serving() as server, pure_data(tmp_path, server.port) as pd:
        pd.wait_for("state end")
        server.broadcast("/vocaldm/ready", "r1", 0, "/music/a b.wav", "c1", 1.5, "12")
        line = pd.wait_for("ready")
        assert line.split("ready", 1)[1].split()[1:3] == ["r1", "0"] and "1.5" in line
        pd.wait_for("seen: vocaldm pong", ends="hello")


@pytest.mark.slow
def test_sclang_puts_a_clip_together_from_blobs(tmp_path):
    out = tmp_path / "clip.raw"
    samples = np.random.default_rng(5).uniform(-1, 1, 48000).astype(np.float32)
    with serving() as server, sclang(tmp_path, server.port, out) as language:
        language.wait_for("SUBSCRIBED", 90)
        stream = AudioSender(server).open("r1", 0, 48000, len(samples))
        stream.write(samples)
        stream.close()
        line = language.wait_for("WROTE 80")
    assert line.split()[-1] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert np.abs(np.frombuffer(out.read_bytes(), "<i2") / 32767 - samples).max() < 1 / 32767
