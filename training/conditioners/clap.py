"""CLAP: sounds are told by CLAP's embedding of themselves or of their words, as AudioLDM's are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard, words_of
from training.data.collection import Item
from training.data.features import CLAP
from training.errors import DataError, RecipeError
from vocaldm_live.checkpoints.audioldm_parts import ClapTextPart
from vocaldm_live.checkpoints.preset import read_text
from vocaldm_live.engine.saying import said
from vocaldm_live.model.audioldm import AudioLDMUNet

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded

PARTS = ("clap_text", "clap_audio", "encoder", "adapter")


class ClapConditioner:
    """A unit vector of 512 numbers: of one of a sound's texts, by a stated share, or of the sound.

    Both towers are the base's and stay as they are, in float32. The null is CLAP of the empty text.
    """

    name = "clap"

    def __init__(self, base: Base, text_share: float, null: Tensor) -> None:
        parts = base.preset.header.parts
        self.base = base
        self.text_share = text_share if parts.clap_text is not None else 0.0
        self.sounds: tuple[str, ...] = (CLAP,) if parts.clap_audio is not None else ()
        self.unet: Mapping[str, int] = {}
        self.null = null
        self.texts: dict[str, Tensor] = {}

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Embed every text once."""
        part = self.base.preset.header.parts.clap_text
        tower = self.base.networks.get("clap_text")
        for item in items:
            words = words_of(item)
            if not words and not self.sounds:
                raise DataError(
                    f"{item.key} has neither caption nor label, and the base has no CLAP audio tower to hear it by: "
                    "take it out, or another base."
                )
            for text in words if part is not None and tower is not None else ():
                plain = " ".join(text.split())
                if plain not in self.texts:
                    self.texts[plain] = self._said(part, tower, plain)  # type: ignore[arg-type]

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """`[512]`; the share is drawn first, then the text."""
        words = words_of(item)
        share = float(rng.random())
        if words and self.texts and (share < self.text_share or not self.sounds):
            return self.texts[" ".join(words[int(rng.integers(len(words)))].split())]
        if encoded is None:
            raise DataError("CLAP hears sounds, and these are mel images: name another conditioner.")
        return encoded.clap(at)

    def heard(self) -> Heard:
        """The base's towers, its tokenizer, and where it has one its adapter into CLAP's space."""
        from vocaldm_live.checkpoints.weights import read_tensors

        preset = self.base.preset
        plain = preset.header.parts.model_dump(mode="json", exclude_none=True)
        there = preset.header.parts.with_weights()
        names = [name for name in PARTS if name in there]
        if "adapter" not in names:
            names = [name for name in names if name != "encoder"]
        states = {name: read_tensors(preset.folder / there[name].file, there[name].sha256) for name in names}
        clap = preset.header.parts.clap_text
        files = (clap.vocabulary, clap.merges) if isinstance(clap, ClapTextPart) else ()
        texts = {file.file: read_text(preset, file) for file in files}
        return Heard({name: plain[name] for name in names}, states, texts)

    def _said(self, part: ClapTextPart, tower: nn.Module, text: str) -> Tensor:
        device = next(tower.parameters()).device
        with torch.inference_mode(), torch.autocast(device.type, enabled=False):
            return torch.from_numpy(said(self.base.preset, part, tower, text, device))


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """CLAP of the base; raises RecipeError where it has none, or no null that belongs to it."""
    if base is None or not ({"clap_text", "clap_audio"} & set(base.networks)):
        raise RecipeError(
            "The conditioner clap needs a base with CLAP: import an AudioLDM checkpoint, or name another conditioner."
        )
    unet = base.networks.get("unet")
    if not isinstance(unet, AudioLDMUNet) or unet.null.shape != (512,):
        raise RecipeError(f"The base {base.preset.name} has no null of CLAP's empty text: import it again.")
    for part in ("clap_text", "clap_audio"):
        if part in base.networks:
            base.networks[part].float()
    if "clap_text" in base.networks:
        base.networks["clap_text"].to(device)  # what hears goes where sounds are encoded (data/features.py)
    return ClapConditioner(base, spec.text_share, unet.null.clone().cpu())
