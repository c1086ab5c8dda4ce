"""Table: every OSC address with its arguments, ranges and help; server, OSCQuery, documents and patches follow it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from vocaldm_live.errors import VocalDMError

ROOT = "/vocaldm"
LARGEST_SEED = 2**31 - 1
LONGEST_TEXT = 1000  # bytes of one string: it must fit a datagram of 1400 together with the rest
SAMPLERS = ("ddim", "dpm_solver_pp_2m", "deis", "ipndm")

Value = int | float | str | bytes
Kind = Literal["i", "f", "s", "b"]


class OscError(VocalDMError):
    """An OSC message asks for what is not possible; `code` is the short name that goes out with the sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True)
class Argument:
    """One argument: its name, its type on the wire (i, f, s, b), its range or choices, whether it may be left out."""

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    default: Value | None = None
    help: str = ""
    longest: int = LONGEST_TEXT

    @property
    def legal(self) -> str:
        """What is legal, in words."""
        if self.choices:
            return " or ".join(str(choice) for choice in self.choices)
        what = {"i": "a whole number", "f": "a number", "s": "text", "b": "bytes"}[self.kind]
        if self.low is None or self.high is None:
            return what
        form = ".0f" if self.kind == "i" else "g"
        return f"{what} from {self.low:{form}} to {self.high:{form}}"

    def check(self, value: object) -> Value:
        """The value in this argument's type; whole floats and whole-valued ints pass. Raises OscError."""
        fits: Value | None = None
        if self.kind == "s" and isinstance(value, str):
            fits = value
        elif self.kind == "b" and isinstance(value, bytes):
            fits = value
        elif self.kind in "if" and isinstance(value, (int, float)) and math.isfinite(value):
            # Max sends 4. where 4 is meant, Pd only knows floats, and booleans are 0 and 1 here.
            number = float(value)
            fits = number if self.kind == "f" else int(number) if number.is_integer() else None
        if fits is None:
            raise OscError("type", f"{self.name} is {_shown(value)}: give {self.legal}.")
        if isinstance(fits, str) and (len(fits.encode()) > self.longest or not fits.isprintable()):
            raise OscError(
                "range",
                f"{self.name} is too long or not plain text: give up to {self.longest} bytes of one line.",
            )
        inside = (
            self.low is None
            or self.high is None
            or isinstance(fits, (str, bytes))
            or self.low <= fits <= self.high
        )
        if not inside or (self.choices and fits not in self.choices):
            raise OscError("range", f"{self.name} is {_shown(value)}: give {self.legal}.")
        return fits


@dataclass(frozen=True)
class Entry:
    """One address: what comes in (`command`), what goes out (`event`), or both (`parameter`).

    Every event carries `seq`, the number of the event for this subscriber, before its arguments; a parameter
    that comes in carries none. `daily`: a person at a front end uses it.
    """

    address: str
    role: Literal["command", "event", "parameter"]
    arguments: tuple[Argument, ...]
    help: str
    daily: bool = False

    @property
    def types(self) -> str:
        """Type tags of what comes in; of what goes out for an event, `seq` included."""
        tags = "".join(argument.kind for argument in self.arguments)
        return f"i{tags}" if self.role == "event" else tags

    def check(self, values: tuple[object, ...]) -> tuple[Value, ...]:
        """The arguments of a message, checked and in their types, defaults put in. Raises OscError."""
        least = sum(argument.default is None for argument in self.arguments)
        if not least <= len(values) <= len(self.arguments):
            names = " ".join(
                argument.name if argument.default is None else f"[{argument.name}]"
                for argument in self.arguments
            )
            raise OscError(
                "arguments", f"{self.address} has {len(values)} arguments: give {names or 'none'}."
            )
        given = [argument.check(value) for argument, value in zip(self.arguments, values, strict=False)]
        rest = [argument.default for argument in self.arguments[len(given) :] if argument.default is not None]
        return (*given, *rest)


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float)) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def _switch(name: str, help: str) -> Argument:
    return Argument(name, "i", 0, 1, (0, 1), help=help)


ID = Argument("id", "s", help="the request's id, chosen by the client", longest=100)
CLIP = Argument("clip", "s", help="a clip's id in the history")
SECONDS = Argument("seconds", "f", 0, 600)
SOUND = Argument("sound", "s", help="absolute path or a clip's id")
VOICE = Argument("voice", "s", default="", help="a voice that drives what is new: absolute path")
BEFORE = Argument("before", "f", 0, 600, help="s")
LOW = Argument("low", "f", 0, 24000, help="Hz; 0: from the bottom")
HIGH = Argument("high", "f", 0, 24000, default=0.0, help="Hz; 0: to the top")
SEAM = "s that are made anew around the seam; 0: half a second or a third of a short sound"
STRENGTH = Argument("strength", "f", 0.02, 1, default=1.0, help="1: from noise alone; less: from the sound")


def _command(name: str, help: str, *arguments: Argument, daily: bool = True) -> Entry:
    return Entry(f"{ROOT}/{name}", "command", arguments, help, daily)


