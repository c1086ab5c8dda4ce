"""Scan: the sound files below a folder, however deep, with what tells whether one has changed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.sound.audio import SOUND_SUFFIXES


@dataclass(frozen=True)
class Found:
    """A sound file: its path below the folder as bytes of the file system with `/`, its size and time of change."""

    path: bytes
    size: int
    mtime_ns: int


def walk(root: Path, problem: Callable[[bytes, str], None]) -> Iterator[Found]:
    """Every sound file below `root`; hidden files and folders are left out, linked folders are entered once.

    `problem(path, sentence)` hears of a folder below `root` that cannot be listed: what lies in it is unknown,
    not gone.
    """
    waiting: list[tuple[str, bytes]] = [(os.fspath(root), b"")]
    seen: set[tuple[int, int]] = set()
    while waiting:
        folder, below = waiting.pop()
        try:
            facts = os.stat(folder)
            if (facts.st_dev, facts.st_ino) in seen:
                continue
            if facts.st_ino:
                seen.add((facts.st_dev, facts.st_ino))
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            problem(below, f"{folder} cannot be listed ({error.strerror}): mend its permissions.")
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path = below + os.fsencode(entry.name)
            try:
                if entry.is_dir():
                    waiting.append((entry.path, path + b"/"))
                elif os.path.splitext(entry.name)[1].lower() in SOUND_SUFFIXES and entry.is_file():
                    facts = entry.stat()
                    yield Found(path, facts.st_size, facts.st_mtime_ns)
            except OSError as error:
                problem(path, f"{entry.path} cannot be looked at ({error.strerror}): mend its permissions.")


def path_of(root: Path, below: bytes) -> Path:
    """The path of a file that `walk` found."""
    return root / os.fsdecode(below)
