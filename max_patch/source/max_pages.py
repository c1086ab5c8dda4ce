"""Max pages: help patchers, the overview in the Extras menu, the example, reference pages, package-info, the icon."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from max_patch.source.addresses import MADE_FOR, PORT, commands, incoming, parameters
from max_patch.source.max_file import Box, Patcher
from max_patch.source.max_instrument import ACCENT, QUIET
from max_patch.source.max_layout import WINDOW_SIZE
from vocaldm_live import __version__
from vocaldm_live.osc.table import ROOT, Entry

STEPS, TRACKS = 16, 4
DAEMON = "The daemon has to run: vocaldm live (python package vocaldm-live)."


@dataclass(frozen=True)
class Message:
    """A message that an abstraction understands, for its reference page."""

    name: str
    text: str


@dataclass(frozen=True)
class Page:
    """An abstraction as its help and reference tell it."""

    name: str
    digest: str
    description: str
    inlets: tuple[str, ...]
    outlets: tuple[str, ...]
    messages: tuple[Message, ...]


PAGES = (
    Page(
        "vocaldm",
        "Turn vocal imitations into sounds",
        f"The instrument: record, parameters, presets, history and playback of clips. {DAEMON}",
        ("commands for the daemon",),
        ("events of the daemon", "the sound of the clips (signal)"),
        (
            Message(
                f"{ROOT}/record",
                "1 while a sound is imitated, 0 at its end; so every address of the table below.",
            ),
        ),
    ),
    Page(
        "vocaldm.client",
        "OSC connection with the VocalDM Live daemon",
        "Keeps a lease for events, renews it, finds a daemon that was started again, asks for the state when an event "
        f"was lost. Arguments: host (127.0.0.1) and port ({PORT}). {DAEMON}",
        ("commands: any address of the table", "settings: host, port, token"),
        ("events without their number", "connected 0 or 1, fits 0 or 1, sentence, missed"),
        (
            Message("host", "The computer of the daemon."),
            Message("port", "Its port."),
            Message("token", "What a daemon beyond this computer asks for."),
        ),
    ),
    Page(
        "vocaldm.clip",
        "Load and play the clips of VocalDM Live",
        "Reads each variation into a voice of its own; while one buffer is read the other one sounds on.",
        ("events of vocaldm.client, or read, play, stop",),
        ("the sound (signal)", "loaded n buffer, failed n path"),
        (
            Message(f"{ROOT}/ready", "A clip is complete: it is read into the voice of its variation."),
            Message("read", "A voice (1 to 16) and a path: reads the file into that voice."),
            Message("play", "A voice from its beginning; 0 plays all."),
            Message("stop", "Ends every voice."),
        ),
    ),
)


def helps() -> dict[str, Patcher]:
    """Help patchers by name."""
    return {page.name: _help(page) for page in PAGES}


def _help(page: Page) -> Patcher:
    p = Patcher(720, 560)
    p.comment(page.name, (20, 14, 400, 32), fontsize=22.0, fontface=1, textcolor=ACCENT)
    p.comment(page.digest + ".", (20, 50, 660, 22), fontsize=13.0)
    p.comment(page.description, (20, 76, 660, 40), textcolor=QUIET)
    if page.name == "vocaldm":
        body = p.obj("vocaldm", 40, 260, (1, ("", "signal")))
        p.comment("Double-click the object for the instrument.", (130, 260, 400, 20))
        p.msg(f"{ROOT}/record 1", 40, 140).to(body)
        p.msg(f"{ROOT}/record 0", 180, 140).to(body)
        p.msg(f"{ROOT}/param/guidance 3.", 320, 140).to(body)
        body.to(p.obj("print vocaldm", 40, 320))
        _speakers(p, body, 1, 240, 320)
    elif page.name == "vocaldm.client":
        body = p.obj(f"vocaldm.client 127.0.0.1 {PORT}", 40, 260, (2, ("", "")))
        for number, text in enumerate(("record 1", "record 0", "capture 4.", "history 5", "param/steps 8")):
            p.msg(f"{ROOT}/{text}", 20 + 138 * number, 150).to(body)
        p.msg(f"port {PORT}", 420, 210).to(body, inlet=1)
        p.comment("settings, here the usual ones", (500, 210, 200, 20))
        body.to(p.obj("print events", 40, 340))
        body.to(p.obj("print status", 225, 340), outlet=1)
    else:
        client = p.obj(f"vocaldm.client 127.0.0.1 {PORT}", 40, 160, (2, ("", "")))
        p.msg(f"{ROOT}/capture 4.", 40, 124).to(client)
        p.comment("makes a clip of the last four seconds", (180, 124, 300, 20))
        body = p.obj("vocaldm.clip", 40, 300, (1, ("signal", "")))
        client.to(body)
        for number, text in enumerate(("play 1", "play 2", "play 0", "stop")):
            p.msg(text, 140 + 70 * number, 230).to(body)
        body.to(p.obj("print clip", 123, 400), outlet=1)
        _speakers(p, body, 0, 40, 350)
    return p


def _speakers(p: Patcher, source: Box, outlet: int, x: int, y: int) -> None:
    level = p.obj("*~ 0.7", x, y)
    source.to(level, outlet=outlet)
    out = p.ui("ezdac~", (x, y + 60, 45, 45))
    level.to(out)
    level.to(out, inlet=1)


def overview() -> Patcher:
    """The patch of the Extras menu: the instrument with a loudspeaker button, and where to go on."""
    width, height = WINDOW_SIZE
    p = Patcher(width + 30, height + 100)
    body = p.add("bpatcher", (10, 10, width, height), 1, ("", "signal"), name="vocaldm.maxpat", bgmode=0, border=0,
                 clickthrough=0, enablehscroll=0, enablevscroll=0, lockeddragscroll=0, offset=[0.0, 0.0],
                 viewvisibility=1, args=[])  # fmt: skip
    out = p.ui("ezdac~", (width - 44, height + 30, 45, 45))
    body.to(out, outlet=1)
    body.to(out, inlet=1, outlet=1)
    p.comment(
        f"Start the daemon with: vocaldm live. Made for version {MADE_FOR}. Help: vocaldm, vocaldm.client, vocaldm.clip.",
        (12, height + 34, 620, 20),
        textcolor=QUIET,
    )
    return p


def sequencer() -> Patcher:
    """The example: sixteen steps play four variations of the newest gesture."""
    p = Patcher(780, 690)
    p.comment(
        "Steps play the variations of the newest gesture", (20, 10, 500, 24), fontsize=16.0, textcolor=ACCENT
    )
    p.comment(
        "1 Start the daemon. 2 Click the four variations. 3 Imitate a sound and capture it. 4 Start the steps.",
        (20, 40, 660, 20),
    )
    client = p.obj(f"vocaldm.client 127.0.0.1 {PORT}", 20, 150, (2, ("", "")))
    p.msg(f"{ROOT}/param/variations {TRACKS}", 20, 100).to(client)
    p.msg(f"{ROOT}/capture 3.", 220, 100).to(client)
    clip = p.obj("vocaldm.clip", 20, 520, (1, ("signal", "")))
    client.to(clip)
    start = p.ui("toggle", (400, 80, 24, 24))
    p.comment("steps", (430, 82, 60, 20))
    count = start.to(p.obj("metro 150", 400, 120)).to(p.obj(f"counter 0 {STEPS - 1}", 400, 152))
    grid = p.ui("matrixctrl", (300, 226, 330, 90), columns=STEPS, rows=TRACKS, autosize=0)
    count.to(p.obj("prepend getcolumn", 400, 190)).to(grid)
    rows = grid.to(p.obj("unpack " + " ".join("i" * TRACKS), 300, 350), outlet=1)
    for track in range(TRACKS):
        x = 120 + 110 * track
        rows.to(p.obj("sel 1", x, 400), outlet=track).to(p.msg(f"play {track + 1}", x, 440)).to(clip)
    _speakers(p, clip, 0, 20, 555)
    return p


def reference(page: Page) -> bytes:
    """A reference page for Max's documentation."""
    lines = [
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>',
        '<?xml-stylesheet href="./_c74_ref.xsl" type="text/xsl"?>',
        f'<c74object name={quoteattr(page.name)} category="VocalDM Live">',
        f"  <digest>{escape(page.digest)}</digest>",
        f"  <description>{escape(page.description)}</description>",
        '  <metadatalist><metadata name="tag">VocalDM Live</metadata></metadatalist>',
    ]
    for kind, ports in (("inlet", page.inlets), ("outlet", page.outlets)):
        lines.append(f"  <{kind}list>")
        for number, text in enumerate(ports):
            type_ = "signal" if "(signal)" in text else "message"
            lines.append(f'    <{kind} id="{number}" type="{type_}"><digest>{escape(text)}</digest></{kind}>')
        lines.append(f"  </{kind}list>")
    lines.append("  <methodlist>")
    lines += [_method(message.name, message.text, "") for message in page.messages]
    if page.name != "vocaldm.clip":
        lines += [
            _method(entry.address, entry.help, _arguments(entry)) for entry in (*commands(), *parameters())
        ]
    lines += ["  </methodlist>", '  <misc name="Output">']
    if page.name != "vocaldm.clip":
        lines += [
            f"    <entry name={quoteattr(entry.address)}><description>{escape(_heard(entry))}</description></entry>"
            for entry in incoming()
            if entry.role == "event"
        ]
    lines += ["  </misc>", "  <seealsolist>"]
    lines += [f'    <seealso name="{other.name}" />' for other in PAGES if other is not page]
    lines += ["  </seealsolist>", "</c74object>", ""]
    return "\n".join(lines).encode()


