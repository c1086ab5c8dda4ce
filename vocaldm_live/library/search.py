"""Search: the sounds of an index that are nearest to a vector, and what stands for them together."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vocaldm_live.errors import LibraryError, RequestError
from vocaldm_live.library.scan import path_of
from vocaldm_live.library.store import array_problem, complaints, connect, root_of, space_of
from vocaldm_live.library.windows import MOST_WINDOWS

# Rows multiplied at once: 31 MB of 960 numbers each.
BLOCK = 8192


@dataclass(frozen=True)
class Hit:
    """A sound that was found: its place from 1, its cosine, where its nearest window begins in seconds.

    And that window's vector, float32 `[width]`, as it was then: an index may be built anew meanwhile. source: the
    file's number in the index.
    """

    rank: int
    path: Path
    score: float
    start: float
    vector: np.ndarray = field(repr=False, compare=False)
    source: int = field(default=-1, repr=False, compare=False)


@dataclass(frozen=True, eq=False)
class _Snapshot:
    """The index as it was at one moment; its rows stay as they are whatever a writer does meanwhile."""

    version: int
    root: Path
    matrix: np.ndarray  # float32 [rows, width], mapped
    rows: np.ndarray  # int64 [live], rising
    sources: np.ndarray  # int64 [live]
    starts: np.ndarray  # float32 [live]


class Search:
    """An index opened for one encoder. Follows what a writer commits; any thread may ask."""

    def __init__(self, index: Path, space: str, encoder: str) -> None:
        """Raises LibraryError where the index is missing, damaged, or holds nothing of this encoder."""
        self.index = index
        self.space = space
        self.encoder = encoder
        self._lock = threading.Lock()
        self._database = connect(index)
        try:
            with complaints(index):
                self._snapshot = self._read()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Let go of the index."""
        self._database.close()

    def __len__(self) -> int:
        """How many sounds can be found."""
        return len(np.unique(self._snapshot.sources))

    @property
    def root(self) -> Path:
        """The folder that the index was made of."""
        return self._snapshot.root

    def find(self, vector: np.ndarray, count: int = 10, first: int = 0) -> list[Hit]:
        """The sounds nearest to a unit vector `[width]`, from place `first` (0: the nearest) on, `count` of them.

        By cosine, a sound of several windows by its nearest one; equal scores keep the order of the index.
        Raises RequestError for a count below 1, a place below 0 and a vector of another width, LibraryError
        where the index has gone.
        """
        if count < 1 or first < 0:
            raise RequestError(
                f"{count} sounds from place {first} cannot be found: give 1 or more, from 0 on."
            )
        with self._lock, complaints(self.index):
            snapshot = self._snapshot = self._fresh()
            query = np.asarray(vector, dtype=np.float32)
            if query.shape != (snapshot.matrix.shape[1],):
                raise RequestError(
                    f"The query has {query.shape} numbers: {snapshot.matrix.shape[1]} are needed."
                )
            scores = self._scores(snapshot, query)
            nearest = _best_of_each(scores, snapshot.sources, first + count)[first:]
            paths = self._paths(snapshot.sources[nearest])
            return [
                Hit(
                    first + place,
                    path_of(snapshot.root, paths[int(snapshot.sources[at])]),
                    float(scores[at]),
                    float(snapshot.starts[at]),
                    np.array(snapshot.matrix[snapshot.rows[at]]),
                    int(snapshot.sources[at]),
                )
                for place, at in enumerate(nearest, 1)
                if int(snapshot.sources[at]) in paths
            ]

    # Inside -------------------------------------------------------------------------------------------------

    def _scores(self, snapshot: _Snapshot, query: np.ndarray) -> np.ndarray:
        scores = np.empty(len(snapshot.matrix), dtype=np.float32)
        for begin in range(0, len(scores), BLOCK):
            np.dot(snapshot.matrix[begin : begin + BLOCK], query, out=scores[begin : begin + BLOCK])
        return scores[snapshot.rows]

    def _fresh(self) -> _Snapshot:
        (version,) = self._database.execute("PRAGMA data_version").fetchone()
        return self._snapshot if version == self._snapshot.version else self._read()

    def _read(self) -> _Snapshot:
        run = self._database.execute
        (version,) = run("PRAGMA data_version").fetchone()
        run("BEGIN")
        try:
            space = space_of(self._database, self.space)
            if space is None:
                raise LibraryError(f"The index {self.index} has no {self.space} vectors: build it once more.")
            if space.encoder != self.encoder:
                raise LibraryError(
                    f"The index {self.index} was made with another encoder ({space.encoder[:12]}, the preset's is "
                    f"{self.encoder[:12]}): build it again with `vocaldm library build`."
                )
            problem = array_problem(self.index, space)
            if problem:
                raise LibraryError(problem)
            query = "SELECT row, source, start FROM vectors WHERE space = ? ORDER BY row"
            table = np.array(run(query, (self.space,)).fetchall(), dtype=np.float64).reshape(-1, 3)
            if not len(table):
                raise LibraryError(
                    f"The index {self.index} holds no sounds: put some into its folder and build."
                )
            shape = (space.rows, space.width)
            matrix = np.memmap(self.index / space.file, dtype="<f4", mode="r", shape=shape)
            root = root_of(self._database)
        finally:
            run("ROLLBACK")
        rows, sources = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        return _Snapshot(version, root, matrix, rows, sources, table[:, 2].astype(np.float32))

    def _paths(self, sources: np.ndarray) -> dict[int, bytes]:
        query = "SELECT path FROM sources WHERE id = ?"
        found = {int(source): self._database.execute(query, (int(source),)).fetchone() for source in sources}
        return {source: row[0] for source, row in found.items() if row is not None}


