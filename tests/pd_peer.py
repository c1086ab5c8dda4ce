"""Pure Data with a patch of the project and a second one that presses its controls and prints what it says."""

from __future__ import annotations

import socket
from pathlib import Path

from daemons import ROOT
from parts import needs
from programs import Program, free_port

PATCHES = ROOT / "max_patch" / "pd"

# Takes `receiver words ...` over UDP and sends the words to that receiver; prints the instrument's three buses;
# writes what the instrument plays with writesf~.
DRIVER = """#N canvas 0 0 700 500 12;
#X obj 10 10 netreceive -u {port};
#X obj 10 40 list append;
#X obj 10 60 t a a;
#X obj 10 90 list split 1;
#X obj 10 120 t a a;
#X obj 200 150 s;
#X obj 200 90 list split 1;
#X obj 200 120 list trim;
#X obj 300 200 r vocaldm-event;
#X obj 300 230 print event;
#X obj 400 200 r vocaldm-command;
#X obj 400 230 print command;
#X obj 500 200 r vocaldm-status;
#X obj 500 230 print status;
#X obj 300 300 r~ vocaldm-sound;
#X obj 300 330 writesf~ 1;
#X obj 400 300 r test-write;
#X obj 500 300 r vocaldm-loaded;
#X obj 500 330 print loaded;
#X obj 600 300 r test-say;
#X obj 600 330 print said;
#X obj 100 300 r vocaldm-line;
#X obj 100 330 print line;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 1 3 0;
#X connect 3 0 4 0;
#X connect 4 0 5 1;
#X connect 2 0 6 0;
#X connect 6 1 7 0;
#X connect 7 0 5 0;
#X connect 8 0 9 0;
#X connect 10 0 11 0;
#X connect 12 0 13 0;
#X connect 14 0 15 0;
#X connect 16 0 15 0;
#X connect 17 0 18 0;
#X connect 19 0 20 0;
#X connect 21 0 22 0;
"""


class Twin:
    """`vocaldm.pd` itself in a Pd without window or sound card, talking to a daemon's port."""

    def __init__(self, folder: Path, daemon: int, rate: int = 48000) -> None:
        needs("pd")
        self.port = free_port()
        driver = folder / "driver.pd"
        driver.write_text(DRIVER.format(port=self.port))
        self.program = Program(
            "pd", "-nogui", "-noaudio", "-nomidi", "-noprefs", "-stderr", "-r", str(rate),
            "-open", str(PATCHES / "vocaldm.pd"), "-open", str(driver),
            # Before the first ping: a daemon that somebody runs at the usual port is left alone.
            "-send", f"vocaldm-settings port {daemon}", "-send", "pd dsp 1",
        )  # fmt: skip
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._seen = 0

    def __enter__(self) -> Twin:
        for _ in range(100):  # until it listens
            self.press("test-say", "here")
            try:
                self.program.wait_for("said: here", 0.2)
                break
            except AssertionError:
                continue
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self.program.__exit__(*error)

    def press(self, control: str, *words: str) -> None:
        """Say something to a receiver, as any other patch could."""
        escaped = [word.replace("\\", "\\\\").replace(" ", "\\ ").replace(",", "\\,") for word in words]
        self._socket.sendto((" ".join((control, *escaped)) + ";\n").encode(), ("127.0.0.1", self.port))

    def wait(self, text: str, seconds: float = 30.0) -> str:
        """The next line with this text, after the one that was waited for before."""
        news = self.program._news
        with news:

            def found() -> int | None:
                numbers = range(self._seen, len(self.program.lines))
                return next((number + 1 for number in numbers if text in self.program.lines[number]), None)

            end = news.wait_for(found, seconds)
            assert end, f"no {text!r} in:\n" + "\n".join(self.program.lines[self._seen :][-40:])
            self._seen = end
            return self.program.lines[end - 1]

    def troubles(self) -> list[str]:
        """What Pd itself complained of."""
        return [
            line for line in self.program.lines if "error" in line and not line.startswith("event: error")
        ]
