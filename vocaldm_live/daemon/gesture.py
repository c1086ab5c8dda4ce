"""Gesture: what a job was made of, so that it can be asked for again and told in a recipe."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vocaldm_live.osc.table import OscError

if TYPE_CHECKING:
    from vocaldm_live.daemon.roots import Roots
    from vocaldm_live.deliver.gestures import Gestures
    from vocaldm_live.deliver.history import Entry
    from vocaldm_live.engine.words import Words
    from vocaldm_live.listen.imitation import Imitation
    from vocaldm_live.sound.audio import Sound
    from vocaldm_live.sound.edit import Edit


@dataclass(frozen=True)
class Gesture:
    """A voice, an edit, or words and an example without a voice.

    sound: the voice, or the sound that is edited by itself; None where `words`, `like` and `duration` in s are all
    there is. name: the clip's title; source: where it came from; ended: time.monotonic() from which latency counts;
    path: the sound's file, None for what was heard; parent: the clip that it came of; sounds and paths: what `edit`
    changes.
    """

    sound: Sound | None
    name: str
    source: str
    ended: float
    path: Path | None = None
    like: Sound | None = None
    like_path: Path | None = None
    parent: str = ""
    edit: Edit | None = None
    sounds: tuple[Sound, ...] = ()
    paths: tuple[Path, ...] = ()
    words: Words | None = None
    duration: float | None = None

    @staticmethod
    def of(imitation: Imitation, like: Sound | None = None, like_path: Path | None = None) -> Gesture:
        """An imitation with the example whose timbre it takes."""
        return Gesture(
            imitation.sound,
            imitation.name,
            imitation.source,
            imitation.ended,
            imitation.path,
            like,
            like_path,
        )

    @property
    def seconds(self) -> float:
        """How long the voice is, or the clip without one."""
        return self.sound.seconds if self.sound is not None else self.duration or 0.0


def gesture_of(entry: Entry, gestures: Gestures, roots: Roots, with_like: bool = False) -> Gesture:
    """The gesture of a clip of the history, from the sounds that its recipe names, where they are as they were.

    with_like: also the example, which a gesture without a voice always brings. Raises OscError and VocalDMError.
    """
    from vocaldm_live.deliver.recipe import read_recipe
    from vocaldm_live.engine.words import Words

    recipe = read_recipe(entry.recipe_path)
    sound, path, like, like_path = None, None, None, None
    if entry.imitation_sha256:
        path = gestures.path_of(entry.imitation_sha256)
        if not path.is_file():
            # A recipe is a file that anybody may have written: it names no more than a client may.
            path = roots.check(entry.imitation)
        sound = _same_sound(path, entry.imitation_sha256, f"The imitation of clip {entry.id}")
    if (with_like or sound is None) and recipe.like is not None and recipe.like_sha256 is not None:
        like_path = roots.check(recipe.like)
        like = _same_sound(like_path, recipe.like_sha256, f"The example of clip {entry.id}")
    named = ((recipe.source, recipe.source_sha256), (recipe.other, recipe.other_sha256))
    paths = tuple(roots.check(name) for name, _ in named if name is not None)
    digests = [digest for _, digest in named if digest is not None]
    what = f"The sound that clip {entry.id} was made of"
    return Gesture(
        sound,
        entry.name,
        "osc",
        time.monotonic(),
        path,
        like,
        like_path,
        entry.id,
        recipe.edit,
        tuple(_same_sound(path, digest, what) for path, digest in zip(paths, digests, strict=True)),
        paths,
        Words(recipe.text, recipe.text_weight, recipe.negative),
        recipe.duration,
    )


def _same_sound(path: Path, digest: str, what: str) -> Sound:
    from vocaldm_live.sound.audio import read_sound

    sound = read_sound(path)
    if sound.digest() != digest:
        raise OscError("gesture", f"{what} has been changed since: it can't be used again.")
    return sound
