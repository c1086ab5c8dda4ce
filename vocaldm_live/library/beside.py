"""Beside: what a second embedding says of the windows that a search by the first has found."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from vocaldm_live.errors import LibraryError
from vocaldm_live.library.search import Hit
from vocaldm_live.library.store import ITEM, Space, array_problem, complaints, connect, root_of, space_of


class Beside:
    """A second space of an index. Follows what a writer commits; any thread may ask.

    missing: what to do where the index lacks it, as the end of a sentence.
    """

    def __init__(self, index: Path, space: str, encoder: str, missing: str) -> None:
        """Raises LibraryError where the index is missing, damaged, or holds nothing of this space."""
        self.index = index
        self.space = space
        self.encoder = encoder
        self._missing = missing
        self._lock = threading.Lock()
        self._database = connect(index)
        try:
            with complaints(index):
                self._facts()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Let go of the index."""
        self._database.close()

    def vectors(self, hits: Sequence[Hit]) -> list[np.ndarray]:
        """The vector of each hit's window, float32 `[width]`.

        Raises LibraryError for a sound that has none, and where the index has gone.
        """
        with self._lock, complaints(self.index):
            self._database.execute("BEGIN")
            try:
                space = self._facts()
                rows = [self._row(hit) for hit in hits]
                with open(self.index / space.file, "rb") as array:
                    found = []
                    for row in rows:
                        array.seek(row * space.width * ITEM)
                        found.append(np.frombuffer(array.read(space.width * ITEM), "<f4").astype(np.float32))
                return found
            finally:
                self._database.execute("ROLLBACK")

    # Inside -------------------------------------------------------------------------------------------------

    def _facts(self) -> Space:
        space = space_of(self._database, self.space)
        if space is None or space.encoder != self.encoder:
            raise LibraryError(f"The index of {root_of(self._database)} has no {self._missing}.")
        problem = array_problem(self.index, space)
        if problem:
            raise LibraryError(problem)
        return space

    def _row(self, hit: Hit) -> int:
        query = "SELECT row, abs(start - ?) FROM vectors WHERE space = ? AND source = ? ORDER BY 2 LIMIT 1"
        row = self._database.execute(query, (hit.start, self.space, hit.source)).fetchone()
        if row is None:
            raise LibraryError(f"{hit.path} has no {self._missing}.")
        return int(row[0])


def without(index: Path, first: str, second: str) -> int:
    """How many sounds of an index that the space `first` knows the space `second` knows nothing of."""
    query = "SELECT count(DISTINCT source) FROM vectors WHERE space = ? AND source NOT IN ({})".format(
        " UNION ".join(f"SELECT source FROM {table} WHERE space = ?" for table in ("vectors", "problems"))
    )
    with complaints(index), closing(connect(index)) as database:
        (count,) = database.execute(query, (first, second, second)).fetchone()
        return int(count)
