"""Shards as a denoiser takes them: the house's examples (training/dataset.py), encoded once by a base's networks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.base import Base
from training.conditions import Tower
from training.data.shards import PATTERN
from training.dataset import Dataset, read_dataset
from training.errors import DataError
from training.runfolder import channels_last, save_state
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.model.encoder import Encoder, normalise
from vocaldm_live.model.vae import MelVAE

PIECE = 32
TENSORS = ("latents", "voices", "references")
ARRAYS = ("sketches", "voice_sketches")


@dataclass(frozen=True, eq=False)
class StackedSounds:
    """Sounds of one length, each with one voice: latents `[clips, channels, frames, bins]`, vectors `[clips, width]`.

    sketches, voice_sketches: float32 `[clips, 4, frames * factor]`.
    """

    latents: Tensor
    voices: Tensor
    references: Tensor
    sketches: np.ndarray
    voice_sketches: np.ndarray

    def __len__(self) -> int:
        return len(self.latents)

    def latent(self, index: int) -> Tensor:
        """`[channels, frames, bins]`."""
        return self.latents[index]

    def valid(self, index: int) -> int:
        """All of them: the examples are cut to their length."""
        return self.latents.shape[2]

    def imitations(self, index: int) -> int:
        """One."""
        return 1

    def vector(self, index: int, tower: Tower, which: int = 0) -> Tensor:
        """`[width]`."""
        return (self.voices if tower == "imitation" else self.references)[index]

    def sketch(self, index: int) -> np.ndarray:
        """`[4, frames * factor]`."""
        found: np.ndarray = self.sketches[index]
        return found

    def voice_sketch(self, index: int, which: int = 0) -> np.ndarray:
        """`[4, frames * factor]`."""
        found: np.ndarray = self.voice_sketches[index]
        return found

    def part(self, rows: slice | np.ndarray) -> StackedSounds:
        """Some of them, by number."""
        return StackedSounds(*(getattr(self, one.name)[rows] for one in fields(self)))


def shards_digest(folder: Path) -> str:
    """SHA-256 of the shards' names and bytes."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(PATTERN)):
        digest.update(f"{path.name} {file_sha256(path)}".encode())
    return digest.hexdigest()


def encode_shards(
    folder: Path, limit: int | None, base: Base, cache: Path, device: torch.device
) -> StackedSounds:
    """A folder's examples, at most `limit`, as a base's VAE and encoder hear them; kept below `cache`.

    Raises DataError where there are no shards, they cannot be read, or they are mels of another geometry.
    """
    key = hashlib.sha256(f"{shards_digest(folder)} {limit} {base.identity}".encode()).hexdigest()
    path = cache / f"shards-{key[:16]}.safetensors"
    try:
        kept = load_file(path)
        tensors = {name: kept[name] for name in TENSORS}
        return StackedSounds(**tensors, **{name: kept[name].numpy() for name in ARRAYS})  # type: ignore[arg-type]
    except (OSError, SafetensorError, KeyError):
        pass
    data = read_dataset(folder, limit)
    if data.mel.shape[1] != base.geometry.mel_bands:
        raise DataError(
            f"{folder} holds mels of {data.mel.shape[1]} bands where {base.preset.name} takes "
            f"{base.geometry.mel_bands}; choose another base."
        )
    made = _encoded(data, base, device)
    state = {name: torch.as_tensor(getattr(made, name)) for name in (*TENSORS, *ARRAYS)}
    save_state(state, path)
    return made


def mels(data: Dataset, most: int) -> Iterator[Tensor]:
    """Some of a set's mels, `[1, bands, frames]` each, spread over all of it."""
    for index in np.unique(np.linspace(0, len(data) - 1, min(most, len(data))).round().astype(int)):
        yield torch.from_numpy(data.mel[index : index + 1].astype(np.float32))


def _encoded(data: Dataset, base: Base, device: torch.device) -> StackedSounds:
    vae, encoder = base.networks["vae"], base.networks["encoder"]
    assert isinstance(vae, MelVAE) and isinstance(encoder, Encoder)
    vae.to(device)
    channels_last(encoder.to(device))
    with torch.inference_mode():
        latents = [vae.encode(piece.to(device)).cpu() for piece in _pieces(data.mel)]
        voices = [
            encoder.embed_imitation(piece[:, None].to(device)).cpu() for piece in _pieces(data.imitation)
        ]
        references = [
            encoder.embed_reference(piece[:, None].to(device)).cpu() for piece in _pieces(data.reference)
        ]
    return StackedSounds(
        torch.cat(latents).clone(),
        normalise(torch.cat(voices)).clone(),
        normalise(torch.cat(references)).clone(),
        np.asarray(data.sketch, np.float32),
        np.asarray(data.imitation_sketch, np.float32),
    )


def _pieces(array: np.ndarray) -> Iterator[Tensor]:
    for start in range(0, len(array), PIECE):
        yield torch.from_numpy(array[start : start + PIECE].astype(np.float32))
