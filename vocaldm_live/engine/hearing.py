"""Hearing: from an imitation to what the denoiser is told: the vector (what) and the sketch (how it moves)."""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.preset import Modules
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.model.adapter import blend
from vocaldm_live.model.encoder import normalise
from vocaldm_live.model.encoder_mel import SAMPLE_RATE as ENCODER_RATE
from vocaldm_live.model.encoder_mel import EncoderMel
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.sketch import HOP, LOUDNESS_FLOOR, SKETCH_RATE, Sketch, loosened, measure_sketch

ENCODER_SECONDS = 10.0
SHORTEST_ENCODED = 0.25
TAIL_SLOPE_DB = -3.0


class Hearing:
    """Encodes sounds with one preset's towers on one device."""

    def __init__(self, modules: Modules, device: torch.device) -> None:
        self.modules = modules
        self.device = device
        self.front_end = EncoderMel().to(device)

    def embed(self, sound: Sound, is_imitation: bool) -> Tensor:
        """Unit embedding `[1, 960]` of the first ten seconds, by the imitation's or the reference's tower."""
        samples = sound.at(ENCODER_RATE).samples[: int(ENCODER_SECONDS * ENCODER_RATE)]
        samples = np.pad(samples, (0, max(0, int(SHORTEST_ENCODED * ENCODER_RATE) - len(samples))))
        mel = self.front_end(torch.from_numpy(np.ascontiguousarray(samples))[None].to(self.device))
        encoder = self.modules.encoder
        return normalise(encoder.embed_imitation(mel) if is_imitation else encoder.embed_reference(mel))

    def vector(self, request: ResolvedRequest) -> Tensor:
        """The condition `[1, 512]`: voice, example, a blend of both, or the learned null."""
        adapter = self.modules.adapter
        if request.unconditional:
            return adapter.null_condition(1)
        if request.like is None or request.like_weight == 0.0:
            return adapter(self.embed(request.imitation, request.hears_voice))
        example = adapter(self.embed(request.like, False))
        if request.like_weight == 1.0:
            return example
        own = adapter(self.embed(request.imitation, request.hears_voice))
        return blend(own, example, request.like_weight)

    def sketch(self, request: ResolvedRequest) -> tuple[Sketch, float]:
        """The imitation's sketch, levelled, as long as the clip, and the gain in dB that levelled it.

        A `duration` other than the imitation's stretches the gesture; the tail decays by 3 dB a frame.
        """
        sketch, gain = measure_sketch(request.imitation.samples, request.imitation.sample_rate).levelled()
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
