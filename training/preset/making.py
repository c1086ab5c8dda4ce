"""Making: the stages from a folder of sounds to a preset in its place, each done once, whatever stops the run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.base import open_base
from training.data.collection import HELD_OUT, TEST, TRAINING, Collection
from training.data.formats import limited, read_collection
from training.data.pieces import cut
from training.errors import RecipeError
from training.export import Words, export
from training.imitated_sounds import Progress as Tell
from training.loop import train
from training.preset.aiming import aim
from training.preset.choosing import Choice
from training.preset.examples import Examples, Make, TimeUp, make_examples, within
from training.preset.index import Index, index
from training.preset.journal import Stages
from training.preset.progress import Progress
from training.preset.recipe import PresetRecipe
from training.preset.training import denoiser_recipe
from training.preset.trial import Trial, parameters_of, parts_of
from training.provenance import credits_of, describe_data
from training.recipe_file import write_recipe
from training.runfolder import save_weights
from training.trainer import Outcome
from training.trainers.vocaldm import VocalDMTrainer
from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
from vocaldm_live.checkpoints.places import find_presets, resolve_preset
from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.commands import say
from vocaldm_live.model.adapter import Adapter

CLIP_SECONDS = {"house": 2.56, "audioldm": 5.12}
"""Of a piece that is learned from, by the family of the base."""

PACE_EXAMPLES = 16
"""Examples by which the pace is measured."""

CHOOSING_EXAMPLES = 64
"""Of sounds that choose: the fixed bank by which training and aiming tell their best."""

SAFETY = 0.85
"""Of a stage's time that is filled with examples: machines slow down."""


@dataclass(frozen=True)
class Made:
    """The preset, None where the run was stopped and goes on with the same command; the page; the judgement."""

    preset: Preset | None
    page: Path | None
    judged: dict[str, Any]


