"""Pieces: a collection cut into the parts of its sounds that are worth learning from, each short enough to encode."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from training.data.collection import Collection, Fault, Item, shown
from training.data.features import LONGEST_SECONDS
from training.data.segments import loud_spans
from training.data.store import Store
from training.errors import DataError
from vocaldm_live.sound.audio import SHORTEST_SECONDS, Sound

VERSION = 1


@dataclass(eq=False)
class Pieces:
    """What reads pieces: parts of what another medium reads, by the key of the piece."""

    whole: Collection
    spans: dict[str, tuple[Item, int, int]]  # key of a piece -> the item it is of, first and last sample
    digests: dict[str, str]
    _last: tuple[str, Sound] | None = field(default=None, repr=False)

    def sound(self, item: Item) -> Sound:
        """The samples of a piece."""
        source, begin, end = self.spans[item.key]
        if self._last is None or self._last[0] != source.key:
            self._last = (source.key, self.whole.medium.sound(source))
        whole = self._last[1]
        return Sound(whole.samples[begin:end], whole.sample_rate)

    def mel(self, item: Item) -> np.ndarray:
        """Pieces are sounds."""
        raise DataError(f"{item.key} is a piece of a sound and no mel image.")

    def content(self, item: Item) -> bytes:
        """What tells a piece from others: the content of the whole, and where it lies in it."""
        source, begin, end = self.spans[item.key]
        return f"{self.digests[source.key]} {begin} {end}".encode()


def cut(
    collection: Collection,
    cache: Path,
    longest: float = LONGEST_SECONDS,
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """The loud parts of sounds as items of their own, of `longest` seconds at most; silence is in none of them.

    A sound that is imitated by a recording, and the recording, stay whole but for the silence at their ends, since
    one imitates the other from beginning to end. A piece's key is the sound's and where it begins; group, split and
    labels are the sound's. Where each sound is loud is kept in `cache`. What cannot be read or is silent is a fault.
    """
    store = Store(cache, "spans", f"{VERSION} {longest}")
    paired = {key for imitation, sound in collection.pairs() for key in (imitation.key, sound.key)}
    spans: dict[str, tuple[Item, int, int]] = {}
    digests: dict[str, str] = {}
    items: list[Item] = []
    faults = list(collection.faults)
    for number, item in enumerate(collection.items, start=1):
        try:
            digests[item.key] = collection.content_key(item)
            found, rate = _spans(collection, item, digests[item.key], store, longest)
        except DataError as error:
            faults.append(_fault(item, str(error)))
            continue
        if item.key in paired and found:
            end = min(found[-1][1], found[0][0] + round(longest * rate))
            found = [(found[0][0], end)]
        if not found:
            faults.append(_fault(item, f"{shown(item.key)} is silent or too short: it is left out."))
        for begin, end in found:
            key = item.key if len(found) == 1 else f"{item.key}@{begin / rate:.2f}"
            spans[key] = (item, begin, end)
            items.append(replace(item, key=key, path=None, seconds=(end - begin) / rate))
        if progress is not None:
            progress(number, len(collection.items))
    if not items:
        raise DataError(
            f"There is nothing to hear in {collection.name} ({faults[-1].sentence.rstrip('.')}): add sounds."
        )
    return replace(
        collection, items=tuple(items), faults=tuple(faults), medium=Pieces(collection, spans, digests)
    )


def _spans(
    collection: Collection, item: Item, digest: str, store: Store, longest: float
) -> tuple[list[tuple[int, int]], int]:
    """Where an item's pieces lie, (first, last) in samples, and its rate; read once and kept."""
    kept = store.get(digest)
    if kept is None:
        sound = collection.read(item)
        rate = sound.sample_rate
        parts = [
            piece
            for span in loud_spans(sound.samples, rate)
            for piece in _short(*span, round(longest * rate))
        ]
        parts = [(begin, end) for begin, end in parts if end - begin >= SHORTEST_SECONDS * rate]
        kept = np.array([(rate, len(sound.samples)), *parts], dtype=np.int64)
        store.put(digest, kept)
    rows = kept.tolist()
    return [(begin, end) for begin, end in rows[1:]], int(rows[0][0])


def _short(begin: int, end: int, longest: int) -> list[tuple[int, int]]:
    """A span in as few parts of equal length as none is longer than `longest`."""
    parts = -(-(end - begin) // longest)
    edges = [begin + (end - begin) * part // parts for part in range(parts + 1)]
    return list(zip(edges, edges[1:], strict=False))


def _fault(item: Item, sentence: str) -> Fault:
    return Fault("unreadable", item.key, sentence)
