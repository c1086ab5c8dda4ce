"""Direct: an encoder's towers learn CLAP's space themselves, by three contrasts, with the adapter as their signed head.

An average of Hardswish is nearly non-negative, so no vector of the towers alone comes near CLAP's; and a contrast fixes
which is nearer to which, not where they are: therefore the adapter's last layer, and the anchoring beside the three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from training.draws import Draws
from training.losses.contrastive import contrast
from training.losses.coupled import coupled
from training.pictures import Pictures
from training.runfolder import save_weights
from training.step import Step
from training.targets import Heard
from training.towers import batch_norms, described, embed, heard, settled
from training.trainer import Criterion
from training.trainers.align import anchored, distance, fresh_adapter, judged, trained, write_cosines
from training.trainers.align_recipe import AlignRecipe
from training.turns import Group


class DirectTrainer:
    """Trains towers and adapter on pictures of pairs, and on what CLAP hears of the sounds.

    targets: CLAP of the training sounds, `[sounds, 512]`; fitting: embeddings `[n, 960]` of some of them and of their
    imitations, as the towers begin, by which the adapter standardises; bank: only its targets count.
    """

    def __init__(
        self,
        recipe: AlignRecipe,
        device: torch.device,
        towers: nn.Module,
        pictures: Pictures,
        bank_pictures: Pictures,
        targets: Tensor,
        bank: Heard,
        fitting: Tensor,
        null: Tensor,
        identity: Mapping[str, str] | None = None,
    ) -> None:
        self.recipe, self.device = recipe, device
        self.towers, self.pictures, self.bank_pictures = towers, pictures, bank_pictures
        self.targets, self.bank = targets.to(device), bank.to(device)
        self.of = torch.from_numpy(pictures.pairs.of).to(device)
        towers.requires_grad_(True)
        if isinstance(getattr(towers, "tau", None), nn.Parameter):
            towers.tau.requires_grad_(False)  # type: ignore[union-attr]
        self.adapter = fresh_adapter(fitting, null)
        self.networks: Mapping[str, nn.Module] = {"encoder": towers, "adapter": self.adapter}
        self.frozen: Mapping[str, nn.Module] = {}
        self.judges: Mapping[str, nn.Module] = {}
        self.criterion = Criterion("cosine", "higher")
        self.identity = dict(identity or {})
        self.about = {"parts": {"encoder": described(towers), "adapter": {"kind": "mlp"}}}

    def groups(self, turn: str) -> Sequence[Group]:
        """Towers and adapter."""
        return [
            Group(tuple(f"{part}.{name}" for name in trained(network)), title=part)
            for part, network in self.networks.items()
        ]

    def turns(self, done: float) -> Sequence[str]:
        """One, from beginning to end."""
        return ("main",)

    def step(self, turn: str, step: Step) -> Mapping[str, Tensor]:
        """The three contrasts of the whole batch, and the anchoring of voices and sounds."""
        if self.recipe.batch_norm == "frozen":
            for norm in batch_norms([self.towers]):
                norm.eval()
        draws, told = step.draws, self.recipe
        every = Draws(draws.seed, draws.step, tuple(range(step.batch)), step.batch, draws.device)
        chosen = torch.from_numpy(every.choose(len(self.pictures.pairs))).to(self.device)
        wanted = self.of[chosen]
        same = (wanted[:, None] == wanted[None]) & ~torch.eye(
            len(wanted), dtype=torch.bool, device=self.device
        )

        def couple(voices: Tensor, sounds: Tensor) -> Mapping[str, Tensor]:
            meant = self.targets[wanted]
            values = anchored(torch.cat([voices, sounds]), self.targets, wanted.repeat(2), told)
            values["imitation_sound"] = contrast(voices, sounds, same, told.tau)
            values["sound_clap"] = contrast(sounds, meant, same, told.tau)
            values["imitation_clap"] = contrast(voices, meant, same, told.tau)
            for name in ("imitation_sound", "sound_clap", "imitation_clap"):
                values["loss"] = values["loss"] + getattr(told.losses, name) * values[name]
            return values

        return coupled(self._conditions, couple, step, [self.towers])

    def validate(self, averaged: Mapping[str, nn.Module]) -> Mapping[str, float]:
        """As the adapter alone is judged, on what the towers hear now."""
        voices, sounds = self._judged(averaged)
        return judged(voices, sounds, self.bank)

    def listen(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """The cosine of each held-out voice's condition to CLAP of its sound, as a table."""
        voices, _ = self._judged(averaged)
        write_cosines(1.0 - distance(voices, self.bank.targets[self.bank.of]), self.bank, folder)

    def finish(self, averaged: Mapping[str, nn.Module], folder: Path) -> None:
        """Write encoder.safetensors, its statistics settled, and adapter.safetensors."""
        save_weights(self._settled(averaged["encoder"]), folder / "encoder.safetensors")
        save_weights(averaged["adapter"], folder / "adapter.safetensors")

    def _conditions(self, part: Draws) -> tuple[Tensor, Tensor]:
        voices, sounds = self.pictures.drawn(part)
        return (
            self.adapter(embed(self.towers, "imitation", voices, self.device)),
            self.adapter(embed(self.towers, "sound", sounds, self.device)),
        )

    def _judged(self, averaged: Mapping[str, nn.Module]) -> tuple[Tensor, Tensor]:
        towers, adapter = self._settled(averaged["encoder"]), averaged["adapter"]
        with torch.inference_mode():
            voices, sounds = (
                adapter(heard(towers, self.bank_pictures, side, self.device).to(self.device))
                for side in ("imitation", "sound")
            )
        return voices, sounds

    def _settled(self, averaged: nn.Module) -> nn.Module:
        told = self.recipe
        batches = 0 if told.batch_norm == "frozen" else told.settle
        return settled(averaged, self.pictures, batches, told.seed, self.device)
