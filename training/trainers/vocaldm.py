"""VocalDM: a preset's denoiser learns other sounds from voices that imitate them, in parts or whole."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.bank import fixed_bank
from training.base import Base
from training.conditions import Batch, EncodedSounds, Telling, draw_batch, fixed_batch
from training.delta import Columns, LowRank, attach, merged
from training.draws import Draws
from training.errors import DataError, RecipeError
from training.listening import Sampling, make_latents, make_sound, write_example
from training.losses.denoising import denoising_error
from training.runfolder import channels_last, save_state
from training.step import Step, add_up
from training.trainer import Criterion
from training.trainers.vocaldm_recipe import VocalDMRecipe
from training.turns import Group
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.unet import Condition, SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import Geometry

NOISY = 0.7
"""Share of the schedule from which on a timestep counts as noisy: there the condition says most."""


class VocalDMTrainer:
    """Trains parts of a base on encoded sounds; needs of the base its UNet and, where it has one, its adapter.

    held_out may be empty: then the run is judged by what it learns from. data: a digest of what the sounds are, kept
    with the run. Raises RecipeError for parts that the base lacks, DataError where there is nothing to learn from.
    """

    def __init__(
        self,
        recipe: VocalDMRecipe,
        base: Base,
        sounds: EncodedSounds,
        held_out: EncodedSounds,
        device: torch.device,
        data: str = "",
    ) -> None:
        if not len(sounds):
            raise DataError("There is no sound to learn from; add some, or hold fewer out.")
        self.recipe, self.base, self.sounds, self.device = recipe, base, sounds, device
        self.schedule, self.prediction = base.schedule, base.prediction
        self.unet, self.adapter = self._made()
        self.geometry: Geometry | None = base.geometry if isinstance(self.unet, SketchUNet) else None
        self.telling = Telling(
            recipe.imitations, recipe.drop, recipe.gestures, recipe.voice_sketches, recipe.voice_loudness
        )
        self.networks: Mapping[str, nn.Module] = {}
        self.frozen: Mapping[str, nn.Module] = {}
        self._divide()
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion(self.prediction, "lower")
        self.identity = {"base": base.identity, "data": data}
        self._before = self._anchors() if recipe.toward_base else {}
        judged = held_out if len(held_out) else sounds
        self.bank_batch = self._bank_of(judged)
        self.bank = fixed_bank(self.bank_batch.latent, len(self.schedule))

    # What is trained --------------------------------------------------------------------------------------

    def _made(self) -> tuple[nn.Module, nn.Module | None]:
        """UNet and adapter, the base's copied or drawn anew, with what is trained asking for gradients."""
        told, networks = self.recipe, self.base.networks
        if "adapter" in told.train and "adapter" not in networks:
            raise RecipeError(f"{self.base.preset.name} has no adapter to train; leave it out of train.")
        if told.weights == "fresh":
            unet = self.base.fresh("unet")
            adapter = self.base.fresh("adapter") if "adapter" in networks else None
            if isinstance(adapter, Adapter):
                self._fit(adapter)
        else:
            unet, adapter = copy.deepcopy(networks["unet"]), copy.deepcopy(networks.get("adapter"))
        whole = told.train == ("all",)
        try:
            if "film" in told.train or "attention" in told.train:
                rank = told.rank if "attention" in told.train else 0
                attach(unet, rank, "film" in told.train, told.film_rank)
            else:
                unet.requires_grad_(whole)
        except ValueError as error:
            raise RecipeError(f"The base {self.base.preset.name} cannot be trained so: {error}") from error
        if adapter is not None:
            adapter.requires_grad_(whole or "adapter" in told.train)
            if isinstance(adapter, Adapter) and hasattr(unet, "null_condition"):
                # The UNet's own null is the one that is played; this one is never asked.
                adapter.null.requires_grad_(False)
        return channels_last(unet), adapter

    def _fit(self, adapter: Adapter) -> None:
        """Measure what is common to the embeddings of all training sounds and their imitations."""
        sounds = self.sounds
        rows = [sounds.vector(index, "reference") for index in range(len(sounds))]
        for index in range(len(sounds)):
            rows += [sounds.vector(index, "imitation", which) for which in range(sounds.imitations(index))]
        try:
            adapter.fit(torch.stack(rows))
        except ValueError as error:
            raise DataError(f"The adapter cannot begin with these sounds: {error}") from error

    def _divide(self) -> None:
        named = {"unet": self.unet} | ({} if self.adapter is None else {"adapter": self.adapter})
        trained = {
            name: network
            for name, network in named.items()
            if any(weight.requires_grad for weight in network.parameters())
        }
        others = {name: network for name, network in named.items() if name not in trained}
        kept = {name: self.base.networks[name] for name in ("vae", "vocoder") if name in self.base.networks}
        self.networks, self.frozen = trained, {**others, **kept}

    def groups(self, turn: str) -> Sequence[Group]:
        """One for each part, each at its share of the rate."""
        found: dict[str, list[str]] = {}
        for part, network in self.networks.items():
            for name, weight in network.named_parameters():
                if weight.requires_grad:
                    found.setdefault(self._part(part, name), []).append(f"{part}.{name}")
        factors = self.recipe.factors
        return [
            Group(tuple(names), factor=getattr(factors, title), title=title) for title, names in found.items()
        ]

    def _part(self, network: str, name: str) -> str:
        if self.recipe.train == ("all",):
            return "all"
        if network == "adapter":
            return "adapter"
        above = self.unet.get_submodule(name.rpartition(".")[0])
        return "attention" if isinstance(above, LowRank) else "film"

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    # Steps ------------------------------------------------------------------------------------------------

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Noise drawn parts of sounds and denoise them, told of them or not."""
        lengths = self.recipe.lengths
        frames = lengths[int(step.draws.shared("length").integers(len(lengths)))]
        sums: dict[str, Tensor] = {}
        for part in step.parts():
            batch = self.batch(part, frames)
            noise = part.normal(batch.latent.shape[1:], "noise")
            errors = self.errors(
                batch, part.timesteps(len(self.schedule)), noise, {**self.frozen, **self.networks}
            )
            loss = errors.sum() / step.batch
            values = {"error": loss}
            if self.recipe.toward_base:
                distance = self._distance() * (len(part) / step.batch)
                values["distance"] = distance
                loss = loss + self.recipe.toward_base * distance
            step.backward(loss)
            add_up(sums, values)
        return sums

    def batch(self, draws: Draws, frames: int) -> Batch:
        """The training examples of a step's rows."""
        return draw_batch(self.sounds, draws, frames, self.telling, self.geometry)

    def errors(
        self,
        batch: Batch,
        t: Tensor,
        noise: Tensor,
        networks: Mapping[str, nn.Module],
        told: bool = True,
    ) -> Tensor:
        """Each row's masked error `[rows]`; `told`: with its condition, else with the null."""
        condition = self.condition(batch, networks, told)
        return denoising_error(
            networks["unet"],
            self.schedule,
            self.prediction,
            batch.latent,
            condition,
            t,
            noise,
            batch.valid,
        )

    def condition(self, batch: Batch, networks: Mapping[str, nn.Module], told: bool = True) -> Condition:
        """What the UNet is told of a batch; rows that are dropped get what guidance leans from at play."""
        null = self.null(len(batch), networks)
        adapter = networks.get("adapter")
        vector = functional.normalize(batch.vector, dim=1) if adapter is None else adapter(batch.vector)
        drop = batch.drop if told else torch.ones_like(batch.drop)
        vector = torch.where(drop[:, None], null.to(vector), vector)
        return self.base.condition(vector, batch.image, batch.latent.shape[2])

    def null(self, count: int, networks: Mapping[str, nn.Module]) -> Tensor:
        """The base's true unconditional `[count, 512]`: CLAP of the empty text, or the adapter's, trained or not."""
        return self.base.with_networks(networks).null(count)

    def _anchors(self) -> dict[str, Tensor]:
        return {
            f"{part}.{name}": weight.detach().clone().to(self.device)
            for part, network in self.networks.items()
            for name, weight in network.named_parameters()
            if weight.requires_grad
            and not isinstance(network.get_submodule(name.rpartition(".")[0]), (LowRank, Columns))
        }

    def _distance(self) -> Tensor:
        """The squared distance of all that is trained from the base."""
        total = torch.zeros((), device=self.device)
        for part, network in self.networks.items():
            for module in network.modules():
                if isinstance(module, (LowRank, Columns)):
                    change = module.b if module.a is None else module.b @ module.a
                    total = total + change.square().sum()
            for name, weight in network.named_parameters():
                before = self._before.get(f"{part}.{name}")
                if before is not None:
                    total = total + (weight - before).square().sum()
        return total

    # Judging and what comes out ---------------------------------------------------------------------------

    def _bank_of(self, judged: EncodedSounds) -> Batch:
        """Examples that any run on these sounds is judged by: as many as the bank holds, spread over all of them."""
        told = self.recipe
        frames = max(told.lengths)
        indices = np.unique(np.linspace(0, len(judged) - 1, min(told.bank, len(judged))).round().astype(int))
        turns = -(-told.bank // len(indices))
        rows = []
        for turn in range(turns):
            for index in indices.tolist():
                spare = max(0, judged.valid(index) - frames)
                rows.append((index, spare * turn // max(1, turns - 1)))
        return fixed_batch(judged, rows[: told.bank], frames, self.geometry, self.telling)

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Error on the bank, of its noisy and its clean part, and without the vector: `_null`."""
        networks = {**self.frozen, **averaged}
        found: dict[bool, Tensor] = {}
        with torch.inference_mode():
            for told in (True, False):
                errors = []
                for rows in torch.arange(len(self.bank_batch)).split(16):
                    batch = _rows(self.bank_batch, rows, self.device)
                    t, noise = self.bank.timesteps[rows], self.bank.noise[rows]
                    errors.append(
                        self.errors(batch, t.to(self.device), noise.to(self.device), networks, told)
                    )
                found[told] = torch.cat(errors).cpu()
        noisy = self.bank.timesteps.cpu() >= NOISY * len(self.schedule)
        name = self.prediction
        return {
            name: float(found[True].mean()),
            f"{name}_noisy": float(found[True][noisy].mean()) if bool(noisy.any()) else 0.0,
            f"{name}_clean": float(found[True][~noisy].mean()) if bool((~noisy).any()) else 0.0,
            f"{name}_null": float(found[False].mean()),
        }

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Clips of the bank's first sounds, made with the recipe's steps, guidance and eta, as WAV files."""
        networks = {**self.frozen, **averaged}
        vae = networks.get("vae")
        if not isinstance(vae, MelVAE):
            raise RecipeError("Nothing can be heard without the base's VAE; open that part too.")
        told = self.recipe.listening
        rows = torch.arange(min(told.clips, len(self.bank_batch)))
        batch = _rows(self.bank_batch, rows, self.device)
        leading = self.base.preset.header.schedule.spacing == "leading"
        with torch.inference_mode():
            latents = make_latents(
                networks["unet"],
                self.schedule,
                self.prediction,
                self.condition(batch, networks),
                self.null(len(batch), networks),
                batch.latent.shape,
                rows.tolist(),
                Sampling(told.steps, told.guidance, told.eta, leading),
            )
        for row, latent in enumerate(latents):
            samples = make_sound(vae, networks.get("vocoder"), latent[:, : int(batch.valid[row])], row)
            write_example(folder / f"clip-{row}.wav", samples, vae.geometry.sample_rate)

    def weights(self, averaged: Mapping[str, nn.Module], share: float = 1.0) -> dict[str, dict[str, Tensor]]:
        """State dicts by part as a preset holds them, deltas added; `share`: how far the way from the base is gone."""
        found = {}
        for part, network in averaged.items():
            state = merged(network)
            before = self.base.networks[part].state_dict()
            found[part] = {
                name: torch.lerp(before[name].to(value), value, share)
                if share != 1.0 and value.is_floating_point()
                else value
                for name, value in state.items()
            }
        return found

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write unet.safetensors and adapter.safetensors, those of them that were trained."""
        for part, state in self.weights(averaged).items():
            save_state(state, folder / f"{part}.safetensors")


def _rows(batch: Batch, rows: Tensor, device: torch.device) -> Batch:
    image = None if batch.image is None else batch.image[rows].to(device)
    return Batch(
        batch.latent[rows].to(device),
        batch.valid[rows].to(device),
        batch.vector[rows].to(device),
        batch.drop[rows].to(device),
        image,
    )
