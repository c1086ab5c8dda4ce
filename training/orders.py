"""Orders: what is to be rendered: imitations of a folder, or lines of a list with words and sounds."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from training.data.collection import shown, text_file
from training.data.copying import safe_name
from training.data.formats import read_collection
from training.data.prompt_list import read_prompts
from training.errors import DataError
from vocaldm_live.sound.audio import LONGEST_SECONDS

Problem = Callable[[str], None]
SOUNDS = ("path", "imitation", "file", "file_name", "filename", "wav", "audio", "sound")
WORDS = ("text", "caption", "words", "prompt")
LENGTHS = ("seconds", "duration")


@dataclass(frozen=True)
class Order:
    """One clip to make: its file's name without ending, a voice, words, or both; seconds None: as long as the voice."""

    name: str
    imitation: Path | None = None
    text: str = ""
    seconds: float | None = None
    seed: int | None = None


def read_orders(source: str, problem: Problem) -> tuple[Order, ...]:
    """The orders at a place, each with a name of its own; `problem` hears of what is left out. Raises DataError.

    A folder's imitations (NAME_imitation*, or below imitations/) are taken, and where it has none, all its sounds.
    """
    place = Path(source)
    if not place.exists():
        raise DataError(f"{source} does not exist: give a folder of imitations, or a list.")
    if place.is_dir():
        orders: Sequence[Order] = _folder(place, problem)
    else:
        reader = LISTS.get(place.suffix.lower())
        if reader is None:
            raise DataError(f"{source} is no list: give a folder, or a file in {', '.join(LISTS)}.")
        orders = reader(place, problem)
    if not orders:
        raise DataError(f"{source} asks for no clip: put imitations or lines there.")
    return _apart(orders)


def _folder(place: Path, problem: Problem) -> list[Order]:
    collection = read_collection(str(place), "folders")
    for sentence in collection.problems:
        problem(sentence)
    spoken = [item for item in collection.items if item.role == "imitation"] or list(collection.items)
    return [Order(_stem(item.key), item.path) for item in spoken]


def _table(path: Path, problem: Problem) -> list[Order]:
    """A CSV file whose columns are sounds (`path` and its like), words (`text`), seconds, seed, name."""
    text = text_file(path, "table")
    head = text.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=mark, strict=True))
    except csv.Error as error:
        raise DataError(f"The table {path} cannot be read ({error}): check its quotes.") from error
    orders = []
    for number, row in enumerate(rows, start=2):
        cells = {str(name).strip().lower(): (cell or "").strip() for name, cell in row.items() if name}
        try:
            orders.append(_of_row(cells, path, number))
        except ValueError as error:
            problem(f"Line {number} of {path} {error}: it is left out.")
    return orders


def _of_row(cells: Mapping[str, str], path: Path, number: int) -> Order:
    """An order of a table's row; raises ValueError with what is wrong with it."""
    sound = next((cells[name] for name in SOUNDS if cells.get(name)), "")
    words = next((cells[name] for name in WORDS if cells.get(name)), "")
    length = next((cells[name] for name in LENGTHS if cells.get(name)), "")
    if not sound and not words:
        raise ValueError("has neither a sound nor words")
    voice = path.parent / sound if sound else None
    if voice is not None and not voice.is_file():
        raise ValueError(f"names {shown(sound)}, which is not there")
    try:
        seconds = float(length) if length else None
        seed = int(cells["seed"]) if cells.get("seed") else None
    except ValueError:
        raise ValueError("has seconds or a seed that is no number") from None
    if seconds is not None and not 0.05 <= seconds <= LONGEST_SECONDS:
        raise ValueError(f"asks for {seconds:g} s where 0.05 to {LONGEST_SECONDS:g} are possible")
    if seed is not None and not 0 <= seed < 2**32:
        raise ValueError(f"has the seed {seed} where 0 to {2**32 - 1} are possible")
    name = cells.get("name") or (_stem(sound) if sound else f"{number - 1:04d} {words}")
    return Order(name, voice, words, seconds, seed)


def _prompts(path: Path, problem: Problem) -> list[Order]:
    """AudioLDM's lists of words."""
    return [Order(prompt.name, text=prompt.text) for prompt in read_prompts(path, problem)]


# Lists by the ending of their file; what reads another form of list is another line here.
LISTS: dict[str, Callable[[Path, Problem], Sequence[Order]]] = {
    ".csv": _table,
    ".tsv": _table,
    ".lst": _prompts,
    ".txt": _prompts,
}


def _stem(key: str) -> str:
    return str(PurePosixPath(key).with_suffix(""))


def _apart(orders: Sequence[Order]) -> tuple[Order, ...]:
    """The same orders with names that every file system takes, no two of them one."""
    taken: set[str] = set()
    return tuple(
        replace(order, name=_free(safe_name(order.name.replace("/", "-")), taken)) for order in orders
    )


def take_names(orders: Sequence[Order], takes: int) -> list[tuple[str, ...]]:
    """What the takes of each order are called: NAME, NAME_2, ...; no two of all of them are one.

    Orders keep their names; a take that would have another order's is called NAME_2-2. More takes change no name.
    """
    taken = {order.name.casefold() for order in orders}
    rows = [[order.name for order in orders]]
    for take in range(2, takes + 1):
        rows.append([_free(f"{order.name}_{take}", taken) for order in orders])
    return list(zip(*rows, strict=True))


def _free(plain: str, taken: set[str]) -> str:
    """A name, with a number where it is taken; some file systems take two for one that differ in case."""
    name, count = plain, 1
    while name.casefold() in taken:
        count += 1
        name = f"{plain}-{count}"
    taken.add(name.casefold())
    return name
