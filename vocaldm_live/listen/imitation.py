"""Imitation: what was heard, with its name, where it came from and when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.sound.audio import Sound

SOURCES = ("microphone", "capture", "inbox", "osc")


@dataclass(frozen=True)
class Imitation:
    """A mono recording that waits to become a clip.

    `source` is one of SOURCES. `started` is unix time in seconds of the first sample (of a file: of its last
    change). `ended` is time.monotonic() when the voice was known to have stopped: from here on, latency counts.
    `path` is the file it was read from, None for what was heard.
    """

    sound: Sound
    name: str
    source: str
    started: float
    ended: float
    path: Path | None = None

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise ValueError(f"an imitation's source is one of {', '.join(SOURCES)}, not {self.source!r}")
