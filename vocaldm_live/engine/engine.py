"""Engine: one preset, loaded once and kept warm, that turns requests into clips one by one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
from vocaldm_live.checkpoints.preset import Preset, load_modules
from vocaldm_live.checkpoints.vocoder_parts import GriffinLimPart
from vocaldm_live.checkpoints.vocoders import GRIFFIN_LIM_ITERATIONS
from vocaldm_live.engine.batch import Heard, batch_key, conditions, padded_frames, same_but_seed
from vocaldm_live.engine.canvas import clip_rate
from vocaldm_live.engine.clap_hearing import ClapHearing
from vocaldm_live.engine.device import choose_device, lay_out
from vocaldm_live.engine.editing import Editor
from vocaldm_live.engine.hearing import Hearing
from vocaldm_live.engine.request import Clip, Progress, Request, ResolvedRequest, resolve
from vocaldm_live.engine.streaming import segment_plan, stream_network, stream_vocoder
from vocaldm_live.errors import RequestError
from vocaldm_live.model.denoise import denoise_from
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.samplers import SAMPLERS, Cancelled, SeededNoise
from vocaldm_live.model.schedule import Trajectory
from vocaldm_live.model.unet import Condition
from vocaldm_live.model.vocoder import Vocoder, draw_noise, griffin_lim
from vocaldm_live.sound.audio import Sound, check_imitation
from vocaldm_live.sound.mel import log_mel

WARM_STEPS = 4

# Hears (first sample, samples, samples of the whole clip) of a clip that is being decoded.
Listener = Callable[[int, np.ndarray, int], None]

__all__ = ["Cancelled", "Engine", "choose_device"]


class Engine:
    """A loaded preset on a device. Requests are served one at a time; any thread may ask."""

    def __init__(self, preset: Preset, device: str = "auto") -> None:
        self.preset = preset
        self.device = choose_device(device)
        self.modules = load_modules(preset, self.device)
        lay_out(self.modules, preset, self.device)
        parts = preset.header.parts
        if isinstance(parts.unet, AudioLDMUNetPart):
            self._hearing: Hearing = ClapHearing(preset, self.modules, self.device)
        else:
            self._hearing = Hearing(self.modules, self.device)
        self._denoise = denoise_from(self.modules.unet, self.modules.schedule, parts.unet.prediction)
        self._lock = threading.Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="sketch")
        self._editor = Editor(
            self.modules, self._hearing, self._denoise, preset.header, self._vocode, self.device
        )

    def warm(self, seconds: float = 3.0) -> float:
        """Run once over a made-up gesture, so that the first request is as fast as the tenth; returns seconds taken."""
        begun = time.perf_counter()
        times = np.arange(int(seconds * 48000)) / 48000.0
        tone = (0.3 * np.sin(2 * np.pi * 220.0 * times) * np.exp(-times)).astype(np.float32)
        # Unconditional, so that a preset which hears words alone can be warmed too.
        unheard = self.modules.house_encoder is None
        steps = min(WARM_STEPS, int(self.preset.header.parameters.steps.default))
        self.generate(Request(Sound(tone, 48000), "warm-up", steps=steps, unconditional=unheard))
        return time.perf_counter() - begun

    def generate(
        self,
        request: Request,
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        audio: Listener | None = None,
    ) -> Clip:
        """Make the clip of a request.

        `audio(first_sample, samples, total_samples)` hears the clip while it is being decoded: float32 `[n]`
        pieces in order that together are exactly the clip's samples, which are the same when nobody
        listens. What publishing does to them (fades at the ends, the clip guard) comes later.
        Raises RequestError or SoundError for what cannot be done, memory that ran out included, and
        Cancelled within one step, or one decoded segment, of `cancelled` turning true; the engine goes on
        after either.
        """
        hears = None if audio is None else lambda first, rows, total: audio(first, rows[0], total)
        return self._serve([request], progress, cancelled, hears)[0]

    def generate_batch(
        self,
        requests: Sequence[Request],
        progress: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Clip]:
        """Make the clips of requests in one batch: variations of one, or different ones with the same `batch_key`.

        Each is the clip that it would be alone, to rounding. Raises RequestError where they can't share a batch.
        """
        return self._serve(requests, progress, cancelled, None)

    def _serve(
        self,
        requests: Sequence[Request],
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        audio: Listener | None,
    ) -> list[Clip]:
        resolved = [resolve(request, self.preset.header) for request in requests]
        if not resolved:
            return []
        first = resolved[0]
        key = batch_key(first, self.modules.geometry)
        for other in resolved[1:]:
            fits = (
                same_but_seed(other, first) if key is None else batch_key(other, self.modules.geometry) == key
            )
            if not fits:
                raise RequestError(
                    "Requests of one batch share steps, guidance, sampler, eta and length: send the others by "
                    "themselves."
                )
        for one in resolved:
            if one.imitation is not None and one.hears_voice:
                check_imitation(one.imitation, one.name)
            if one.like is not None:
                check_imitation(one.like, "the example sound")
        with self._lock:
            try:
                if first.edit is not None:
                    return [self._edited(one, progress, cancelled, audio) for one in resolved]
                return self._make(resolved, progress, cancelled, audio)
            except (torch.OutOfMemoryError, MemoryError) as error:
                self._free_memory()
                raise RequestError(
                    f"Memory ran out for {first.seconds:.1f} s x {len(resolved)}: "
                    "ask for a shorter duration or fewer variations."
                ) from error

    def embedding(self, sound: Sound, is_voice: bool = True) -> np.ndarray:
        """A sound's unit vector, float32 `[960]`, as libraries are searched by; any thread may ask."""
        return self._hearing.searcher.vector(sound, is_voice)

    def rate_of(self, request: Request) -> int:
        """The sample rate in Hz of a request's clip."""
        return clip_rate(request.edit, request.source, self.modules.geometry.sample_rate)

    def condition(self, request: ResolvedRequest) -> tuple[Tensor, Tensor]:
        """What a request is heard as and what guidance leans from, each `[1, 512]`."""
        return self._hearing.vector(request)[0], self._hearing.null(request, 1)

    def likeness(self, clip: Clip) -> float:
        """How near a clip is to what was asked for, as the preset hears it: a cosine, for ranking candidates."""
        with self._lock, torch.inference_mode():
            return self._hearing.likeness(clip.request, Sound(clip.samples, clip.sample_rate))

    def resynthesise(self, sound: Sound) -> np.ndarray:
        """A sound through VAE and vocoder alone, float32 at the geometry's rate: the best that any clip could be."""
        geometry = self.modules.geometry
        samples = sound.at(geometry.sample_rate).samples
        block = geometry.hop * geometry.factor
        padded = np.pad(samples, (0, -len(samples) % block))
        with self._lock, torch.inference_mode():
            mel = log_mel(torch.from_numpy(padded)[None].to(self.device), geometry)
            latent = self.modules.vae.encode(mel)
            pieces = list(self._vocode(self.modules.vae.decode(latent), [0]))
            return torch.cat(pieces, dim=1)[0, : len(samples)].cpu().numpy()

    def _make(
        self,
        resolved: Sequence[ResolvedRequest],
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        audio: Listener | None,
    ) -> list[Clip]:
        request = resolved[0]
        geometry = self.modules.geometry
        lengths = [round(one.seconds * geometry.sample_rate) for one in resolved]

        def tell(stage: str, step: int, steps: int) -> None:
            if progress is not None:
                progress(Progress(request.id, stage, step, steps))

        clock = [time.perf_counter()]
        with torch.inference_mode():
            tell("encode", 0, 1)
            heard = self._hear(resolved)
            self._settle()
            clock.append(time.perf_counter())
            tell("sample", 0, request.steps)
            frames = padded_frames(request, geometry)
            latent = self._sample(resolved, *conditions(heard), frames, tell, cancelled)
            self._settle()
            clock.append(time.perf_counter())
            _stop_if(cancelled, "before decoding")
            samples, vae_seconds = self._decode(latent, resolved, lengths, tell, cancelled, audio)
            clock.append(time.perf_counter())
        encode, sample, decode = (
            1000.0 * (end - begin) for begin, end in zip(clock, clock[1:], strict=False)
        )
        timings = {
            "encode": encode,
            "sample": sample,
            "decode": decode,
            "sketch": 1000.0 * sum(one.sketch_seconds for one in dict.fromkeys(heard)),
            "embed": 1000.0 * sum(one.embed_seconds for one in dict.fromkeys(heard)),
            "vae": 1000.0 * vae_seconds,
            "vocode": decode - 1000.0 * vae_seconds,
        }
        return [
            Clip(row, geometry.sample_rate, replace(one, anchor=told.anchor), dict(timings), told.level_db)
            for row, one, told in zip(samples, resolved, heard, strict=True)
        ]

    def _hear(self, resolved: Sequence[ResolvedRequest]) -> list[Heard]:
        """What each request is heard as; variations of one are heard once."""
        heard: list[Heard] = []
        factor = self.modules.geometry.factor
        for number, request in enumerate(resolved):
            if number and same_but_seed(request, resolved[number - 1]):
                heard.append(heard[-1])
                continue
            begun = time.perf_counter()
            # The sketch is numpy and one thread: it is measured beside the embedding.
            measured = self._beside.submit(self._hearing.timed_sketch, request)
            condition, anchor = self._hearing.vector(request)
            embed_seconds = time.perf_counter() - begun
            sketch, level_db, sketch_seconds = measured.result()
            fitted = sketch.fitted(padded_frames(request, self.modules.geometry) * factor)
            image = self._hearing.image(fitted, request.follow)
            null, spent = self._hearing.null(request, 1), (embed_seconds, sketch_seconds)
            heard.append(Heard(condition, null, image, anchor, level_db, *spent))
        return heard

    def _decode(
        self,
        latent: Tensor,
        resolved: Sequence[ResolvedRequest],
        lengths: Sequence[int],
        tell: Callable[[str, int, int], None],
        cancelled: Callable[[], bool] | None,
        audio: Listener | None,
    ) -> tuple[list[np.ndarray], float]:
        """Each clip's samples, and the s that the VAE took; rows of as many frames are decoded together."""
        geometry = self.modules.geometry
        frames = [geometry.latent_frames(length) for length in lengths]
        groups = [[row for row, own in enumerate(frames) if own == one] for one in dict.fromkeys(frames)]
        steps = sum(self._decode_steps(frames[group[0]] * geometry.factor) for group in groups)
        samples = [np.empty(length, dtype=np.float32) for length in lengths]
        step, vae_seconds = 0, 0.0
        tell("decode", 0, steps)
        for group in groups:
            begun = time.perf_counter()
            chosen = latent if len(groups) == 1 else latent[group]
            mel = self.modules.vae.decode(chosen[:, :, : frames[group[0]]])
            self._settle()
            vae_seconds += time.perf_counter() - begun
            step += 1
            tell("decode", step, steps)
            heard = 0
            for piece in self._vocode(mel, [resolved[row].seed for row in group]):
                step += 1
                pieces = piece.float().cpu().numpy()
                for row, own in zip(group, pieces, strict=True):
                    samples[row][heard : heard + len(own)] = own[: max(0, lengths[row] - heard)]
                if audio is not None and heard < lengths[group[0]]:
                    audio(heard, pieces[:, : lengths[group[0]] - heard], lengths[group[0]])
                heard += pieces.shape[1]
                tell("decode", step, steps)
                _stop_if(cancelled if step < steps else None, "while it was decoded")
        return samples, vae_seconds

    def _edited(
        self,
        request: ResolvedRequest,
        progress: Callable[[Progress], None] | None,
        cancelled: Callable[[], bool] | None,
        audio: Listener | None,
    ) -> Clip:
        """The clip of an edit; it is heard in one piece, for what is kept is put in at the end."""

        def tell(stage: str, step: int, steps: int) -> None:
            if progress is not None:
                progress(Progress(request.id, stage, step, steps))

        with torch.inference_mode():
            clip = self._editor.edit(request, tell, cancelled)
        if audio is not None:
            audio(0, clip.samples[None], len(clip.samples))
        return clip

    def _sample(
        self,
        resolved: Sequence[ResolvedRequest],
        condition: Condition,
        null: Condition,
        frames: int,
        tell: Callable[[str, int, int], None],
        cancelled: Callable[[], bool] | None,
    ) -> Tensor:
        request = resolved[0]
        geometry, parameters = self.modules.geometry, self.preset.header.parameters
        low, high = parameters.guidance_interval
        lean = guided(
            self._denoise,
            condition,
            null,
            request.guidance,
            (float(low), float(high)),
            parameters.guidance_rescale,
        )
        noise = SeededNoise([one.seed for one in resolved], device=self.device)
        return SAMPLERS[request.sampler](
            lean,
            noise.initial(geometry.latent_channels, frames, geometry.latent_bins).contiguous(
                memory_format=torch.channels_last
            ),
            self.modules.schedule,
            self._path(request.steps),
            eta=request.eta,
            noise_source=noise,
            callback=lambda index, total, x_0: tell("sample", index + 1, total),
            cancelled=cancelled,
        )

    def _path(self, steps: int) -> Trajectory:
        """The timesteps: trailing ones, or where the preset's model was sampled so, leading ones."""
        return self.modules.schedule.spaced(steps, self._editor.leading)

    def _decode_steps(self, frames: int) -> int:
        """Steps of decoding that are told: the VAE's, and one for each piece of `_vocode`."""
        return 1 + (1 if self.modules.vocoder is None else len(segment_plan(frames)))

    def _vocode(self, mel: Tensor, seeds: Sequence[int]) -> Iterator[Tensor]:
        """Log-mel `[batch, bands, frames]` to samples, piece by piece; what is drawn comes from each clip's own seed."""
        geometry = self.modules.geometry
        vocoder, part = self.modules.vocoder, (self.preset.vocoder or self.preset.own_vocoder).part
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        if vocoder is None:
            turns = part.iterations if isinstance(part, GriffinLimPart) else GRIFFIN_LIM_ITERATIONS
            rows = zip(mel, generators, strict=True)
            yield torch.cat([griffin_lim(row[None], geometry, turns, generator=g) for row, g in rows])
            return
        if not isinstance(vocoder, Vocoder):
            yield from stream_network(vocoder, mel)
            return
        noise = torch.cat([draw_noise(1, mel.shape[2], geometry, generator) for generator in generators])
        yield from stream_vocoder(vocoder, mel, noise.to(mel.device))

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _free_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _stop_if(cancelled: Callable[[], bool] | None, when: str) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled(f"The request was cancelled {when}.")
