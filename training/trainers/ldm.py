"""Latent diffusion: a UNet learns to denoise latents, or log-mels themselves, told of the sound by a conditioner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from training.bank import fixed_bank
from training.blueprint import Blueprint
from training.conditioners.registry import Conditioner
from training.data.latents import Latents
from training.data.masks import crop_or_pad
from training.delta import attach, merged
from training.draws import Draws
from training.errors import DataError, RecipeError
from training.listening import Sampling, make_latents, make_sound, write_example
from training.losses.denoising import denoising_error
from training.partial import load_partly, told
from training.runfolder import save_state
from training.starting import Beginning
from training.step import Step, add_up
from training.trainer import Criterion
from training.trainers.ldm_recipe import LDMRecipe
from training.turns import Group
from vocaldm_live.checkpoints.networks import schedule_of
from vocaldm_live.commands import say
from vocaldm_live.model.unet import Condition

MULTIPLE = 8
"""Latent frames that an example's number of frames divides by, as the engine's do."""


class LDMTrainer:
    """Trains an `AudioLDMUNet` from weights drawn anew or from a beginning, all of it or changes of a low rank.

    judged: the held-out examples; where they are none, those learned from judge. Raises DataError without examples,
    RunError where the beginning does not fit, RecipeError where there is nothing to adapt.
    """

    def __init__(
        self,
        recipe: LDMRecipe,
        blueprint: Blueprint,
        conditioner: Conditioner,
        examples: Latents,
        judged: Latents | None,
        device: torch.device,
        beginning: Beginning | None = None,
    ) -> None:
        if not len(examples.items):
            raise DataError("There is no sound to learn from; add some, or hold fewer out.")
        self.recipe, self.blueprint, self.conditioner = recipe, blueprint, conditioner
        self.examples, self.device = examples, device
        self.schedule = schedule_of(blueprint.header, Path())
        self.unet = blueprint.unet()
        if beginning is not None:
            loaded = load_partly(self.unet.network, beginning.state, recipe.start.allow)
            say(f"The start, {recipe.start.source}: {told(loaded)}")
        with torch.no_grad():
            self.unet.null.copy_(conditioner.null)
        if recipe.adapt.attention or recipe.adapt.film:
            try:
                attach(self.unet.network, recipe.adapt.attention, recipe.adapt.film)
            except ValueError as error:
                raise RecipeError(f"The UNet cannot be adapted so: {error}") from error
        self.networks: Mapping[str, nn.Module] = {"unet": self.unet}
        base = blueprint.encoding_base()
        self.heard_by = {name: base.networks[name] for name in ("vae", "vocoder") if name in base.networks}
        self.frozen: Mapping[str, nn.Module] = dict(self.heard_by)
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion(recipe.prediction, "lower")
        self.identity = {"data": examples.digest(), "conditioner": conditioner.name}
        if blueprint.base is not None:
            self.identity["base"] = blueprint.base.preset.sha256
        # By these an export over the base knows what fits it.
        self.about = {
            "parts": {"unet": dict(blueprint.plain["parts"]["unet"])},
            "schedule": dict(blueprint.plain["schedule"]),
            "credits": list(recipe.credits),
        }
        conditioner.prepare(examples.items, examples.encoded)
        source = examples if judged is None or not len(judged.items) else judged
        if source is not examples:
            conditioner.prepare(source.items, source.encoded)
        self.frames = self._frames()
        self._lay_bank(source)

    def groups(self, turn: str) -> Sequence[Group]:
        """One for all that is trained."""
        trained = (name for name, weight in self.unet.named_parameters() if weight.requires_grad)
        return [Group(tuple(f"unet.{name}" for name in trained))]

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Denoise drawn parts of sounds, told of them or, by the recipe's share, told the null."""
        sums: dict[str, Tensor] = {}
        for part in step.parts():
            latent, valid, vector = self._batch(part)
            t, noise = part.timesteps(len(self.schedule)), part.normal(latent.shape[1:], "noise")
            errors = self._errors(self.unet, latent, valid, vector, t, noise)
            loss = errors.sum() / step.batch
            step.backward(loss)
            add_up(sums, {"error": loss})
        return sums

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Error on the fixed bank, told, under the prediction's name, and told nothing: `_null`."""
        found: dict[str, list[Tensor]] = {"": [], "_null": []}
        null = self.null(1)
        with torch.inference_mode():
            for rows in torch.arange(len(self.bank_latent)).split(8):
                latent, valid = self.bank_latent[rows].to(self.device), self.bank_valid[rows].to(self.device)
                t, noise = self.bank.timesteps[rows].to(self.device), self.bank.noise[rows].to(self.device)
                vector = self.bank_vector[rows].to(self.device)
                for name, condition in (("", vector), ("_null", null.expand_as(vector))):
                    found[name].append(self._errors(averaged["unet"], latent, valid, condition, t, noise))
        return {
            self.recipe.prediction + name: float(torch.cat(errors).mean()) for name, errors in found.items()
        }

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Clips told as the bank's first sounds are, as WAV files."""
        told_ = self.recipe.listening
        count = min(told_.clips, len(self.bank_latent))
        shape = (count, *self.bank_latent.shape[1:])
        steps, eta = (len(self.schedule) - 1, 1.0) if told_.sampler == "ddpm" else (told_.steps, told_.eta)
        guidance = 1.0 if not self.conditioner.null.numel() else told_.guidance
        with torch.inference_mode():
            latents = make_latents(
                averaged["unet"],
                self.schedule,
                self.recipe.prediction,
                self._told(self.bank_vector[:count].to(self.device), shape[2]),
                self.null(count),
                shape,
                list(range(count)),
                Sampling(steps, guidance, eta, self.recipe.noise.spacing == "leading"),
            )
        vae: Any = self.heard_by["vae"]
        for row, latent in enumerate(latents):
            samples = make_sound(vae, self.heard_by.get("vocoder"), latent, row)
            write_example(folder / f"clip-{row}.wav", samples, self.blueprint.geometry.sample_rate)

    def weights(self, averaged: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """The UNet's state as a preset holds it, changes of low rank added."""
        return {name: value.detach().cpu() for name, value in merged(averaged["unet"]).items()}

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write unet.safetensors, and the whole preset beside it, which plays as it is."""
        state = self.weights(averaged)
        save_state(state, folder / "unet.safetensors")
        training = {"command": "ldm", "data": self.identity["data"], "conditioner": self.conditioner.name}
        if self.recipe.start.source is not None:
            training["start"] = Path(self.recipe.start.source).name
        preset = self.blueprint.write(folder / self.recipe.preset, state, training)
        say(f"The preset {preset.name} is in {preset.folder}.")

    def null(self, count: int) -> Tensor:
        """The true unconditional, of so many rows."""
        return self.conditioner.null.to(self.device).expand(count, *self.conditioner.null.shape)

    # Inside ---------------------------------------------------------------------------------------------

    def _frames(self) -> int:
        """Latent frames of an example: the recipe's seconds, or less where no sound is as long."""
        geometry = self.blueprint.geometry
        most = int(self.recipe.seconds * geometry.sample_rate / geometry.hop / geometry.factor)
        longest = 0
        for at in range(len(self.examples.items)):
            longest = max(longest, self.examples.latent(at).shape[1])
            if longest >= most:  # as it is with the first of most data sets
                break
        return max(MULTIPLE, min(most // MULTIPLE, -(-longest // MULTIPLE)) * MULTIPLE)

    def _batch(self, part: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Latents `[rows, c, frames, bins]`, how many of their frames are sound, and what is told of them."""
        chosen = part.choose(len(self.examples.items)).tolist()
        rows = [self.examples.latent(at) for at in chosen]
        latent, valid = crop_or_pad(rows, self.frames, part)
        said = [
            self.conditioner.condition(
                self.examples.items[at], at, self.examples.encoded, part.row(row, "condition")
            )
            for row, at in zip(part.rows, chosen, strict=True)
        ]
        vector = torch.stack(said).to(self.device)
        drop = part.uniform("drop") < self.recipe.drop
        drop = drop.reshape(-1, *(1 for _ in self.conditioner.null.shape))
        vector = torch.where(drop, self.null(len(said)).to(vector), vector)
        return latent.to(self.device), valid.to(self.device), vector

    def _errors(
        self, unet: nn.Module, latent: Tensor, valid: Tensor, vector: Tensor, t: Tensor, noise: Tensor
    ) -> Tensor:
        condition = self._told(vector, latent.shape[2])
        return denoising_error(
            unet, self.schedule, self.recipe.prediction, latent, condition, t, noise, valid
        )

    def _told(self, vector: Tensor, frames: int) -> Condition:
        return Condition(
            vector, vector.new_zeros(len(vector), 0, frames, self.blueprint.geometry.latent_bins)
        )

    def _lay_bank(self, source: Latents) -> None:
        """Latents, lengths, conditions and noise by which every validation judges."""
        count = len(source.items)
        chosen = np.unique(
            np.linspace(0, count - 1, min(self.recipe.bank, count)).round().astype(int)
        ).tolist()
        # The same number at every validation and in every run: a row of draws that no step has.
        draws = Draws(0, 0, tuple(range(len(chosen))), len(chosen), torch.device("cpu"))
        rows = [source.latent(at)[:, : self.frames] for at in chosen]
        self.bank_latent, self.bank_valid = crop_or_pad(rows, self.frames, draws)
        self.bank_vector = torch.stack(
            [
                self.conditioner.condition(source.items[at], at, source.encoded, draws.row(row, "condition"))
                for row, at in enumerate(chosen)
            ]
        )
        self.bank = fixed_bank(self.bank_latent, len(self.schedule))
