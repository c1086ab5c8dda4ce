"""Editing: a sound with parts of it made anew; one mask over latent time and frequency serves every kind of edit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.checkpoints.header import PresetHeader
from vocaldm_live.checkpoints.preset import Modules
from vocaldm_live.engine.canvas import Canvas, clip_rate, cropped, edit_of, lay_out, placed
from vocaldm_live.engine.hearing import Hearing
from vocaldm_live.engine.levels import levelled_band, levelled_mel
from vocaldm_live.engine.request import Clip, ResolvedRequest
from vocaldm_live.engine.scale import Scale, Trained
from vocaldm_live.engine.streaming import segment_plan
from vocaldm_live.model.denoise import Denoise
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.masks import Projected, free_bins, known_frames, windows
from vocaldm_live.model.samplers import SAMPLERS, Cancelled, SeededNoise
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.edit import Edit
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.splice import band_replaced, runs, spliced

MULTIPLE = 8
WINDOW = 1024  # mel frames that are sampled at once; in longer sounds one window grows out of another
CONTEXT = 256  # mel frames of what is known in each window: as much as a training example had
JOIN_FRAMES = 4  # mel frames over which the sound's own mel becomes the decoded one

Tell = Callable[[str, int, int], None]
Vocode = Callable[[Tensor, Sequence[int]], Iterator[Tensor]]


@dataclass(frozen=True, eq=False)
class Editor:
    """Edits sounds with one preset's networks; `vocode` turns log-mel and seeds into pieces of samples."""

    modules: Modules
    hearing: Hearing
    denoise: Denoise
    header: PresetHeader
    vocode: Vocode
    device: torch.device

    @property
    def leading(self) -> bool:
        """Whether the model is sampled at leading steps; at trailing ones where it is not."""
        return self.header.schedule.spacing == "leading"

    @property
    def trained(self) -> Trained:
        """The level at which the model knows sounds."""
        return self.header.parts.unet

    def edit(self, request: ResolvedRequest, tell: Tell, cancelled: Callable[[], bool] | None = None) -> Clip:
        """The clip of a request with an edit; raises RequestError and Cancelled."""
        if edit_of(request).kind == "morph":
            from vocaldm_live.engine.morphing import morphed

            return morphed(self, request, tell, cancelled)
        begun = time.perf_counter()
        tell("encode", 0, 1)
        whole = lay_out(request, self.modules.geometry, self.trained)
        begin, end = self._part(request, whole)
        canvas = cropped(whole, begin, end)
        mel, clean = self._encoded(edit_of(request), canvas)
        free = self._free(request, canvas, clean)
        vector, anchor = self.hearing.vector(request)
        condition = Condition(vector, self.image(request, canvas, clean.shape[2]))
        encoded = time.perf_counter()
        latent = self.fill(request, condition, clean, free, tell, cancelled)
        sampled = time.perf_counter()
        stop_if(cancelled, "before decoding")
        made = self._decoded(request, canvas, mel, latent, free, tell, cancelled)
        joined = self._joined(request, whole, begin, end, made)
        timings = times(begun, encoded, sampled, time.perf_counter())
        request = replace(request, anchor=anchor)
        return Clip(joined.samples, joined.sample_rate, request, timings, whole.level_db, self._notes(joined))

    def fill(
        self,
        request: ResolvedRequest,
        condition: Condition,
        clean: Tensor,
        free: Tensor,
        tell: Tell,
        cancelled: Callable[[], bool] | None,
    ) -> Tensor:
        """`clean` `[1, channels, T, bins]` with what is `free` (bool `[1, 1, T, bins]`) sampled, window by window."""
        edit, schedule = edit_of(request), self.modules.schedule
        path = strength_path(schedule.spaced_steps(request.steps, self.leading), edit.strength)
        trajectory = schedule.trajectory(path)
        noise = SeededNoise([request.seed], device=self.device)
        channels, frames, bins = clean.shape[1:]
        drawn = noise.initial(channels, frames, bins)
        factor = self.modules.geometry.factor
        plan = windows(free[0, 0].any(1).cpu().numpy(), WINDOW // factor, CONTEXT // factor, MULTIPLE)
        total = len(plan) * len(trajectory)
        latent = clean.clone() if edit.strength < 1.0 else torch.where(free, torch.zeros_like(clean), clean)
        tell("sample", 0, total)
        for number, (begin, end) in enumerate(plan):
            part = slice(begin, end)
            known = latent[:, :, part].contiguous(memory_format=torch.channels_last)
            open_part = free[:, :, part]
            run = Projected(
                self.leaning(request, Condition(condition.vector, condition.image[:, :, part])),
                known,
                open_part,
            )

            def fresh(step: int, shape: Sequence[int], part: slice = part) -> Tensor:
                return noise(step, (1, channels, frames, bins))[:, :, part]

            def told(index: int, _: int, __: Tensor, number: int = number) -> None:
                tell("sample", number * len(trajectory) + index + 1, total)

            latent[:, :, part] = SAMPLERS[request.sampler](
                run,
                drawn[:, :, part].contiguous(memory_format=torch.channels_last),
                schedule,
                trajectory,
                eta=request.eta,
                noise_source=fresh,
                x_start=known,
                callback=told,
                cancelled=cancelled,
            )
            free = free.clone()
            free[:, :, part] = False
        return latent

    def leaning(self, request: ResolvedRequest, condition: Condition) -> Denoise:
        """The guided denoise function of a condition."""
        null = Condition(self.hearing.null(request, 1), condition.image)
        parameters = self.header.parameters
        low, high = parameters.guidance_interval
        return guided(
            self.denoise,
            condition,
            null,
            request.guidance,
            (float(low), float(high)),
            parameters.guidance_rescale,
        )

    def image(self, request: ResolvedRequest, canvas: Canvas, frames: int) -> Tensor:
        """The sketch image `[1, channels, frames, bins]`, all zeros where no curve is to be followed."""
        factor = self.modules.geometry.factor
        image = self.hearing.image(canvas.sketch.fitted(frames * factor), request.follow)
        drawn = np.pad(canvas.drawn, (0, max(0, frames * factor - len(canvas.drawn))), mode="edge")
        rows = drawn[: frames * factor].reshape(frames, factor).all(1)
        return image * torch.from_numpy(rows).to(image)[None, None, :, None]

    def mel(self, samples: np.ndarray, scale: Scale) -> Tensor:
        """Log-mel `[1, bands, frames]` of samples `[n]` at the model's level; frames fill the UNet's multiple."""
        geometry = self.modules.geometry
        scaled = torch.from_numpy(np.ascontiguousarray(scale.there(samples)))[None].to(self.device)
        mel = log_mel(scaled, geometry)
        return torch.nn.functional.pad(
            mel, (0, -mel.shape[2] % (geometry.factor * MULTIPLE)), mode="replicate"
        )

    def render(
        self,
        mel: Tensor,
        seed: int,
        samples: int,
        tell: Tell | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> np.ndarray:
        """Log-mel to float32 samples `[n]` at the model's level; stops between two pieces where asked to."""
        pieces: list[Tensor] = []
        steps = self.decode_steps(mel.shape[2])
        for piece in self.vocode(mel, [seed]):
            stop_if(cancelled, "while it was decoded")
            pieces.append(piece)
            if tell is not None:
                tell("decode", 1 + len(pieces), steps)
        return torch.cat(pieces, dim=1)[0, :samples].float().cpu().numpy()

    def decode_steps(self, frames: int) -> int:
        """Steps of decoding so many mel frames that are told: the VAE's, and one for each piece of the vocoder's."""
        return 1 + (1 if self.modules.vocoder is None else len(segment_plan(frames)))

    # Inside ------------------------------------------------------------------------------------------------

    def _part(self, request: ResolvedRequest, canvas: Canvas) -> tuple[int, int]:
        """The samples that the model has to see: all, or the spans and what lies around them in a long sound."""
        geometry, total = self.modules.geometry, len(canvas.base)
        grid = geometry.hop * geometry.factor
        edit = edit_of(request)
        if total <= WINDOW * geometry.hop or edit.keep == "resynthesis":
            return 0, total
        spans = runs(canvas.new)
        around = 2 * CONTEXT // geometry.factor
        begin = max(0, spans[0][0] // grid - around) * grid
        end = min(total, (-(-spans[-1][1] // grid) + around) * grid)
        return begin, end

    def _encoded(self, edit: Edit, canvas: Canvas) -> tuple[Tensor, Tensor]:
        """Log-mel, drawn across what is to go so that nothing known has seen it, and its latent."""
        mel = self.mel(canvas.base, canvas.scale)
        known = self._known(canvas, mel.shape[2])
        goes = edit.kind == "extend" or (edit.strength == 1.0 and edit.kind in ("inpaint", "loop"))
        if goes and known.any():
            mel = bridged_mel(mel, known)
        return mel, self.modules.vae.encode(mel)

    def _known(self, canvas: Canvas, frames: int) -> np.ndarray:
        known = known_frames(~canvas.new, self.modules.geometry)[:frames]
        return np.pad(known, (0, frames - len(known)), mode="edge")

    def _free(self, request: ResolvedRequest, canvas: Canvas, clean: Tensor) -> Tensor:
        geometry, edit = self.modules.geometry, edit_of(request)
        frames = clean.shape[2]
        known = self._known(canvas, frames * geometry.factor).reshape(frames, geometry.factor).all(1)
        bins = np.ones(geometry.latent_bins, bool)
        if edit.kind == "band":
            bins = free_bins(geometry, edit.low, edit.high)
        free = np.outer(~np.asarray(known), bins)
        return torch.from_numpy(free)[None, None].to(self.device)

    def _decoded(
        self,
        request: ResolvedRequest,
        canvas: Canvas,
        mel: Tensor,
        latent: Tensor,
        free: Tensor,
        tell: Tell,
        cancelled: Callable[[], bool] | None,
    ) -> np.ndarray:
        """Samples `[n]` of the edited latent at the sound's own level, whose kept mel is the sound's own."""
        geometry = self.modules.geometry
        frames = -(-len(canvas.base) // geometry.hop)
        used = -(-frames // geometry.factor)
        steps = self.decode_steps(used * geometry.factor)
        tell("decode", 0, steps)
        drawn = self.modules.vae.decode(latent[:, :, :used])
        edit = edit_of(request)
        if edit.kind in ("inpaint", "extend", "loop") and edit.gesture != "free" and request.follow > 0.0:
            known = self._known(canvas, drawn.shape[2])
            curve = canvas.sketch.fitted(drawn.shape[2]).loudness
            drawn = levelled_mel(drawn, known, mel[:, :, : drawn.shape[2]], curve, geometry)
        elif edit.kind == "band" and edit.gesture != "free":
            drawn = levelled_band(
                drawn, mel[:, :, : drawn.shape[2]], canvas.base, geometry, edit.low, edit.high
            )
        if edit.keep == "original" and not bool(free.all()):
            share = mel_share(free[:, :, :used], geometry.factor, mel.shape[1])
            drawn = share * drawn + (1.0 - share) * mel[:, :, : drawn.shape[2]]
        tell("decode", 1, steps)
        return canvas.scale.back(self.render(drawn, request.seed, len(canvas.base), tell, cancelled))

    def _resynthesised(self, whole: Canvas, seed: int) -> np.ndarray:
        """What is kept, through VAE and vocoder alone."""
        geometry = self.modules.geometry
        mel = self.mel(whole.base, whole.scale)
        used = -(-len(whole.base) // (geometry.hop * geometry.factor))
        drawn = self.modules.vae.decode(self.modules.vae.encode(mel)[:, :, :used])
        return whole.scale.back(self.render(drawn, seed, len(whole.base)))

    def _joined(
        self,
        request: ResolvedRequest,
        whole: Canvas,
        begin: int,
        end: int,
        made: np.ndarray,
    ) -> Sound:
        """What was made, put into what is kept, at the rate of the clip, and a loop turned back."""
        edit, own = edit_of(request), self.modules.geometry.sample_rate
        if edit.kind in ("restyle", "vary"):
            return Sound(made, own)
        rate = clip_rate(edit, request.source, own)
        base, new, turned, high = whole.base, whole.new, whole.turned, edit.high
        if edit.keep == "resynthesis":
            base = self._resynthesised(whole, request.seed)
        elif rate != own:
            assert request.source is not None
            place = placed(edit, request.source, rate, own)
            base, new, turned = place.samples, place.new, place.turned
            begin = round(begin * rate / own)
            made = Sound(made, own).at(rate).samples[: len(base) - begin]
            end = begin + len(made)
            # Above what the model can make, what is there stays.
            high = min(0.5 * own, 0.5 * own if high is None else high)
        if edit.kind == "band":
            made = band_replaced(base[begin:end], made, rate, edit.low, high)
        filled = base.copy()
        filled[begin:end] = made
        samples = spliced(base, filled, new, round(edit.fade * rate))
        return Sound(np.roll(samples, -turned) if turned else samples, rate)

    def _notes(self, joined: Sound) -> tuple[str, ...]:
        own = self.modules.geometry.sample_rate
        if joined.sample_rate == own:
            return ()
        return (f"What is new was made at {own} Hz and ends at {own // 2} Hz; what is kept does not.",)


def strength_path(trailing: Sequence[int], strength: float) -> list[int]:
    """As many timesteps as `trailing`, beginning at the level of `strength` 0..1: the sound with as much noise."""
    scaled = [max(0, round((step + 1) * strength) - 1) for step in trailing]
    return sorted(set(scaled), reverse=True)


def bridged_mel(mel: Tensor, known: np.ndarray) -> Tensor:
    """Log-mel `[1, bands, frames]` drawn straight across the frames that are not `known`."""
    frames, at = np.arange(len(known)), np.flatnonzero(known)
    after = np.searchsorted(at, frames).clip(0, len(at) - 1)
    right, left = at[after], at[np.where(at[after] > frames, np.maximum(after - 1, 0), after)]
    span = np.maximum(right - left, 1)
    weight = torch.from_numpy(((frames - left) / span).clip(0.0, 1.0).astype(np.float32)).to(mel.device)
    lower, upper = (mel[:, :, torch.from_numpy(index).to(mel.device)] for index in (left, right))
    return torch.where(torch.from_numpy(known).to(mel.device), mel, (1.0 - weight) * lower + weight * upper)


def mel_share(free: Tensor, factor: int, bands: int) -> Tensor:
    """How much of the decoded mel counts, 0..1 `[1, bands, frames]`: 1 where free, falling to 0 beside it in time."""
    fine = free[:, 0].float().repeat_interleave(factor, dim=1)
    fine = fine.repeat_interleave(bands // fine.shape[2], dim=2).transpose(1, 2)
    width = 2 * JOIN_FRAMES + 1
    wide = torch.nn.functional.max_pool1d(fine, width, 1, JOIN_FRAMES)
    smooth = torch.nn.functional.avg_pool1d(wide, width, 1, JOIN_FRAMES, count_include_pad=False)
    return torch.maximum(fine, smooth)


def times(begun: float, encoded: float, sampled: float, ended: float) -> dict[str, float]:
    """The stages of an edit in ms, by the names that clips have."""
    return {
        "encode": 1000.0 * (encoded - begun),
        "sample": 1000.0 * (sampled - encoded),
        "decode": 1000.0 * (ended - sampled),
    }


def stop_if(cancelled: Callable[[], bool] | None, when: str) -> None:
    """Raise Cancelled where that was asked for."""
    if cancelled is not None and cancelled():
        raise Cancelled(f"The request was cancelled {when}.")
