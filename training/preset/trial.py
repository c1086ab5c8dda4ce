"""Trial: how much of a trained run is taken is chosen, it plays against its base, and the page tells of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from training.data.collection import HELD_OUT, TEST, TRAINING, Collection
from training.export import Words, export
from training.listeners import Listener, listener
from training.part_files import PartFile, read_part
from training.preset.choosing import SHARES, Choice, choose
from training.preset.gestures import BANK, bank, of_folder, spread
from training.preset.judge import FEWEST, Performance, judge, perform
from training.preset.progress import Progress
from training.preset.recipe import PresetRecipe
from training.report.preset_page import preset_page
from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.errors import PresetError
from vocaldm_live.sound.audio import Sound

FEWEST_GESTURES = 6
REFERENCE_PIECES = 192
PAGE_SECONDS = 12.0
"""For the pictures of the page."""

CANDIDATES = 5
"""That play to choose by, the base among them; each costs a start of its engine beside its clips."""


class Trial:
    """Judges the run `folder`/train against the base."""

    def __init__(self, recipe: PresetRecipe, base: Preset, folder: Path, progress: Progress) -> None:
        self.recipe, self.base, self.folder, self.progress = recipe, base, folder, progress
        self.run = folder / "train"

    def judge(
        self, pieces: Mapping[str, Collection], seconds: float, said: Sequence[str], problems: Sequence[str]
    ) -> dict[str, Any]:
        """Figures in plain numbers, and the page in `folder`/report; takes about so many seconds."""
        recipe, begun = self.recipe, time.monotonic()
        ears = self._listeners()
        base = Engine(self.base, "auto")
        judged_by = pieces.get(TEST) or pieces[TRAINING]
        first = list(of_folder(judged_by, min(2, recipe.gestures), recipe.seed))
        # The first clip is slower than the others: it is not counted.
        perform("warming up", base, first[:1], (), 0)
        timed = time.monotonic()
        perform("warming up", base, first[-1:], (), 0)
        pace = time.monotonic() - timed
        left = seconds - (time.monotonic() - begun) - CANDIDATES * (timed - begun)
        count, banked = self._counts(left, pace)
        reference = self._reference(pieces)
        now = self._choice(ears, reference, pieces, base, count, banked // 2)
        new = self._candidate(now)
        gestures = list(of_folder(judged_by, count, recipe.seed))
        common = list(bank(banked))
        before = perform(self.base.name, base, gestures, common, recipe.seed, self.progress.named)
        after = perform(recipe.name, new, gestures, common, recipe.seed, self.progress.named)
        resynthesis = [new.resynthesise(one.imitated) for one in gestures]
        found = judge(ears, reference, gestures, before, after, resynthesis, self.progress.named)
        found.unet = now.unet if self._has("unet") else 0.0
        found.adapter = now.adapter if self._has("adapter") else 0.0
        found.guidance = self._guidance(now)
        found.held_out, found.chosen_apart = TEST in pieces, self._chosen_apart(pieces)
        plain = found.plain()
        title = f"{recipe.name}, made from {said_name(recipe)}"
        page = self.folder / "report" / "index.html"
        preset_page(page, title, said, plain, gestures, before, after, self.run, recipe.shown, problems)
        return plain

    # Inside -------------------------------------------------------------------------------------------------

    def _counts(self, seconds: float, pace: float) -> tuple[int, int]:
        """How many gestures of the folder and of the bank fit, three to one; `pace`: seconds of a clip."""
        each = (2.0 + CANDIDATES) * 4.0 / 3.0 * max(pace, 0.01)
        fit = int(max(0.0, seconds - PAGE_SECONDS) / each)
        count = min(self.recipe.gestures, max(FEWEST_GESTURES, fit))
        return count, max(min(4, self.recipe.bank), min(self.recipe.bank, count // 3))

    def _listeners(self) -> list[Listener]:
        parts = self.base.header.parts.with_weights()
        names = [f"ours:{self.base.folder}"] if "encoder" in parts else []
        names += [f"clap:{self.base.folder}"] if "clap_audio" in parts else []
        return [listener(name) for name in (*names, "fingerprint", *self.recipe.listeners)]

    def _reference(self, pieces: Mapping[str, Collection]) -> list[Sound]:
        """The folder's sounds, as many as a distance needs, of as many files as there are, but for those that judge.

        Were those among them, the anchors would be held against themselves.
        """
        found = []
        for split in (TRAINING, HELD_OUT):
            collection = pieces.get(split)
            if collection is None:
                continue
            items = spread([item for item in collection.items if item.role == "sound"])
            found += [collection.read(item) for item in items[:REFERENCE_PIECES]]
        return found

    def _choice(
        self,
        ears: Sequence[Listener],
        reference: Sequence[Sound],
        pieces: Mapping[str, Collection],
        base: Engine,
        count: int,
        banked: int,
    ) -> Choice:
        """By sounds that are neither learned from nor judged by, where there are enough of them."""
        seed = self.recipe.seed + 1
        if self._chosen_apart(pieces):
            chosen_by = pieces[HELD_OUT]
        else:
            chosen_by = pieces[TRAINING]
            self.progress.tell(
                f"Fewer than {FEWEST} sounds to choose by: imitations of those that it learns from choose."
            )
        gestures, common = list(of_folder(chosen_by, count, seed)), list(bank(banked, BANK))
        before = perform(self.base.name, base, gestures, common, seed, self.progress.named)

        def play(choice: Choice) -> Performance:
            name = f"{self.recipe.name}, to choose by"
            return perform(name, self._candidate(choice), gestures, common, seed, self.progress.named)

        shares = (*SHARES, 0.0) if self._has("adapter") else SHARES
        allowed, tell = self.recipe.allowed_loss, self.progress.tell
        return choose(ears, reference, gestures, before, play, shares, allowed, tell)

    @staticmethod
    def _chosen_apart(pieces: Mapping[str, Collection]) -> bool:
        """Whether enough sounds are neither learned from nor judged by."""
        return HELD_OUT in pieces and len(pieces[HELD_OUT].groups()) >= FEWEST

    def _candidate(self, choice: Choice) -> Engine:
        parts = parts_of(self.base, self.folder, choice)
        words = Words(parameters=parameters_of(self.base, self._guidance(choice)))
        made = export(self.base, parts, self.recipe.name, self.folder / "candidate", words)
        return Engine(made.preset, "auto")

    def _guidance(self, choice: Choice) -> float | None:
        """The default that a choice comes to, None where it is the base's."""
        if choice.guidance == 1.0:
            return None
        asked = self.base.header.parameters.guidance
        return round(min(asked.high, asked.default * choice.guidance), 2)

    def _has(self, part: str) -> bool:
        return weights_of(self.folder, part) is not None


