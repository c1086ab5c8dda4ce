"""Latents: what a diffusion model learns to make, by number: latents of sounds, or mel images as they were stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from training.base import Base
from training.data.collection import Collection, Item
from training.data.encoding import Encoded, encode
from training.data.features import LATENT, LONGEST_SECONDS
from training.data.magnitudes import in_nepers
from training.data.pieces import cut
from training.errors import DataError, RecipeError
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import fold


class Latents(Protocol):
    """Examples by number, each as long as its sound; `encoded`: other features of the same, where they are sounds."""

    items: tuple[Item, ...]
    encoded: Encoded | None

    def latent(self, at: int) -> Tensor:
        """float32 `[channels, frames, bins]`."""
        ...

    def digest(self) -> str:
        """SHA-256 of what they were made of."""
        ...


class SoundLatents:
    """Latents of sounds, read from the store."""

    def __init__(self, encoded: Encoded) -> None:
        self.items = encoded.items
        self.encoded: Encoded | None = encoded
        self._latent, self._digest = encoded.latent, encoded.digest

    def latent(self, at: int) -> Tensor:
        """The VAE's latent, or the log-mel's pixels."""
        return self._latent(at)

    def digest(self) -> str:
        """Of their contents."""
        return self._digest()


class MelLatents:
    """Stored mel images as pixels, for a model that learns without a VAE. Raises DataError where bands differ."""

    encoded: Encoded | None = None

    def __init__(self, collection: Collection, geometry: Geometry) -> None:
        if not collection.items:
            raise DataError(f"{collection.name} holds no mel image: give others.")
        self.items, self._collection, self._geometry = collection.items, collection, geometry
        self.latent(0)

    def latent(self, at: int) -> Tensor:
        """The image's pixels."""
        mel = _mel(self._collection, self.items[at], self._geometry.mel_bands)
        return fold(torch.from_numpy(mel.copy())[None], self._geometry)[0]

    def digest(self) -> str:
        """Of their contents."""
        keys = "".join(self._collection.content_key(item) for item in self.items)
        return hashlib.sha256(keys.encode()).hexdigest()


def _mel(collection: Collection, item: Item, bands: int) -> np.ndarray:
    mel = in_nepers(collection, item)
    if mel.shape[0] != bands:
        raise DataError(
            f"{item.key} has {mel.shape[0]} mel bands where the model has {bands}: set pixels.mel_bands."
        )
    return mel


def _readable(
    collection: Collection,
    geometry: Geometry,
    problem: Callable[[str], None],
    progress: Callable[[int, int], None] | None,
) -> Collection:
    """Those of its images that can be learned from; raises the first one's DataError where none can."""
    kept: list[Item] = []
    wrong: list[str] = []
    for number, item in enumerate(collection.items):
        try:
            _mel(collection, item, geometry.mel_bands)
            kept.append(item)
        except DataError as error:
            wrong.append(str(error))
        if progress is not None:
            progress(number + 1, len(collection.items))
    if wrong and not kept:
        raise DataError(wrong[0])
    for sentence in wrong:
        problem(f"Left out: {sentence}")
    return collection.of(kept)


def open_latents(
    collection: Collection,
    base: Base,
    features: tuple[str, ...],
    cache: Path,
    seconds: float,
    workers: int,
    problem: Callable[[str], None],
    progress: Callable[[int, int], None] | None = None,
    device: torch.device | str = "cpu",
) -> Latents:
    """The latents of a collection and other features of its sounds, each computed once.

    Silence and what cannot be read are left out, and told. Raises DataError where nothing is left, or mel images are
    given to a model that has a VAE, RecipeError where pieces would be longer than what is encoded of them.
    """
    if collection.kind == "mel":
        if base.geometry.factor != 1 or features:
            raise DataError(
                f"{collection.name} holds mel images: they are for space pixels and conditioners that hear no sounds."
            )
        return MelLatents(_readable(collection, base.geometry, problem, progress), base.geometry)
    if seconds > LONGEST_SECONDS:
        raise RecipeError(
            f"seconds is {seconds:g}, but no more than {LONGEST_SECONDS} of a sound are encoded at once and the rest would "
            "never be learned; set fewer, and longer sounds are cut into pieces."
        )
    pieces = cut(collection, cache, seconds)
    for sentence in pieces.problems[len(collection.problems) :]:
        problem(sentence)
    encoded = encode(pieces, base, (LATENT, *features), cache, workers, progress, device=device)
    for sentence in encoded.problems:
        problem(sentence)
    return SoundLatents(encoded)
