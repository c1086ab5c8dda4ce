"""Vectors: sounds are told by what was computed beforehand, from an npz file, one vector or a row of tokens a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard, source_of, words_of
from training.data.collection import Item
from training.errors import DataError, RecipeError

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded

NAMES, VECTORS = "names", "vectors"
NAMES_FILE = "names.json"
MOST_WIDTH = 4096


class VectorConditioner:
    """Vectors `[width]` beside the timestep, or tokens `[places, width]` by cross-attention; the null is zeros.

    An item's is that of its key, its file's name with or without its ending, one of its captions or of its labels.
    """

    name = "vectors"
    sounds: tuple[str, ...] = ()

    def __init__(self, table: Mapping[str, np.ndarray], attend: bool) -> None:
        shapes = {array.shape[-1] for array in table.values()}
        if len(shapes) != 1:
            raise RecipeError(f"The vectors are of different widths, {sorted(shapes)}: make them alike.")
        width = shapes.pop()
        crossed = attend or any(array.ndim == 2 for array in table.values())
        if crossed:
            places = max(1 if array.ndim == 1 else len(array) for array in table.values())
            self.unet = {"context_width": width, "context_places": places}
            self.null = torch.zeros(places, width + 1)
            # One token is there, or nothing could be attended to.
            self.null[0, -1] = 1.0
            self.table = {name: _packed(array, places) for name, array in table.items()}
        else:
            self.unet = {"vector_width": width}
            self.null = torch.zeros(width)
            self.table = {name: torch.from_numpy(array) for name, array in table.items()}
        self.names: dict[str, tuple[str, ...]] = {}

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Find every item's vectors; raises DataError for the first that has none."""
        for item in items:
            found = tuple(name for name in _called(item) if name in self.table)
            own = [name for name in found if name not in (*item.captions, *item.labels)]
            found = tuple(own[:1]) or found
            if not found:
                raise DataError(
                    f"No vector is called as {item.key}, its file, captions or labels: add one, or take it out."
                )
            self.names[item.key] = found

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """A vector of the item; the generator chooses where it has several."""
        found = self.names[item.key]
        return self.table[found[int(rng.integers(len(found)))]]

    def heard(self) -> Heard:
        """The table itself: a clip is asked for by the name of a vector."""
        names = list(self.table)
        text = json.dumps(names, ensure_ascii=True)
        rows = torch.stack([self.table[name].flatten() for name in names])
        file = {"file": NAMES_FILE, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        part = {"kind": "vectors", "count": len(names), "width": rows.shape[1], "names": file}
        return Heard({"vectors": part}, {"vectors": {"vectors": rows}}, {NAMES_FILE: text})


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """The vectors of the file that the recipe names."""
    return VectorConditioner(read_vectors(source_of(spec, "an npz file of vectors")), spec.attend)


def read_vectors(path: Path) -> dict[str, np.ndarray]:
    """Vectors `[width]` or `[tokens, width]` by name, float32, of an npz file; no pickle is opened.

    Either one array a name, or an array `names` and an array `vectors` `[names, width]`. Raises RecipeError.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, TypeError, AttributeError) as error:
        raise RecipeError(
            f"{path} is no npz file of plain arrays ({_reason(error)}): write it anew."
        ) from error
    if set(arrays) == {NAMES, VECTORS}:
        if len(arrays[NAMES]) != len(arrays[VECTORS]):
            raise RecipeError(f"{path} has not as many names as vectors: write it anew.")
        arrays = {str(name): row for name, row in zip(arrays[NAMES], arrays[VECTORS], strict=True)}
    table = {}
    for name, array in arrays.items():
        good = array.ndim in (1, 2) and array.size and np.issubdtype(array.dtype, np.number)
        if not good or not np.isfinite(array).all() or array.shape[-1] > MOST_WIDTH:
            raise RecipeError(
                f"{path} holds {name!r}, which is no vector or row of vectors of at most {MOST_WIDTH} finite numbers: "
                "write it anew."
            )
        table[name] = np.ascontiguousarray(array, dtype=np.float32)
    if not table:
        raise RecipeError(f"{path} holds no vectors: write it anew.")
    return table


def _called(item: Item) -> tuple[str, ...]:
    """Names under which an item's vector may stand, own ones first; a piece of a sound has those of the whole."""
    key = item.key.rpartition("@")[0] if item.path is None and "@" in item.key else item.key
    path = PurePosixPath(key)
    return tuple(dict.fromkeys((key, path.name, path.stem, *item.captions, *item.labels, *words_of(item))))


def _packed(array: np.ndarray, places: int) -> Tensor:
    rows = array.reshape(-1, array.shape[-1])
    packed = torch.zeros(places, rows.shape[1] + 1)
    packed[: len(rows), :-1] = torch.from_numpy(rows)
    packed[: len(rows), -1] = 1.0
    return packed


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".").replace(". ", ", ") or type(error).__name__
