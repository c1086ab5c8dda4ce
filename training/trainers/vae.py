"""VAE: log-mel images to latents and back, for the house's geometry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.data.spec import DataSpec
from training.dataset import read_dataset
from training.draws import Draws
from training.errors import DataError
from training.loop import Criterion, Group
from training.partial import load_partly
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Rates, Recipe, Share, Strict
from training.runfolder import save_weights
from training.step import Step, add_up
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import HOUSE

NEPER_DB = 8.686


class VAESizes(Strict):
    """Of the network: width of each level, residual blocks a level, groups of its norms."""

    channels: tuple[Count, ...] = (16, 32, 64)
    layers: Count = 1
    groups: Count = 8


class VAELosses(Strict):
    """Weights of the loss's parts, beside 1 for the mean absolute distance of log-mels.

    slopes: of their differences over time and bands; partials: of linear magnitudes; divergence: KL from a
    standard normal distribution, not where the decoder learns alone.
    """

    square: Share = 0.1
    slopes: Share = 0.3
    partials: Share = 0.5
    divergence: Share = 1e-3


class VAERecipe(Recipe):
    """data: shards of the house's examples; held_out: a folder of others to judge by, none: the last clips of data.

    decoder_of: trained weights whose decoder learns on alone, so that latents stay what they were. crop: mel frames
    of an example; gain: nepers by which it is made louder, at least and at most.
    """

    command: Literal["vae"] = "vae"
    batch: Count = 12
    budget: Budget = Budget(minutes=15.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=2e-3), weight_decay=1e-4)
    keeping: Keeping = Keeping(validate=Every(minutes=3.0))
    data: DataSpec
    held_out: str | None = None
    decoder_of: str | None = None
    crop: Count = 48
    gain: tuple[float, float] = (-1.5, 0.5)
    bank: Count = 64
    sizes: VAESizes = VAESizes()
    losses: VAELosses = VAELosses()


class VAETrainer:
    """Trains a `MelVAE`, all of it or its decoder; raises DataError where the shards are missing or do not fit."""

    def __init__(self, recipe: VAERecipe, device: torch.device) -> None:
        if recipe.crop % HOUSE.factor:
            raise DataError(f"crop must divide by {HOUSE.factor}, not be {recipe.crop}; correct the recipe.")
        self.recipe, self.device = recipe, device
        mels = _mels(Path(recipe.data.source), recipe.data.limit)
        held_out = _mels(Path(recipe.held_out), recipe.bank) if recipe.held_out else mels
        kept = min(recipe.bank, len(held_out) if recipe.held_out else len(mels) // 4)
        self.bank = torch.from_numpy(held_out[-kept:].astype(np.float32)) if kept else torch.zeros(0)
        self.mels = mels if recipe.held_out else mels[: len(mels) - kept]
        if not kept or mels.shape[2] < recipe.crop:
            raise DataError(
                f"{recipe.data.source} holds {len(mels)} clips of {mels.shape[2]} frames, too few to train and judge "
                "by; make more, or a smaller crop."
            )
        sizes = recipe.sizes
        self.vae = MelVAE(HOUSE, sizes.channels, sizes.layers, sizes.groups)
        if recipe.decoder_of:
            load_partly(self.vae, _state(Path(recipe.decoder_of)))
            for part in (self.vae.network.encoder, self.vae.network.quant_conv):
                part.requires_grad_(False)
        self.networks: Mapping[str, nn.Module] = {"vae": self.vae}
        self.frozen: Mapping[str, nn.Module] = {}
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion("mel_db", "lower")

    def groups(self, turn: str) -> Sequence[Group]:
        """One for all that is trained."""
        trained = (name for name, weight in self.vae.named_parameters() if weight.requires_grad)
        return [Group(tuple(f"vae.{name}" for name in trained))]

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Reconstruct crops at other levels through a drawn latent."""
        told = self.recipe.losses
        sums: dict[str, Tensor] = {}
        divergence_weight = 0.0 if self.recipe.decoder_of else told.divergence
        for part in step.parts():
            mel = self._crops(part)
            mean, spread = self.vae.posterior(mel)
            spread = spread.clamp(-20.0, 10.0)
            noise = part.normal(mean.shape[1:], "latent")
            again = self.vae.reconstruct(mean + noise * (0.5 * spread).exp())
            values = {
                "absolute": (again - mel).abs().mean((1, 2)),
                "square": (again - mel).square().mean((1, 2)),
                "slopes": slope_distance(again, mel),
                "partials": magnitude_distance(again, mel),
                "divergence": 0.5 * (mean.square() + spread.exp() - 1.0 - spread).mean((1, 2, 3)),
            }
            loss = values["absolute"] + divergence_weight * values["divergence"]
            for name in ("square", "slopes", "partials"):
                loss = loss + getattr(told, name) * values[name]
            loss = loss.sum() / step.batch
            step.backward(loss)
            add_up(sums, {"loss": loss, **{name: value.sum() / step.batch for name, value in values.items()}})
        return sums

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Mean absolute error of the bank's log-mels from their latents' means, in nepers and in dB."""
        vae = averaged["vae"]
        assert isinstance(vae, MelVAE)
        with torch.inference_mode():
            errors = [
                (vae.reconstruct(vae.posterior(part)[0]) - part).abs().mean((1, 2))
                for part in self.bank.to(self.device).split(8)
            ]
        nepers = float(torch.cat(errors).mean())
        return {"mel_nepers": nepers, "mel_db": nepers * NEPER_DB}

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """The first mel of the bank and its reconstruction, as arrays `[bands, frames]`: ears need a vocoder."""
        vae = averaged["vae"]
        assert isinstance(vae, MelVAE)
        with torch.inference_mode():
            mel = self.bank[:1].to(self.device)
            again = vae.reconstruct(vae.posterior(mel)[0])
        np.savez(folder / "mels.npz", mel=mel[0].cpu().numpy(), again=again[0].cpu().numpy())

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Measure the latents' statistics, unless they have to stay, and write vae.safetensors."""
        vae = averaged["vae"]
        assert isinstance(vae, MelVAE)
        if not self.recipe.decoder_of:
            some = torch.from_numpy(self.mels[:: max(1, len(self.mels) // 256)].astype(np.float32))
            with torch.no_grad():
                vae.fit(torch.cat([vae.posterior(part.to(self.device))[0] for part in some.split(8)]))
        save_weights(vae, folder / "vae.safetensors")

    def _crops(self, part: Draws) -> Tensor:
        """`[rows, bands, crop]`: each row's clip from a drawn frame on, at a drawn gain, not below the floor."""
        rows, crop, (low, high) = [], self.recipe.crop, self.recipe.gain
        for row, clip in zip(part.rows, part.choose(len(self.mels)), strict=True):
            rng = part.row(row, "crop")
            first = int(rng.integers(0, self.mels.shape[2] - crop + 1))
            gain = float(rng.uniform(low, high))
            rows.append(self.mels[clip, :, first : first + crop].astype(np.float32) + gain)
        floor = float(np.log(HOUSE.mel_floor))
        return torch.from_numpy(np.maximum(np.stack(rows), floor, dtype=np.float32)).to(self.device)


def slope_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute distance of the slopes of log-mels over time and over bands, `[batch]`: edges and texture."""
    over_time = (one.diff(dim=2) - other.diff(dim=2)).abs().mean((1, 2))
    return over_time + (one.diff(dim=1) - other.diff(dim=1)).abs().mean((1, 2))


def magnitude_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute distance of linear magnitudes over the mean magnitude, `[batch]`: the partials that carry a pitch."""
    wanted = other.exp()
    return (one.clamp_max(8.0).exp() - wanted).abs().mean((1, 2)) / (wanted.mean((1, 2)) + 1e-3)


def _mels(folder: Path, limit: int | None) -> np.ndarray:
    try:
        return read_dataset(folder, limit).mel
    except FileNotFoundError as error:
        raise DataError(str(error)) from error
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"The shards in {folder} cannot be read ({error}); make them again.") from error


def _state(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read ({error}); name the weights of a trained VAE.") from error
