"""Clip files: what lies in an outbox, read back; a recipe that is not beside its clip is still inside it."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from vocaldm_live.deliver.recipe import Recipe
from vocaldm_live.errors import RequestError


@dataclass(frozen=True)
class ClipFiles:
    """A published clip as its files tell it: `text` is the recipe's JSON, `seconds` the clip's length."""

    path: Path
    recipe_path: Path
    text: str
    recipe: Recipe
    seconds: float

    @staticmethod
    def read(path: Path, recipe_path: Path | None = None) -> ClipFiles | None:
        """Read a clip and its recipe, None when it has none; RequestError where either can't be read."""
        path = Path(os.path.abspath(path))
        beside = Path(os.path.abspath(recipe_path)) if recipe_path is not None else path.with_suffix(".json")
        try:
            seconds, inside = _scan_wave(path)
            text = beside.read_text(encoding="utf-8") if beside.is_file() else inside
        except (OSError, ValueError, struct.error, ElementTree.ParseError) as error:
            reason = getattr(error, "strerror", None) or error
            raise RequestError(f"{path} cannot be read as a clip ({reason}): see what changed it.") from error
        return (
            None
            if text is None
            else ClipFiles(path, beside, text, Recipe.from_json(text, str(path)), seconds)
        )


def clip_reference(path: Path, text: str) -> str:
    """The clip's identity, 64 hexadecimal digits from name and recipe; the WAV's `bext` holds the first 32."""
    return hashlib.sha256(f"{path.stem}\n{text}".encode()).hexdigest()


def find_clips(folder: Path, skipped: Collection[Path] = ()) -> tuple[list[ClipFiles], list[str]]:
    """Every clip of a folder with a recipe, oldest first, and sentences about those that can't be read.

    Where a process was killed between the names of clip and recipe, the recipe is written from the clip.
    """
    clips: list[ClipFiles] = []
    notes: list[str] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return [], []
    except OSError as error:
        return [], [f"{folder} cannot be read ({error.strerror}): mend its permissions."]
    for entry in entries:
        path = Path(folder, entry.name)
        if entry.name.startswith(".") or path.suffix.lower() != ".wav" or path in skipped:
            continue
        try:
            files = ClipFiles.read(path)
        except RequestError as error:
            notes.append(str(error))
            continue
        if files is not None:
            clips.append(files)
            if not files.recipe_path.exists():
                notes.append(_restore(files))
    clips.sort(key=lambda files: (files.recipe.created_time().timestamp(), files.path.name))
    return clips, notes


def _restore(files: ClipFiles) -> str:
    part = files.recipe_path.with_name(f".{files.recipe_path.name}.part")
    try:
        with open(part, "xb") as file:
            file.write(files.text.encode())
            os.fsync(file.fileno())
        os.replace(part, files.recipe_path)
    except FileExistsError:
        return f"{files.path.name} has no recipe beside it yet: another process is writing it."
    except OSError as error:
        return f"The recipe of {files.path.name} cannot be written again ({error.strerror})."
    return f"{files.path.name} had no recipe beside it: it was written again from the clip."


def _scan_wave(path: Path) -> tuple[float, str | None]:
    """Length in seconds, and the recipe's JSON in the iXML chunk; ValueError when the file is cut short."""
    recipe, seconds, rate, block = None, None, 0, 0
    size = path.stat().st_size
    with open(path, "rb") as file:
        riff, total, kind = struct.unpack("<4sI4s", file.read(12))
        if riff != b"RIFF" or kind != b"WAVE" or total + 8 > size:
            raise ValueError("it is not a complete WAV file")
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack("<4sI", head)
            after = file.tell() + length + length % 2
            if name == b"fmt ":
                _, _, rate, _, block = struct.unpack("<HHIIH", file.read(14))
            elif name == b"iXML":
                recipe = ElementTree.fromstring(file.read(length).rstrip(b"\0")).findtext("USER/Recipe")
            elif name == b"data" and rate and block:
                seconds = length / block / rate
            file.seek(after)
    if seconds is None:
        raise ValueError("it has no samples")
    return seconds, recipe
