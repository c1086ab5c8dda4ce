"""Library: the clips that the panel may show, by their id in the history, and the imitations they were made from."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vocaldm_live.deliver.gestures import Gestures
from vocaldm_live.deliver.history import Entry, History
from vocaldm_live.errors import VocalDMError

_ID = re.compile(r"[0-9a-f]{10,64}")
Reach = Callable[
    [str], Path
]  # the real path of a file that may be read; raises VocalDMError where it may not


class NotThere(VocalDMError):
    """No clip of that id can be shown."""


@dataclass(frozen=True)
class Shown:
    """A clip that may be shown: its entry, its real path, and its imitation's where that is still known."""

    entry: Entry
    path: Path
    imitation: Path | None


class Library:
    """Looks clips up. Only what the history knows and what really lies in the outbox is given out."""

    def __init__(self, history: History, gestures: Gestures, outbox: Path, reach: Reach) -> None:
        self._history = history
        self._gestures = gestures
        self._outbox = outbox
        self._reach = reach

    def clip(self, id: str) -> Shown:
        """The clip of this id, the whole id; raises NotThere."""
        if not _ID.fullmatch(id):
            raise NotThere("That is no clip's id: take one from the history.")
        try:
            entry = self._history.get(id)
        except VocalDMError as error:
            raise NotThere(str(error)) from error
        if entry.id != id:  # the history also takes the beginning of an id
            raise NotThere(f"The history has no clip {id}: take an id from the history.")
        outbox, path = Path(os.path.realpath(self._outbox)), Path(os.path.realpath(entry.path))
        if outbox not in path.parents:
            raise NotThere(f"The clip {id} lies outside the outbox: it can't be shown here.")
        if not path.is_file():
            raise NotThere(f"The clip {id} is gone from the outbox: put its file back to hear it.")
        return Shown(entry, path, self._imitation(entry))

    def _imitation(self, entry: Entry) -> Path | None:
        try:
            kept = self._gestures.path_of(entry.imitation_sha256)
            # A recipe is a file that anybody may have written: it names no more than a client may.
            return kept if kept.is_file() else self._reach(entry.imitation)
        except VocalDMError:
            return None
