"""CLAP hearing: from voice, example and words to what AudioLDM's denoiser is told: one vector, no sketch."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.preset import Modules, Preset, load_encoder, load_part
from vocaldm_live.checkpoints.searching import searching_preset
from vocaldm_live.engine.anchor import Anchor
from vocaldm_live.engine.hearing import Hearing
from vocaldm_live.engine.remembered import Remembered
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.engine.saying import said
from vocaldm_live.errors import RequestError
from vocaldm_live.model.adapter import blend
from vocaldm_live.model.audioldm import AudioLDMUNet
from vocaldm_live.model.clap_audio import ClapAudio, listened
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.sketch import Sketch


class ClapHearing(Hearing):
    """Hears for an imported AudioLDM. CLAP's towers are loaded when first asked, in float32, and remembered by answer.

    A voice is heard by encoder and adapter where the preset has them, else by CLAP's audio tower; an example by
    CLAP's audio tower where there is one. Libraries are searched by the preset's encoder, or without one by the house's;
    of the sounds that were found the mean of CLAP's embeddings is the condition.
    """

    def __init__(self, preset: Preset, modules: Modules, device: torch.device) -> None:
        super().__init__(modules, device)
        self.preset = preset
        parts = preset.header.parts
        self._text_part, self._audio_part = parts.words, parts.clap_audio
        self._towers: dict[str, torch.nn.Module] = {}
        shape = tuple(self._shape)
        # The same weights say more places to another UNet.
        more = f" {shape[0]} places" if len(shape) > 1 else ""
        self._texts = Remembered(f"said {self._text_part.sha256}{more}" if self._text_part else "")
        self._sounds = Remembered(f"audio {self._audio_part.sha256}" if self._audio_part else "")

    @cached_property
    def _searching(self) -> tuple[Embedder, str]:
        """The encoder that libraries are searched by, and its hash."""
        found = searching_preset(self.preset)
        part = found.header.parts.encoder
        assert part is not None
        own = self.modules.house_encoder
        return Embedder(own or load_encoder(found, self.device), self.device), part.sha256

    @property
    def searcher(self) -> Embedder:
        """The preset's encoder, or without one the house's; raises PresetError where that is not there."""
        return self._searching[0]

    def heard(self, sound: Sound, is_voice: bool) -> Tensor:
        """What a sound is, `[1, 512]`, heard as a voice or as an example."""
        return self._voice(sound) if is_voice else self._example(sound)

    def vector(self, request: ResolvedRequest) -> tuple[Tensor, Anchor | None]:
        """The condition `[1, 512]`: voice and example, blended by `like_weight`, and words, blended in by theirs.

        And the library's anchor where one stands in for the voice.
        """
        words = request.words
        if request.unconditional:
            return self.null(request, 1), None
        if words is not None and words.text and words.weight == 1.0:
            return self.text(words.text), None
        heard, anchor = self._heard(request)
        return self.told(request, heard), anchor

    def told(self, request: ResolvedRequest, vector: Tensor) -> Tensor:
        """A condition `[1, 512]` with the request's words blended in by their weight."""
        words = request.words
        return (
            vector if words is None or not words.text else blend(vector, self.text(words.text), words.weight)
        )

    def null(self, request: ResolvedRequest, count: int) -> Tensor:
        """What guidance leans from `[count, 512]`: the empty text, or the words of what the clip is not."""
        words = request.words
        if words is not None and words.negative:
            return self.text(words.negative).expand(count, *self._shape)
        return self._unet.null_condition(count)

    @property
    def _unet(self) -> AudioLDMUNet:
        unet = self.modules.unet
        assert isinstance(unet, AudioLDMUNet)
        return unet

    @property
    def _shape(self) -> torch.Size:
        """Of one condition: `[512]` in published models."""
        return self._unet.null.shape

    def text(self, text: str) -> Tensor:
        """What a text says, `[1, 512]`: CLAP's embedding of it, or what else the preset understands words by."""
        return self._tensor(
            self._texts.get(" ".join(text.split()), lambda: self._say(" ".join(text.split())))
        )

    def sound(self, sound: Sound) -> Tensor:
        """CLAP's embedding of a sound's first ten seconds, `[1, 512]`; raises RequestError without its tower."""
        if self._audio_part is None:
            raise RequestError(
                f"The preset {self.preset.name} has no CLAP audio tower: import a .ckpt that has it."
            )
        return self._tensor(self._sounds.get(sound.digest(), lambda: self._listen(sound)))

    def likeness(self, request: ResolvedRequest, sound: Sound) -> float:
        """Cosine between a clip and what was asked for: by CLAP, else by the encoder's towers."""
        if self._audio_part is None:
            return super().likeness(request, sound)
        return float((self.vector(request)[0] * self._tensor(self._listen(sound))).sum())

    def image(self, sketch: Sketch, follow: float) -> Tensor:
        """No sketch image: `[1, 0, T / factor, bins]`."""
        geometry = self.modules.geometry
        frames = -(-sketch.frames // geometry.factor)
        return torch.zeros(1, 0, frames, geometry.latent_bins, device=self.device)

    def sketch(self, request: ResolvedRequest) -> tuple[Sketch, float]:
        """Nothing is measured: silence of the clip's length, and no gain."""
        from vocaldm_live.sound.sketch import HOP, LOUDNESS_FLOOR, SKETCH_RATE

        frames = max(1, round(request.seconds * SKETCH_RATE / HOP))
        still = np.zeros(frames, np.float32)
        return Sketch(np.full(frames, LOUDNESS_FLOOR, np.float32), still, still, still), 0.0

    # Inside ---------------------------------------------------------------------------------------------

    def _heard(self, request: ResolvedRequest) -> tuple[Tensor, Anchor | None]:
        if request.anchor is not None and request.like_weight > 0.0:
            return self._anchored(request)
        if request.like is None or request.like_weight == 0.0:
            return self.heard(request.voice, request.hears_voice), None
        example = self._example(request.like)
        if request.like_weight == 1.0:
            return example, None
        own = self.heard(request.voice, request.hears_voice)
        return blend(own, example, request.like_weight), None

    def _anchored(self, request: ResolvedRequest) -> tuple[Tensor, Anchor]:
        """The mean of the nearest sounds' embeddings as a condition, blended with what is heard by `like_weight`."""
        anchor = request.anchor
        if not isinstance(anchor, Anchor):
            assert anchor is not None
            searcher, encoder = self._searching
            if anchor.encoder != encoder:
                raise RequestError(
                    f"The library was indexed with another encoder than the preset {self.preset.name} searches with: "
                    "build it again."
                )
            anchor = anchor(searcher.vector(request.voice, request.hears_voice))
        found = torch.from_numpy(anchor.vector.copy())[None].to(self.device)
        if found.shape[1:] == self._shape:
            found = torch.nn.functional.normalize(found, dim=1)
        else:
            found = self.modules.adapter(found)
        if request.like_weight == 1.0:
            return found, anchor
        own = self.heard(request.voice, request.hears_voice)
        return blend(own, found, request.like_weight), anchor

    def _voice(self, imitation: Sound) -> Tensor:
        if self.modules.any_adapter is None:
            return self.sound(imitation)
        return self.modules.any_adapter(self.embed(imitation, True))

    def _example(self, example: Sound) -> Tensor:
        if self._audio_part is not None:
            return self.sound(example)
        return self.modules.adapter(self.embed(example, False))

    def _say(self, text: str) -> np.ndarray:
        part = self._text_part
        if part is None:
            raise RequestError(f"The preset {self.preset.name} understands no words: leave out the text.")
        name = self.preset.header.parts.words_name
        places = self._shape[0]
        return said(self.preset, part, self._tower(name), text, self.device, places).reshape(-1)

    def _listen(self, sound: Sound) -> np.ndarray:
        tower = self._tower("clap_audio")
        assert isinstance(tower, ClapAudio)
        return listened(tower, sound, self.device)[0].cpu().numpy()

    def _tower(self, name: str) -> torch.nn.Module:
        if name not in self._towers:
            self._towers[name] = load_part(self.preset, name, self.device)
        return self._towers[name]

    def _tensor(self, vector: np.ndarray) -> Tensor:
        return torch.from_numpy(vector.copy()).reshape(1, *self._shape).to(self.device)
