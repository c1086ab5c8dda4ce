"""Programs nobody here wrote, at the other end: liblo's oscsend and oscdump, Pure Data, SuperCollider."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time

import numpy as np
import pytest
from osc_peers import Udp, serving
from parts import needs

from vocaldm_live.osc.audio import AudioSender


def free_port():
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Program:
    """A program whose lines of output are waited for."""

    def __init__(self, *command, **env):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            errors="replace", env={**os.environ, **env},
        )  # fmt: skip
        self.lines = []
        self._news = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def wait_for(self, text, seconds=30.0, ends=""):
        def found():
            return [line for line in self.lines if text in line and line.endswith(ends)]

        with self._news:
            good = self._news.wait_for(found, seconds)
            assert good, f"no {text!r} in:\n" + "\n".join(self.lines[-40:])
            return found()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def oscsend(server, address, *arguments):
    command = ["oscsend", "127.0.0.1", str(server.port), address, *arguments]
    assert subprocess.run(command, timeout=30).returncode == 0


def test_oscdump_sees_what_oscsend_sets():
    needs("oscsend", "oscdump")
    port = free_port()
    with serving() as server, Program("oscdump", "-L", str(port)) as dump:
        for _ in range(100):  # oscdump says nothing when it listens
            oscsend(server, "/vocaldm/subscribe", "if", str(port), "60")
            time.sleep(0.1)
            if any("state/end" in line for line in dump.lines):
                break
        dump.wait_for("/vocaldm/state/end")
        oscsend(server, "/vocaldm/param/steps", "f", "7")
        assert dump.wait_for("/vocaldm/param/steps ii", ends=" 7")
        path = "/music/VocalDM Live/caf\u00e9 1.wav"
        server.broadcast("/vocaldm/ready", "r1", 0, path, "c1", 1.5, "4294967295")
        line = dump.wait_for("/vocaldm/ready")
        assert "isissfs" in line and '"4294967295"' in line
        oscsend(server, "/vocaldm/unsubscribe", "i", str(port))
        with Udp(server) as client:
            client.still_there()
        assert len(server.leases) == 0


PATCH = """#N canvas 0 0 450 300 12;
#X obj 10 10 netreceive -u -b {port};
#X obj 10 40 oscparse;
#X obj 10 70 list trim;
#X obj 10 100 print seen;
#X obj 200 10 loadbang;
#X msg 200 40 connect 127.0.0.1 {server};
#X obj 300 40 delay 200;
#X msg 300 70 {port} 60;
#X obj 300 100 oscformat vocaldm subscribe;
#X obj 300 160 netsend -u -b;
#X obj 300 130 list prepend send;
#X obj 300 145 list trim;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
#X connect 4 0 5 0;
#X connect 4 0 6 0;
#X connect 5 0 9 0;
#X connect 6 0 7 0;
#X connect 7 0 8 0;
#X connect 8 0 10 0;
#X connect 10 0 11 0;
#X connect 11 0 9 0;
"""


def test_pure_data_subscribes_and_sees_events(tmp_path):
    needs("pd")
    patch, port = tmp_path / "peer.pd", free_port()
    with serving() as server:
        patch.write_text(PATCH.format(port=port, server=server.port))
        with Program("pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-open", str(patch)) as pd:
            pd.wait_for("state end")
            server.broadcast("/vocaldm/ready", "r1", 0, "/music/a b.wav", "c1", 1.5, "12")
            line = pd.wait_for("ready")
            assert line.split("ready", 1)[1].split()[1:3] == ["r1", "0"] and "1.5" in line


SCLANG = """
var got = Dictionary.new, chunks = -1;
OSCdef(\\begin, {{ |msg| chunks = msg[6]; }}, '/vocaldm/audio/begin');
OSCdef(\\chunk, {{ |msg| got[msg[4]] = msg[5]; }}, '/vocaldm/audio/chunk');
OSCdef(\\end, {{ |msg|
    var file = File("{out}", "wb");
    chunks.do {{ |number| file.write(got[number]); }};
    file.close;
    ("WROTE" + chunks + msg[4]).postln;
}}, '/vocaldm/audio/end');
OSCdef(\\state, {{ "SUBSCRIBED".postln; }}, '/vocaldm/state/end');
NetAddr("127.0.0.1", {server}).sendMsg("/vocaldm/subscribe", 0, 60, 1);
"""


@pytest.mark.slow
def test_sclang_puts_a_clip_together_from_blobs(tmp_path):
    needs("sclang")
    script, out = tmp_path / "peer.scd", tmp_path / "clip.raw"
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    samples = np.random.default_rng(5).uniform(-1, 1, 48000).astype(np.float32)
    with serving() as server:
        script.write_text(SCLANG.format(out=out, server=server.port))
        quiet = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "HOME": str(home),
                 "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox", "XDG_RUNTIME_DIR": str(home)}  # fmt: skip
        with Program("sclang", "-u", str(free_port()), str(script), **quiet) as sclang:
            sclang.wait_for("SUBSCRIBED", 90)
            stream = AudioSender(server).open("r1", 0, 48000, len(samples))
            stream.write(samples)
            stream.close()
            line = sclang.wait_for("WROTE 80")
    assert line.split()[-1] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert np.abs(np.frombuffer(out.read_bytes(), "<i2") / 32767 - samples).max() < 1 / 32767
