"""Drops: sounds that were dropped on the page, kept where the daemon may read them."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.errors import VocalDMError
from vocaldm_live.sound.audio import SOUND_SUFFIXES, check_imitation, read_sound

LARGEST_BYTES = 64 * 2**20  # a minute of 32-bit stereo at 96 kHz has 46 MB
LONGEST_NAME = 60
_UNUSUAL = re.compile(r"[^\w .()+-]+")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


class DropError(VocalDMError):
    """A dropped file cannot be used; `status` is what HTTP says of it."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True)
class Dropped:
    """A dropped sound that is kept."""

    path: Path
    name: str
    seconds: float


class Drops:
    """A folder of dropped sounds: `DIGEST/NAME`, so that the same file is kept once and keeps its name.

    Nothing is removed: recipes name these files, and `again` and `refine` read them.
    """

    def __init__(self, folder: Path, largest_bytes: int = LARGEST_BYTES) -> None:
        self.folder = folder
        self._largest = largest_bytes

    async def take(self, name: str, announced: str | None, pieces: AsyncIterator[bytes]) -> Dropped:
        """Keep a file that comes in pieces. DropError where it is too large or no sound an imitation can be."""
        if (
            announced is not None
            and announced.isascii()
            and announced.isdigit()
            and int(announced) > self._largest
        ):
            raise self._too_large()
        clean = clean_name(name)
        digest = hashlib.sha256()
        part = self.folder / f".{os.urandom(8).hex()}.part{Path(clean).suffix}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            size = 0
            with open(part, "xb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if size > self._largest:
                        raise self._too_large()
                    digest.update(piece)
                    file.write(piece)
            seconds = self._check(part, clean)
            target = self.folder / digest.hexdigest()[:16] / clean
            target.parent.mkdir(exist_ok=True)
            os.replace(part, target)
        except OSError as error:
            reason = error.strerror or error
            raise DropError(
                507, f"{clean} can't be kept in {self.folder} ({reason}): free some space."
            ) from error
        finally:
            with suppress(OSError):
                part.unlink()
        return Dropped(target, target.stem, seconds)

    def _check(self, part: Path, name: str) -> float:
        try:
            return check_imitation(read_sound(part), name).seconds
        except VocalDMError as error:
            raise DropError(415, str(error).replace(str(part), name)) from error

    def _too_large(self) -> DropError:
        return DropError(
            413, f"That file is larger than {self._largest / 2**20:.0f} MB: drop a shorter sound."
        )


def clean_name(name: str) -> str:
    """A dropped file's name without folders and without what some file system does not take."""
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, ending = last.rpartition(".")
    suffix = f".{ending.lower()}" if dot else ""
    if suffix not in SOUND_SUFFIXES:
        stem, suffix = last, ".wav"
    stem = " ".join(_UNUSUAL.sub(" ", stem).split()).strip(". ")[:LONGEST_NAME].strip(". ")
    if not stem or _RESERVED.fullmatch(stem):
        stem = "dropped"
    return f"{stem}{suffix}"
