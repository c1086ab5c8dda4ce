"""Copying: sounds of a collection written elsewhere, each whole or not at all, none of them twice."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from training.data.collection import Collection, Item, content_key
from training.errors import DataError

LONGEST_NAME = 120  # bytes of a file name; most disks take 255


def safe_name(name: str) -> str:
    """A name that every file system takes, `/` kept: nothing leads upward, nothing is hidden, nothing is too long."""
    parts = []
    # What is no text becomes a question mark, and that an underscore: lists of names are UTF-8.
    name = name.encode("utf-8", "replace").decode()
    for part in PurePosixPath(name.replace("\\", "/")).parts:
        clean = re.sub(r'[<>:"|?*/\x00-\x1f\x7f]', "_", part).strip(" .") or "_"
        raw = os.fsencode(clean)
        if len(raw) > LONGEST_NAME:
            ending = Path(clean).suffix[:8]
            short = raw[: LONGEST_NAME - 16].decode("utf-8", "ignore")
            clean = f"{short}-{hashlib.sha256(raw).hexdigest()[:8]}{ending}"
        if clean != "_" or part != "/":
            parts.append(clean)
    return "/".join(parts) or "_"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file's bytes whole or not at all; raises DataError where the disk says no."""
    with whole_file(path) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file with a hidden name that is renamed when it is whole; raises DataError where the disk says no."""
    hidden = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(hidden, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, path)
    except BaseException as error:
        with suppress(OSError):  # what is wrong with the disk is in the error already
            hidden.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise DataError(
            f"{path} cannot be written ({error.strerror}): mend that and convert again, what is there is kept."
        ) from error


class Copies:
    """Where a collection's sounds go, below `folder`: `put` one by one, in any order.

    `written` holds key -> path below the folder; `left_out` the sentences of what could not be taken along.
    """

    def __init__(
        self, collection: Collection, folder: Path, progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.collection = collection
        self.folder = folder
        self.written: dict[str, str] = {}
        self.left_out: list[str] = []
        self._taken: set[str] = set()
        self._progress = progress or (lambda done, whole: None)

    def free(self, stem: str) -> str:
        """`stem`, with a number where another item has it already."""
        name, count = stem, 1
        while name.casefold() in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.casefold())
        return name

    def put(self, item: Item, stem: str, ending: str | None = None) -> str | None:
        """Write an item's sound as `stem` with its own ending, or the one wanted; None where it cannot be read."""
        try:
            data, own = stored(self.collection, item)
            if ending is not None and own != ending:
                data, own = as_wave(self.collection, item), ending
        except DataError as error:
            self.skip(str(error))
            return None
        name = f"{stem}{own}"
        path = self.folder / name
        if not self._there(path, data):
            write_whole(path, data)
        self.took(item, name)
        return name

    def took(self, item: Item, name: str) -> None:
        """An item is in the file `name` below the folder."""
        self.written[item.key] = name
        self._progress(len(self.written) + len(self.left_out), len(self.collection.items))

    def skip(self, sentence: str) -> None:
        """Something is left out, and told."""
        self.left_out.append(sentence)

    def text(self, name: str, text: str) -> None:
        """Write a list beside the sounds."""
        write_whole(self.folder / name, text.encode("utf-8", "surrogateescape"))

    @staticmethod
    def _there(path: Path, data: bytes) -> bool:
        try:
            return path.stat().st_size == len(data) and content_key(path.read_bytes()) == content_key(data)
        except OSError:
            return False


def stored(collection: Collection, item: Item) -> tuple[bytes, str]:
    """An item's file as it is, with its ending; of items in tables the sound that they hold."""
    data = collection.medium.content(item)
    if item.path is not None:
        return data, item.path.suffix.lower()
    return data, {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"FORM": ".aiff"}.get(data[:4], ".mp3")


def as_wave(collection: Collection, item: Item) -> bytes:
    """An item's sound as a mono WAV file of 32-bit floats at its own rate."""
    import io

    import soundfile

    sound = collection.read(item)
    file = io.BytesIO()
    soundfile.write(file, sound.samples, sound.sample_rate, format="WAV", subtype="FLOAT")
    return file.getvalue()
