"""Shelf: what the daemon's events make of the tray: its clips, what is under way, and one true sentence."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from vocaldm_live import __version__

MOST_CLIPS = 100
QUIET_DBFS = -90.0
STAGES = {
    "encode": "reading the gesture",
    "sample": "sampling",
    "decode": "decoding",
    "waits": "waiting its turn",
}


@dataclass(frozen=True)
class Clip:
    """A clip that lies complete on disk. `id` is empty where the daemon's history failed; `path` is absolute."""

    id: str
    path: str
    name: str
    seconds: float
    seed: str
    created: datetime | None = None
    starred: bool = False

    @property
    def key(self) -> str:
        """What tells it from every other clip."""
        return self.path

    @property
    def is_here(self) -> bool:
        """Whether its file is on this machine now."""
        return Path(self.path).is_file()


@dataclass(frozen=True)
class Work:
    """A request that is not done: what it is called, and how far it is (0 to 1)."""

    name: str
    share: float = 0.0
    stage: str = "waits"


@dataclass
class Shelf:
    """Takes the events of a Link in their order; `take` says what has changed.

    Changes: `clips`, `clip` (one new one on top), `star`, `level`, `work`, `state`, `trouble`, `ask` (the history
    is to be asked for).
    """

    clips: list[Clip] = field(default_factory=list)
    work: OrderedDict[str, Work] = field(default_factory=OrderedDict)
    is_up: bool = False
    was_up: bool = False
    down: str = ""
    trouble: str = ""
    version: str = ""
    engine: tuple[str, str] = ("", "")
    preset: str = ""
    microphone: str = ""
    lost: str = ""
    peak: float = QUIET_DBFS
    is_open: bool = False
    is_recording: bool = False
    is_listening: bool = False
    steps: int = 0
    _coming: list[Clip] | None = None
    _fresh: list[Clip] = field(default_factory=list)
    _owed: int = 0
    _names: OrderedDict[str, str] = field(default_factory=OrderedDict)

    def take(self, name: str, values: tuple[Any, ...]) -> set[str]:
        """Do what an event says; what has changed by it."""
        method = getattr(self, f"_on_{name.replace('/', '_')}", None)
        if method is None:
            return set()
        changed: set[str] = method(*values)
        return changed

    # The line ----------------------------------------------------------------------------------------------

    def _on_link_up(self) -> set[str]:
        self.is_up = self.was_up = True
        self.down = self.trouble = ""
        self.work.clear()
        return {"state", "work", "ask", "trouble"}

    def _on_link_down(self, reason: str) -> set[str]:
        self.is_up, self.down = False, reason
        self.work.clear()
        self.peak, self.is_open, self.is_recording = QUIET_DBFS, False, False
        self._coming, self._owed = None, 0
        return {"state", "work", "level"}

    def _on_link_gap(self) -> set[str]:
        # What was lost may have been the end of any request.
        self.work.clear()
        return {"work", "ask"}

    def _on_version_is(self, program: str, version: str) -> set[str]:
        self.version = version
        return {"state"}

    @property
    def is_stranger(self) -> bool:
        """Whether the daemon is of another version, whose table may differ."""
        return bool(self.version) and self.version.split(".")[:2] != __version__.split(".")[:2]

    def sentence(self, place: str) -> tuple[str, str]:
        """How things are: `good`, `busy`, `waiting` or `bad`, and a sentence; `place` is where the daemon is."""
        if not self.is_up:
            if self.trouble:
                return "bad", self.trouble
            why = f" ({self.down})" if self.down else ""
            if self.was_up:
                return "bad", f"The daemon at {place} is gone{why}: waiting for it to come back."
            return "waiting", f'No daemon at {place} yet{why}: start it with "vocaldm live".'
        if self.is_stranger:
            return (
                "bad",
                f"The daemon is version {self.version}, this tray {__version__}: update the older one.",
            )
        state, sentence = self.engine
        if state == "failed":
            return "bad", sentence
        if state == "loading":
            return "busy", sentence or "The daemon loads its preset."
        if self.work:
            first = next(reversed(self.work.values()))
            more = f", {len(self.work) - 1} more wait" if len(self.work) > 1 else ""
            return "busy", f"{first.name}: {STAGES.get(first.stage, first.stage)}{more}"
        if self.is_recording:
            return "good", f"Recording, preset {self.preset}"
        hearing = "Listening" if self.is_listening and self.microphone else "Ready"
        return "good", f"{hearing}, preset {self.preset}{'; no microphone' if self.lost else ''}"

    # What the daemon is ------------------------------------------------------------------------------------

    def _on_engine(self, state: str, sentence: str) -> set[str]:
        self.engine = (state, sentence)
        return {"state"}

    def _on_preset_is(self, name: str, sha256: str) -> set[str]:
        self.preset = name
        return {"state"}

    def _on_preset_refused(self, name: str, sentence: str) -> set[str]:
        return self._say(sentence)

    def _on_param_steps(self, steps: int) -> set[str]:
        self.steps = steps
        return {"state"}

    def _on_mic_ok(self, device: str) -> set[str]:
        self.microphone, self.lost = device, ""
        return {"state", "level"}

    def _on_mic_lost(self, sentence: str) -> set[str]:
        self.microphone, self.lost, self.peak, self.is_open = "", sentence, QUIET_DBFS, False
        return {"state", "level"}

    def _on_mic_level(self, peak: float, rms: float, is_open: int) -> set[str]:
        self.peak, self.is_open = peak, bool(is_open)
        return {"level"}

    def _on_recording(self, on: int) -> set[str]:
        self.is_recording = bool(on)
        return {"level", "state"}

    def _on_listening(self, on: int) -> set[str]:
        self.is_listening = bool(on)
        return {"state"}

    def _on_error(self, code: str, address: str, id: str, sentence: str) -> set[str]:
        if address.endswith("/history"):
            self._owed = max(0, self._owed - 1)
        return self._say(sentence)

    # Requests ----------------------------------------------------------------------------------------------

    def _on_heard(self, id: str, source: str, name: str, seconds: float) -> set[str]:
        self._names[id] = name
        while len(self._names) > MOST_CLIPS:
            self._names.popitem(last=False)
        if id in self.work:
            self.work[id] = replace(self.work[id], name=name)
        return {"work", "state"}

    def _on_accepted(self, id: str, variations: int) -> set[str]:
        self.work[id] = Work(self._names.get(id, "a gesture"))
        return {"work", "state"}

    def _on_progress(self, id: str, variation: int, stage: str, step: int, steps: int) -> set[str]:
        begin, width = {"encode": (0.0, 0.05), "sample": (0.05, 0.85)}.get(stage, (0.9, 0.1))
        share = begin + width * step / max(1, steps)
        self.work[id] = Work(self._names.get(id, "a gesture"), share, stage)
        self.work.move_to_end(id)
        return {"work", "state"}

    def _on_ready(self, id: str, variation: int, path: str, clip: str, seconds: float, seed: str) -> set[str]:
        made = Clip(
            clip, path, self._names.get(id) or _title(path), seconds, seed, datetime.now(timezone.utc)
        )
        self._fresh.append(made)
        self._put([made, *(one for one in self.clips if one.key != made.key)])
        return {"clip"}

    def _on_done(self, id: str) -> set[str]:
        self.work.pop(id, None)
        return {"work", "state"}

    _on_cancelled = _on_done

    def _on_failed(self, id: str, sentence: str) -> set[str]:
        return self._on_done(id) | self._say(sentence)

    _on_dropped = _on_failed

    def _on_refused(self, path: str, sentence: str) -> set[str]:
        return self._say(sentence)

    # The history -------------------------------------------------------------------------------------------

    def asked(self) -> None:
        """The history was just asked for: clips that get ready from now on are newer than what it will tell."""
        self._fresh.clear()
        self._owed += 1

    def _on_history_begin(self, count: int) -> set[str]:
        self._coming = []
        return set()

    def _on_history_item(
        self, clip: str, path: str, name: str, created: str, seconds: float, seed: str, starred: int
    ) -> set[str]:
        if self._coming is not None:
            self._coming.append(Clip(clip, path, name, seconds, seed, _time(created), bool(starred)))
        return set()

    def _on_history_end(self) -> set[str]:
        if self._coming is None:
            return set()
        coming, self._coming = self._coming, None
        self._owed = max(0, self._owed - 1)
        if self._owed:
            return set()  # a newer answer is under way; this one may not know the last star yet
        told = {one.key for one in coming}
        newer = [one for one in reversed(self._fresh) if one.key not in told]
        self._put([*newer, *coming])
        return {"clips"}

    def starred(self, key: str, on: bool) -> None:
        """Show a star that was asked for, until the history tells how it really is."""
        self.clips = [replace(one, starred=on) if one.key == key else one for one in self.clips]

    # Inside ------------------------------------------------------------------------------------------------

    def _on_starred(self, clip: str, on: int) -> set[str]:
        if self._owed:
            return set()  # this window asked for a star itself since, and knows better
        self._put([replace(one, starred=bool(on)) if one.id == clip else one for one in self.clips])
        return {"clips"}

    def _put(self, clips: list[Clip]) -> None:
        self.clips = clips[:MOST_CLIPS]

    def _say(self, sentence: str) -> set[str]:
        self.trouble = sentence
        return {"trouble", "state"}


def _title(path: str) -> str:
    """The title in a clip's UCS name."""
    parts = Path(path).stem.split("_")
    return parts[1] if len(parts) > 2 else Path(path).stem


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