def _event(name: str, help: str, *arguments: Argument, daily: bool = True) -> Entry:
    return Entry(f"{ROOT}/{name}", "event", arguments, help, daily)


def _edit(name: str, help: str, *arguments: Argument) -> Entry:
    return Entry(f"{ROOT}/edit/{name}", "command", (ID, SOUND, *arguments), help)


def _parameter(argument: Argument, help: str) -> Entry:
    return Entry(f"{ROOT}/param/{argument.name}", "parameter", (argument,), help, True)


_ENTRIES = (
    _command(
        "subscribe",
        "Send me every event for so many seconds; the whole state comes at once. Sent again, it renews.",
        Argument("port", "i", 0, 65535, default=0, help="where to; 0: where this came from"),
        Argument("ttl", "f", 1, 3600, default=30.0, help="seconds until the lease ends"),
        Argument("audio", "i", 0, 1, (0, 1), default=0, help="1: the clips' samples too"),
        Argument("token", "s", default="", help="where the daemon listens beyond this machine"),
        daily=False,
    ),
    _command(
        "unsubscribe", "Send me nothing any more.", Argument("port", "i", 0, 65535, default=0), daily=False
    ),
    _command("state", "Send me everything again.", daily=False),
    _command("ping", "Are you there? Answered by pong.", Argument("text", "s", default=""), daily=False),
    _command("version", "Which program and version are you?", daily=False),
    _command("record", "Push to talk goes down (1) or up (0).", _switch("on", "1 down, 0 up")),
    _command("listen", "The automatic gate on (1) or off (0).", _switch("on", "1 on, 0 off")),
    _command(
        "capture",
        "Make a clip of what was heard in the last seconds.",
        Argument("seconds", "f", 0.1, 60),
        Argument("id", "s", default="", help="the request's id; empty: one is chosen", longest=100),
    ),
    _command("generate", "Make a clip of this sound file.", ID, Argument("path", "s", help="absolute path")),
    _command(
        "again",
        "The same gesture with a new seed.",
        ID,
        Argument("clip", "s", default="", help="a clip's id; empty: the last gesture"),
    ),
    _command(
        "refine",
        "The same clip with more steps: same seed, same condition.",
        ID,
        CLIP,
        Argument("steps", "i", 1, 200),
    ),
    _edit(
        "inpaint",
        "Make a span of a sound anew; all else keeps its samples.",
        Argument("begin", "f", 0, 600, help="s"),
        Argument("end", "f", 0, 600, help="s"),
        STRENGTH,
        VOICE,
        Argument("more", "s", default="", help="further spans in s, as 1.5-1.8 3-3.2"),
    ),
    _edit("restyle", "Make all of a sound anew, starting from the sound itself.", STRENGTH, VOICE),
    _edit("vary", "A variation of a sound.", replace(STRENGTH, default=0.4)),
    _edit("extend", "Put new sound before and after a sound.", BEFORE, replace(BEFORE, name="after"), VOICE),
    _edit("band", "Make a band of frequencies anew; the others keep what they hold.", LOW, HIGH, STRENGTH),
    _edit("loop", "Let a sound end where it begins.", Argument("seam", "f", 0, 30, default=0.0, help=SEAM)),
    _edit(
        "morph",
        "What lies between two sounds, or between two voices' clips.",
        replace(SOUND, name="other"),
        Argument("weight", "f", 0, 1, default=0.5, help="0: the first, 1: the other"),
        Argument("voices", "i", 0, 1, (0, 1), default=0, help="1: both are voices"),
    ),
    _command("cancel", "End this request; empty: every request.", Argument("id", "s", default="")),
    _command(
        "like",
        "This sound's timbre for my gestures; empty: the voice's own again.",
        Argument("sound", "s", default="", help="absolute path or a clip's id"),
    ),
    _command(
        "audition",
        "The clip is played through speakers for so long: the automatic gate stays shut. 0 ends that.",
        SECONDS,
        daily=False,
    ),
    _command("history", "The newest clips, newest first.", Argument("count", "i", 1, 200, default=20)),
    _command("star", "Mark a clip (1) or unmark it (0).", CLIP, _switch("on", "1 marked, 0 not")),
    _command(
        "audio/resend",
        "Send these chunks of a clip's samples again.",
        ID,
        Argument("variation", "i", 0, 15),
        Argument("first", "i", 0, 2**31 - 1),
        Argument("last", "i", 0, 2**31 - 1),
        daily=False,
    ),
    _parameter(Argument("steps", "i", 1, 200), "Sampling steps: more is a refinement."),
    _parameter(Argument("guidance", "f", 0, 20), "How far a clip leans toward what the voice means."),
    _parameter(Argument("follow", "f", 0, 1), "How closely a clip follows the voice's curves."),
    _parameter(
        Argument("strength", "f", 0, 1), "How far the example given by like replaces the voice's own timbre."
    ),
    _parameter(Argument("sampler", "s", choices=SAMPLERS), "Which sampler takes the steps."),
    _parameter(Argument("eta", "f", 0, 1), "0: deterministic steps, 1: fresh noise at each (ddim only)."),
    _parameter(Argument("variations", "i", 1, 16), "Clips for one gesture."),
    _parameter(Argument("seed", "i", -1, LARGEST_SEED), "The noise's seed; -1: a new one for every gesture."),
    _parameter(
        Argument("duration", "f", 0, 60), "Seconds of a clip without its tail; 0: as long as the gesture."
    ),
    _parameter(Argument("preset", "s"), "The preset that plays."),
    _parameter(Argument("text", "s"), "Words for the sound, where the preset understands them; empty: none."),
    _event("state/begin", "The whole state follows."),
    _event("state/end", "That was the whole state."),
    _event("pong", "The answer to ping.", Argument("text", "s"), daily=False),
    _event(
        "version/is", "Program and version.", Argument("program", "s"), Argument("version", "s"), daily=False
    ),
    _event(
        "engine",
        "What the model does: loading, warm, busy or failed.",
        Argument("state", "s", choices=("loading", "warm", "busy", "failed")),
        Argument("sentence", "s"),
    ),
    _event(
        "mic/level",
        "Ten times a second: peak and mean level, and whether the gate is open.",
        Argument("peak_dbfs", "f"),
        Argument("rms_dbfs", "f"),
        _switch("open", "1: a voice is heard"),
    ),
    _event("mic/lost", "The microphone is gone or was never there.", Argument("sentence", "s")),
    _event(
        "mic/overflow",
        "Blocks of sound that this computer was too late to take, since the start.",
        Argument("count", "i"),
    ),
    _event("mic/ok", "The microphone works.", Argument("device", "s")),
    _event("recording", "Push to talk is down (1) or up (0).", _switch("on", "1 down")),
    _event("listening", "The automatic gate is on (1) or off (0).", _switch("on", "1 on")),
    _event("liking", "Whose timbre gestures take; empty: the voice's own.", Argument("sound", "s")),
    _event(
        "heard",
        "A gesture was heard, and a request was made of it.",
        ID,
        Argument("source", "s", choices=("microphone", "capture", "inbox", "osc")),
        Argument("name", "s"),
        Argument("seconds", "f"),
    ),
    _event("accepted", "The request waits for its turn.", ID, Argument("variations", "i")),
    _event(
        "progress",
        "How far a request is: encode, sample or decode, step of steps.",
        ID,
        Argument("variation", "i"),
        Argument("stage", "s", choices=("encode", "sample", "decode")),
        Argument("step", "i"),
        Argument("steps", "i"),
    ),
    _event(
        "ready",
        "A clip lies complete on disk.",
        ID,
        Argument("variation", "i"),
        Argument("path", "s"),
        CLIP,
        Argument("seconds", "f"),
        Argument("seed", "s", help="as text: it may be larger than an OSC integer"),
    ),
    _event("done", "All clips of the request are there.", ID),
    _event("failed", "The request could not be done.", ID, Argument("sentence", "s")),
    _event("cancelled", "The request was cancelled.", ID),
    _event("dropped", "The request gave way to newer gestures.", ID, Argument("sentence", "s")),
    _event(
        "refused", "A file in the inbox could not be used.", Argument("path", "s"), Argument("sentence", "s")
    ),
    _event(
        "preset/is", "The preset that plays, and its hash.", Argument("name", "s"), Argument("sha256", "s")
    ),
    _event("preset/known", "The presets there are, one message each.", Argument("name", "s")),
    _event(
        "preset/refused",
        "A preset does not fit; the one before plays on.",
        Argument("name", "s"),
        Argument("sentence", "s"),
    ),
    _event("history/begin", "Clips follow, newest first.", Argument("count", "i")),
    _event(
        "history/item",
        "A clip of the history.",
        CLIP,
        Argument("path", "s"),
        Argument("name", "s"),
        Argument("created", "s"),
        Argument("seconds", "f"),
        Argument("seed", "s"),
        _switch("starred", "1 marked"),
    ),
    _event("history/end", "That was the history."),
    _event(
        "audio/begin",
        "The samples of a clip follow: 16-bit integers, little-endian, one channel.",
        ID,
        Argument("variation", "i"),
        Argument("sample_rate", "i"),
        Argument("samples", "i"),
        Argument("chunks", "i"),
        daily=False,
    ),
    _event(
        "audio/chunk",
        "Samples of a clip, from number * 600 on.",
        ID,
        Argument("variation", "i"),
        Argument("number", "i"),
        Argument("data", "b"),
        daily=False,
    ),
    _event(
        "audio/end",
        "All samples were sent once.",
        ID,
        Argument("variation", "i"),
        Argument("sha256", "s"),
        daily=False,
    ),
    _event(
        "error",
        "Something that was asked for is not possible.",
        Argument("code", "s"),
        Argument("address", "s"),
        Argument("id", "s"),
        Argument("sentence", "s"),
    ),
)

TABLE: dict[str, Entry] = {entry.address: entry for entry in _ENTRIES}


def entries(*roles: str) -> tuple[Entry, ...]:
    """The table's entries in its order; of some roles only where given."""
    return tuple(entry for entry in _ENTRIES if not roles or entry.role in roles)