def _heard(entry: Entry) -> str:
    names = " ".join(argument.name for argument in entry.arguments)
    return f"{names}: {entry.help}" if names else entry.help


def _arguments(entry: Entry) -> str:
    kinds = {"i": "int", "f": "float", "s": "symbol", "b": "list"}
    return "".join(
        f'<arg name="{argument.name}" optional="{int(argument.default is not None)}" type="{kinds[argument.kind]}" />'
        for argument in entry.arguments
    )


def _method(name_: str, text: str, arguments: str) -> str:
    return (
        f"    <method name={quoteattr(name_)}><arglist>{arguments}</arglist>"
        f"<digest>{escape(text)}</digest><description>{escape(text)}</description></method>"
    )


def package_info() -> bytes:
    """What the Package Manager shows."""
    info = {
        "name": "VocalDM Live",
        "displayname": "VocalDM Live",
        "version": __version__,
        "author": "VocalDM Live",
        "authors": ["VocalDM Live"],
        "description": "A voice imitates a sound; a second later a real 48 kHz sound with the same shape lies in a "
        f"buffer. {DAEMON} The sounds are made there, not in Max.",
        "tags": ["sound design", "voice", "OSC", "generation"],
        "website": "",
        "extends": "",
        "extensible": 0,
        "max_version_min": "8.6",
        "max_version_max": "none",
        "os": {
            "macintosh": {"platform": ["x64", "aarch64"], "min_version": "none"},
            "windows": {"platform": ["x64"], "min_version": "none"},
        },
        "homepatcher": "VocalDM Live.maxpat",
        "package_extra": {"reverse_domain": "", "copyright": "Apache-2.0"},
    }
    return (json.dumps(info, indent=1) + "\n").encode()


def icon(size: int = 500) -> bytes:
    """The package's icon as a PNG: a gesture that becomes a sound, as bars."""
    blue, paper = (46, 111, 176), (248, 248, 248)
    heights = [0.12, 0.3, 0.62, 0.9, 0.7, 0.46, 0.78, 0.52, 0.34, 0.2, 0.1]
    width, first = 28, 82
    rows = []
    for y in range(size):
        row = bytearray(paper * size)
        for number, height in enumerate(heights):
            if abs(y - size / 2) <= height * size * 0.36:
                x = first + number * (width + 3)
                row[3 * x : 3 * (x + width)] = bytes(blue * width)
        rows.append(b"\0" + bytes(row))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"".join(rows), 9)),
        (b"IEND", b""),
    )
    framed = (
        struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))
        for tag, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)
