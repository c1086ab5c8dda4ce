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
from vocaldm_live.engine.canvas import clip_rate
from vocaldm_live.engine.clap_hearing import ClapHearing
from vocaldm_live.engine.editing import Editor
from vocaldm_live.engine.hearing import Hearing
from vocaldm_live.engine.request import Clip, Progress, Request, ResolvedRequest, resolve
from vocaldm_live.engine.streaming import segment_plan, stream_network, stream_vocoder
from vocaldm_live.errors import RequestError
from vocaldm_live.model.denoise import denoise_from
from vocaldm_live.model.fast import quicken
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.model.samplers import SAMPLERS, Cancelled, SeededNoise
from vocaldm_live.model.schedule import Trajectory
from vocaldm_live.model.unet import Condition
from vocaldm_live.model.vocoder import Vocoder, draw_noise, griffin_lim
from vocaldm_live.sound.audio import Sound, check_imitation
from vocaldm_live.sound.mel import log_mel

LATENT_MULTIPLE = 8
WARM_STEPS = 4
_SOUNDS = ("imitation", "like", "source", "other", "anchor")

# Hears (first sample, samples, samples of the whole clip) of a clip that is being decoded.
Listener = Callable[[int, np.ndarray, int], None]

__all__ = ["Cancelled", "Engine", "choose_device"]


class Engine:
    """A loaded preset on a device. Requests are served one at a time; any thread may ask."""

    def __init__(self, preset: Preset, device: str = "auto") -> None:
        self.preset = preset
        self.device = choose_device(device)
        self.modules = load_modules(preset, self.device)
        self._channels_last()
        self._quicken()
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
        """Make the clips of requests that differ in their seeds alone, in one batch (variations)."""
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
        if not all(_same(other, first) for other in resolved[1:]):
            raise RequestError(
                "Requests of one batch may differ in their seeds only: send the others by themselves."
            )
        if first.imitation is not None and (first.edit is None or first.edit.voice):
            check_imitation(first.imitation, first.name)
        if first.like is not None:
            check_imitation(first.like, "the example sound")
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

    def embedding(self, imitation: Sound) -> np.ndarray:
        """An imitation's unit vector, float32 `[960]`, as libraries are searched by; any thread may ask."""
        return self._hearing.searcher.vector(imitation, True)

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
        count = len(resolved)
        geometry = self.modules.geometry

        def tell(stage: str, step: int, steps: int) -> None:
            if progress is not None:
                progress(Progress(request.id, stage, step, steps))

        begun = time.perf_counter()
        with torch.inference_mode():
            tell("encode", 0, 1)
            # The sketch is numpy and one thread: it is measured beside the embedding.
            measured = self._beside.submit(self._hearing.timed_sketch, request)
            condition, anchor = self._hearing.vector(request)
            vector = condition.expand(count, *condition.shape[1:])
            embedded = time.perf_counter()
            sketch, level_db, sketch_seconds = measured.result()
            length = round(request.seconds * geometry.sample_rate)
            frames = geometry.latent_frames(length)
            padded = -(-frames // LATENT_MULTIPLE) * LATENT_MULTIPLE
            image = self._hearing.image(sketch.fitted(padded * geometry.factor), request.follow).expand(
                count, -1, -1, -1
            )
            self._settle()
            clock = [time.perf_counter()]
            tell("sample", 0, request.steps)
            latent = self._sample(resolved, Condition(vector, image), padded, tell, cancelled)
            self._settle()
            clock.append(time.perf_counter())
            _stop_if(cancelled, "before decoding")
            steps = self._decode_steps(frames * geometry.factor)
            tell("decode", 0, steps)
            mel = self.modules.vae.decode(latent[:, :, :frames])
            self._settle()
            clock.append(time.perf_counter())
            tell("decode", 1, steps)
            samples = np.empty((count, length), dtype=np.float32)
            heard = 0
            for step, piece in enumerate(self._vocode(mel, [one.seed for one in resolved]), start=2):
                rows = piece[:, : length - heard].float().cpu().numpy()
                samples[:, heard : heard + rows.shape[1]] = rows
                if audio is not None and rows.shape[1]:
                    audio(heard, rows, length)
                heard += rows.shape[1]
                tell("decode", step, steps)
                _stop_if(cancelled if step < steps else None, "while it was decoded")
            clock.append(time.perf_counter())
        spent = {
            name: 1000.0 * (end - begin)
            for name, begin, end in zip(("sample", "vae", "vocode"), clock, clock[1:], strict=False)
        }
        timings = {
            "encode": 1000.0 * (clock[0] - begun),
            "sample": spent["sample"],
            "decode": spent["vae"] + spent["vocode"],
            "sketch": 1000.0 * sketch_seconds,
            "embed": 1000.0 * (embedded - begun),
            "vae": spent["vae"],
            "vocode": spent["vocode"],
        }
        return [
            Clip(
                np.ascontiguousarray(row),
                geometry.sample_rate,
                replace(one, anchor=anchor),
                dict(timings),
                level_db,
            )
            for row, one in zip(samples, resolved, strict=True)
        ]

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
        frames: int,
        tell: Callable[[str, int, int], None],
        cancelled: Callable[[], bool] | None,
    ) -> Tensor:
        request = resolved[0]
        geometry, parameters = self.modules.geometry, self.preset.header.parameters
        null = Condition(self._hearing.null(request, len(resolved)), condition.image)
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

    def _channels_last(self) -> None:
        for module in (self.modules.unet, self.modules.vae, self.modules.house_encoder):
            for parameter in () if module is None else module.parameters():
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)

    def _quicken(self) -> None:
        """On a CPU, networks of a published size get the faster convolutions; the house's are too narrow to gain."""
        if self.device.type != "cpu":
            return
        modules = self.modules
        if isinstance(self.preset.header.parts.unet, AudioLDMUNetPart):
            quicken(modules.unet)
            quicken(modules.vae)
        if isinstance(modules.vocoder, HiFiGAN):
            quicken(modules.vocoder)

    def _settle(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _free_memory(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _stop_if(cancelled: Callable[[], bool] | None, when: str) -> None:
    if cancelled is not None and cancelled():
        raise Cancelled(f"The request was cancelled {when}.")


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; auto takes CUDA, then MPS, then the CPU. RequestError where it is not there."""
    has_cuda = torch.cuda.is_available()
    has_mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if has_cuda else "mps" if has_mps else "cpu")
    if name not in ("cpu", "cuda", "mps"):
        raise RequestError(f"device is {name!r}: choose auto, cpu, cuda or mps.")
    if (name == "cuda" and not has_cuda) or (name == "mps" and not has_mps):
        raise RequestError(f"device {name} is not available here: choose auto or cpu.")
    return torch.device(name)


def _same(one: ResolvedRequest, other: ResolvedRequest) -> bool:
    """Whether two requests differ in their seeds alone; sounds are compared by identity."""
    keys = [key for key in vars(one) if key not in (*_SOUNDS, "seed", "id", "name")]
    return all(getattr(one, key) is getattr(other, key) for key in _SOUNDS) and all(
        getattr(one, key) == getattr(other, key) for key in keys
    )
