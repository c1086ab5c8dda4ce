"""Pd instrument: `vocaldm.pd`, every control of the table on one page, the newest clip in an array, and its sound."""

from __future__ import annotations

from max_patch.source.addresses import ROWS, name, parameters
from max_patch.source.pd_file import ACCENT, NONE, PAPER, QUIET, Canvas
from max_patch.source.pd_logic import logic
from vocaldm_live.osc.table import Argument

GROUND, FIELD = "#ececec", "#dcdcdc"
PRESETS = 6  # presets that can be picked; others by `vocaldm-preset` and a name
WIDTH, HEIGHT = 930, 690
LABEL = 92  # pixels for the name of a slider


def instrument() -> str:
    """The patch's file. `vocaldm-X` is where the control X can be reached from any patch, `vocaldm.X` where it speaks."""
    top = Canvas(WIDTH + 24, HEIGHT + 24)  # room for Pd's scroll bars
    top.panel(0, 0, WIDTH, HEIGHT, GROUND)
    _head(top)
    _gesture(top)
    _parameters(top)
    _preset(top)
    _request(top)
    _history(top)
    _clip(top)
    top.sub(logic(PRESETS), 5.5, 22.6)
    return top.file()


def _title(top: Canvas, x: int, y: int, text: str) -> None:
    top.panel(x, y, 8, 20, GROUND, label=text, size=14, ink=ACCENT, indent=0)


def _head(top: Canvas) -> None:
    top.panel(10, 10, 120, 30, ACCENT, label="VocalDM Live", size=14, ink=PAPER)
    top.panel(136, 10, 784, 30, FIELD, "vocaldm-line", "Not connected yet.")
    top.panel(10, 44, 910, 24, FIELD, "vocaldm-news", "Press record, imitate a sound, let go.")


def _gesture(top: Canvas) -> None:
    _title(top, 14, 78, "Gesture")
    top.toggle(14, 104, 44, "vocaldm.record", "vocaldm-record", "record (on, imitate, off)")
    top.toggle(14, 156, 20, "vocaldm.listen", "vocaldm-listen", "listen: the gate decides")
    top.button(14, 184, 20, "vocaldm.capture", "vocaldm-capture", "capture the last")
    top.number(162, 185, 4, 0.1, 60, "vocaldm.capture-seconds", "vocaldm-capture-seconds", 4)
    top.panel(214, 184, 8, 18, GROUND, label="s", indent=0)
    top.button(14, 212, 20, "vocaldm.generate", "vocaldm-generate", "a sound file ...")
    top.panel(14, 240, 8, 16, GROUND, "vocaldm-microphone", "No microphone yet.", 10, QUIET, 0)
    top.slider(14, 258, 200, -70, 0, NONE, "vocaldm-level")
    top.toggle(222, 258, 16, NONE, "vocaldm-open")


def _parameters(top: Canvas) -> None:
    _title(top, 270, 78, "Parameters")
    y = 104
    for entry in parameters():
        argument = entry.arguments[0]
        short = argument.name
        if short in ("preset", "sampler") or not entry.daily:
            continue
        top.panel(270, y, 8, 18, GROUND, label=short, indent=0)
        if argument.kind == "s":
            top.entry(270 + LABEL, y - 2, 24, f"vocaldm.{short}", f"vocaldm-{short}")
        elif short == "seed":
            _seed(top, y, argument)
        else:
            low, high = argument.low or 0.0, argument.high or 0.0
            top.slider(270 + LABEL, y, 130, low, high, f"vocaldm.{short}", f"vocaldm-{short}")
            top.number(270 + LABEL + 138, y, 5, low, high, f"vocaldm.{short}", f"vocaldm-{short}-number")
        y += 24


def _seed(top: Canvas, y: int, argument: Argument) -> None:
    low, high = argument.low or 0.0, argument.high or 0.0
    top.number(270 + LABEL, y, 10, low, high, "vocaldm.seed", "vocaldm-seed")
    top.toggle(270 + LABEL + 112, y, 16, "vocaldm.lock", "vocaldm-lock", "lock")


def _preset(top: Canvas) -> None:
    _title(top, 600, 78, "Preset")
    top.choice(600, 104, PRESETS, "vocaldm.preset-number", "vocaldm-preset-number")
    for number in range(PRESETS):
        top.panel(626, 104 + 18 * number, 130, 17, FIELD, f"vocaldm-preset-{number}")
    _title(top, 770, 78, "Sampler")
    (sampler,) = [entry.arguments[0] for entry in parameters() if name(entry) == "param/sampler"]
    top.choice(770, 104, len(sampler.choices), "vocaldm.sampler-number", "vocaldm-sampler-number")
    for number, choice in enumerate(sampler.choices):
        top.panel(
            794, 104 + 18 * number, 8, 17, GROUND, label=str(choice).replace("_", " "), size=9, indent=0
        )
    _title(top, 600, 222, "Like")
    top.button(600, 246, 20, "vocaldm.like-open", "vocaldm-like-open", "a sound file ...")
    top.button(600, 272, 20, "vocaldm.like-clip", "vocaldm-like-clip", "the chosen clip")
    top.button(752, 272, 20, "vocaldm.like-none", "vocaldm-like-none", "the voice's own")
    top.panel(752, 246, 168, 20, FIELD, "vocaldm-liking", size=10)


def _request(top: Canvas) -> None:
    _title(top, 14, 326, "Request")
    top.slider(14, 352, 560, 0, 1, NONE, "vocaldm-progress")
    top.panel(584, 350, 150, 20, GROUND, "vocaldm-stage", "idle", 12, QUIET, 0)
    top.button(744, 350, 20, "vocaldm.cancel", "vocaldm-cancel", "cancel")


def _history(top: Canvas) -> None:
    _title(top, 14, 384, "History")
    top.button(100, 384, 18, "vocaldm.history", "vocaldm-history", "ask again")
    top.choice(14, 410, ROWS, "vocaldm.row", "vocaldm-row", 20)
    for number in range(ROWS):
        top.toggle(40, 411 + 20 * number, 17, f"vocaldm.star-{number}", f"vocaldm-star-{number}")
        top.panel(62, 410 + 20 * number, 338, 19, FIELD, f"vocaldm-row-{number}", size=10)
    top.panel(40, 574, 8, 14, GROUND, label="chosen, starred, name", size=10, ink=QUIET, indent=0)
    top.button(14, 600, 20, "vocaldm.again", "vocaldm-again", "again: a new seed")
    top.button(170, 600, 20, "vocaldm.refine", "vocaldm-refine", "refine to")
    top.number(266, 601, 4, 1, 200, "vocaldm.refine-steps", "vocaldm-refine-steps", 20)
    top.panel(316, 600, 8, 18, GROUND, label="steps", indent=0)


def _clip(top: Canvas) -> None:
    top.array("vocaldm-clip", 420, 404, 500, 156)
    top.panel(420, 566, 8, 16, GROUND, "vocaldm-clip-name", "No clip yet.", 10, QUIET, 0)
    top.button(420, 594, 30, "vocaldm.play", "vocaldm-play", "play")
    top.toggle(510, 599, 20, "vocaldm.play-new", "vocaldm-play-new", "play new clips")
    top.slider(670, 600, 128, 0, 1, "vocaldm.volume", "vocaldm-volume")
    top.panel(806, 600, 8, 16, GROUND, label="volume", indent=0)
    words = "From other patches: every control is vocaldm-X (vocaldm-record, 1), the sound is r~ vocaldm-sound. See README."
    top.panel(14, 652, 8, 16, GROUND, label=words, size=10, ink=QUIET, indent=0)
