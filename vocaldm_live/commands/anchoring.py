"""Anchoring: a library's sounds nearest to a voice stand in for it, "something like this, out of my own folder"."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    import numpy as np

    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.deliver.recipe import Recipe
    from vocaldm_live.engine.request import Anchor
    from vocaldm_live.library.search import Search

NEAREST = 4
MOST_NEAREST = 100


class Anchoring:
    """Finds an anchor: the mean of the vectors of the `nearest` sounds. Given to a request, the engine calls it."""

    def __init__(self, search: Search, nearest: int = NEAREST) -> None:
        """Raises RequestError for a number of sounds that is not 1 to 100."""
        if not 1 <= nearest <= MOST_NEAREST:
            raise RequestError(f"nearest is {nearest}: give a whole number from 1 to {MOST_NEAREST}.")
        self.search = search
        self.encoder = search.encoder
        self.nearest = nearest

    def __call__(self, embedding: np.ndarray) -> Anchor:
        """The anchor of a voice's embedding, float32 `[960]`; raises LibraryError where the index has gone."""
        from vocaldm_live.engine.request import Anchor
        from vocaldm_live.library.search import mean_vector

        hits = self.search.find(embedding, self.nearest)
        root = self.search.root
        names = [
            Path(os.path.relpath(hit.path, root)).as_posix()
            + (f" from {hit.start:.0f} s" if hit.start else "")
            for hit in hits
        ]
        return Anchor(mean_vector(hits), str(root), tuple(names))


def open_search(index: Path, preset: Preset) -> Search:
    """An index for a preset's encoder; raises LibraryError."""
    from vocaldm_live.library.ears import SPACE, encoder_hash
    from vocaldm_live.library.search import Search

    return Search(index, SPACE, encoder_hash(preset))


def recipe_anchor(recipe: Recipe) -> Anchor | None:
    """The anchor that a recipe carries; raises RequestError where it fits no encoder."""
    from vocaldm_live.engine.request import Anchor
    from vocaldm_live.model.encoder import EMBEDDING_SIZE

    vector = recipe.anchor_vector()
    if vector is None:
        return None
    if len(vector) != EMBEDDING_SIZE:
        raise RequestError(
            f"The recipe's anchor has {len(vector)} numbers where {EMBEDDING_SIZE} belong: give the clip's own recipe."
        )
    return Anchor(vector, recipe.library or "", recipe.nearest)
