"""Align: what an encoder hears becomes the condition that an AudioLDM was trained with, CLAP of the sound meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.draws import Draws
from training.errors import RecipeError
from training.losses.anchoring import distance, moments
from training.losses.contrastive import choice
from training.losses.coupled import coupled
from training.runfolder import save_weights
from training.step import Step
from training.targets import Heard, told_apart
from training.towers import described
from training.trainer import Criterion
from training.trainers.align_recipe import AlignRecipe
from training.turns import Group
from vocaldm_live.measure.retrieval import score_classes
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.encoder import Encoder


class AlignTrainer:
    """Trains an adapter on vectors that an encoder, which stays, and CLAP have heard.

    null: the base's unconditional, `[512]`, which the adapter carries for whoever looks there; it is not trained.
    """

    def __init__(
        self,
        recipe: AlignRecipe,
        device: torch.device,
        train: Heard,
        bank: Heard,
        null: Tensor,
        encoder: Encoder | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.train, self.bank = train.to(device), bank.to(device)
        self.encoder = encoder
        self.adapter = fresh_adapter(torch.cat([train.imitations, train.sounds]), null)
        self.networks: Mapping[str, nn.Module] = {"adapter": self.adapter}
        self.frozen: Mapping[str, nn.Module] = {} if encoder is None else {"encoder": encoder}
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion("cosine", "higher")
        self.identity = dict(identity or {})
        self.about = {"parts": {"adapter": {"kind": "mlp"}}}
        if encoder is not None:
            self.about["parts"]["encoder"] = described(encoder)

    def groups(self, turn: str) -> Sequence[Group]:
        """One for all but the null."""
        return [Group(tuple(f"adapter.{name}" for name in trained(self.adapter)))]

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """Anchor the conditions of voices, sounds and what lies between them."""
        draws = step.draws
        every = Draws(draws.seed, draws.step, tuple(range(step.batch)), step.batch, draws.device)
        wanted = self.train.of[torch.from_numpy(every.choose(len(self.train.of))).to(self.device)]

        def couple(conditions: Tensor) -> Mapping[str, Tensor]:
            return anchored(conditions, self.train.targets, wanted, self.recipe)

        return coupled(lambda part: (self.adapter(self._heard(part)),), couple, step)

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """How near held-out voices and sounds come to CLAP of the sounds, and how far conditions are apart."""
        adapter = averaged["adapter"]
        with torch.inference_mode():
            return judged(adapter(self.bank.imitations), adapter(self.bank.sounds), self.bank)

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """The cosine of each held-out voice's condition to CLAP of its sound, as a table."""
        adapter = averaged["adapter"]
        with torch.inference_mode():
            found = 1.0 - distance(adapter(self.bank.imitations), self.bank.targets[self.bank.of])
        write_cosines(found, self.bank, folder)

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write adapter.safetensors, and beside it the encoder that it was trained behind."""
        save_weights(averaged["adapter"], folder / "adapter.safetensors")
        if self.encoder is not None:
            save_weights(self.encoder, folder / "encoder.safetensors")

    def _heard(self, part: Draws) -> Tensor:
        """Embeddings `[rows, 960]` of each row's voice or sound, or between them, with noise."""
        told, data = self.recipe.inputs, self.train
        chosen = torch.from_numpy(part.choose(len(data.of))).to(self.device)
        voice, sound = data.imitations[chosen], data.sounds[data.of[chosen]]
        weight = (part.uniform("side") >= told.imitations).float()
        weight = torch.where(part.uniform("mixed") < told.mixed, part.uniform("between"), weight)[:, None]
        between = functional.normalize((1.0 - weight) * voice + weight * sound, dim=1)
        scale: Tensor = self.adapter.scale
        return between + told.noise * scale * part.normal(between.shape[1:], "noise")


def fresh_adapter(embeddings: Tensor, null: Tensor) -> Adapter:
    """An adapter that knows mean and spread of embeddings `[n, 960]`, whose null is the base's and stays."""
    adapter = Adapter()
    try:
        adapter.fit(embeddings)
    except ValueError as error:
        raise RecipeError(f"The encoder hears no differences ({error}); name another encoder.") from error
    with torch.no_grad():
        adapter.null.copy_(null.reshape(-1))
    adapter.null.requires_grad_(False)
    return adapter


def trained(network: nn.Module) -> list[str]:
    """Names of the weights that ask for gradients."""
    return [name for name, weight in network.named_parameters() if weight.requires_grad]


def anchored(conditions: Tensor, targets: Tensor, wanted: Tensor, told: AlignRecipe) -> dict[str, Tensor]:
    """Losses of conditions `[batch, 512]` by name and their weighted sum as "loss".

    targets: CLAP of all training sounds `[sounds, 512]`, of which `wanted` `[batch]` are meant.
    """
    meant = targets[wanted]
    values = {
        "cosine": distance(conditions, meant).mean(),
        "choice": choice(conditions, targets, wanted, told.tau).mean(),
        "moments": moments(functional.normalize(conditions, dim=1), meant),
    }
    values["loss"] = sum(
        (getattr(told.losses, name) * value for name, value in values.items()),
        torch.zeros_like(values["cosine"]),
    )
    return values


def judged(voices: Tensor, sounds: Tensor, bank: Heard) -> dict[str, float]:
    """Figures of conditions of held-out voices `[pairs, 512]` and sounds `[sounds, 512]`.

    cosine, sound_cosine: to CLAP of the sound, means; mrr: of that sound among all held-out ones; alike,
    target_alike: mean cosine between different conditions, and between the targets, which it should come to.
    """
    orders = (voices @ bank.targets.T).argsort(dim=1, descending=True, stable=True).cpu().numpy()
    names = bank.names or tuple(map(str, range(len(bank.targets))))
    found = score_classes(list(orders), [int(at) for at in bank.of], names)
    return {
        "cosine": float(1.0 - distance(voices, bank.targets[bank.of]).mean()),
        "sound_cosine": float(1.0 - distance(sounds, bank.targets).mean()),
        "mrr": found.mrr,
        "chance_mrr": found.chance_mrr,
        "alike": told_apart(voices),
        "target_alike": told_apart(bank.targets),
    }


def write_cosines(found: Tensor, bank: Heard, folder: Path) -> None:
    """cosines.tsv: the cosine of each held-out voice's condition to CLAP of its sound, and the sound's name."""
    names = bank.names or tuple(map(str, range(len(bank.targets))))
    lines = [f"{float(value):.4f}\t{names[int(at)]}" for value, at in zip(found, bank.of, strict=True)]
    text = "\n".join(["cosine\tsound", *lines]) + "\n"
    (folder / "cosines.tsv").write_text(text, encoding="utf-8", errors="backslashreplace")