def weights_of(folder: Path, part: str) -> Path | None:
    """Where a run has left the weights of a part: its training, else its aiming."""
    for place in (folder / "train", folder / "aim"):
        if (place / f"{part}.safetensors").is_file():
            return place
    return None


def parameters_of(base: Preset, guidance: float | None) -> dict[str, Any]:
    """What another default of guidance changes in a preset's parameters."""
    if guidance is None:
        return {}
    asked = base.header.parameters.guidance
    return {"guidance": {"default": guidance, "low": asked.low, "high": asked.high}}


def parts_of(base: Preset, folder: Path, choice: Choice) -> dict[str, PartFile]:
    """The parts that a run has trained, gone so far of the way from the base's; raises PresetError where it has none.

    A part that goes no way at all is left out, unless nothing else is there.
    """
    shares = {"unet": choice.unet, "adapter": choice.adapter}
    found = {}
    for part, stored in base.header.parts.with_weights().items():
        place = weights_of(folder, part)
        share = shares.get(part, 1.0)
        if place is None or share == 0.0:
            continue
        trained = read_part(part, place)
        if share < 1.0:
            before = load_file(base.folder / stored.file)
            state = {name: _between(before[name], value, share) for name, value in trained.state.items()}
            # Still of the file whose hash it keeps: by that export knows that the parts belong together.
            trained = replace(trained, state=state)
        found[part] = trained
    if not found:
        raise PresetError(f"{folder} holds no trained weights; train it again with --fresh.")
    return found


def said_name(recipe: PresetRecipe) -> str:
    """The folder's own name: where it lies is nobody's concern."""
    return Path(recipe.data.source).resolve().name


def _between(before: Tensor, after: Tensor, share: float) -> Tensor:
    if not after.is_floating_point():
        return after
    return torch.lerp(before.to(after), after, share)
