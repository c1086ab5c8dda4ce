"""Conditions: what a denoiser is told of its batch's sounds while it learns: a tower's vector, or none, and a sketch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from training.data.masks import crop_or_pad
from training.draws import Draws
from training.gestures import Gestures, disturbed
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.sketch import Sketch

Tower = Literal["imitation", "reference"]


class EncodedSounds(Protocol):
    """Sounds as a base's networks hear them, one by one."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def latent(self, index: int) -> Tensor:
        """The standardised latent `[channels, frames, bins]`."""
        ...

    def valid(self, index: int) -> int:
        """How many of its frames are sound, and no padding."""
        ...

    def imitations(self, index: int) -> int:
        """How many voices imitate it; none: its own vector has to do."""
        ...

    def vector(self, index: int, tower: Tower, which: int = 0) -> Tensor:
        """What the sound is, `[width]`: one of the voices by the imitation's tower, or itself by the reference's."""
        ...

    def sketch(self, index: int) -> np.ndarray:
        """How the sound moves, float32 `[4, frames * factor]`."""
        ...

    def voice_sketch(self, index: int, which: int = 0) -> np.ndarray:
        """How one of the voices moves, `[4, any]`: what a denoiser is given at play."""
        ...


@dataclass(frozen=True, eq=False)
class Batch:
    """latent: `[rows, channels, frames, bins]`; valid: its frames that are sound, long `[rows]`; vector: what each row
    is, `[rows, width]`; drop: bool `[rows]`, which rows are told nothing of it; image: the sketches drawn and scaled
    by how closely they are followed, None where the denoiser takes none.
    """

    latent: Tensor
    valid: Tensor
    vector: Tensor
    drop: Tensor
    image: Tensor | None

    def __len__(self) -> int:
        return len(self.latent)


@dataclass(frozen=True)
class Telling:
    """imitations: share of rows whose vector is the imitation's; drop: share that gets the null; gestures: sketches;
    voice_sketches: share of rows whose sketch is the voice's, levelled as the engine does and as long as the sound;
    voice_loudness: whether its loudness is the voice's too, and not that of the sound.
    """

    imitations: float
    drop: float
    gestures: Gestures
    voice_sketches: float = 0.0
    voice_loudness: bool = True

    def as_voice(self, own: np.ndarray, voice: np.ndarray) -> np.ndarray:
        """How a voice moves, `[4, frames]`, told of the sound that moves as `own`, `[4, frames]`."""
        found = Sketch.of(voice).levelled()[0].stretched(own.shape[1]).array()
        if not self.voice_loudness:
            found[0] = own[0]
        return found


def draw_batch(
    sounds: EncodedSounds, draws: Draws, frames: int, telling: Telling, geometry: Geometry | None
) -> Batch:
    """The rows of a step: a drawn part of each row's sound, so many latent frames, shorter ones padded.

    geometry: of the sketch image; None where there is none.
    """
    latents: list[Tensor] = []
    vectors: list[Tensor] = []
    curves: list[np.ndarray] = []
    follows: list[float] = []
    dropped: list[bool] = []
    for row, chosen in zip(draws.rows, draws.choose(len(sounds)), strict=True):
        index = int(chosen)
        valid = sounds.valid(index)
        start = int(draws.row(row, "crop").integers(max(0, valid - frames) + 1))
        latents.append(sounds.latent(index)[:, start : min(valid, start + frames)])
        rng = draws.row(row, "told")
        by_voice, which = rng.random() < telling.imitations, rng.random()
        dropped.append(bool(rng.random() < telling.drop))
        voices = sounds.imitations(index)
        if by_voice and voices:
            vectors.append(sounds.vector(index, "imitation", int(which * voices)))
        else:
            vectors.append(sounds.vector(index, "reference"))
        if geometry is not None:
            own = sounds.sketch(index)
            if voices and rng.random() < telling.voice_sketches:
                own = telling.as_voice(own, sounds.voice_sketch(index, int(which * voices)))
            sketch, follow = disturbed(own, rng, telling.gestures)
            curves.append(cut(sketch, start, frames, geometry))
            follows.append(follow)
    return batch_of(latents, vectors, dropped, curves, follows, frames, draws, geometry)


def fixed_batch(
    sounds: EncodedSounds,
    rows: Sequence[tuple[int, int]],
    frames: int,
    geometry: Geometry | None,
    telling: Telling,
) -> Batch:
    """Rows that do not depend on any draw: (index, first frame), the first voice's vector, the sketch as it is.

    Of these sketches, the share that `telling` says is the first voice's, spread over the rows.
    """
    latents, curves = [], []
    for row, (index, start) in enumerate(rows):
        latents.append(sounds.latent(index)[:, start : min(sounds.valid(index), start + frames)])
        if geometry is not None:
            sketch, share = sounds.sketch(index), telling.voice_sketches
            if sounds.imitations(index) and int((row + 1) * share) > int(row * share):
                sketch = telling.as_voice(sketch, sounds.voice_sketch(index))
            curves.append(cut(sketch, start, frames, geometry))
    vectors = [
        sounds.vector(index, "imitation" if sounds.imitations(index) else "reference") for index, _ in rows
    ]
    still = Draws(0, 0, tuple(range(len(rows))), len(rows), torch.device("cpu"))
    return batch_of(latents, vectors, [False] * len(rows), curves, [1.0] * len(rows), frames, still, geometry)


def cut(sketch: np.ndarray, start: int, frames: int, geometry: Geometry) -> np.ndarray:
    """So many latent frames of a sketch from one on, as the engine would lengthen it: with silence."""
    factor = geometry.factor
    return Sketch.of(sketch[:, start * factor : (start + frames) * factor]).fitted(frames * factor).array()


def batch_of(
    latents: Sequence[Tensor],
    vectors: Sequence[Tensor],
    dropped: Sequence[bool],
    curves: Sequence[np.ndarray],
    follows: Sequence[float],
    frames: int,
    draws: Draws,
    geometry: Geometry | None,
) -> Batch:
    """Rows put together on the draws' device."""
    device = draws.device
    latent, valid = crop_or_pad(latents, frames, draws)
    image = None
    if geometry is not None:
        image = draw_sketch(torch.from_numpy(np.stack(curves)).to(device), geometry)
        image = image * torch.tensor(follows, device=device, dtype=image.dtype)[:, None, None, None]
    return Batch(
        latent.to(device),
        valid.to(device),
        torch.stack(list(vectors)).float().to(device),
        torch.tensor(list(dropped), device=device),
        image,
    )
