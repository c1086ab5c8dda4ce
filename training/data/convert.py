"""Convert: a collection from one format into another, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from training.data.collection import Collection, shown
from training.data.copying import Copies
from training.data.formats import FORMATS, known, read_collection
from training.errors import DataError, RecipeError


@dataclass(frozen=True)
class Converted:
    """How many items were written, and a sentence for everything that was left out."""

    written: int
    left_out: tuple[str, ...]


def convert(
    source: str,
    target: Path,
    to: str,
    come_from: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> Converted:
    """Write what lies at `source` into the folder `target` in the format `to`.

    Files are copied as they are where the format takes them, and become WAV where it takes nothing else. What is
    there already is not written again, so a conversion that was stopped goes on. Raises DataError, RecipeError.
    """
    if not known(to).writable:
        names = ", ".join(one.name for one in FORMATS.values() if one.writable)
        raise RecipeError(f"Nothing can be written as {to}: give one of {names}.")
    collection = read_collection(source, come_from)
    if collection.kind == "mel":
        raise DataError(
            f"{source} holds mel images, which make no sounds again: convert from the sounds themselves."
        )
    _refuse_what_is_read(collection, source, target)
    copies = Copies(collection, target, progress)
    known(to).write(collection, copies)
    if not copies.written:
        raise DataError(
            f"Nothing of {source} could be written as {to} ({(copies.left_out or ['it is empty'])[0]})"
        )
    return Converted(len(copies.written), (*collection.problems, *copies.left_out))


def _refuse_what_is_read(collection: Collection, source: str, target: Path) -> None:
    """Raises RecipeError where what is written could become data, or take the place of what was read."""
    place, folder = Path(source).resolve(), target.resolve()
    if place.is_dir() and (folder == place or place in folder.parents):
        raise RecipeError(
            f"{target} lies in {source}: give a folder elsewhere, or the copies become data too."
        )
    own = [place] if place.exists() else []
    for path in (*own, *(item.path.resolve() for item in collection.items if item.path is not None)):
        if folder in path.parents:
            raise RecipeError(
                f"{shown(str(path))} lies in {target}, and a list or a copy could be written over it: give a folder "
                "elsewhere."
            )
