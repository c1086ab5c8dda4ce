"""QVIM: two towers, or one, that hear a voice and the sound it means as nearly the same."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from training.augment.audio import AudioAugmentation
from training.augment.mel import MelAugmentation
from training.data.mel_pairs import looks, open_mel_pairs
from training.data.pairs import Voices, open_pairs
from training.data.spec import DataSpec
from training.draws import Draws
from training.losses.contrastive import contrast, kin, semi_hard
from training.losses.coupled import coupled
from training.pictures import Pairs, Pictures
from training.recipe import Budget, Count, Every, Keeping, Optimiser, Positive, Rates, Recipe, Share, Strict
from training.runfolder import save_weights
from training.step import Step
from training.towers import Number, batch_norms, described, embed, heard, open_towers, settled
from training.trainer import Criterion
from training.turns import Group
from vocaldm_live.measure.retrieval import ClassRetrieval, score_classes

Crop = Annotated[int, Field(ge=16, le=1000)]


class Triplet(Strict):
    """weight of a semi-hard triplet loss beside the contrast, and its margin in cosine distance."""

    weight: Annotated[float, Field(ge=0)] = 0.0
    margin: Positive = 0.6


class QVIMRecipe(Recipe):
    """data: pairs in any format, or sounds alone, for which voices are rendered; held_out: another place to judge by.

    start: weights to begin with (`mn10_as.pt`, a QVIM checkpoint, a preset); towers: of its own for each side, or one.
    tau: the temperature, trained along where train_tau. family_share: how far sounds of one label are right too.
    crop: frames of which a step draws one for all clips; none: clips stay whole. batch_norm: batch counts statistics
    as it goes, frozen leaves those of `start`, which micro batches then change nothing of. settle: batches over which
    statistics are measured anew before judging. bank: imitations to judge by, at most. cache: where samples are
    kept; none: in the run.
    """

    command: Literal["qvim"] = "qvim"
    batch: Count = 16
    average: Annotated[float, Field(ge=0, lt=1)] = 0.995
    budget: Budget = Budget(minutes=60.0)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=3e-4, floor=0.1), weight_decay=1e-4)
    keeping: Keeping = Keeping(validate=Every(minutes=5.0))
    data: DataSpec
    held_out: str | None = None
    voices: Voices = Voices()
    cache: str | None = None
    start: str | None = None
    towers: Number = "two"
    tau: Positive = 0.07
    train_tau: bool = False
    family_share: Share = 0.0
    triplet: Triplet = Triplet()
    batch_norm: Literal["batch", "frozen"] = "batch"
    settle: Annotated[int, Field(ge=0)] = 8
    crop: tuple[Crop, ...] = ()
    audio: AudioAugmentation = AudioAugmentation()
    mel: MelAugmentation = MelAugmentation()
    bank: Count = 256


class QVIMTrainer:
    """Trains towers: any module with `embed_imitation` and `embed_reference`; raises DataError for unfit data."""

    def __init__(
        self, recipe: QVIMRecipe, device: torch.device, out: Path, towers: nn.Module | None = None
    ) -> None:
        self.recipe, self.device = recipe, device
        train, bank = open_both(recipe, out)
        self.pictures = Pictures(train, recipe.audio, recipe.mel, recipe.crop, recipe.machine.workers)
        self.bank = Pictures(bank, recipe.audio, recipe.mel, (), recipe.machine.workers)
        self.sames = torch.from_numpy(train.sames).to(device)
        self.families = torch.from_numpy(train.families).to(device)
        self.towers = open_towers(recipe.towers, recipe.start) if towers is None else towers
        self.tau = getattr(self.towers, "tau", None)
        if isinstance(self.tau, nn.Parameter):
            self.tau.requires_grad_(recipe.train_tau)
            if recipe.start is None or not recipe.train_tau:
                nn.init.constant_(self.tau, recipe.tau)
        self.networks: Mapping[str, nn.Module] = {"encoder": self.towers}
        self.frozen: Mapping[str, nn.Module] = {}
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion("mrr", "higher")
        self.identity = {"data": train.digest(), "bank": bank.digest()}
        self.about = {"parts": {"encoder": described(self.towers)}}

    def groups(self, turn: str) -> Sequence[Group]:
        """All that is trained; the temperature does not decay."""
        names = [name for name, weight in self.towers.named_parameters() if weight.requires_grad]
        groups = [Group(tuple(f"encoder.{name}" for name in names if name != "tau"))]
        return groups + ([Group(("encoder.tau",), weight_decay=0.0)] if "tau" in names else [])

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Contrast of the whole batch, however it is spread over processes and micro batches."""
        if self.recipe.batch_norm == "frozen":
            for norm in batch_norms([self.towers]):
                norm.eval()
        chosen = torch.from_numpy(self._all(step).choose(len(self.sames))).to(self.device)
        numbers, families = self.sames[chosen], self.families[chosen]
        same = (numbers[:, None] == numbers[None]) & ~torch.eye(
            len(chosen), dtype=torch.bool, device=self.device
        )
        told = self.recipe
        soft = kin(families, same, told.family_share) if told.family_share else None

        def couple(imitation: Tensor, sound: Tensor) -> Mapping[str, Tensor]:
            tau = told.tau if self.tau is None else self.tau.abs().clamp_min(1e-3)
            values = {"contrast": contrast(imitation, sound, same, tau, soft)}
            values["loss"] = values["contrast"]
            if told.triplet.weight:
                values["triplet"] = semi_hard(imitation, sound, same, told.triplet.margin)
                values["loss"] = values["loss"] + told.triplet.weight * values["triplet"]
            return values

        return coupled(self._embed, couple, step, [self.towers])

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """MRR, class-wise MRR and NDCG of the held-out imitations among all held-out sounds, chance beside them."""
        found = self.scored(self._settled(averaged["encoder"]))
        return {
            "mrr": found.mrr,
            "class_mrr": found.class_mrr,
            "ndcg": found.ndcg,
            "recall_at_1": found.recall_at_1,
            "chance_mrr": found.chance_mrr,
        }

    def scored(self, towers: nn.Module) -> ClassRetrieval:
        """How well towers in eval mode find the bank's sounds by its imitations."""
        imitations = heard(towers, self.bank, "imitation", self.device)
        sounds = heard(towers, self.bank, "sound", self.device)
        orders = (imitations @ sounds.T).argsort(dim=1, descending=True, stable=True).numpy()
        pairs = self.bank.pairs
        return score_classes(list(orders), [int(at) for at in pairs.of], pairs.classes)

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """The nearest sounds to each of the first imitations of the bank, as a table: there is nothing to hear yet."""
        towers = self._settled(averaged["encoder"])
        imitations = heard(towers, self.bank, "imitation", self.device)[:32]
        sounds = heard(towers, self.bank, "sound", self.device)
        names, of = self.bank.pairs.names, self.bank.pairs.of
        lines = ["meant\tnearest"]
        for row, likeness in enumerate(imitations @ sounds.T):
            nearest = likeness.argsort(descending=True)[:5].tolist()
            lines.append(names[int(of[row])] + "\t" + "\t".join(names[at] for at in nearest))
        (folder / "nearest.tsv").write_text(
            "\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace"
        )

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write encoder.safetensors, its statistics settled."""
        save_weights(self._settled(averaged["encoder"]), folder / "encoder.safetensors")

    def _embed(self, part: Draws) -> tuple[Tensor, Tensor]:
        imitation, sound = self.pictures.drawn(part)
        return (
            embed(self.towers, "imitation", imitation, self.device),
            embed(self.towers, "sound", sound, self.device),
        )

    def _all(self, step: Step) -> Draws:
        """The draws of every row of the batch, this process's and the others'."""
        draws = step.draws
        return Draws(draws.seed, draws.step, tuple(range(step.batch)), step.batch, draws.device)

    def _settled(self, averaged: nn.Module) -> nn.Module:
        told = self.recipe
        batches = 0 if told.batch_norm == "frozen" else told.settle
        return settled(averaged, self.pictures, batches, told.seed, self.device)


def open_both(recipe: QVIMRecipe, out: Path) -> tuple[Pairs, Pairs]:
    """What is trained on and the bank to judge by: shards of the house, or pairs of a collection; raises DataError."""
    data, source = recipe.data, Path(recipe.data.source)
    train: Pairs
    if looks(source):
        held_out = Path(recipe.held_out) if recipe.held_out else None
        train, mels = open_mel_pairs(source, held_out, data.held_out, data.limit)
        return train, mels.thinned(recipe.bank)
    cache = Path(recipe.cache) if recipe.cache else out / "cache"
    train, bank = open_pairs(data, recipe.voices, cache, recipe.machine.workers, tell, recipe.held_out, count)
    return train, bank.thinned(recipe.bank)


def tell(sentence: str) -> None:
    """Say a sentence on stderr."""
    print(sentence, file=sys.stderr, flush=True)


def count(done: int, whole: int) -> None:
    """Say now and then how far the preparation of samples is."""
    if done % 256 == 0 or (done == whole and whole >= 256):
        tell(f"{done} of {whole} sounds and imitations are prepared.")
