"""Formats: how collections lie on disk, by name, and which of them a place is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.data.spec import DataSpec
from training.errors import DataError, RecipeError

if TYPE_CHECKING:
    from training.data.collection import Collection
    from training.data.copying import Copies


@dataclass(frozen=True)
class Format:
    """A format's name, the module of its reader, what it is in a few words, and whether it can be written."""

    name: str
    module: str
    what: str
    writable: bool = True

    def looks(self, place: Path) -> bool:
        """Whether a place looks like this format."""
        return bool(import_module(self.module).looks(place))

    def read(self, source: str) -> Collection:
        """The collection at a place; raises DataError."""
        collection: Collection = import_module(self.module).read(source)
        return collection

    @property
    def write(self) -> Callable[[Collection, Copies], None]:
        """What writes a collection in this format."""
        writer: Callable[[Collection, Copies], None] = import_module(self.module).write
        return writer


# In the order in which "auto" asks them: the pickiest first.
FORMATS = {
    one.name: one
    for one in (
        Format("hub", "training.data.hub", "a data set of the Hub, hub:OWNER/NAME", writable=False),
        Format("audioldm", "training.data.audioldm_json", "AudioLDM's root, split and class files"),
        Format("qvim-dev", "training.data.qvim_dev", "the AES challenge's DEV Dataset.csv, Items, Queries"),
        Format("vimsketch", "training.data.vimsketch", "references/ and vocal_imitations/"),
        Format("shards", "training.data.shards", "the house's examples in shard-*.npz", writable=False),
        Format("mel-images", "training.data.mel_images", "Arrow folders of mel images, mels or sounds"),
        Format("table", "training.data.table", "a CSV file with a column `path`"),
        Format("folders", "training.data.folders", "plain folders of sounds"),
    )
}


def read_collection(source: str, name: str = "auto") -> Collection:
    """What lies at a place, in the format of that name or the first that it looks like; raises DataError.

    Splits are what the data say. Raises RecipeError for a format that is unknown.
    """
    if name == "auto":
        if not source.startswith("hub:") and not Path(source).exists():
            raise DataError(f"{source} does not exist: give a folder, a file, or hub:OWNER/NAME.")
        found = next((one for one in FORMATS.values() if one.looks(Path(source))), None)
        if found is None:
            raise DataError(f"{source} is in no known format: give one of {', '.join(FORMATS)}.")
        return found.read(source)
    return known(name).read(source)


def known(name: str) -> Format:
    """A format by name; raises RecipeError where there is none."""
    if name not in FORMATS:
        raise RecipeError(f"There is no format {name}: give one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def open_collection(spec: DataSpec, problem: Callable[[str], None]) -> Collection:
    """The data of a recipe, split; `problem` hears a sentence for all that was left out. Raises DataError.

    Data that say their splits themselves are refused where a group, or a copy of one, lies in two of them.
    """
    from training.data.split import refuse_leaks, split_by_group

    collection = limited(read_collection(spec.source, spec.format), spec.limit)
    for sentence in collection.problems:
        problem(sentence)
    if spec.split == "given":
        bare = sum(not item.split for item in collection.items)
        if bare:
            raise DataError(
                f"{spec.source} says no split for {bare} of {len(collection.items)} items: set data.split to group."
            )
        found = refuse_leaks(collection)
    else:
        found = split_by_group(collection, spec.held_out)
    for sentence in found.problems[len(collection.problems) :]:
        problem(sentence)
    return found


def limited(collection: Collection, limit: int | None) -> Collection:
    """At most `limit` groups of a collection, evenly from the whole of it."""
    groups = list(collection.groups().values())
    if limit is None or limit >= len(groups):
        return collection
    chosen = {item.key for at in np.linspace(0, len(groups) - 1, limit).round() for item in groups[int(at)]}
    return collection.of(item for item in collection.items if item.key in chosen)
