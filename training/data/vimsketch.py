"""VimSketch: references/NNN_KEY and vocal_imitations/NNNNN_KEY; one KEY, one reference (Zenodo 2596911)."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from training.data.collection import Collection, Fault, Item, complete
from training.data.copying import Copies, safe_name
from training.errors import DataError
from vocaldm_live.errors import SoundError
from vocaldm_live.library.dataset import Dataset, read_dataset

NAME = "VimSketch"


def looks(place: Path) -> bool:
    """The two folders, here or one folder below."""
    return any((at / "vocal_imitations").is_dir() and (at / "references").is_dir() for at in places(place))


def read(source: str) -> Collection:
    """VimSketch as it is unpacked: every reference a group with its imitations, its KEY the label; DataError."""
    return paired_set(source, NAME)


def places(folder: Path) -> tuple[Path, ...]:
    """A folder and those in it."""
    if not folder.is_dir():
        return ()
    return (folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir()))


def paired_set(source: str, name: str) -> Collection:
    """A set that `vocaldm library evaluate` reads too, as a collection; raises DataError where it is another."""
    root = Path(source)
    faults: list[Fault] = []

    def problem(sentence: str) -> None:
        faults.append(Fault("missing", PurePosixPath(sentence.partition(" is ")[0]).name, sentence))

    try:
        found = read_dataset(root, problem)
    except SoundError as error:
        raise DataError(str(error)) from error
    if found is None or found.name != name:
        raise DataError(
            f"{root} is not laid out as {name}: unpack the whole set there, or name another format."
        )
    return complete(found.name, _items(root, found), faults, str(root))


def _items(root: Path, found: Dataset) -> list[Item]:
    def key(path: Path) -> str:
        return path.relative_to(root).as_posix()

    groups = [key(path) for path in found.items]
    items = {
        group: Item(group, path, "sound", group, labels=(kind,))
        for group, path, kind in zip(groups, found.items, found.classes, strict=True)
    }
    for query in found.queries:
        group = groups[query.item]
        labels = (found.classes[query.item],)
        items[key(query.path)] = Item(
            key(query.path), query.path, "imitation", group, means=group, labels=labels
        )
    return list(items.values())


def write(collection: Collection, copies: Copies) -> None:
    """Its two folders and two lists, from every sound and the imitations that mean one."""
    names: dict[str, str] = {}
    references: list[str] = []
    imitations: list[str] = []
    for item in collection.items:
        if item.role == "sound":
            own = re.sub(r"^\d+_", "", safe_name(PurePosixPath(item.key).stem))
            name = copies.free(own)
            written = copies.put(item, f"references/{len(references) + 1:03d}_{name}", ".wav")
            if written is not None:
                names[item.key] = name
                references.append(PurePosixPath(written).name)
    for item in collection.items:
        if item.role == "imitation":
            wanted = names.get(item.means or "")
            if wanted is None:
                copies.skip(f"{item.key} means no sound of the collection: it is left out.")
                continue
            written = copies.put(item, f"vocal_imitations/{len(imitations) + 1:05d}_{wanted}", ".wav")
            if written is not None:
                imitations.append(PurePosixPath(written).name)
    copies.text("reference_file_names.csv", "".join(f"{name}\n" for name in references))
    copies.text("vocal_imitation_file_names.csv", "".join(f"{name}\n" for name in imitations))
