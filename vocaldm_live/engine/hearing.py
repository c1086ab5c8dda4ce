"""Hearing: from an imitation to what the denoiser is told: the vector (what) and the sketch (how it moves)."""

from __future__ import annotations

import time
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.preset import Modules
from vocaldm_live.engine.anchor import Anchor
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.model.adapter import blend
from vocaldm_live.model.embedder import Embedder
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.sketch import HOP, LOUDNESS_FLOOR, SKETCH_RATE, Sketch, loosened, measure_sketch

TAIL_SLOPE_DB = -3.0


class Hearing:
    """Encodes sounds with one preset's towers on one device."""

    def __init__(self, modules: Modules, device: torch.device) -> None:
        self.modules = modules
        self.device = device

    @cached_property
    def embedder(self) -> Embedder:
        """The encoder, ready to be asked; raises RequestError where the preset has none."""
        return Embedder(self.modules.encoder, self.device)

    @property
    def searcher(self) -> Embedder:
        """The encoder whose embeddings libraries are searched by."""
        return self.embedder

    def null(self, request: ResolvedRequest, count: int) -> Tensor:
        """What guidance leans from, `[count, 512]`: the learned null."""
        return self.modules.adapter.null_condition(count)

    def likeness(self, request: ResolvedRequest, sound: Sound) -> float:
        """Cosine between a clip and what was asked for, by the encoder: the example, or the voice."""
        if request.like is not None and request.like_weight > 0.5:
            wanted = self.embed(request.like, False)
        else:
            wanted = self.embed(request.voice, True)
        return float((wanted * self.embed(sound, False)).sum())

    def embed(self, sound: Sound, is_imitation: bool) -> Tensor:
        """Unit embedding `[1, 960]` of the first ten seconds, by the imitation's or the reference's tower."""
        return self.embedder.embed(sound, is_imitation)

    def heard(self, sound: Sound, is_voice: bool) -> Tensor:
        """What a sound is, `[1, 512]`, heard as a voice or as an example."""
        return self.modules.adapter(self.embed(sound, is_voice))

    def told(self, request: ResolvedRequest, vector: Tensor) -> Tensor:
        """A condition `[1, 512]` with the request's words blended in, where the preset understands any."""
        return vector

    def vector(self, request: ResolvedRequest) -> tuple[Tensor, Anchor | None]:
        """The condition `[1, 512]`: voice, example, a library's anchor, a blend, or the learned null.

        And the anchor that was found where one stands in for the voice.
        """
        adapter, weight = self.modules.adapter, request.like_weight
        if request.unconditional:
            return adapter.null_condition(1), None
        anchor: Anchor | None = None
        voice: Tensor | None = None
        if weight < 1.0 or callable(request.anchor) or (request.like is None and request.anchor is None):
            voice = self.embed(request.voice, request.hears_voice)
        if weight > 0.0 and request.anchor is not None:
            if isinstance(request.anchor, Anchor):
                anchor = request.anchor
            else:
                assert voice is not None
                anchor = request.anchor(voice[0].float().cpu().numpy())
            other = torch.from_numpy(anchor.vector)[None].to(self.device)
        elif weight > 0.0 and request.like is not None:
            other = self.embed(request.like, False)
        else:
            assert voice is not None
            return adapter(voice), None
        if weight == 1.0:
            return adapter(other), anchor
        assert voice is not None
        return blend(adapter(voice), adapter(other), weight), anchor

    def sketch(self, request: ResolvedRequest) -> tuple[Sketch, float]:
        """The imitation's sketch, levelled, as long as the clip, and the gain in dB that levelled it.

        A `duration` other than the imitation's stretches the gesture; the tail decays by 3 dB a frame.
        """
        sketch, gain = measure_sketch(request.voice.samples, request.voice.sample_rate).levelled()
        if request.duration is not None:
            sketch = sketch.stretched(max(1, round(request.duration * SKETCH_RATE / HOP)))
        body = sketch.frames
        frames = max(body, round(request.seconds * SKETCH_RATE / HOP))
        sketch = sketch.fitted(frames)
        if frames > body:
            fall = sketch.loudness[body - 1] + TAIL_SLOPE_DB * np.arange(1, frames - body + 1)
            loudness = sketch.loudness.copy()
            loudness[body:] = np.maximum(fall, LOUDNESS_FLOOR)
            sketch = Sketch(loudness.astype(np.float32), sketch.centroid, sketch.pitch, sketch.salience)
        return sketch, gain

    def timed_sketch(self, request: ResolvedRequest) -> tuple[Sketch, float, float]:
        """`sketch` and the seconds it took."""
        begun = time.perf_counter()
        sketch, gain = self.sketch(request)
        return sketch, gain, time.perf_counter() - begun

    def image(self, sketch: Sketch, follow: float) -> Tensor:
        """The sketch image `[1, channels, T / 4, bins]` scaled by `follow`; zeros where it is 0."""
        geometry = self.modules.geometry
        frames = -(-sketch.frames // geometry.factor) * geometry.factor
        curves = torch.from_numpy(loosened(sketch, follow).fitted(frames).array())[None].to(self.device)
        return draw_sketch(curves, geometry) * follow
