"""Build: a folder's index is brought up to date; only what is new or has changed is read."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from vocaldm_live.errors import LibraryError, SoundError
from vocaldm_live.library.scan import Found, path_of, walk
from vocaldm_live.library.windows import read_windows
from vocaldm_live.library.writer import Writer
from vocaldm_live.sound.audio import Sound

# Files that are read and embedded ahead of the one that is entered next, for each worker.
AHEAD = 4


class Ears(Protocol):
    """What hears a sound of the library: a name for its space, its hash, and numbers in a vector."""

    name: str
    sha256: str
    width: int

    def __call__(self, sound: Sound) -> np.ndarray:
        """A sound's unit vector, float32 `[width]`; called by several threads at once."""
        ...


@dataclass(frozen=True)
class Built:
    """What a build did: files there, read now, unreadable among those, dropped ones, vectors entered, seconds taken."""

    files: int
    read: int
    refused: int
    dropped: int
    vectors: int
    seconds: float
    notes: tuple[str, ...] = ()


def build(
    root: Path,
    index: Path,
    ears: Ears,
    problem: Callable[[str], None],
    progress: Callable[[int, int, str], None] | None = None,
    workers: int = 2,
    fresh: bool = False,
) -> Built:
    """Bring the index of a folder up to date; `problem` hears a sentence for each file that cannot be read.

    `progress` gets (files done, files to do, name). Killed at any moment, the next build goes on after the
    last commit. Memory holds a few sounds for each of the `workers`. Raises LibraryError where the folder is
    missing or holds no sound (its index then stays as it is), or where the index cannot be used.
    """
    begun = time.monotonic()
    root = root.absolute()
    if not root.is_dir():
        raise LibraryError(f"{root} is not a folder: give one with sounds.")
    if next(walk(root, lambda path, sentence: None), None) is None:
        raise LibraryError(f"{root} holds no sounds that can be listed: its index, if any, stays as it is.")
    unlisted: list[bytes] = []

    def not_listed(path: bytes, sentence: str) -> None:
        unlisted.append(path)
        problem(sentence)

    vectors = refused = done = 0
    with Writer(index, root, ears.name, ears.sha256, ears.width, fresh) as writer:
        notes = tuple(writer.notes)
        files, dropped, waiting = writer.compare(walk(root, not_listed), unlisted)
        with ThreadPoolExecutor(max(1, workers), thread_name_prefix="library") as pool:
            under_way: deque[tuple[Found, Future[_Heard]]] = deque()
            todo = iter(waiting)
            try:
                while True:
                    while (
                        len(under_way) < AHEAD * max(1, workers) and (found := next(todo, None)) is not None
                    ):
                        under_way.append((found, pool.submit(_hear, path_of(root, found.path), ears)))
                    if not under_way:
                        break
                    found, future = under_way.popleft()
                    heard = future.result()
                    if isinstance(heard, str):
                        refused += 1
                        problem(heard)
                        writer.refuse(found, heard)
                    else:
                        rows, starts = heard
                        writer.add(found, rows, starts)
                        vectors += len(rows)
                    done += 1
                    if progress is not None:
                        progress(done, len(waiting), path_of(root, found.path).name)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        writer.compact()
    return Built(files, done, refused, dropped, vectors, time.monotonic() - begun, notes)


# A file's vectors and where its windows begin, or the sentence that says why there are none.
_Heard = tuple[np.ndarray, list[float]] | str


def _hear(path: Path, ears: Ears) -> _Heard:
    try:
        windows = read_windows(path)
    except SoundError as error:
        return str(error)
    except MemoryError:
        return f"{path} is too large for this computer's memory: cut it."
    rows = np.stack([ears(window.sound) for window in windows])
    if not np.isfinite(rows).all():
        return f"{path} gives the encoder no finite numbers: export it again."
    return rows, [window.start for window in windows]
