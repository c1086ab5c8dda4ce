"""Encoder: sounds are told by the base's encoder and adapter, so that the model is led by voices from the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard
from training.data.collection import Item
from training.data.features import REFERENCE
from training.errors import DataError, RecipeError
from vocaldm_live.checkpoints.weights import read_tensors
from vocaldm_live.model.audioldm import AudioLDMUNet

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded

PARTS = ("encoder", "adapter")


class EncoderConditioner:
    """A unit vector of 512 numbers: what the base's adapter makes of its encoder's reference tower.

    Both stay as they are. The null is the base's own.
    """

    name = "encoder"
    sounds: tuple[str, ...] = (REFERENCE,)

    def __init__(self, base: Base) -> None:
        self.base = base
        self.adapter: Any = base.networks["adapter"]
        self.unet: Mapping[str, int] = {}
        unet = base.networks.get("unet")
        own: Any = unet if isinstance(unet, AudioLDMUNet) else self.adapter
        self.null = own.null_condition(1)[0].detach().clone().float().cpu()

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Nothing: embeddings are kept with the latents. Raises DataError for mel images, which nobody hears."""
        if encoded is None:
            raise DataError("An encoder hears sounds, and these are mel images: name another conditioner.")

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """`[512]`."""
        assert encoded is not None
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            return self.adapter(encoded.vector(at, REFERENCE)[None])[0].clone()

    def heard(self) -> Heard:
        """The base's encoder and adapter."""
        preset = self.base.preset
        plain = preset.header.parts.model_dump(mode="json", exclude_none=True)
        there = preset.header.parts.with_weights()
        states = {name: read_tensors(preset.folder / there[name].file, there[name].sha256) for name in PARTS}
        return Heard({name: plain[name] for name in PARTS}, states)


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """Encoder and adapter of the base; raises RecipeError where it lacks one."""
    if base is None or not set(PARTS) <= set(base.networks):
        raise RecipeError(
            "The conditioner encoder needs a base with encoder and adapter, as the preset house."
        )
    return EncoderConditioner(base)
