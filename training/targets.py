"""Targets: where CLAP has the sounds that are meant, and what the encoder hears of both sides; each computed once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.data.features import weights_sha256
from training.data.pairs import SoundPairs
from training.data.store import Store
from training.errors import DataError
from training.pictures import Side
from vocaldm_live.model.clap_audio import ClapAudio, listened
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.model.encoder import Encoder
from vocaldm_live.model.encoder_mel import SAMPLE_RATE
from vocaldm_live.sound.audio import Sound

VERSION = 1
Progress = Callable[[int, int], None] | None


@dataclass(frozen=True, eq=False)
class Heard:
    """Pairs as vectors: `of[i]` is the sound that imitation i means.

    imitations `[pairs, 960]`, sounds `[sounds, 960]`: unit embeddings, each by its own tower; targets `[sounds, 512]`:
    CLAP's unit vectors of the sounds.
    """

    imitations: Tensor
    sounds: Tensor
    targets: Tensor
    of: Tensor
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("imitations", "sounds", "targets"):
            if not bool(getattr(self, name).isfinite().all()):
                raise DataError(f"Some {name} came out as no numbers: check the weights of encoder and CLAP.")

    def to(self, device: torch.device) -> Heard:
        """The same on a device."""
        imitations, sounds = self.imitations.to(device), self.sounds.to(device)
        return Heard(imitations, sounds, self.targets.to(device), self.of.to(device), self.names)


def clap_targets(
    pairs: SoundPairs,
    tower: ClapAudio,
    rate: int,
    cache: Path,
    device: torch.device,
    progress: Progress = None,
) -> Tensor:
    """CLAP's unit vectors of all sounds, float32 `[sounds, 512]`, by what the sounds contain and not by their order.

    rate: what a sound is brought to before CLAP hears it: AudioLDM was trained on CLAP of sounds at its own rate. In
    float32 whatever autocast is around.
    """
    store = Store(cache, "clap", _maker(tower, f"rate {rate}"))
    tower = tower.to(device).eval()

    def listen(number: int) -> Tensor:
        sound = Sound(pairs.sound(number), SAMPLE_RATE).at(min(rate, SAMPLE_RATE))
        return listened(tower, sound, device)[0]

    return _all(store, pairs.sounds, listen, progress)


def embeddings(
    pairs: SoundPairs,
    encoder: Encoder,
    side: Side,
    cache: Path,
    device: torch.device,
    progress: Progress = None,
) -> Tensor:
    """Unit embeddings of all imitations or sounds as the instrument hears them, float32 `[n, 960]`."""
    store = Store(cache, f"{side} embedding", _maker(encoder, side))
    embedder = Embedder(encoder.to(device).eval(), device)
    keys = pairs.imitations if side == "imitation" else pairs.sounds

    def hear(number: int) -> Tensor:
        samples = pairs.imitation(number) if side == "imitation" else pairs.sound(number)
        return embedder.embed(Sound(samples, SAMPLE_RATE), side == "imitation")[0]

    return _all(store, keys, hear, progress)


def told_apart(vectors: Tensor) -> float:
    """The mean cosine between different ones of unit vectors `[n, width]`: 1 where all are alike."""
    unit = functional.normalize(vectors.float(), dim=1)
    count = len(unit)
    return float((unit.sum(0).square().sum() - count) / max(1, count * (count - 1)))


def _maker(network: nn.Module, more: str) -> str:
    return hashlib.sha256(f"{VERSION} {weights_sha256(network)} {more}".encode()).hexdigest()


def _all(store: Store, keys: Sequence[str], make: Callable[[int], Tensor], progress: Progress) -> Tensor:
    missing = [number for number, key in enumerate(keys) if key not in store]
    with torch.inference_mode(), torch.autocast("cuda", enabled=False), torch.autocast("cpu", enabled=False):
        for done, number in enumerate(missing, start=1):
            store.put(keys[number], make(number).float().cpu().numpy())
            if progress is not None:
                progress(done, len(missing))
    found = [store.get(key) for key in keys]
    if any(each is None for each in found):
        raise DataError(f"Vectors are no longer in {store.folder}: give the same command again.")
    return torch.from_numpy(np.stack([each for each in found if each is not None]).astype(np.float32))
