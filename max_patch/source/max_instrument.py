"""Max instrument: `vocaldm.maxpat` and the device for Live: the same controls, built once, laid out twice."""

from __future__ import annotations

from typing import Any

from max_patch.source.addresses import PORT, name, parameters
from max_patch.source.max_file import Box, Patcher, parameter
from max_patch.source.max_layout import DEVICE, DEVICE_SIZE, WINDOW, WINDOW_SIZE, Rect
from vocaldm_live.osc.table import ROOT, Argument, Entry

INK, QUIET = [0.11, 0.11, 0.11, 1.0], [0.38, 0.38, 0.38, 1.0]
ACCENT, FIELD, PAPER = [0.18, 0.44, 0.69, 1.0], [0.86, 0.86, 0.86, 1.0], [0.97, 0.97, 0.97, 1.0]
RED, GREEN = [0.85, 0.2, 0.2, 1.0], [0.2, 0.65, 0.3, 1.0]
CELL_WIDTH, CELL_HEIGHT, CELLS = 230, 340, 7
HEADS = ("gesture", "parameters", "preset", "like", "history", "clip")


class Instrument:
    """Builds the controls into a patcher, each with its logic in a cell of the patching view."""

    def __init__(self, device: bool) -> None:
        self.device = device
        self.places: dict[str, Rect] = DEVICE if device else WINDOW
        self.p = Patcher(*(DEVICE_SIZE if device else WINDOW_SIZE), presentation=True,
                         prefix="---" if device else "#0-")  # fmt: skip
        self.shown: dict[str, Box] = {}
        self._cell = 0
        self._x = self._y = 0

    def build(self) -> Patcher:
        """All of it."""
        self._daemon()
        self._session()
        self._clip()
        self._gesture()
        for entry in parameters():
            if entry.daily:
                self._parameter(entry)
        self._requests()
        self._labels()
        return self.p

    # Helpers -----------------------------------------------------------------------------------------------

    def cell(self, width: int = 1) -> None:
        """The next free cell of the patching view."""
        if self._cell % CELLS + width > CELLS:
            self._cell += CELLS - self._cell % CELLS
        self._x = 20 + CELL_WIDTH * (self._cell % CELLS)
        self._y = 20 + CELL_HEIGHT * (self._cell // CELLS)
        self._cell += width

    def obj(self, text: str, row: float, dx: int = 0, ports: Any = None) -> Box:
        """An object in the cell."""
        return self.p.obj(text, self._x + dx, self._y + round(36 * row), ports)

    def msg(self, text: str, row: float, dx: int = 0) -> Box:
        """A message in the cell."""
        return self.p.msg(text, self._x + dx, self._y + round(36 * row))

    def send(self, bus: str, row: float, dx: int = 0) -> Box:
        """To a bus of this patch: `out` (daemon), `session`, `clip`."""
        return self.obj(f"s {self.p.prefix}{bus}", row, dx)

    def receive(self, bus: str, row: float, dx: int = 0) -> Box:
        """From a bus: `in` (events), `session`, `clip`."""
        return self.obj(f"r {self.p.prefix}{bus}", row, dx)

    def event(self, short: str, row: float = 0, dx: int = 0) -> Box:
        """What comes with an event."""
        return self.receive("in", row, dx).to(self.obj(f"route {ROOT}/{short}", row + 1, dx))

    def ui(self, place: str, maxclass: str, row: float, dx: int = 0, **attributes: Any) -> Box:
        """A control with its place in presentation."""
        show = self.places[place]
        rect = (self._x + dx, self._y + round(36 * row), show[2], show[3])
        box = self.p.ui(maxclass, rect, show, **attributes)
        self.shown[place] = box
        return box

    def button(self, place: str, text: str, row: float, dx: int = 0, on: str = "") -> Box:
        """A button; with `on` a switch that says so when it is on."""
        return self.ui(place, "textbutton", row, dx, text=text, texton=on or text, mode=int(bool(on)),
                       fontsize=11.0, rounded=4.0, bgcolor=FIELD, bgoncolor=ACCENT, textcolor=INK)  # fmt: skip

    def line(self, place: str, text: str, row: float, dx: int = 0, size: float = 11.0) -> Box:
        """A line of text that changes."""
        return self.ui(place, "comment", row, dx, text=text, fontsize=size, bgcolor=PAPER, textcolor=INK)

    # Parts -------------------------------------------------------------------------------------------------

    def _daemon(self) -> None:
        self.cell(2)
        daemon = self.receive("out", 0).to(
            self.obj(f"vocaldm.client 127.0.0.1 {PORT}", 1, ports=(2, ("", "")))
        )
        daemon.to(self.send("in", 2))
        daemon.to(self.send("session", 2, 200), outlet=1)
        if not self.device:
            outlet = self.p.obj("outlet", self._x, self._y + 220, comment="events: /vocaldm/ready id ...")
            self.receive("in", 5).to(outlet)
            inlet = self.p.obj(
                "inlet", self._x + 200, self._y + 150, comment="commands: /vocaldm/record 1 ..."
            )
            inlet.to(self.send("out", 5.5, 200))

    def _session(self) -> None:
        self.cell(5)
        script = self.obj("js vocaldm.session.js", 1, ports=(1, ("",) * 9))
        self.receive("session", 0).to(script)
        self.receive("in", 0, 150).to(script)
        outlets = ("out", "state", "news", "progress", "stage", "history", "presets", "clip", "lock")
        for number, bus in enumerate(outlets):
            script.to(self.send(bus, 2 + number / 2, 105 * number), outlet=number)
        self.cell(4)
        self.receive("state", 0).to(self.line("state", "Not connected yet.", 1))
        self.receive("news", 2).to(self.line("news", "Hold record, imitate a sound, let go.", 3))
        self.cell(3)
        self.receive("progress", 0).to(
            self.ui(
                "progress", "slider", 1, orientation=1, floatoutput=1, size=1.0, ignoreclick=1, knobshape=5
            )
        )
        self.receive("stage", 2).to(self.line("stage", "idle", 3))
        self.cell()
        cancel = self.button("cancel", "cancel", 0)
        cancel.to(self.msg(f"{ROOT}/cancel", 1)).to(self.send("out", 2))
        self.cell(2)
        listing = self.receive("history", 0).to(
            self.ui("history", "chooser", 1, headerheight=0, fontsize=11.0, multiselect=0)
        )
        rows = self.places["history"][3] / 36 + 1.6
        listing.to(self.obj("prepend pick", rows)).to(self.send("session", rows + 1))
        listing.to(self.msg("play", rows, 150), outlet=2).to(self.send("session", rows + 1, 150))

    def _clip(self) -> None:
        self.cell(3)
        way = self.receive("clip", 0).to(self.obj("route read play shown clip", 1))
        way.to(self.obj("prepend read", 2)).to(self.send("player", 3))
        way.to(self.obj("prepend play", 2.6, 110), outlet=1).to(self.send("player", 3.6, 110))
        way.to(self.obj("prepend set", 2, 220), outlet=2).to(self.line("clip", "No clip yet.", 3, 220, 10.0))
        if self.device:
            way.to(self.obj("prepend clip", 1.8, 450), outlet=3).to(self.send("live", 3, 450))
        self.cell(3)
        self.receive("in", 0, 110).to(self.send("player", 1, 110))
        player = self.receive("player", 2).to(self.obj("vocaldm.clip", 3, ports=(1, ("signal", ""))))
        way = self.obj("route loaded failed", 4, 250)
        player.to(way, outlet=1)
        loaded = way.to(self.obj("unpack i s", 5, 250))
        loaded.to(self.obj("prepend loaded", 6, 250)).to(self.send("session", 7, 250))
        loaded.to(self.obj("prepend set", 6, 370), outlet=1).to(self.send("wave", 7, 370))
        if self.device:
            self._live(player)
        else:
            gain = self.ui("gain", "live.gain~", 5, orientation=1, fontsize=10.0,
                           **parameter("Gain", "gain", 0, -70.0, 6.0, 0.0, 4))  # fmt: skip
            player.to(gain)
            gain.to(self.p.obj("outlet", self._x + 20, self._y + 260, comment="the sound"))
        self.cell(3)
        self.receive("wave", 0).to(
            self.ui("wave", "waveform~", 1, bgcolor=PAPER, waveformcolor=ACCENT, setmode=0, ignoreclick=1)
        )

    def _live(self, player: Box) -> None:
        through = self.obj("plugin~", 5.4)
        mixed = self.obj("+~", 7)
        through.to(mixed)
        player.to(mixed, inlet=1)
        right = self.obj("+~", 7, 45)
        through.to(right, outlet=1)
        player.to(right, inlet=1)
        out = self.obj("plugout~", 8)
        mixed.to(out)
        right.to(out, inlet=1)
        self.cell(2)
        place = self.ui("place", "umenu", 0, items=["selected", "slot", ",", "arrangement"], fontsize=10.0)
        place.to(self.obj("prepend place", 1)).to(self.send("live", 2))
        press = self.button("to live", "to Live", 0, 150)
        press.to(self.msg("tolive", 1, 150)).to(self.send("session", 2, 150))
        self.receive("live", 4).to(self.obj("js vocaldm.live.js", 5, ports=(1, ("",)))).to(
            self.send("news", 6)
        )

    def _gesture(self) -> None:
        self.cell(2)
        pad = self.ui("record", "comment", 0, text="hold to record", textjustification=1, fontsize=14.0,
                      bgcolor=ACCENT, textcolor=PAPER)  # fmt: skip
        rect = pad.content["patching_rect"]
        button = self.p.ui("ubutton", (rect[0] + 150, rect[1], 40, 40), self.places["record"])
        self.shown["record button"] = button
        button.to(self.msg(f"{ROOT}/record 0", 2, 150)).to(self.send("out", 4, 150))
        button.to(self.msg(f"{ROOT}/record 1", 3, 200), outlet=1).to(self.send("out", 5, 200))
        self.cell()
        self.event("recording").to(self.ui("recording", "led", 2, oncolor=RED))
        self.cell()
        listening = self.event("listening").to(self.obj("prepend set", 2))
        listening.to(self.button("listen", "listen", 3, on="listening")).to(
            self.obj(f"prepend {ROOT}/listen", 4)
        ).to(self.send("out", 5))
        self.cell()
        seconds = self.obj("f 4.", 3)
        self.button("capture", "capture the last" if not self.device else "capture", 1).to(seconds)
        box = self.ui(
            "seconds", "flonum", 1, 140, minimum=0.1, maximum=60.0, numdecimalplaces=1, fontsize=11.0
        )
        box.to(seconds, inlet=1)
        self.receive("start-seconds", 0, 80).to(box)
        seconds.to(self.obj(f"prepend {ROOT}/capture", 4)).to(self.send("out", 5))
        self.cell()
        level = self.event("mic/level").to(self.obj("unpack f f i", 2))
        level.to(
            self.ui("level", "slider", 4, orientation=1, floatoutput=1, size=70.0, min=-70.0, ignoreclick=1)
        )
        level.to(self.ui("open", "led", 3, 150, oncolor=GREEN), outlet=2)
        self.cell()
        self._dropped("generate")

    def _dropped(self, place: str) -> None:
        drop = self.ui(place, "dropfile", 0, border=1.0, bordercolor=ACCENT, rounded=6.0)
        drop.to(self.obj("conformpath slash boot", 2)).to(self.obj(f"prepend {place}", 3)).to(
            self.send("session", 4)
        )

    def _parameter(self, entry: Entry) -> None:
        """One parameter: the daemon's value is shown without being sent back, a movement is sent."""
        self.cell()
        argument = entry.arguments[0]
        address = f"{ROOT}/{name(entry)}"
        if argument.name == "preset":
            menu = self.receive("presets", 0).to(self.ui("preset", "umenu", 1, fontsize=11.0))
            menu.to(self.obj("prepend preset", 3)).to(self.send("session", 4))
            return  # by name: the menu's number leads to it in the session
        out = self.obj(f"prepend {address}", 6)
        out.to(self.send("out", 7))
        shown = self.event(name(entry)).to(
            self.obj(f"prepend {'setsymbol' if argument.choices else 'set'}", 2)
        )
        control = shown.to(self._control(argument))
        if argument.kind == "s" and not argument.choices:
            control.to(self.obj("route text", 4)).to(self.obj("tosymbol", 5)).to(out)
        elif argument.choices:
            control.to(out, outlet=1)
        else:
            control.to(out)
        if argument.name == "seed":
            self.cell()
            self.receive("lock", 0).to(self.button("lock", "new seeds", 1, on="locked")).to(
                self.obj("prepend lock", 2)
            ).to(self.send("session", 3))

    def _control(self, argument: Argument) -> Box:
        short = argument.name
        if argument.choices:
            items: list[str] = []
            for choice in argument.choices:
                items += [",", str(choice)]
            return self.ui(short, "umenu", 3, items=items[1:], fontsize=11.0)
        if argument.kind == "s":
            return self.ui(short, "textedit", 3, keymode=1, fontsize=11.0, bgcolor=PAPER)
        low, high = argument.low or 0.0, argument.high or 0.0
        if high > 255:  # more than a parameter of Live holds
            return self.ui(short, "number", 3, minimum=int(low), maximum=int(high), fontsize=11.0)
        kind = int(argument.kind == "i")
        attributes = parameter(short.capitalize(), short, kind, low, high, low, 1 - kind)
        return self.ui(short, "live.dial", 3, activedialcolor=ACCENT, **attributes)

    def _requests(self) -> None:
        self.cell()
        self._dropped("like")
        for place, text, message in (
            ("like clip", "this clip", "like clip"),
            ("like none", "own voice", "like none"),
            ("again", "again", "again"),
            ("star", "star", "star"),
            ("play", "play", "play"),
        ):
            self.cell()
            self.button(place, text, 0).to(self.msg(message, 1)).to(self.send("session", 2))
        self.cell()
        self.button("play new", "play new", 0, on="plays new").to(self.obj("prepend playnew", 1)).to(
            self.send("session", 2)
        )
        self.cell()
        steps = self.obj("i 20", 3)
        self.button("refine", "refine to" if not self.device else "refine", 1).to(steps)
        box = self.ui("refine steps", "number", 1, 140, minimum=1, maximum=200, fontsize=11.0)
        box.to(steps, inlet=1)
        self.receive("start-steps", 0, 80).to(box)
        steps.to(self.obj("prepend refine", 4)).to(self.send("session", 5))
        self.cell()
        # Number boxes show what their buttons take while nobody has turned them.
        start = self.obj("live.thisdevice" if self.device else "loadbang", 0)
        start.to(self.msg("set 20", 1)).to(self.send("start-steps", 2))
        start.to(self.msg("set 4.", 1, 100)).to(self.send("start-seconds", 2.6, 60))

    def _labels(self) -> None:
        texts = {f"head {head}": head.capitalize() for head in HEADS} | {
            "title": "VocalDM Live",
            "label seconds": "s",
            "label generate": "drop a sound file: it becomes the gesture",
            "label seed": "seed",
            "label sampler": "sampler",
            "label text": "words",
            "label like": "drop an example: gestures take its timbre",
            "label refine": "steps",
        }
        if self.device:
            texts |= {"label generate": "drop a gesture", "label like": "drop an example of timbre"}
        y = 20 + CELL_HEIGHT * (self._cell // CELLS + 1)
        for number, (place, text) in enumerate(item for item in texts.items() if item[0] in self.places):
            head = place.startswith("head") or place == "title"
            self.shown[place] = self.p.comment(
                text, (20 + 240 * (number % 5), y + 30 * (number // 5), 220, 22), self.places[place],
                fontsize=13.0 if head else 10.0, fontface=int(head), textcolor=ACCENT if head else QUIET,
            )  # fmt: skip


def instrument() -> Patcher:
    """The instrument in a window; as an object it has the sound at its second outlet, events at its first."""
    return Instrument(device=False).build()


def device() -> Patcher:
    """The same for Live, at device height, with `to Live`."""
    return Instrument(device=True).build()
