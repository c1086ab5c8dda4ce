"""Vocoder: log-mels to samples, by spectral distances, by judges that learn to tell them from real ones, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from training.data.spec import DataSpec
from training.drawn import Drawn, drawn_by
from training.draws import Draws
from training.errors import RecipeError
from training.geometry import GeometrySpec
from training.judges.periods import PeriodJudges
from training.judges.spectrogram import RESOLUTIONS, SpectrogramJudges
from training.listening import write_example
from training.losses.adversarial import (
    Kind,
    Verdicts,
    feature_distance,
    fooling_loss,
    judge_loss,
)
from training.losses.spectral import SIZES, energy_distance, mel_distance
from training.provenance import credits_of, describe_data
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict
from training.sounds import HeldOutBy, place_of, procedural, read_sounds, segment
from training.step import Step, add_up
from training.trainer import Criterion
from training.turns import Group, named_weights
from training.vocoder_part import Sizes, exact, make_vocoder, write_vocoder
from vocaldm_live.measure.spectra import multi_resolution_stft_distance
from vocaldm_live.model.overlap import inverse_stft
from vocaldm_live.model.vocoder import Vocoder, unit_noise
from vocaldm_live.sound.mel import log_mel

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Weight = Annotated[float, Field(ge=0.0)]
MEL = ("sample_rate", "n_fft", "hop", "mel_bands", "fmin", "fmax", "mel_floor")
SCALE = ("mel_mean", "mel_scale")  # by which the house's kind, and no other, takes its mels
HEARD = 4  # sounds that are written for ears


class VocoderLosses(Strict):
    """Weights of the loss's parts. logarithmic, linear: of magnitudes at several STFT sizes; mel: of the log-mel.

    repulsion: 1 lets noise be as spread as the target's, 0 gives the median (for a network that draws noise).
    fooled: what the judges are not fooled by; features: distance of their inner features.
    """

    logarithmic: Weight = 1.0
    linear: Weight = 1.0
    mel: Weight = 0.5
    repulsion: Share = 0.6
    fooled: Weight = 0.1
    features: Weight = 0.5


class VocoderJudges(Strict):
    """Judges of samples: from a share of the run on (`after`, 1: none at all), their loss, how fast they learn.

    resolutions: STFT sizes of those that look at spectrograms, each `channels` wide; periods: of those that look at
    samples, `period_channels` wide; factor: of the run's learning rate.
    """

    after: Share = 1.0
    kind: Kind = "hinge"
    resolutions: tuple[Annotated[int, Field(ge=32)], ...] = RESOLUTIONS
    channels: Count = 16
    periods: tuple[Annotated[int, Field(ge=2)], ...] = ()
    period_channels: Count = 32
    factor: Positive = 0.5


class VocoderRecipe(Recipe):
    """data: sounds, a share of them held out to judge by (`held_out_by`, as `training.sounds` says).

    base: a preset or a vocoder's folder to go on from, its mel and sizes included; weights_of: weights to go on from;
    else a new `network` (the house's) for the mel of `geometry`. procedural: synthetic sounds, for half of the rows;
    drawn_by: a preset whose diffusion model draws the mels of half of the rows, `drawn` clips. crop: mel frames of an
    example; gain_db: at least and at most; bank: sounds to judge by, their first `bank_seconds` each.
    licence: what clips that are made with the vocoder will say of it; cache: where prepared sounds lie.
    """

    command: Literal["vocoder"] = "vocoder"
    batch: Count = 8
    budget: Budget = Budget(minutes=30.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=5e-4), weight_decay=1e-4)
    keeping: Keeping = Keeping(validate=Every(minutes=3.0))
    data: DataSpec
    held_out_by: HeldOutBy = "content"
    cache: str | None = None
    base: str | None = None
    weights_of: str | None = None
    geometry: GeometrySpec = GeometrySpec()
    network: Sizes | None = None
    procedural: Annotated[int, Field(ge=0)] = 0
    drawn_by: str | None = None
    drawn: Count = 480
    crop: Count = 64
    gain_db: tuple[float, float] = (-24.0, 6.0)
    bank: Count = 64
    bank_seconds: Positive = 2.0
    losses: VocoderLosses = VocoderLosses()
    judges: VocoderJudges = VocoderJudges()
    licence: str = "that of the sounds it was trained on"


class VocoderTrainer:
    """Trains a vocoder of any kind that has weights; `problem` hears a sentence for each sound that is left out.

    Raises DataError, RecipeError or PresetError where the sounds, the sizes or the base do not do.
    """

    def __init__(
        self,
        recipe: VocoderRecipe,
        fabric: Fabric,
        folder: Path,
        problem: Callable[[str], None] = print,
    ) -> None:
        self.recipe, self.device, self.folder = recipe, fabric.device, folder
        self.made = make_vocoder(recipe.network, recipe.geometry.build(), recipe.base, recipe.weights_of)
        self.geometry = geometry = self.made.geometry
        cache = Path(recipe.cache) if recipe.cache else folder / "cache"
        if fabric.is_global_zero:
            read_sounds(recipe.data, geometry.sample_rate, cache, problem, recipe.held_out_by)
            self._draw(cache)
        fabric.barrier()
        self.training, kept = read_sounds(
            recipe.data, geometry.sample_rate, cache, lambda sentence: None, recipe.held_out_by
        )
        self.synthetic = procedural(recipe.procedural, recipe.seed, geometry.sample_rate)
        self.drawn = self._draw(cache)
        longest = round(recipe.bank_seconds * geometry.sample_rate)
        chosen = np.linspace(0, len(kept) - 1, min(recipe.bank, len(kept))).round()
        self.bank = [_whole(kept.rows[int(at)][:longest], geometry.hop) for at in chosen]
        self.network = self.made.network
        self.networks: Mapping[str, nn.Module] = {"vocoder": self.network}
        self.frozen: Mapping[str, nn.Module] = {}
        told, judges = recipe.judges, dict[str, nn.Module]()
        if told.after < 1.0:
            if told.resolutions:
                judges["spectrograms"] = SpectrogramJudges(told.resolutions, told.channels)
            if told.periods:
                judges["periods"] = PeriodJudges(told.periods, told.period_channels)
        self._check(judges)
        self.judges: Mapping[str, nn.Module] = judges
        self.criterion = Criterion("stft_distance", "lower")
        data = describe_data(recipe.data.source, self.training.keys)
        mel = (*MEL, *SCALE) if self.made.part.kind == "istft" else MEL
        # No preset's hash: what goes on from a preset's vocoder belongs to every preset of its mel.
        self.identity = {"data": data["sha256"]} | ({"vocoder": self.made.sha256} if recipe.base else {})
        self.about: dict[str, Any] = {
            "parts": {"vocoder": self.made.plain()},
            "mel": {key: getattr(geometry, key) for key in mel},
            "data": data,
            "credits": list(credits_of(place_of(recipe.data.source))),
        }

    def groups(self, turn: str) -> Sequence[Group]:
        """One a turn."""
        if turn == "judge":
            return [Group(tuple(named_weights(self.judges)), factor=self.recipe.judges.factor)]
        return [Group(tuple(named_weights(self.networks)))]

    def turns(self, done: float) -> Sequence[str]:
        """The judges', once they are there, and the vocoder's."""
        return ("judge", "main") if self.judges and done >= self.recipe.judges.after else ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Make segments of sounds from their mels; the judges' turn and the vocoder's see the same ones."""
        sums: dict[str, Tensor] = {}
        for part in step.parts():
            samples, given = self._segments(part)
            if turn == "judge":
                with torch.no_grad():
                    made = self._draws(given, part, 1)[0]
                loss = judge_loss(self.recipe.judges.kind, self._verdicts(samples), self._verdicts(made))
                values = {"judge": loss}
            else:
                values = self._values(samples, given, part, step)
                loss = values["loss"]
            step.backward(loss.sum() / step.batch)
            add_up(sums, {name: value.sum() / step.batch for name, value in values.items()})
        return sums

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """Mean multi-resolution STFT distance of held-out sounds to what is made of their mels, and of log-mels in dB."""
        distances, errors = [], []
        for index, samples in enumerate(self.bank):
            made, error = self._again(averaged["vocoder"], samples, index)
            distances.append(multi_resolution_stft_distance(samples, made))
            errors.append(error)
        return {"stft_distance": float(np.mean(distances)), "mel_db": 8.686 * float(np.mean(errors))}

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Some held-out sounds and what is made of their mels, as WAV files."""
        for index, samples in enumerate(self.bank[:HEARD]):
            made, _ = self._again(averaged["vocoder"], samples, index)
            for name, heard in (("sound", samples), ("made", made)):
                path = folder / f"{index}-{name}.wav"
                write_example(path, heard, self.geometry.sample_rate)

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write vocoder.safetensors and vocoder.yaml."""
        name = folder.resolve().name or "vocoder"
        write_vocoder(folder, self.made, averaged["vocoder"], name, self.recipe.licence)

    # Inside ---------------------------------------------------------------------------------------------

    def _segments(self, part: Draws) -> tuple[Tensor, Tensor]:
        """Samples `[rows, crop * hop]` and the mels that are given for them, `[rows, bands, crop]`.

        By their place in the whole batch, rows are real, then procedural, then drawn.
        """
        recipe, geometry = self.recipe, self.geometry
        drawn = recipe.batch // 2 if self.drawn is not None else 0
        synthetic = (recipe.batch - drawn) // 2 if len(self.synthetic) else 0
        real = recipe.batch - drawn - synthetic
        samples, smooth = [], {}
        for place, row in enumerate(part.rows):
            rng = part.row(row, "segment")
            if self.drawn is not None and row >= real + synthetic:
                own, smooth[place] = self.drawn.segment(recipe.crop, rng)
            else:
                rows = self.training.rows if row < real else self.synthetic.rows
                own = segment(rows, recipe.crop * geometry.hop, recipe.gain_db, rng)
            samples.append(own)
        stacked = torch.from_numpy(np.stack(samples)).to(self.device)
        with exact(self.device):
            given = log_mel(stacked, geometry)
        for place, mel in smooth.items():
            given[place] = torch.from_numpy(mel).to(self.device)
        return stacked, given

    def _draws(self, given: Tensor, part: Draws, count: int) -> list[Tensor]:
        """Samples made of the mels, once, or `count` times with other noise where the network draws some."""
        if not isinstance(self.network, Vocoder):
            made: Tensor = self.network(given)
            return [made.float()] * count
        with exact(self.device):
            steady, level = self.network.spectra(given)
            length = given.shape[2] * self.geometry.hop
            return [
                inverse_stft(
                    steady + level * unit_noise(part.normal((length,), f"noise {draw}"), self.geometry),
                    self.geometry,
                )
                for draw in range(count)
            ]

    def _values(self, samples: Tensor, given: Tensor, part: Draws, step: Step) -> dict[str, Tensor]:
        """The loss and its parts, each `[rows]`."""
        told = self.recipe.losses
        first, second = self._draws(given, part, 2)
        values: dict[str, Tensor] = {}
        with exact(self.device):
            if told.logarithmic or told.linear:
                # One size is left out in turn, which costs a third less.
                sizes = [size for at, size in enumerate(SIZES) if at != step.index % len(SIZES)]
                far = energy_distance(samples, first, second, told.repulsion, sizes)
                values["logarithmic"], values["linear"] = far
            if told.mel:
                values["mel"] = mel_distance(first, log_mel(samples, self.geometry), self.geometry)
        if self.judges and step.done >= self.recipe.judges.after:
            with torch.no_grad():
                real = self._verdicts(samples)
            made = self._verdicts(first)
            values["fooled"] = fooling_loss(self.recipe.judges.kind, made)
            values["features"] = feature_distance(real, made)
        loss = sum((getattr(told, name) * value for name, value in values.items()), samples.new_zeros(()))
        return {"loss": loss, **values}

    def _verdicts(self, samples: Tensor) -> Verdicts:
        return [verdict for judge in self.judges.values() for verdict in judge(samples)]

    def _again(self, network: nn.Module, samples: np.ndarray, seed: int) -> tuple[np.ndarray, float]:
        """What is made of the mel of samples `[n]`, and the mean distance of both log-mels in nepers."""
        with torch.inference_mode():
            mel = log_mel(torch.from_numpy(samples)[None].to(self.device), self.geometry)
            own = (torch.Generator().manual_seed(seed),) if isinstance(network, Vocoder) else ()
            made = network(mel, *own).float()
            error = float(mel_distance(made, mel, self.geometry))
        return made[0].cpu().numpy(), error

    def _draw(self, cache: Path) -> Drawn | None:
        recipe = self.recipe
        if recipe.drawn_by is None:
            return None
        training, _ = read_sounds(
            recipe.data, self.geometry.sample_rate, cache, lambda sentence: None, recipe.held_out_by
        )
        count, seed = recipe.drawn, recipe.seed
        return drawn_by(recipe.drawn_by, self.folder, count, seed, training, self.geometry, recipe.crop)

    def _check(self, judges: Mapping[str, nn.Module]) -> None:
        recipe, told = self.recipe, self.recipe.losses
        if told.logarithmic + told.linear + told.mel == 0.0 and recipe.judges.after > 0.0:
            raise RecipeError("No distance has a weight in losses, so nothing would be learnt; give one.")
        longest = max((*SIZES, *(recipe.judges.resolutions if judges else ())))
        if recipe.crop * self.geometry.hop <= longest // 2:
            raise RecipeError(
                f"A crop of {recipe.crop} frames has fewer samples than spectra of {longest} need; make it longer."
            )


def _whole(samples: np.ndarray, hop: int) -> np.ndarray:
    """Samples as long as their frames."""
    return np.pad(samples, (0, -len(samples) % hop)).astype(np.float32)
