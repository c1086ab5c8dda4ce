"""Programs nobody here wrote, as the other end of a daemon or a server: oscdump, oscsend, Pure Data, sclang."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

from parts import needs


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Program:
    """A program whose lines of output are waited for."""

    def __init__(self, *command: str, **env: str) -> None:
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
            errors="replace", env={**os.environ, **env},
        )  # fmt: skip
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def wait_for(self, text: str, seconds: float = 30.0, ends: str = "") -> str:
        def found() -> list[str]:
            return [line for line in self.lines if text in line and line.endswith(ends)]

        with self._news:
            good = self._news.wait_for(found, seconds)
            assert good, f"no {text!r} in:\n" + "\n".join(self.lines[-40:])
            return found()[0]

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def oscsend(port: int, address: str, *arguments: str) -> None:
    command = ["oscsend", "127.0.0.1", str(port), address, *arguments]
    assert subprocess.run(command, timeout=30).returncode == 0


def oscdump(port: int) -> Program:
    needs("oscdump")
    return Program("oscdump", "-L", str(port))


# Subscribes with its own port; prints what it sees; loads the file of every `ready` into an array and prints how
# many samples it has. {ask} is a message box's text for the moment after the state.
PD = """#N canvas 0 0 700 500 12;
#X obj 10 10 netreceive -u -b {port};
#X obj 10 40 oscparse;
#X obj 10 70 list trim;
#X obj 10 100 print seen;
#X obj 200 10 loadbang;
#X msg 200 40 connect 127.0.0.1 {server};
#X obj 300 40 delay 200;
#X msg 300 70 {port} 600;
#X obj 300 100 oscformat vocaldm subscribe;
#X obj 300 160 netsend -u -b;
#X obj 300 130 list prepend send;
#X obj 300 145 list trim;
#X obj 10 130 route vocaldm;
#X obj 10 160 route ready state;
#X obj 10 190 unpack f s f s s f s;
#X obj 10 220 list append;
#X msg 10 250 read -resize \\$1 clip;
#X obj 10 280 soundfiler;
#X obj 10 310 print loaded;
#X obj 400 10 table clip 100;
#X obj 500 190 route end;
#X obj 500 220 bang;
#X msg 500 250 list {ask};
#X obj 500 280 oscformat vocaldm {verb};
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 3 0;
#X connect 2 0 12 0;
#X connect 4 0 5 0;
#X connect 4 0 6 0;
#X connect 5 0 9 0;
#X connect 6 0 7 0;
#X connect 7 0 8 0;
#X connect 8 0 10 0;
#X connect 10 0 11 0;
#X connect 11 0 9 0;
#X connect 12 0 13 0;
#X connect 13 0 14 0;
#X connect 14 3 15 0;
#X connect 15 0 16 0;
#X connect 16 0 17 0;
#X connect 17 0 18 0;
#X connect 13 1 20 0;
#X connect 20 0 21 0;
#X connect 21 0 22 0;
#X connect 22 0 23 0;
#X connect 23 0 10 0;
"""


def pure_data(folder: Path, server: int, verb: str = "ping", ask: str = "hello") -> Program:
    """Pd with the patch above; `verb` and `ask` are what it sends once it knows the state."""
    needs("pd")
    patch = folder / "peer.pd"
    patch.write_text(PD.format(port=free_port(), server=server, verb=verb, ask=ask))
    return Program("pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-open", str(patch))


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
OSCdef(\\state, {{ "SUBSCRIBED".postln; {then} }}, '/vocaldm/state/end');
NetAddr("127.0.0.1", {server}).sendMsg("/vocaldm/subscribe", 0, 600, 1);
"""


def sclang(folder: Path, server: int, out: Path, then: str = "") -> Program:
    """SuperCollider's language, which writes the samples of a clip to `out`; `then` is what it does when subscribed."""
    needs("sclang")
    home, script = folder / "home", folder / "peer.scd"
    home.mkdir(mode=0o700)
    script.write_text(SCLANG.format(out=out, server=server, then=then))
    quiet = {"QT_QPA_PLATFORM": "offscreen", "QTWEBENGINE_DISABLE_SANDBOX": "1", "HOME": str(home),
             "QTWEBENGINE_CHROMIUM_FLAGS": "--no-sandbox", "XDG_RUNTIME_DIR": str(home)}  # fmt: skip
    return Program("sclang", "-u", str(free_port()), str(script), **quiet)
