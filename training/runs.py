"""Runs: folders of clips that are compared with one another, each clip with what it was made of and for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.errors import DataError
from training.gathering import Heard, find_sounds
from vocaldm_live.errors import SoundError
from vocaldm_live.evaluation import Example, find_examples
from vocaldm_live.sound.audio import read_sound

CLIP_MARK = "_clip"  # what `vocaldm evaluate` puts behind an imitation's name
REFERENCE_MARK = "_reference"


@dataclass(frozen=True)
class Clip:
    """A clip with the imitation it follows, the sound it stands for and the words it was asked for, where known."""

    heard: Heard
    imitation: Path | None = None
    reference: Path | None = None
    words: str = ""


@dataclass(frozen=True)
class Imitations:
    """A folder of imitations: by name and by the digest that recipes name them with, and all its references."""

    by_name: Mapping[str, Example]
    by_digest: Mapping[str, Example]
    references: tuple[Path, ...]


def find_runs(places: Sequence[Path], skipped: Path | None = None) -> dict[str, list[Path]]:
    """The sound files of each run by its name: every folder at or below the places that holds any itself.

    A run is called as its place and the way from there. Nothing at or below `skipped` counts. Raises DataError where
    a place holds no sounds or two runs would have one name.
    """
    found: dict[str, list[Path]] = {}
    hidden = skipped.resolve() if skipped is not None else None
    for place in places:
        by_folder: dict[Path, list[Path]] = {}
        for path in find_sounds(place):
            if hidden is None or not path.resolve().is_relative_to(hidden):
                by_folder.setdefault(path.parent, []).append(path)
        if not by_folder:
            raise DataError(f"{place} holds no sound files but those of the evaluation: give one with clips.")
        own = place.resolve().name or "run"
        for folder, paths in sorted(by_folder.items()):
            name = "/".join((own, *folder.relative_to(place).parts))
            if name in found:
                raise DataError(f"Two folders would be the run {name}: evaluate them apart or rename one.")
            found[name] = paths
    return found


def read_imitations(folder: Path, problem: Callable[[str], None]) -> Imitations:
    """A folder of imitations as `vocaldm evaluate` takes it; raises SoundError where it has none.

    What cannot be read is told once and left out, a reference without its imitation too.
    """
    examples, references = find_examples(folder)
    whole = [path for path in references if _digest(path, problem)]
    by_name, by_digest = {}, {}
    for example in examples:
        digest = _digest(example.imitation, problem)
        if digest:
            kept = example if example.reference in whole else replace(example, reference=None)
            by_name[example.name] = by_digest[digest] = kept
    return Imitations(by_name, by_digest, tuple(whole))


def paired(heard: Heard, imitations: Imitations | None, references: Sequence[Path]) -> Clip:
    """A clip with what belongs to it: by the recipe that lies beside it, else by its name.

    By name: an imitation is one that the clip's name begins with, the longest; a reference, where no imitation has
    one, is one of the same name but for `_clip` and `_reference`.
    """
    recipe = _recipe(heard.path)
    stem = heard.path.stem
    example = None
    if imitations is not None:
        example = imitations.by_digest.get(str(recipe.get("imitation_sha256")))
        if example is None:
            begun = [name for name in imitations.by_name if _begins(stem, name)]
            example = imitations.by_name[max(begun, key=len)] if begun else None
    reference = example.reference if example is not None else None
    if reference is None:
        plain = stem.removesuffix(CLIP_MARK)
        same = [path for path in references if path.stem.removesuffix(REFERENCE_MARK) == plain]
        reference = same[0] if len(same) == 1 else None
    words = recipe.get("text")
    return Clip(
        heard,
        example.imitation if example is not None else None,
        reference,
        words if isinstance(words, str) else "",
    )


# Inside -------------------------------------------------------------------------------------------------


def _digest(path: Path, problem: Callable[[str], None]) -> str:
    """A sound's digest; empty where it cannot be read, which is told."""
    try:
        return read_sound(path).digest()
    except SoundError as error:
        problem(str(error))
        return ""


def _begins(stem: str, name: str) -> bool:
    return stem == name or (stem.startswith(name) and stem[len(name)] in "_- .")


def _recipe(clip: Path) -> Mapping[str, object]:
    """What the JSON file beside a clip says; empty where there is none or it is something else."""
    try:
        found = json.loads(clip.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