def mean_vector(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of vectors `[width]` at unit length, float32; RequestError without any."""
    if not vectors:
        raise RequestError("No sound was found: nothing can stand in for the voice.")
    total = np.mean(vectors, axis=0, dtype=np.float64)
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-12), dtype=np.float32)


def check_vectors(index: Path, space: str) -> list[str]:
    """A sentence for each thing wrong with an index's array; reads every row once."""
    with complaints(index), closing(connect(index)) as database:
        facts = space_of(database, space)
        if facts is None:
            return [f"The index {index} has no {space} vectors: build it once more."]
        problem = array_problem(index, facts)
        if problem:
            return [problem]
        query = "SELECT row FROM vectors WHERE space = ? ORDER BY row"
        live = np.array([row for (row,) in database.execute(query, (space,))], dtype=np.int64)
    if not facts.rows:
        return []
    matrix = np.memmap(index / facts.file, dtype="<f4", mode="r", shape=(facts.rows, facts.width))
    wrong = 0
    for begin in range(0, len(live), BLOCK):
        lengths = np.linalg.norm(matrix[live[begin : begin + BLOCK]], axis=1)
        wrong += int((~(np.abs(lengths - 1) < 1e-3)).sum())
    sentence = (
        f"The index {index} is damaged ({wrong} vectors are no unit vectors): build it anew with --fresh."
    )
    return [sentence] if wrong else []


def _best_of_each(scores: np.ndarray, sources: np.ndarray, count: int) -> np.ndarray:
    """Places of the best windows of the `count` best sources, best first; a source has at most MOST_WINDOWS."""
    wanted = min(len(scores), count * MOST_WINDOWS)
    if wanted < len(scores):
        # With every equal of the last one, so that ties keep the order of the index.
        edge = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
        near = np.flatnonzero(scores >= edge)
    else:
        near = np.arange(len(scores))
    order = near[np.argsort(-scores[near], kind="stable")]
    _, first = np.unique(sources[order], return_index=True)
    return order[np.sort(first)][:count]
