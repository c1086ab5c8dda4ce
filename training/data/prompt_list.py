"""Prompt list: AudioLDM's lists of clips to make, a caption a line, or a file's name, a bar, and the caption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from training.data.collection import text_file
from training.errors import DataError

LONGEST_NAME = 100
"""Bytes of a file's name; 255 are all that file systems take, ending and number included."""


@dataclass(frozen=True)
class Prompt:
    """One clip of words: what its file is called, without ending or folder, and what it is told."""

    name: str
    text: str


def read_prompts(path: Path, problem: Callable[[str], None]) -> tuple[Prompt, ...]:
    """The prompts of a list, in order; `problem` hears of lines that say nothing. Raises DataError.

    Forms of AudioLDM's infer.py: `caption`, and `file.wav|caption`; a bar after the first belongs to the caption.
    """
    found = []
    for number, line in enumerate(text_file(path, "list").splitlines(), start=1):
        if not line.strip():
            continue
        before, bar, after = line.partition("|")
        words = " ".join((after if bar else line).split())
        if not words:
            problem(f"Line {number} of {path} names a file and says nothing of it: it is left out.")
            continue
        named = before.strip() if bar else ""
        found.append(Prompt(_name(named, words, number), words))
    if not found:
        raise DataError(f"{path} asks for no clip: write a caption a line, or file.wav|caption.")
    return tuple(found)


def _name(named: str, words: str, number: int) -> str:
    """The stem of the file that a line names, whatever system's path it is, or its words."""
    stem = PurePosixPath(PureWindowsPath(named).name).stem if named else words
    plain = "".join("_" if letter in " \"'/\\" else letter for letter in stem)
    return _shortened(plain.strip("._")) or f"line-{number:04d}"


def _shortened(name: str) -> str:
    return name.encode("utf-8")[:LONGEST_NAME].decode("utf-8", "ignore").rstrip("._")
