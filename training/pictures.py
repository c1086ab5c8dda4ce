"""Pictures: what the encoder's towers see of pairs: mels of clips in one batch, varied by a step's draws or as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from training.augment.audio import AudioAugmentation, vary
from training.augment.mel import MelAugmentation, filter_edges, masked
from training.data.pairs import fitted
from training.draws import Draws
from vocaldm_live.model.embedder import ENCODER_SECONDS
from vocaldm_live.model.encoder_mel import EncoderMel, kaldi_mel_bank

Side = Literal["imitation", "sound"]
SIDES: tuple[Side, Side] = ("imitation", "sound")
Batch = tuple[Tensor, Tensor]
"""Mels `[rows, 1, 128, frames]`, and how many of each one's frames are real, long `[rows]`."""


class Pairs(Protocol):
    """Imitations and sounds by number, as samples `[n]` or as pictures `[128, frames]`."""

    @property
    def of(self) -> np.ndarray: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def sames(self) -> np.ndarray: ...
    @property
    def families(self) -> np.ndarray: ...
    @property
    def aligned(self) -> bool: ...
    def __len__(self) -> int: ...
    def sound(self, number: int) -> np.ndarray: ...
    def imitation(self, number: int) -> np.ndarray: ...
    def digest(self) -> str: ...


class Pictures:
    """Makes pictures of a set's pairs; `workers` threads prepare the clips of a batch.

    crop: numbers of frames of which a step draws one for its clips; what is shorter stays whole. none: all is whole.
    """

    def __init__(
        self,
        pairs: Pairs,
        audio: AudioAugmentation,
        mel: MelAugmentation,
        crop: Sequence[int] = (),
        workers: int = 0,
    ) -> None:
        self.pairs, self.audio, self.mel, self.crop = pairs, audio, mel, tuple(crop)
        self.front_end = EncoderMel()
        self.pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def drawn(self, part: Draws) -> tuple[Batch, Batch]:
        """The rows' imitations and their sounds, each varied by itself."""
        chosen = part.choose(len(self.pairs))
        numbers = {"imitation": chosen, "sound": self.pairs.of[chosen]}
        width = self._width(part)
        front_end = EncoderMel()
        front_end.mel_bank = kaldi_mel_bank(*filter_edges(self.mel, part.shared("filter edges")))

        def picture(task: tuple[Side, int, int]) -> np.ndarray:
            side, row, number = task
            rng = part.row(row, f"{side} varied")
            found = self._clip(side, number)
            if found.ndim == 1:
                found = seen(fitted(vary(found, self.audio, rng), ENCODER_SECONDS), front_end)
            # Where a voice runs along with its sound, both are cut at the same place.
            place = part.row(row, "crop" if self.pairs.aligned else f"{side} crop").random()
            return masked(cut(found, width, place), self.mel, rng)

        one, other = (
            self._made(
                picture,
                [(side, row, int(number)) for row, number in zip(part.rows, numbers[side], strict=True)],
            )
            for side in SIDES
        )
        return one, other

    def plain(self, side: Side, numbers: Sequence[int]) -> Batch:
        """Imitations or sounds by number, whole and as they are."""

        def picture(task: tuple[Side, int, int]) -> np.ndarray:
            found = self._clip(side, task[2])
            return seen(found, self.front_end) if found.ndim == 1 else found.astype(np.float32)

        return self._made(picture, [(side, 0, int(number)) for number in numbers])

    def _clip(self, side: Side, number: int) -> np.ndarray:
        return self.pairs.imitation(number) if side == "imitation" else self.pairs.sound(number)

    def _width(self, part: Draws) -> int | None:
        return int(part.shared("crop width").choice(self.crop)) if self.crop else None

    def _made(
        self, picture: Callable[[tuple[Side, int, int]], np.ndarray], tasks: Sequence[tuple[Side, int, int]]
    ) -> Batch:
        found = list(map(picture, tasks) if self.pool is None else self.pool.map(picture, tasks))
        return batched(found)


def seen(samples: np.ndarray, front_end: EncoderMel) -> np.ndarray:
    """The encoder's picture of samples `[n]` at 32 kHz, `[128, frames]`."""
    with torch.inference_mode():
        return front_end(torch.from_numpy(np.ascontiguousarray(samples))[None])[0, 0].numpy()


def cut(mel: np.ndarray, width: int | None, place: float) -> np.ndarray:
    """At most `width` frames of a picture, from a place of 0 (its beginning) to 1 (its end) on."""
    if width is None or mel.shape[1] <= width:
        return mel
    first = int(place * (mel.shape[1] - width + 1))
    return mel[:, first : first + width]


def batched(mels: Sequence[np.ndarray]) -> Batch:
    """Pictures of different lengths as one batch, the shorter ones followed by zeros."""
    frames = torch.tensor([mel.shape[1] for mel in mels], dtype=torch.long)
    whole = torch.zeros(len(mels), 1, mels[0].shape[0], int(frames.max()))
    for at, mel in enumerate(mels):
        whole[at, 0, :, : mel.shape[1]] = torch.from_numpy(np.ascontiguousarray(mel, dtype=np.float32))
    return whole, frames
