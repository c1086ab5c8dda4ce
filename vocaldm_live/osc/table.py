"""Table: every OSC address with its arguments, ranges and help; server, OSCQuery, documents and patches follow it."""

from __future__ import annotations

from dataclasses import replace

from vocaldm_live.osc.entry import (
    LARGEST_SEED,
    ROOT,
    Argument,
    Entry,
    OscError,
    Value,
    command,
    event,
    parameter,
    switch,
)

__all__ = ["LARGEST_SEED", "ROOT", "TABLE", "Argument", "Entry", "OscError", "Value", "entries"]

SAMPLERS = ("ddim", "dpm_solver_pp_2m", "deis", "ipndm")
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


def _edit(name: str, help: str, *arguments: Argument) -> Entry:
    return Entry(f"{ROOT}/edit/{name}", "command", (ID, SOUND, *arguments), help)


_ENTRIES = (
    command(
        "subscribe",
        "Send me every event for so many seconds; the whole state comes at once. Sent again, it renews.",
        Argument("port", "i", 0, 65535, default=0, help="where to; 0: where this came from"),
        Argument("ttl", "f", 1, 3600, default=30.0, help="seconds until the lease ends"),
        Argument("audio", "i", 0, 1, (0, 1), default=0, help="1: the clips' samples too"),
        Argument("token", "s", default="", help="where the daemon listens beyond this machine"),
        daily=False,
    ),
    command(
        "unsubscribe", "Send me nothing any more.", Argument("port", "i", 0, 65535, default=0), daily=False
    ),
    command("state", "Send me everything again.", daily=False),
    command("ping", "Are you there? Answered by pong.", Argument("text", "s", default=""), daily=False),
    command("version", "Which program and version are you?", daily=False),
    command("record", "Push to talk goes down (1) or up (0).", switch("on", "1 down, 0 up")),
    command("listen", "The automatic gate on (1) or off (0).", switch("on", "1 on, 0 off")),
    command(
        "capture",
        "Make a clip of what was heard in the last seconds.",
        Argument("seconds", "f", 0.1, 60),
        Argument("id", "s", default="", help="the request's id; empty: one is chosen", longest=100),
    ),
    command(
        "generate",
        "Make a clip of this sound file, or where an AudioLDM plays of text or like alone, duration long.",
        ID,
        Argument("path", "s", default="", help="absolute path; empty: without a voice"),
    ),
    command(
        "again",
        "The same gesture with a new seed.",
        ID,
        Argument("clip", "s", default="", help="a clip's id; empty: the last gesture"),
    ),
    command(
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
    command("cancel", "End this request; empty: every request.", Argument("id", "s", default="")),
    command(
        "like",
        "This sound's timbre for my gestures; empty: the voice's own again.",
        Argument("sound", "s", default="", help="absolute path or a clip's id"),
    ),
    command(
        "library/use",
        "The sounds of this library that are nearest to a gesture give its timbre, by strength; empty: none.",
        Argument("library", "s", default="", help="absolute path of an indexed folder, or of its index"),
        Argument("nearest", "i", 1, 100, default=4, help="how many sounds"),
        daily=False,
    ),
    command(
        "library/find",
        "Which sounds of a library are nearest? Answered by begin, an item each, and end.",
        ID,
        Argument(
            "sound", "s", default="", help="absolute path, a clip's id for its gesture; empty: the last"
        ),
        Argument("first", "i", 0, 1_000_000, default=0, help="places to skip: the next page"),
        Argument("count", "i", 1, 100, default=10),
        Argument("library", "s", default="", help="as in use; empty: the one in use"),
        daily=False,
    ),
    command(
        "audition",
        "The clip is played through speakers for so long: the automatic gate stays shut. 0 ends that.",
        SECONDS,
        daily=False,
    ),
    command("history", "The newest clips, newest first.", Argument("count", "i", 1, 200, default=20)),
    command("star", "Mark a clip (1) or unmark it (0).", CLIP, switch("on", "1 marked, 0 not")),
    command(
        "audio/resend",
        "Send these chunks of a clip's samples again.",
        ID,
        Argument("variation", "i", 0, 15),
        Argument("first", "i", 0, 2**31 - 1),
        Argument("last", "i", 0, 2**31 - 1),
        daily=False,
    ),
    parameter(Argument("steps", "i", 1, 200), "Sampling steps: more is a refinement."),
    parameter(Argument("guidance", "f", 0, 20), "How far a clip leans toward what the voice means."),
    parameter(Argument("follow", "f", 0, 1), "How closely a clip follows the voice's curves."),
    parameter(
        Argument("strength", "f", 0, 1), "How far the example given by like replaces the voice's own timbre."
    ),
    parameter(Argument("sampler", "s", choices=SAMPLERS), "Which sampler takes the steps."),
    parameter(Argument("eta", "f", 0, 1), "0: deterministic steps, 1: fresh noise at each (ddim only)."),
    parameter(Argument("variations", "i", 1, 16), "Clips for one gesture."),
    parameter(Argument("seed", "i", -1, LARGEST_SEED), "The noise's seed; -1: a new one for every gesture."),
    parameter(
        Argument("duration", "f", 0, 60), "Seconds of a clip without its tail; 0: as long as the gesture."
    ),
    parameter(Argument("preset", "s"), "The preset that plays."),
    parameter(Argument("text", "s"), "Words for the sound, where the preset understands them; empty: none."),
    parameter(
        Argument("text_weight", "f", 0, 1),
        "How far words replace what is heard; unmoved: all of it, beside like or a library half.",
        daily=False,
    ),
    parameter(
        Argument("negative", "s"),
        "What the sound is not, where the preset understands words; empty: nothing.",
        daily=False,
    ),
    parameter(
        Argument("candidates", "i", 1, 16),
        "Clips made for each that is kept, the one most like what was asked for.",
        daily=False,
    ),
    event("state/begin", "The whole state follows."),
    event("state/end", "That was the whole state."),
    event("pong", "The answer to ping.", Argument("text", "s"), daily=False),
    event(
        "version/is", "Program and version.", Argument("program", "s"), Argument("version", "s"), daily=False
    ),
    event(
        "engine",
        "What the model does: loading, warm, busy or failed.",
        Argument("state", "s", choices=("loading", "warm", "busy", "failed")),
        Argument("sentence", "s"),
    ),
    event(
        "mic/level",
        "Ten times a second: peak and mean level, and whether the gate is open.",
        Argument("peak_dbfs", "f"),
        Argument("rms_dbfs", "f"),
        switch("open", "1: a voice is heard"),
    ),
    event("mic/lost", "The microphone is gone or was never there.", Argument("sentence", "s")),
    event(
        "mic/overflow",
        "Blocks of sound that this computer was too late to take, since the start.",
        Argument("count", "i"),
    ),
    event("mic/ok", "The microphone works.", Argument("device", "s")),
    event("recording", "Push to talk is down (1) or up (0).", switch("on", "1 down")),
    event("listening", "The automatic gate is on (1) or off (0).", switch("on", "1 on")),
    event("liking", "Whose timbre gestures take; empty: the voice's own.", Argument("sound", "s")),
    event(
        "library/using",
        "Whose nearest sounds give the timbre; empty: no library.",
        Argument("folder", "s"),
        Argument("nearest", "i"),
        daily=False,
    ),
    event(
        "library/begin",
        "Sounds that were found follow, the nearest first.",
        ID,
        Argument("first", "i"),
        Argument("count", "i"),
        Argument("sounds", "i", help="how many the library has"),
        daily=False,
    ),
    event(
        "library/item",
        "A sound of the library, and where its nearest ten seconds begin.",
        ID,
        Argument("rank", "i", help="from 1"),
        Argument("path", "s"),
        Argument("start", "f"),
        Argument("score", "f", help="cosine"),
        daily=False,
    ),
    event("library/end", "That was the page.", ID, daily=False),
    event(
        "heard",
        "A gesture was heard, and a request was made of it.",
        ID,
        Argument("source", "s", choices=("microphone", "capture", "inbox", "osc")),
        Argument("name", "s"),
        Argument("seconds", "f"),
    ),
    event("accepted", "The request waits for its turn.", ID, Argument("variations", "i")),
    event(
        "progress",
        "How far a request is: encode, sample or decode, step of steps.",
        ID,
        Argument("variation", "i"),
        Argument("stage", "s", choices=("encode", "sample", "decode")),
        Argument("step", "i"),
        Argument("steps", "i"),
    ),
    event(
        "ready",
        "A clip lies complete on disk.",
        ID,
        Argument("variation", "i"),
        Argument("path", "s"),
        CLIP,
        Argument("seconds", "f"),
        Argument("seed", "s", help="as text: it may be larger than an OSC integer"),
    ),
    event("done", "All clips of the request are there.", ID),
    event("failed", "The request could not be done.", ID, Argument("sentence", "s")),
    event("cancelled", "The request was cancelled.", ID),
    event("dropped", "The request gave way to newer gestures.", ID, Argument("sentence", "s")),
    event(
        "refused", "A file in the inbox could not be used.", Argument("path", "s"), Argument("sentence", "s")
    ),
    event(
        "preset/is", "The preset that plays, and its hash.", Argument("name", "s"), Argument("sha256", "s")
    ),
    event("preset/known", "The presets there are, one message each.", Argument("name", "s")),
    event(
        "preset/refused",
        "A preset does not fit; the one before plays on.",
        Argument("name", "s"),
        Argument("sentence", "s"),
    ),
    event("history/begin", "Clips follow, newest first.", Argument("count", "i")),
    event(
        "history/item",
        "A clip of the history.",
        CLIP,
        Argument("path", "s"),
        Argument("name", "s"),
        Argument("created", "s"),
        Argument("seconds", "f"),
        Argument("seed", "s"),
        switch("starred", "1 marked"),
    ),
    event("history/end", "That was the history."),
    event("starred", "A clip was marked (1), or is not any more (0).", CLIP, switch("on", "1 marked")),
    event(
        "audio/begin",
        "The samples of a clip follow: 16-bit integers, little-endian, one channel.",
        ID,
        Argument("variation", "i"),
        Argument("sample_rate", "i"),
        Argument("samples", "i"),
        Argument("chunks", "i"),
        daily=False,
    ),
    event(
        "audio/chunk",
        "Samples of a clip, from number * 600 on.",
        ID,
        Argument("variation", "i"),
        Argument("number", "i"),
        Argument("data", "b"),
        daily=False,
    ),
    event(
        "audio/end",
        "All samples were sent once.",
        ID,
        Argument("variation", "i"),
        Argument("sha256", "s"),
        daily=False,
    ),
    event(
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
