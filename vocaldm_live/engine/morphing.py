"""Morphing: what lies between two sounds, or between the clips of two imitations."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vocaldm_live.engine.canvas import edit_of, measured
from vocaldm_live.engine.curves import between
from vocaldm_live.engine.request import Clip, ResolvedRequest
from vocaldm_live.engine.scale import Scale, scale_of
from vocaldm_live.errors import RequestError
from vocaldm_live.model.adapter import blend
from vocaldm_live.model.inversion import inversion_path, invert, slerp
from vocaldm_live.model.samplers import SAMPLERS, SeededNoise
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.sketch import HOP, SKETCH_RATE, Sketch

if TYPE_CHECKING:
    from vocaldm_live.engine.editing import Editor, Tell


def morphed(
    editor: Editor, request: ResolvedRequest, tell: Tell, cancelled: Callable[[], bool] | None
) -> Clip:
    """The clip between `source` (weight 0) and `other` (weight 1), as long as lies between their lengths.

    Sounds are stretched to that length as mels, inverted to the noises that lead to them, each under its own
    vector and curves, and what lies between noises, vectors and curves is sampled. Of two voices the clips
    share their seed's noise, and what lies between vectors and curves is sampled.
    """
    from vocaldm_live.engine.editing import MULTIPLE, WINDOW, stop_if, times

    edit, geometry = edit_of(request), editor.modules.geometry
    source, other = request.source, request.other
    assert source is not None and other is not None
    begun = time.perf_counter()
    tell("encode", 0, 1)
    length = round(request.seconds * geometry.sample_rate)
    frames = geometry.latent_frames(length)
    padded = -(-frames // MULTIPLE) * MULTIPLE
    if padded * geometry.factor > 4 * WINDOW:
        raise RequestError(
            f"A morph of {request.seconds:.0f} s is too long: cut both sounds so that it lasts "
            f"{4 * WINDOW * geometry.hop / geometry.sample_rate:.0f} s or less."
        )
    curve_frames = max(1, round(request.seconds * SKETCH_RATE / HOP))
    (one, level_a), (two, level_b) = measured(source), measured(other)
    sketches = one.stretched(curve_frames), two.stretched(curve_frames)
    vectors = [editor.hearing.heard(sound, edit.voice) for sound in (source, other)]

    def image(sketch: Sketch) -> Tensor:
        return editor.hearing.image(sketch.fitted(padded * geometry.factor), request.follow)

    seeded = SeededNoise([request.seed], device=editor.device)
    noise = seeded.initial(geometry.latent_channels, padded, geometry.latent_bins)
    schedule = editor.modules.schedule
    path = schedule.spaced(request.steps, editor.leading)
    scales = [Scale(), Scale()]
    encoded = time.perf_counter()
    done, steps = 0, len(path)
    if not edit.voice:
        path = inversion_path(schedule, schedule.spaced_steps(request.steps, editor.leading))
        scales = [scale_of(sound.samples, editor.trained) for sound in (source, other)]
        steps = 2 * (len(path) - 1) + len(path)
        noises = []
        for sound, scale, sketch, vector in zip((source, other), scales, sketches, vectors, strict=True):
            mel = stretched_mel(
                editor.mel(sound.at(geometry.sample_rate).samples, scale),
                geometry.latent_frames(round(sound.seconds * geometry.sample_rate)) * geometry.factor,
                frames * geometry.factor,
            )
            mel = torch.nn.functional.pad(mel, (0, padded * geometry.factor - mel.shape[2]), mode="replicate")
            denoise = editor.leaning(request, Condition(vector, image(sketch)))
            known = editor.modules.vae.encode(mel)
            reached = done

            def inverted(step: int, _: int, reached: int = reached) -> None:
                tell("sample", reached + step, steps)

            noises.append(invert(denoise, known, noise, path, None, callback=inverted, cancelled=cancelled))
            done += len(path) - 1
        noise = slerp(noises[0], noises[1], edit.weight)
    vector = blend(vectors[0], vectors[1], edit.weight)
    if request.like is not None:
        vector = blend(vector, editor.hearing.heard(request.like, False), request.like_weight)
    vector = editor.hearing.told(request, vector)
    condition = Condition(vector, image(between(*sketches, edit.weight)))
    latent = SAMPLERS[request.sampler](
        editor.leaning(request, condition),
        noise.contiguous(memory_format=torch.channels_last),
        schedule,
        path,
        eta=request.eta if edit.voice else 0.0,
        noise_source=seeded,
        callback=lambda index, total, x_0: tell("sample", done + index + 1, steps),
        cancelled=cancelled,
    )
    sampled = time.perf_counter()
    stop_if(cancelled, "before decoding")
    parts = editor.decode_steps(frames * geometry.factor)
    tell("decode", 0, parts)
    mel = editor.modules.vae.decode(latent[:, :, :frames])
    tell("decode", 1, parts)
    scale = scales[0].between(scales[1], edit.weight)
    samples = scale.back(editor.render(mel, request.seed, length, tell, cancelled))
    level_db = (1.0 - edit.weight) * level_a + edit.weight * level_b
    timings = times(begun, encoded, sampled, time.perf_counter())
    # What lies between two sounds is theirs; a library has no say.
    return Clip(samples, geometry.sample_rate, replace(request, anchor=None), timings, level_db)


def stretched_mel(mel: Tensor, body: int, frames: int) -> Tensor:
    """The first `body` frames of a log-mel `[1, bands, ...]`, slower or faster, `frames` long."""
    mel = mel[:, :, :body]
    if mel.shape[2] == frames:
        return mel
    return torch.nn.functional.interpolate(mel, size=frames, mode="linear", align_corners=False)
