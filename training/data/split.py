"""Split: which groups are trained on and which are held out, by what they contain and not by what they are called."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from training.data.collection import HELD_OUT, TRAINING, Collection, Fault, Item
from training.errors import DataError

FEWEST = 4  # groups: from so many on, a share above 0 holds out at least one


def held_out(name: str, share: int = 10) -> bool:
    """Whether the sound of this name belongs to the held-out part of the house's own data, one in `share`."""
    # A name need not be text.
    return int(hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest(), 16) % share == 0


def contents(collection: Collection) -> tuple[Collection, dict[str, str]]:
    """The items that can be read, each with its content key; the others are faults of the collection.

    Imitations of what is left out mean nothing. Raises DataError where nothing is left.
    """
    digests: dict[str, str] = {}
    faults: list[Fault] = []
    for item in collection.items:
        try:
            digests[item.key] = collection.content_key(item)
        except DataError as error:
            faults.append(Fault("unreadable", item.key, str(error)))
    if not faults:
        return collection, digests
    gone = {fault.key for fault in faults}
    kept = tuple(
        replace(item, means=None) if item.means in gone else item
        for item in collection.items
        if item.key in digests
    )
    if not kept:
        raise DataError(
            f"Nothing of {collection.name} can be read ({faults[0].sentence.rstrip('.')}): give other data."
        )
    return replace(collection, items=kept, faults=(*collection.faults, *faults)), digests


def components(
    collection: Collection, digests: Mapping[str, str], twins: Iterable[tuple[str, ...]] = ()
) -> list[tuple[Item, ...]]:
    """Items that may not be torn apart: of one group, one imitating the other, with equal contents, or `twins`."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (over := above.setdefault(name, name)) != name:
            above[name] = above[over]
            name = over
        return name

    for item in collection.items:
        here = top(f"item {item.key}")
        for other in (f"group {item.group or item.key}", f"content {digests[item.key]}"):
            above[top(other)] = here
        if item.means is not None:
            above[top(f"item {item.means}")] = here
    for keys in twins:
        for key in keys[1:]:
            above[top(f"item {key}")] = top(f"item {keys[0]}")
    found: dict[str, list[Item]] = {}
    for item in collection.items:
        found.setdefault(top(f"item {item.key}"), []).append(item)
    return [tuple(items) for items in found.values()]


def split_by_group(collection: Collection, share: float, twins: Iterable[tuple[str, ...]] = ()) -> Collection:
    """Every item in "train" or "validation", about `share` of the groups in the latter; what is unreadable is a fault.

    A group is placed by the smallest content key of what hangs together with it, so a sound stays on its side
    when it is renamed, copied, or when other sounds come. `twins` are keys of near copies (data/duplicates.py).
    Raises DataError where nothing can be read.
    """
    collection, digests = contents(collection)
    together = components(collection, digests, twins)
    places = sorted(
        (_place(min(digests[item.key] for item in items)), at) for at, items in enumerate(together)
    )
    chosen = {at for place, at in places if place < share}
    if not chosen and share > 0 and len(together) >= FEWEST:
        chosen = {places[0][1]}
    if len(chosen) == len(together) and len(together) > 1:
        chosen.discard(places[-1][1])
    where = {
        item.key: HELD_OUT if at in chosen else TRAINING
        for at, items in enumerate(together)
        for item in items
    }
    return collection.of(replace(item, split=where[item.key]) for item in collection.items)


def _place(digest: str) -> float:
    return int(hashlib.sha256(f"split {digest}".encode()).hexdigest(), 16) / 2.0**256


def leaks(
    collection: Collection, digests: Mapping[str, str], twins: Iterable[tuple[str, ...]] = ()
) -> list[tuple[Item, ...]]:
    """What hangs together and lies in more than one split."""
    found = components(collection, digests, twins)
    return [items for items in found if len({item.split for item in items if item.split}) > 1]


def refuse_leaks(collection: Collection) -> Collection:
    """The collection, whose data say the splits themselves, without what cannot be read, which is a fault.

    Raises DataError where something lies in two of the splits, or nothing can be read.
    """
    collection, digests = contents(collection)
    torn = leaks(collection, digests)
    if torn:
        first = torn[0]
        splits = " and ".join(sorted({item.split for item in first if item.split}))
        raise DataError(
            f"{collection.name}: {first[0].key} lies in {splits}, as {len(torn)} groups or copies do in all: "
            "look with `vocaldm-train check`, or split by group."
        )
    return collection