class PresetMaker:
    """One run. Raises VocalDMError of one sentence; the run's folder then holds what was done until there."""

    def __init__(
        self, recipe: PresetRecipe, folder: Path, place: Path, fresh: bool, tell: Callable[[str], None] = say
    ) -> None:
        self.recipe, self.folder, self.place, self.tell = recipe, folder, place, tell
        self.base = read_preset(resolve_preset(recipe.base))
        self._check_name()
        identity = recipe.model_dump(mode="json", by_alias=True)
        for key in ("budget", "machine", "keeping", "shown", "gestures", "bank", "listeners", "allowed_loss"):
            identity.pop(key)
        identity |= {"base": self.base.sha256}
        self.stages = Stages(folder, identity, recipe.minutes, fresh)
        write_recipe(recipe, folder)
        self.progress = Progress(self.stages.plan, tell)
        self.problems: list[str] = []
        self.is_audioldm = isinstance(self.base.header.parts.unet, AudioLDMUNetPart)

    def make(self) -> Made:
        """Go through all stages that are not done yet."""
        whole = limited(
            read_collection(self.recipe.data.source, self.recipe.data.format), self.recipe.data.limit
        )
        indexed = self._index(whole)
        collection = indexed.taken(whole)
        examples = self._examples(collection)
        outcome = self._train(examples)
        if outcome is not None and outcome.ended == "paused":
            return Made(None, None, {})
        judged = self._judge(collection, indexed, examples)
        return self._export(indexed, judged)

    # Stages -----------------------------------------------------------------------------------------------

    def _index(self, whole: Collection) -> Index:
        kept = self.stages.facts("index")
        if kept is not None:
            return Index.of(kept)
        with self.stages.working("index"):
            self.progress.begin(f"Reading the sounds of {whole.name}")
            found = index(whole, self.recipe.data.held_out, self.tell, self.progress.step)
        voices = f", {found.recorded} with a recorded imitation" if found.recorded else ""
        held = f"{found.held_out} held out to judge by" if found.held_out else "too few to hold any out"
        held += f", {found.choosing} to choose by" if found.choosing else ""
        self.tell(f"{found.sounds} sounds, {found.seconds / 60:.1f} minutes{voices}; {held}.")
        self.stages.finish("index", found.plain())
        return found

    def _examples(self, collection: Collection) -> Examples:
        """Encoded examples; what is in the cache is only looked up."""
        cache = self.folder / "cache"
        seconds = CLIP_SECONDS["audioldm" if self.is_audioldm else "house"]
        whole = {split: collection.part(split) for split in (TRAINING, HELD_OUT, TEST)}
        parts = {split: cut(part, cache, seconds) for split, part in whole.items() if part.items}
        learned = parts[TRAINING]
        there = self.base.header.parts.with_weights()
        hears = ("encoder", "adapter") if "encoder" in there else ("clap_audio",)
        base = open_base(str(self.base.folder), ("unet", "vae", *hears))
        make = make_examples(self.recipe, base, cache)

        def both(count: int, workers: int, tell: Tell | None) -> Examples:
            found = make(learned, count, workers, tell)
            if HELD_OUT not in parts:
                return Examples(base, found, found.part(HELD_OUT), parts)
            held = make(parts[HELD_OUT], min(self.recipe.examples, CHOOSING_EXAMPLES), 1, None)
            return Examples(base, found, held, parts)

        done = self.stages.facts("examples")
        if done is not None:
            return both(done["count"], 1, None)
        with self.stages.working("examples") as mark:
            self.progress.begin(
                "Making examples: voices that imitate the sounds, and both as the base hears them"
            )
            count = self.stages.note("examples", lambda: self._count(make, learned))
            mark()
            try:
                in_time = within(self.stages.plan.box("examples"), self.progress.named)
                examples = both(count, self._workers(), in_time)
            except TimeUp as up:
                # Voices come in the order of the examples; some of several workers may be ahead.
                fewer = count - math.ceil(up.missing / self.recipe.voices) - 4 * self._workers()
                count = self.stages.renote("examples", min(count, max(PACE_EXAMPLES, fewer)))
                examples = both(count, self._workers(), self.progress.named)
        pieces = sum(item.role == "sound" for item in learned.items)
        if count < pieces:
            self.tell(
                f"There is time for {count} of {pieces} pieces of these sounds; more minutes would take in all."
            )
        self.stages.finish("examples", {"count": count, "pieces": pieces, "made": len(examples.sounds)})
        return examples

    def _count(self, make: Make, learned: Collection) -> int:
        """As many examples as fit into the stage's time, by the pace of a few in this process."""
        few = min(PACE_EXAMPLES, self.recipe.examples)
        make(learned, 1, 1, None)  # the first takes longer than all others
        begun = time.monotonic()
        make(learned, few, 1, None)
        pace = (time.monotonic() - begun) / max(1, few - 1)
        box = self.stages.plan.box("examples") - (time.monotonic() - begun)
        fit = int(SAFETY * self._workers() * box / max(pace, 1e-3))
        return max(few, min(self.recipe.examples, fit))

    def _workers(self) -> int:
        return max(1, self.recipe.machine.workers)

    def _train(self, examples: Examples) -> Outcome | None:
        if self.stages.facts("train") is not None:
            return None
        run = self.folder / "train"
        with self.stages.working("train") as mark:
            aimed = self._aim(examples)
            mark()
            # Whatever else lies there is an older run's: of other sounds, or told to begin anew.
            fresh = not self.stages.noted("train")
            # What is planned first stays planned: a run that goes on ends where it would have ended.
            minutes = self.stages.note("train", lambda: max(0.1, self.stages.plan.box("train") / 60.0))
            told = denoiser_recipe(self.recipe, minutes)
            self.progress.begin(f"Training on {len(examples.sounds)} examples")
            base = examples.base
            if aimed:
                base = base.with_weights("adapter", self.folder / "aim" / "adapter.safetensors")
            outcome = train(
                lambda fabric: VocalDMTrainer(
                    told, base, examples.sounds, examples.held_out, fabric.device, examples.sounds.digest()
                ),
                told,
                run,
                fresh,
            )
        if outcome.ended != "paused":
            facts = {"steps": outcome.steps, "best": dict(outcome.best), "aimed": aimed}
            self.stages.finish("train", facts)
        return outcome

    def _aim(self, examples: Examples) -> dict[str, Any] | None:
        """Aim the adapter, where the base has one of our kind; what came of it is kept."""
        adapter = examples.base.networks.get("adapter")
        if not self.stages.noted("aim"):
            (self.folder / "aim" / "adapter.safetensors").unlink(missing_ok=True)
        if not isinstance(adapter, Adapter):
            return None

        def work() -> dict[str, Any]:
            self.progress.begin("Aiming: what voices mean among these sounds")
            found = aim(adapter, examples.sounds, examples.held_out, self.recipe.seed)
            save_weights(found.adapter, self.folder / "aim" / "adapter.safetensors")
            self.tell(
                f"Voices mean their sounds with a cosine of {found.after:.3f}, before {found.before:.3f}."
            )
            return {"step": found.step, "before": round(found.before, 4), "after": round(found.after, 4)}

        kept: dict[str, Any] = self.stages.note("aim", work)
        return kept

    def _judge(self, collection: Collection, indexed: Index, examples: Examples) -> dict[str, Any]:
        kept = self.stages.facts("judge")
        if kept is not None:
            return kept
        with self.stages.working("judge"):
            self.progress.begin("Judging: clips of the new preset and of its base")
            trial = Trial(self.recipe, self.base, self.folder, self.progress)
            seconds = self.stages.plan.box("judge")
            judged = trial.judge(examples.pieces, seconds, self._said(indexed), indexed.problems)
        self.stages.finish("judge", judged)
        return judged

    def _export(self, indexed: Index, judged: dict[str, Any]) -> Made:
        with self.stages.working("export"):
            self.progress.begin(f"Writing the preset {self.recipe.name}")
            parts = parts_of(self.base, self.folder, Choice(judged["unet"], judged["adapter"]))
            words = self._words(indexed, judged)
            made = export(self.base, parts, self.recipe.name, self.place, words)
        self.stages.finish("export", {"sha256": made.preset.sha256})
        return Made(made.preset, self.folder / "report" / "index.html", judged)

    # What is said of it -------------------------------------------------------------------------------------

    def _said(self, indexed: Index) -> list[str]:
        """How it was made, in paragraphs for the page."""
        trained = self.stages.facts("train") or {}
        made = self.stages.facts("examples") or {}
        spent = sum(self.stages.plan.spent.values()) / 60.0
        voices = f", {indexed.recorded} of them with a recorded imitation" if indexed.recorded else ""
        return [
            f"Made from {indexed.sounds} sounds of {indexed.seconds / 60:.1f} minutes{voices}; {indexed.held_out} were "
            f"held out. {made.get('made', 0)} examples of {made.get('pieces', 0)} pieces, {trained.get('steps', 0)} steps "
            f"of {self.recipe.method}, {spent:.1f} of {self.recipe.minutes:g} minutes so far.",
        ]

    def _words(self, indexed: Index, judged: dict[str, Any]) -> Words:
        """What preset.yaml says of where it comes from and what it is worth."""
        source = Path(self.recipe.data.source)
        data = describe_data(source.name, indexed.splits, contents=indexed.digest, seconds=indexed.seconds)
        return Words(
            description=f"{self.base.name}, brought closer to the sounds of {source.resolve().name}.",
            training={
                "command": "vocaldm-train preset",
                "data": data,
                "shares": {"unet": judged["unet"], "adapter": judged["adapter"]},
                "aimed": (self.stages.facts("train") or {}).get("aimed"),
                "minutes": {name: round(spent / 60.0, 2) for name, spent in self.stages.plan.spent.items()},
            },
            parameters=parameters_of(self.base, judged["guidance"]),
            metrics={
                "distance": {
                    name: {one: row.get("value") for one, row in rows.items() if one != "following"}
                    for name, rows in judged["rows"].items()
                },
                "difference": judged["differences"],
                "loudness_r": judged["loudness"],
                "gestures": judged["gestures"],
            },
            credits=credits_of(source),
        )

    def _check_name(self) -> None:
        """Refuse a name under which the preset would not be found, or would hide another."""
        name = self.recipe.name
        if (self.place / name).resolve() == self.base.folder.resolve():
            raise RecipeError(
                f"The preset would replace its own base, {self.base.name}: give another --name."
            )
        known = find_presets().get(name)
        if known is not None and known != (self.place / name).resolve():
            raise RecipeError(
                f"There is a preset {name} elsewhere already, which would be found in this one's place: give another "
                "--name."
            )
