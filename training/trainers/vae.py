"""VAE: log-mel images to latents and back, on any geometry, by distances of mels and by a judge of patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from training.data.masks import masked_mean
from training.data.spec import DataSpec
from training.draws import Draws
from training.errors import DataError
from training.geometry import GeometrySpec
from training.judges.patch import PatchJudge
from training.losses.adversarial import balance
from training.losses.mels import (
    absolute_distance,
    divergence,
    magnitude_distance,
    resolution_distance,
    slope_distance,
    square_distance,
)
from training.mels import Shards, read_mels, stacked
from training.provenance import credits_of
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict
from training.runfolder import save_weights
from training.sounds import place_of
from training.step import Step, add_up
from training.trainer import Criterion
from training.turns import Group, named_weights
from training.vae_part import VAESizes, about_vae, make_vae, measure_channels, measure_deviation
from vocaldm_live.model.vae import MelVAE

if TYPE_CHECKING:
    from lightning_fabric import Fabric

NEPER_DB = 8.686
MEASURED = 256  # clips that the latents' statistics are taken from

Weight = Annotated[float, Field(ge=0.0)]


class VAELosses(Strict):
    """Weights of the loss's parts, beside 1 for the mean absolute distance of log-mels.

    slopes: of their differences over time and bands; partials: of linear magnitudes; resolutions: at lower
    resolutions; divergence: KL from a standard normal distribution, not where the decoder learns alone.
    """

    square: Weight = 0.1
    slopes: Weight = 0.3
    partials: Weight = 0.5
    resolutions: Weight = 0.0
    divergence: Weight = 1e-3


class VAEJudge(Strict):
    """A judge of patches, from a share of the run on (`after`, 1: none): hinge loss, `weight` times its part.

    adaptive: that weight times the ratio of both gradients at the decoder's last layer, so that the judge pulls as
    strongly as the distances do. channels, layers: its sizes; factor: of the run's learning rate.
    """

    after: Share = 1.0
    weight: Weight = 0.5
    adaptive: bool = True
    channels: Count = 64
    layers: Count = 3
    factor: Positive = 1.0


class VAERecipe(Recipe):
    """data: shards of the house's examples, sounds, or mels; held_out: of shards, a folder of others to judge by.

    base: a preset whose VAE goes on, its mel and sizes included; weights_of: weights to go on from; else a new network
    of `sizes` for `geometry`. train: all, or the decoder alone, so that latents stay what they were. statistics: what
    makes new latents standard: mean and deviation of each channel, or (one) the deviation of the first batch, as
    AudioLDM has it. crop: mel frames of an example; gain: nepers by which it is made louder, at least and at most;
    peak: parts of sounds are centred and brought to it instead; bank: clips to judge by, of `bank_frames` at most;
    cache: where prepared sounds lie.
    """

    command: Literal["vae"] = "vae"
    batch: Count = 12
    budget: Budget = Budget(minutes=15.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=2e-3), weight_decay=1e-4)
    keeping: Keeping = Keeping(validate=Every(minutes=3.0))
    data: DataSpec
    held_out: str | None = None
    cache: str | None = None
    base: str | None = None
    weights_of: str | None = None
    train: Literal["all", "decoder"] = "all"
    geometry: GeometrySpec = GeometrySpec()
    sizes: VAESizes = VAESizes()
    statistics: Literal["channels", "one"] = "channels"
    crop: Count = 48
    gain: tuple[float, float] = (-1.5, 0.5)
    peak: Positive | None = None
    bank: Count = 64
    bank_frames: Count = 256
    losses: VAELosses = VAELosses()
    judge: VAEJudge = VAEJudge()


class VAETrainer:
    """Trains a `MelVAE` or an `AudioLDMVAE`, all of it or its decoder; `problem` hears what is left out of the data.

    Raises DataError, RecipeError or PresetError where data, sizes or the base do not do.
    """

    def __init__(
        self, recipe: VAERecipe, fabric: Fabric, folder: Path, problem: Callable[[str], None] = print
    ) -> None:
        self.recipe, self.device = recipe, fabric.device
        self.made = made = make_vae(recipe.sizes, recipe.geometry.build(), recipe.base, recipe.weights_of)
        factor = made.geometry.factor
        if recipe.crop % factor:
            raise DataError(f"crop must divide by {factor}, not be {recipe.crop}; correct the recipe.")
        cache = Path(recipe.cache) if recipe.cache else folder / "cache"
        peak = recipe.peak if recipe.peak is not None else made.peak
        told = (recipe.data, recipe.held_out, made.geometry, peak, cache, recipe.bank)
        if fabric.is_global_zero:
            read_mels(*told, problem)
        fabric.barrier()
        found = read_mels(*told, lambda sentence: None)
        self.mels = found.training
        if isinstance(self.mels, Shards) and self.mels.mels.shape[2] < recipe.crop:
            count, _, frames = self.mels.mels.shape
            raise DataError(
                f"{recipe.data.source} holds {count} clips of {frames} frames, too few to train and judge by; make "
                "more, or a smaller crop."
            )
        self.lowest = self.mels.lowest
        chosen = np.linspace(0, len(found.kept) - 1, min(recipe.bank, len(found.kept))).round()
        self.bank = [self._whole(found.kept, int(at)) for at in chosen]
        self.vae = made.network
        if recipe.train == "decoder":
            for part in (self.vae.network.encoder, self.vae.network.quant_conv):
                part.requires_grad_(False)
        self.networks: Mapping[str, nn.Module] = {"vae": self.vae}
        self.frozen: Mapping[str, nn.Module] = {}
        judge = recipe.judge
        self.judges: Mapping[str, nn.Module] = (
            {"judge": PatchJudge(judge.channels, judge.layers)} if judge.after < 1.0 else {}
        )
        if self.judges and min(recipe.crop, made.geometry.mel_bands) < 2**judge.layers:
            raise DataError(
                f"A judge of {judge.layers} layers needs {2**judge.layers} frames and bands; make the crop longer."
            )
        self.criterion = Criterion("mel_db", "lower")
        self.identity = {"data": str(found.about["sha256"])}
        if made.base_sha256:
            self.identity["base"] = made.base_sha256
        self.about: dict[str, Any] = {
            **about_vae(made),
            "data": found.about,
            "credits": list(credits_of(place_of(recipe.data.source))),
        }

    def groups(self, turn: str) -> Sequence[Group]:
        """One a turn."""
        if turn == "judge":
            return [Group(tuple(named_weights(self.judges)), factor=self.recipe.judge.factor)]
        return [Group(tuple(named_weights(self.networks)))]

    def turns(self, done: float) -> Sequence[str]:
        """The judge's, once it is there, and the VAE's."""
        return ("judge", "main") if self.judges and done >= self.recipe.judge.after else ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Reconstruct crops through a drawn latent; the judge's turn and the VAE's see the same ones."""
        sums: dict[str, Tensor] = {}
        judged = bool(self.judges) and step.done >= self.recipe.judge.after
        weight = self._weight(step) if turn == "main" and judged else None
        for part in step.parts():
            if turn == "judge":
                values = {"judge": self._judged(part)}
                loss = values["judge"]
            else:
                values = self._values(part, judged)
                loss = self._rebuilt(values) + self._divergence_weight * values["divergence"]
                if weight is not None:
                    loss = loss + weight * values["fooled"]
                values = {"loss": loss, **values}
            step.backward(loss.sum() / step.batch)
            add_up(sums, {name: value.sum() / step.batch for name, value in values.items()})
        return sums

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Mean absolute error of the bank's log-mels from their latents' means, in nepers and in dB."""
        errors = []
        with torch.inference_mode():
            for first in range(0, len(self.bank), 8):
                mel, valid = self._batch(self.bank[first : first + 8])
                again = self._again(averaged["vae"], mel)
                errors.append(absolute_distance(again, mel, valid))
        nepers = float(torch.cat(errors).mean())
        return {"mel_nepers": nepers, "mel_db": nepers * NEPER_DB}

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """The first mel of the bank and its reconstruction, as arrays `[bands, frames]`: ears need a vocoder."""
        with torch.inference_mode():
            mel, valid = self._batch(self.bank[:1])
            again = self._again(averaged["vae"], mel)
        real = int(valid[0])
        np.savez(
            folder / "mels.npz", mel=mel[0, :, :real].cpu().numpy(), again=again[0, :, :real].cpu().numpy()
        )

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Measure the latents' statistics, where they are new, and write vae.safetensors."""
        vae = averaged["vae"]
        assert isinstance(vae, MelVAE)
        if self.made.fresh:
            self._measure(vae)
        save_weights(vae, folder / "vae.safetensors")

    # Inside ---------------------------------------------------------------------------------------------

    @property
    def _divergence_weight(self) -> float:
        return 0.0 if self.recipe.train == "decoder" else self.recipe.losses.divergence

    def _values(self, part: Draws, judged: bool) -> dict[str, Tensor]:
        """Every part of the loss, each `[rows]`."""
        mel, again, valid, mean, spread = self._reconstructed(part)
        latents = -torch.div(-valid, self.made.geometry.factor, rounding_mode="floor")
        values = {
            "absolute": absolute_distance(again, mel, valid),
            "square": square_distance(again, mel, valid),
            "slopes": slope_distance(again, mel, valid),
            "partials": magnitude_distance(again, mel, valid),
            "divergence": divergence(mean, spread, latents),
        }
        if self.recipe.losses.resolutions:
            floor = self.made.geometry.mel_floor
            values["resolutions"] = resolution_distance(again, mel, valid, floor)
        if judged:
            values["fooled"] = -self._scores(again, mel, valid)
        return values

    def _rebuilt(self, values: Mapping[str, Tensor]) -> Tensor:
        """The distance between mels and reconstructions, `[rows]`."""
        loss, told = values["absolute"], self.recipe.losses
        for name in ("square", "slopes", "partials", "resolutions"):
            if name in values:
                loss = loss + getattr(told, name) * values[name]
        return loss

    def _judged(self, part: Draws) -> Tensor:
        """The judge's hinge loss, `[rows]`."""
        with torch.no_grad():
            mel, again, valid, _, _ = self._reconstructed(part)
        false = self._scores(again, mel, valid, lambda score: (1.0 + score).clamp_min(0.0))
        true = self._scores(mel, mel, valid, lambda score: (1.0 - score).clamp_min(0.0))
        return 0.5 * (true + false)

    def _scores(
        self,
        image: Tensor,
        mel: Tensor,
        valid: Tensor,
        of: Callable[[Tensor], Tensor] = lambda score: score,
    ) -> Tensor:
        """Mean of something of the judge's scores, `[rows]`, over patches that are no padding."""
        judge, geometry = self.judges["judge"], self.made.geometry
        assert isinstance(judge, PatchJudge)
        places = torch.arange(mel.shape[2], device=mel.device)
        # Behind a sound both have the same padding, so it tells nothing.
        seen = torch.where(places < valid[:, None, None], image, mel)
        scaled = ((seen - geometry.mel_mean) / geometry.mel_scale).transpose(1, 2)[:, None]
        return masked_mean(of(judge(scaled).float()), judge.valid(valid))

    def _weight(self, step: Step) -> Tensor:
        """What the judge's part is multiplied by, by the gradients of the whole batch at the decoder's last layer."""
        told = self.recipe.judge
        last = self.vae.network.decoder.conv_out.weight
        if not told.adaptive:
            return last.new_tensor(told.weight)
        both = torch.zeros((2, *last.shape), device=last.device)
        for part in step.parts():
            values = self._values(part, True)
            for at, loss in enumerate((self._rebuilt(values), values["fooled"])):
                (gradient,) = torch.autograd.grad(loss.sum() / step.batch, last, retain_graph=at == 0)
                both[at] += gradient
        if step.fabric.world_size > 1:
            summed = step.fabric.all_reduce(both, reduce_op="sum")
            assert isinstance(summed, Tensor)
            both = summed
        return told.weight * balance(both[0], both[1])

    def _reconstructed(self, part: Draws) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Mels, their reconstructions, real frames, and mean and log variance of the latents."""
        # As long in every batch: padding is no target, but norms over all of time hear how much of it there is.
        mel, valid = self._batch(self._crops(part), self.recipe.crop)
        mean, spread = (one.float() for one in self.vae.posterior(mel))
        spread = spread.clamp(-20.0, 10.0)
        latent = mean + part.normal(mean.shape[1:], "latent") * (0.5 * spread).exp()
        return mel, self.vae.reconstruct(latent).float(), valid, mean, spread

    def _crops(self, part: Draws) -> list[np.ndarray]:
        """Each row's `[bands, crop]` or less: its clip from a drawn frame on, at a drawn gain."""
        chosen = zip(part.rows, part.choose(len(self.mels)), strict=True)
        crop, gain = self.recipe.crop, self.recipe.gain
        return [self.mels.crop(int(clip), crop, gain, part.row(row, "crop")) for row, clip in chosen]

    def _batch(self, rows: Sequence[np.ndarray], frames: int = 0) -> tuple[Tensor, Tensor]:
        """Rows padded with silence to `frames`, or to the longest of them, and how many of each are real."""
        factor = self.made.geometry.factor
        longest = max(frames, *(row.shape[1] for row in rows))
        mel, valid = stacked(rows, -(-longest // factor) * factor, self.lowest)
        return mel.to(self.device), valid.to(self.device)

    def _whole(self, mels: Any, clip: int) -> np.ndarray:
        """A clip as it is judged, the same in every run."""
        rng = np.random.default_rng([1234, clip])
        found: np.ndarray = mels.crop(clip, self.recipe.bank_frames, (0.0, 0.0), rng)
        return found

    def _again(self, vae: nn.Module, mel: Tensor) -> Tensor:
        assert isinstance(vae, MelVAE)
        return vae.reconstruct(vae.posterior(mel)[0]).float()

    def _measure(self, vae: MelVAE) -> None:
        """What makes the latents standard: of crops of the first batch, drawn, or of whole clips, their means."""
        recipe = self.recipe
        if recipe.statistics == "one":
            first = Draws(recipe.seed, 0, tuple(range(recipe.batch)), recipe.batch, self.device)
            measure_deviation(vae, *self._batch(self._crops(first), recipe.crop), first)
            return
        clips = range(0, len(self.mels), max(1, len(self.mels) // MEASURED))
        rows = [self._whole(self.mels, clip) for clip in clips]
        measure_channels(vae, (self._batch(rows[at : at + 8]) for at in range(0, len(rows), 8)))
