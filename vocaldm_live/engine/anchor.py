"""Anchor: what a library's sounds nearest to a voice have in common, to stand in for that voice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader


@dataclass(frozen=True, eq=False)
class Anchor:
    """What a library's sounds nearest to a voice have in common, to stand in for that voice's vector.

    vector: float32, the mean of their embeddings at unit length, of which only what half precision holds is used,
    so that a recipe can carry it whole: the encoder's `[960]`, which an adapter makes a condition of, or CLAP's
    `[512]`, which is one; library: the folder; nearest: the sounds' names below it.
    """

    vector: np.ndarray
    library: str
    nearest: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vector = np.asarray(self.vector, dtype=np.float16).astype(np.float32)
        if vector.ndim != 1 or not np.isfinite(vector).all() or not vector.any():
            raise RequestError("The anchor is no finite vector: search the library again.")
        object.__setattr__(self, "vector", vector)


class FindAnchor(Protocol):
    """Finds the anchor of a voice.

    encoder: SHA-256 of the encoder whose embeddings it compares; tower: of the network whose embeddings its anchors
    are the mean of, that encoder again or CLAP's audio tower.
    """

    encoder: str
    tower: str

    def __call__(self, embedding: np.ndarray) -> Anchor:
        """The anchor of an embedding, float32 `[960]` at unit length."""
        ...


def check_anchor(anchor: Anchor | FindAnchor | None, header: PresetHeader) -> None:
    """Raise RequestError where a preset can make no condition of an anchor, found or still to be found."""
    if anchor is None:
        return
    from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
    from vocaldm_live.model.encoder import EMBEDDING_SIZE

    parts = header.parts
    widths, towers = [], []
    if parts.encoder is not None and parts.adapter is not None:
        widths.append(EMBEDDING_SIZE)
        towers.append(parts.encoder.sha256)
    if isinstance(parts.unet, AudioLDMUNetPart):
        widths += [parts.unet.width] if parts.unet.width else []
        towers += [parts.clap_audio.sha256] if parts.clap_audio is not None else []
    if isinstance(anchor, Anchor):
        if len(anchor.vector) not in widths:
            wanted = " or ".join(str(width) for width in widths)
            raise RequestError(
                f"The anchor has {len(anchor.vector)} numbers where the preset {header.name} takes {wanted}: give the "
                "clip's own recipe and preset."
            )
    elif not towers:
        raise RequestError(
            f"The preset {header.name} hears no sounds, so a library is nothing to it: import a .ckpt that has CLAP's "
            "audio tower, or with --qvim and --adapter."
        )
    elif anchor.tower not in towers:
        raise RequestError("The library was indexed with another encoder than the preset's: build it again.")
