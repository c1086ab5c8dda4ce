"""Distillation: a preset's denoiser learns to go in a few steps where it went in many, its guidance included."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.bank import fixed_bank
from training.base import Base
from training.conditions import Batch, EncodedSounds, Telling, draw_batch, fixed_batch
from training.data.masks import masked_mean
from training.delta import attach, merged
from training.errors import DataError, RecipeError
from training.listening import make_sound, write_example
from training.losses.trajectory import Segment, segments, walk
from training.runfolder import channels_last, save_state
from training.step import Step, add_up
from training.trainer import Criterion
from training.trainers.distill_recipe import DistillRecipe
from training.turns import Group
from vocaldm_live.model.denoise import Denoise, denoise_from
from vocaldm_live.model.guidance import guided
from vocaldm_live.model.samplers import ddim
from vocaldm_live.model.unet import Condition, SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import Geometry


class DistillTrainer:
    """Trains a copy of a base's UNet to walk in few steps where the base, guided, goes in many.

    Walks begin in noise; of the sounds it needs what they are and how they move, and how long they are. held_out may
    be empty: then the run is judged by what it learns from. data, credits: a digest of what the sounds are, and whose.
    Raises RecipeError for what the base cannot do, DataError where there is nothing to learn from.
    """

    def __init__(
        self,
        recipe: DistillRecipe,
        base: Base,
        sounds: EncodedSounds,
        held_out: EncodedSounds,
        device: torch.device,
        data: str = "",
    ) -> None:
        if not len(sounds):
            raise DataError("There is no sound to learn from; add some, or hold fewer out.")
        self.recipe, self.base, self.sounds, self.device = recipe, base, sounds, device
        self.schedule, self.header = base.schedule, base.preset.header
        self.leading = self.header.schedule.spacing == "leading"
        usual = self.header.parameters.guidance.default
        self.scales = recipe.teacher.guidance or (usual, usual)
        self.paths = {steps: self._path(steps) for steps in range(recipe.few.low, recipe.few.high + 1)}
        teacher = base.networks["unet"]
        self.student = self._student(teacher)
        self.geometry: Geometry | None = base.geometry if isinstance(teacher, SketchUNet) else None
        self.telling = Telling(recipe.imitations, recipe.drop, recipe.gestures, recipe.voice_sketches)
        kept = {name: base.networks[name] for name in ("adapter", "vae", "vocoder") if name in base.networks}
        self.networks: Mapping[str, nn.Module] = {"unet": self.student}
        self.frozen: Mapping[str, nn.Module] = {"teacher": teacher, **kept}
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion("ratio", "lower")
        self.identity = {"base": base.identity, "data": data}
        self.about = {"parameters": self.parameters()}
        self.judged = self._judged(held_out if len(held_out) else sounds)
        self.noise = fixed_bank(self.judged.latent, len(self.schedule)).noise
        self._goals: tuple[Tensor, dict[int, Tensor]] | None = None

    def parameters(self) -> dict[str, Any]:
        """Of preset.yaml: the steps that were learnt, no guidance beside the one that lies in them, and DDIM alone."""
        few = self.recipe.few
        return {
            "steps": {"default": few.default, "low": few.low, "high": few.high},
            "guidance": {"default": 1.0, "low": 1.0, "high": 1.0},
            "sampler": {"default": "ddim", "choices": ["ddim"]},
            "guidance_interval": [0.0, 1.0],
            "guidance_rescale": 0.0,
        }

    def _path(self, steps: int) -> tuple[Segment, ...]:
        try:
            return segments(self.schedule, steps, self.recipe.teacher.steps, self.leading)
        except ValueError as error:
            raise RecipeError(f"{self.base.preset.name} cannot be taught so: {error}") from error

    def _student(self, teacher: nn.Module) -> nn.Module:
        student = copy.deepcopy(teacher)
        try:
            if self.recipe.train == "attention":
                attach(student, self.recipe.rank)
            else:
                student.requires_grad_(True)
        except ValueError as error:
            raise RecipeError(f"{self.base.preset.name} cannot be taught so: {error}") from error
        return channels_last(student)

    def groups(self, turn: str) -> Sequence[Group]:
        """One for all that is trained."""
        trained = (name for name, weight in self.student.named_parameters() if weight.requires_grad)
        return [Group(tuple(f"unet.{name}" for name in trained))]

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    # Steps ------------------------------------------------------------------------------------------------

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Walk from noise in a drawn number of steps, and be told at each where the teacher would have gone."""
        told, draw = self.recipe, step.draws.shared("walk")
        frames = told.lengths[int(draw.integers(len(told.lengths)))]
        path = self.paths[int(draw.integers(told.few.low, told.few.high + 1))]
        scale = float(draw.uniform(*self.scales))
        sums: dict[str, Tensor] = {}
        for part in step.parts():
            batch = draw_batch(self.sounds, part, frames, self.telling, self.geometry)
            noise = part.normal(batch.latent.shape[1:], "noise")
            condition = self.condition(batch)
            for said, wanted in walk(
                self._plain(self.student, condition),
                self._guided(condition, scale),
                self.schedule,
                path,
                noise,
            ):
                loss = masked_mean((said - wanted).abs(), batch.valid).sum() / (step.batch * len(path))
                step.backward(loss)
                add_up(sums, {"distance": loss})
        return sums

    def condition(self, batch: Batch) -> Condition:
        """What the UNet is told of a batch; rows that are dropped get what guidance leans from."""
        adapter = self.frozen.get("adapter")
        vector = functional.normalize(batch.vector, dim=1) if adapter is None else adapter(batch.vector)
        vector = torch.where(batch.drop[:, None], self._null(len(batch)).to(vector), vector)
        return self.base.condition(vector, batch.image, batch.latent.shape[2])

    def _null(self, count: int) -> Tensor:
        networks = {name: network for name, network in self.frozen.items() if name == "adapter"}
        return self.base.with_networks({**networks, "unet": self.frozen["teacher"]}).null(count)

    def _plain(self, unet: nn.Module, condition: Condition) -> Denoise:
        denoise = denoise_from(unet, self.schedule, self.base.prediction)
        return lambda x_t, t, _: denoise(x_t, t, condition)

    def _guided(self, condition: Condition, scale: float) -> Denoise:
        """The base as the engine plays it at a guidance."""
        parameters = self.header.parameters
        low, high = parameters.guidance_interval
        return guided(
            denoise_from(self.frozen["teacher"], self.schedule, self.base.prediction),
            condition,
            Condition(self._null(len(condition.vector)).to(condition.vector), condition.image),
            scale,
            (float(low), float(high)),
            parameters.guidance_rescale,
            timesteps=len(self.schedule),
        )

    # Judging and what comes out ---------------------------------------------------------------------------

    def _judged(self, sounds: EncodedSounds) -> Batch:
        """Sounds that are the same for every run on them: as many as the bank holds, spread over all, their beginnings."""
        frames, count = max(self.recipe.lengths), min(self.recipe.bank, len(sounds))
        indices = np.unique(np.linspace(0, len(sounds) - 1, count).round().astype(int)).tolist()
        return fixed_batch(sounds, [(index, 0) for index in indices], frames, self.geometry, self.telling)

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """How far the student ends from where the teacher ends, of how far the teacher would in as few steps.

        Mean absolute distances of latents from the same noise; `ratio` is the mean over the numbers of steps.
        """
        goal, own = self._taught()
        found: dict[str, float] = {}
        for steps in own:
            made = self._all(lambda rows, n=steps: self.walked(averaged["unet"], rows, n))
            distance = float(masked_mean((made - goal).abs(), self.judged.valid).mean())
            before = float(masked_mean((own[steps] - goal).abs(), self.judged.valid).mean())
            found |= {f"distance_{steps}": distance, f"ratio_{steps}": distance / max(before, 1e-9)}
        ratios = [found[f"ratio_{steps}"] for steps in own]
        return {"ratio": sum(ratios) / len(ratios), **found}

    def walked(self, unet: nn.Module, rows: Tensor, steps: int) -> Tensor:
        """Latents of judged rows as the exported preset makes them."""
        batch = _rows(self.judged, rows, self.device)
        denoise = self._plain(unet, self.condition(batch))
        path = self.schedule.spaced(steps, self.leading)
        return ddim(denoise, self.noise[rows].to(self.device), self.schedule, path)

    def taught(self, rows: Tensor, steps: int) -> Tensor:
        """Latents of judged rows as the base makes them in so many steps, guided."""
        batch = _rows(self.judged, rows, self.device)
        lean = self._guided(self.condition(batch), sum(self.scales) / 2.0)
        path = self.schedule.spaced(steps, self.leading)
        return ddim(lean, self.noise[rows].to(self.device), self.schedule, path)

    def _taught(self) -> tuple[Tensor, dict[int, Tensor]]:
        if self._goals is None:
            few = self.recipe.few
            counts = sorted({few.low, few.default, few.high})
            own = {steps: self._all(lambda rows, n=steps: self.taught(rows, n)) for steps in counts}
            self._goals = self._all(lambda rows: self.taught(rows, self.recipe.teacher.steps)), own
        return self._goals

    def _all(self, make: Any) -> Tensor:
        with torch.inference_mode():
            return torch.cat([make(rows).cpu() for rows in torch.arange(len(self.judged)).split(16)])

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Clips of the first judged sounds as the student makes them and as the teacher does, as WAV files."""
        vae = self.frozen.get("vae")
        if not isinstance(vae, MelVAE):
            raise RecipeError("Nothing can be heard without the base's VAE; open that part too.")
        rows = torch.arange(min(self.recipe.clips, len(self.judged)))
        with torch.inference_mode():
            both = {
                "student": self.walked(averaged["unet"], rows, self.recipe.few.default),
                "teacher": self.taught(rows, self.recipe.teacher.steps),
            }
        for name, latents in both.items():
            for row, latent in enumerate(latents):
                frames = int(self.judged.valid[row])
                samples = make_sound(vae, self.frozen.get("vocoder"), latent[:, :frames], row)
                write_example(folder / f"clip-{row}-{name}.wav", samples, vae.geometry.sample_rate)

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write unet.safetensors, deltas added."""
        save_state(merged(averaged["unet"]), folder / "unet.safetensors")


def _rows(batch: Batch, rows: Tensor, device: torch.device) -> Batch:
    image = None if batch.image is None else batch.image[rows].to(device)
    return Batch(
        batch.latent[rows].to(device),
        batch.valid[rows].to(device),
        batch.vector[rows].to(device),
        batch.drop[rows].to(device),
        image,
    )
