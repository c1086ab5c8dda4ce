"""Rows: sounds and mel images that lie in tables of Arrow, as `datasets` writes and downloads them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from training.data.collection import SPLITS, Collection, Item
from training.errors import DataError
from vocaldm_live.sound.audio import Sound, decode_sound

TOP_DB = 80.0  # what audio-diffusion's images span below their own loudest pixel
NAMES = ("audio_file", "file", "file_name", "path", "id")  # columns that name a row's source, in this order
MEL, IMAGE = "mel", "image"


class Rows:
    """What reads a row: an audio column's bytes, an image's PNG or a column of mels. `tables` are pyarrow's."""

    def __init__(self, tables: Sequence[Any], column: str, name: str) -> None:
        self.column = column
        self.name = name
        self._columns = [table.column(column) for table in tables]
        self._starts = np.cumsum([0, *(len(column) for column in self._columns)])

    def sound(self, item: Item) -> Sound:
        """The sound that a row's audio file holds; raises DataError, SoundError."""
        if self.column in (MEL, IMAGE):
            raise DataError(
                f"{self.name} holds mel images and no sounds: convert from the sounds themselves."
            )
        return decode_sound(self.content(item), f"{item.key} of {self.name}")

    def mel(self, item: Item) -> np.ndarray:
        """Mels as stored, `[bands, frames]`; an image's 0 to 255 become -80 to 0 dB; raises DataError."""
        if self.column == MEL:
            mel = self._mel(item)
        elif self.column == IMAGE:
            mel = self._image(item) / 255.0 * TOP_DB - TOP_DB
        else:
            raise DataError(f"{self.name} holds sounds and no mel images: convert it to mel-images first.")
        if mel.ndim == 3:
            mel = mel.mean(axis=0)
        if mel.ndim != 2 or not mel.size or not np.isfinite(mel).all():
            raise DataError(f"{item.key} of {self.name} is no mel image ({mel.shape}): make the set again.")
        return mel

    def content(self, item: Item) -> bytes:
        """The bytes of a row's file, or of its mel."""
        if self.column == MEL:
            return self._mel(item).astype("<f4", copy=False).tobytes()
        value = self._value(item)
        if isinstance(value, Mapping):
            data, path = value.get("bytes"), value.get("path")
            if data is None and path:
                try:
                    data = Path(path).read_bytes()
                except OSError as error:
                    raise DataError(
                        f"{path} of {self.name} cannot be read ({error.strerror}): fetch it again."
                    ) from error
            value = data
        if not isinstance(value, bytes) or not value:
            raise DataError(f"{item.key} of {self.name} is empty: make the set again.")
        return value

    def _value(self, item: Item) -> Any:
        if item.row is None:
            raise DataError(f"{item.key} has no row in {self.name}: open the collection again.")
        at = int(np.searchsorted(self._starts, item.row, side="right")) - 1
        return self._columns[at][item.row - int(self._starts[at])].as_py()

    def _mel(self, item: Item) -> np.ndarray:
        try:
            return np.asarray(self._value(item), dtype=np.float32)
        except (ValueError, TypeError) as error:  # rows of several lengths, or no numbers
            raise DataError(f"{item.key} of {self.name} is no mel image: make the set again.") from error

    def _image(self, item: Item) -> np.ndarray:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self.content(item))) as image:
                return np.asarray(image.convert("L"), dtype=np.float32)
        except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{item.key} of {self.name} is no image: make the set again.") from error


def from_tables(name: str, tables: Mapping[str, Any]) -> Collection:
    """The collection of one pyarrow table a split; raises DataError where no column holds sounds or mels.

    Slices of one source are one group. Any other row is a group of its own: an `id` may begin again in each split,
    and a file's name in each folder.
    """
    column = _data_column(name, tables)
    items: list[Item] = []
    seen: set[str] = set()
    for split, table in tables.items():
        columns = set(table.column_names)
        named = next((other for other in NAMES if other in columns and other != column), None)
        sources = table.column(named).to_pylist() if named else [None] * len(table)
        if named is None and column not in (MEL, IMAGE):
            sources = _paths(table, column)
        slices = table.column("slice").to_pylist() if "slice" in columns else None
        captions = [
            table.column(other).to_pylist() for other in table.column_names if "caption" in other.lower()
        ]
        labels = _labels(table)
        for row in range(len(table)):
            source = str(sources[row]) if sources[row] not in (None, "") else f"{split}/{row:06d}"
            key = source if slices is None else f"{source}#{slices[row]}"
            if key in seen:
                key = f"{split}/{row:06d}:{key}"
            seen.add(key)
            group = source if slices is not None or named == "audio_file" else key
            words = tuple(str(column[row]) for column in captions if column[row])
            where = SPLITS.get(split.lower(), split)
            items.append(Item(key, None, "sound", group, where, None, words, labels[row], row=len(items)))
    if not items:
        raise DataError(f"{name} holds no rows: give a set with sounds or mel images.")
    kind = "mel" if column in (MEL, IMAGE) else "sound"
    medium = Rows(list(tables.values()), column, name)
    return Collection(name, tuple(sorted(items, key=lambda item: item.key)), (), kind, medium)  # type: ignore[arg-type]


def _data_column(name: str, tables: Mapping[str, Any]) -> str:
    common = set.intersection(*(set(table.column_names) for table in tables.values())) if tables else set()
    for wanted in (MEL, IMAGE, "audio"):
        if wanted in common:
            return wanted
    for table in tables.values():
        for own, feature in _features(table).items():
            if isinstance(feature, dict) and feature.get("_type") == "Audio" and own in common:
                return own
    raise DataError(
        f"{name} has no column audio, mel or image in all its splits: give a set of sounds or mels."
    )


def _features(table: Any) -> dict[str, Any]:
    """What `datasets` says of the columns, in the schema's metadata."""
    try:
        features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
        return {}
    return features if isinstance(features, dict) else {}


def _labels(table: Any) -> list[tuple[str, ...]]:
    column = next((name for name in ("labels", "label", "class") if name in table.column_names), None)
    if column is None:
        return [()] * len(table)
    names = (_features(table).get(column) or {}).get("names") if column in _features(table) else None

    def words(value: Any) -> tuple[str, ...]:
        if value is None:
            return ()
        if isinstance(value, list):
            return tuple(word for one in value for word in words(one))
        if names and isinstance(value, int) and 0 <= value < len(names):
            return (str(names[value]),)
        return (str(value),)

    return [words(value) for value in table.column(column).to_pylist()]


def _paths(table: Any, column: str) -> list[str | None]:
    import pyarrow

    kind = table.schema.field(column).type
    if not pyarrow.types.is_struct(kind) or kind.get_field_index("path") < 0:
        return [None] * len(table)
    import pyarrow.compute

    return [
        path and Path(path).name
        for path in pyarrow.compute.struct_field(table.column(column), "path").to_pylist()
    ]
