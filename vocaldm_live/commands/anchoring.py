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
    from vocaldm_live.engine.anchor import Anchor
    from vocaldm_live.library.beside import Beside
    from vocaldm_live.library.search import Search

NEAREST = 4
MOST_NEAREST = 100


class Anchoring:
    """Finds an anchor: the mean of the vectors of the `nearest` sounds. Given to a request, the engine calls it.

    The vectors are those that were searched, or where `beside` is given CLAP's of the same windows.
    """

    def __init__(self, search: Search, nearest: int = NEAREST, beside: Beside | None = None) -> None:
        """Raises RequestError for a number of sounds that is not 1 to 100."""
        if not 1 <= nearest <= MOST_NEAREST:
            raise RequestError(f"nearest is {nearest}: give a whole number from 1 to {MOST_NEAREST}.")
        self.search = search
        self.encoder = search.encoder
        self.tower = search.encoder if beside is None else beside.encoder
        self.nearest = nearest
        self._beside = beside

    def __call__(self, embedding: np.ndarray) -> Anchor:
        """The anchor of a voice's embedding, float32 `[960]`; raises LibraryError where the index has gone."""
        from vocaldm_live.engine.anchor import Anchor
        from vocaldm_live.library.search import mean_vector

        hits = self.search.find(embedding, self.nearest)
        root = self.search.root
        names = [
            Path(os.path.relpath(hit.path, root)).as_posix()
            + (f" from {hit.start:.0f} s" if hit.start else "")
            for hit in hits
        ]
        vectors = [hit.vector for hit in hits] if self._beside is None else self._beside.vectors(hits)
        return Anchor(mean_vector(vectors), str(root), tuple(names))


def chosen_anchoring(
    library: Path | None, nearest: int | None, preset: Preset, like: Path | None
) -> Anchoring | None:
    """What finds the nearest sounds of `--library`; None without one. Raises as `open_anchoring`."""
    if library is None:
        if nearest is not None:
            raise RequestError("--nearest counts sounds of --library: give that folder too.")
        return None
    if like is not None:
        raise RequestError("--like and --library both stand in for the voice: leave out one of them.")
    from vocaldm_live.commands.library import libraries_folder
    from vocaldm_live.library.places import locate

    index = locate(library, libraries_folder())
    return open_anchoring(index, preset, NEAREST if nearest is None else nearest)


def open_search(index: Path, preset: Preset) -> Search:
    """An index for the encoder that searches for a preset, its own or the house's; raises LibraryError."""
    from vocaldm_live.checkpoints.searching import searching_preset
    from vocaldm_live.library.ears import SPACE, encoder_hash
    from vocaldm_live.library.search import Search

    return Search(index, SPACE, encoder_hash(searching_preset(preset)))


def open_anchoring(index: Path, preset: Preset, nearest: int = NEAREST) -> Anchoring:
    """What anchors a preset to an index: by CLAP where an AudioLDM preset has its audio tower, else by the encoder.

    Raises RequestError as `Anchoring` and for a preset that hears no sounds, LibraryError where the index cannot be
    used or lacks CLAP's embeddings.
    """
    from vocaldm_live.engine.anchor import check_anchor
    from vocaldm_live.library.beside import Beside
    from vocaldm_live.library.ears import clap_space

    search, space = open_search(index, preset), clap_space(preset)
    try:
        beside = None if space is None else Beside(index, *space, missing_clap(search.root, preset))
        anchoring = Anchoring(search, nearest, beside)
        check_anchor(anchoring, preset.header)
    except BaseException:
        search.close()
        raise
    return anchoring


def missing_clap(root: Path, preset: Preset) -> str:
    """What a library lacks and how to add it, as the end of a sentence."""
    return (
        f"CLAP embeddings for the preset {preset.name}: add them with `vocaldm library build {root} "
        f"--preset {preset.name}`"
    )


def recipe_anchor(recipe: Recipe) -> Anchor | None:
    """The anchor that a recipe carries; a request takes one of the widths that its preset knows only."""
    from vocaldm_live.engine.anchor import Anchor

    vector = recipe.anchor_vector()
    return None if vector is None else Anchor(vector, recipe.library or "", recipe.nearest)
