"""Ears: what libraries are heard by: a preset's encoder, and CLAP's audio tower of one that has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vocaldm_live.errors import PresetError
from vocaldm_live.sound.audio import Sound

if TYPE_CHECKING:
    import torch

    from vocaldm_live.checkpoints.preset import Preset

SPACE = "qvim"


def encoder_hash(preset: Preset) -> str:
    """The SHA-256 of the encoder's weights: what vectors may be compared with one another; raises PresetError."""
    encoder = preset.header.parts.encoder
    if encoder is None:
        raise PresetError(f"The preset {preset.name} has no encoder: name one that has, as house.")
    return encoder.sha256


def clap_space(preset: Preset) -> tuple[str, str] | None:
    """The space of an AudioLDM preset's CLAP audio tower and the SHA-256 of its weights; None where it has none.

    Each tower has a space of its own, for a user may have models that were trained with different ones.
    """
    parts = preset.header.parts
    if parts.clap_audio is None or parts.unet.kind != "audioldm":
        return None
    return f"clap-{parts.clap_audio.sha256[:12]}", parts.clap_audio.sha256


class EncoderEars:
    """The encoder of a preset, loaded without the rest of it; raises PresetError."""

    name = SPACE

    def __init__(self, preset: Preset, device: torch.device | str = "cpu") -> None:
        import torch

        from vocaldm_live.checkpoints.preset import load_encoder
        from vocaldm_live.model.embedder import Embedder
        from vocaldm_live.model.encoder import EMBEDDING_SIZE

        encoder = load_encoder(preset, device)
        for parameter in encoder.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self.sha256 = encoder_hash(preset)
        self.width = EMBEDDING_SIZE
        self._embedder = Embedder(encoder, device)

    def __call__(self, sound: Sound) -> np.ndarray:
        """A sound's unit vector, float32 `[960]`."""
        return self._embedder.vector(sound, False)

    def imitation(self, sound: Sound) -> np.ndarray:
        """A voice's unit vector, float32 `[960]`."""
        return self._embedder.vector(sound, True)


class ClapEars:
    """The CLAP audio tower of a preset, loaded without the rest of it, in float32; raises PresetError."""

    def __init__(self, preset: Preset, device: torch.device | str = "cpu") -> None:
        from vocaldm_live.checkpoints.preset import load_part
        from vocaldm_live.model.adapter import CONDITION_SIZE

        space = clap_space(preset)
        if space is None:
            raise PresetError(
                f"The preset {preset.name} has no CLAP audio tower: import a .ckpt that has it."
            )
        self.name, self.sha256 = space
        self.width = CONDITION_SIZE
        self._device = device
        self._tower = load_part(preset, "clap_audio", device).float()

    def __call__(self, sound: Sound) -> np.ndarray:
        """A sound's unit vector, float32 `[512]`."""
        import torch

        from vocaldm_live.model.clap_audio import ClapAudio, listened

        assert isinstance(self._tower, ClapAudio)
        with torch.inference_mode():
            return listened(self._tower, sound, self._device)[0].cpu().numpy()
