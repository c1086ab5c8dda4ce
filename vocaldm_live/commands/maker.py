"""Maker: from a sound file to a clip on disk, timed on the way; generate, demo and bench stand on it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live import __version__
from vocaldm_live.commands import large_imports, progress_bar, short_path
from vocaldm_live.errors import DeliveryError, RequestError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.deliver.outbox import Outbox, PublishedClip
    from vocaldm_live.deliver.recipe import Recipe
    from vocaldm_live.engine.engine import Engine
    from vocaldm_live.engine.request import Clip, Request
    from vocaldm_live.sound.audio import Sound

DELIVERED_RATE = 48000


@dataclass(frozen=True)
class Voice:
    """An imitation with where it comes from, the title of its clips, and when its reading began and ended.

    Sound and path are None for clips of words or an example alone.
    """

    sound: Sound | None
    path: Path | None
    title: str
    begun: float
    ended: float

    @property
    def name(self) -> str:
        """What people are told of it: the file's name, or the title."""
        return self.title if self.path is None else self.path.name

    @property
    def seconds(self) -> float:
        """Length in seconds, 0 without a sound."""
        return 0.0 if self.sound is None else self.sound.seconds


@dataclass(frozen=True)
class Made:
    """A clip on disk; `timings_ms` holds every stage that was measured, `total` from file to file."""

    published: PublishedClip
    clip: Clip
    voice: Voice
    preset: str
    timings_ms: dict[str, float]

    def as_json(self) -> str:
        """The object that `--json` prints for a clip."""
        request = self.clip.request
        stages = ("encode", "sample", "decode", "write", "total")
        plain: dict[str, Any] = {
            "clip": str(self.published.path),
            "imitation": None if self.voice.path is None else str(self.voice.path),
            "preset": self.preset,
            "seed": request.seed,
            "steps": request.steps,
            "guidance": request.guidance,
            "follow": request.follow,
            "seconds": self.clip.seconds,
            "sample_rate": self.clip.sample_rate,
            "timings_ms": {stage: round(self.timings_ms[stage], 3) for stage in stages},
        }
        if self.nearest:
            plain["nearest"] = list(self.nearest)
        if request.edit is not None:
            plain["edit"] = request.edit.as_plain()
        return json.dumps(plain)

    def as_line(self) -> str:
        """The line that people get for a clip."""
        guard = f", turned down by {-self.published.gain_db:.1f} dB" if self.published.gain_db else ""
        return (
            f"{self.voice.name} -> {short_path(self.published.path)}  ({self.clip.seconds:.2f} s, "
            f"seed {self.clip.request.seed}, {self.timings_ms['total']:.0f} ms{guard})"
            + (f"  near {', '.join(self.nearest)}" if self.nearest else "")
        )

    @property
    def nearest(self) -> tuple[str, ...]:
        """The library's sounds that stood in for the voice."""
        return getattr(self.clip.request.anchor, "nearest", ())


class Maker:
    """Turns voices into clips in an outbox; the engine is loaded for the first good one."""

    def __init__(self, preset: Preset, device: str, outbox: Outbox, backend: str = "own") -> None:
        """backend: `own`, or `reference`, the authors' program for imported AudioLDM presets."""
        self.backend = backend
        self.preset = preset
        self.outbox = outbox
        self._device = device
        self._engine: Engine | None = None

    @property
    def engine(self) -> Engine:
        """The engine, loaded where it is not yet."""
        if self._engine is None:
            from vocaldm_live.engine.engine import Engine

            kind: type[Engine] = Engine
            if self.backend == "reference":
                from vocaldm_live.reference.engine import ReferenceEngine

                kind = ReferenceEngine
            self._engine = kind(self.preset, self._device)
        return self._engine

    def make(
        self,
        voice: Voice,
        request: Request,
        like_path: Path | None = None,
        bar: str = "",
        edited: Sequence[Path] = (),
        candidates: int = 1,
    ) -> Made:
        """Generate and publish one clip, the best of `candidates`; raises VocalDMError.

        `bar` is the title of the progress bar, `edited` the file of an edit's sound, with that of morph's other one.
        """
        from vocaldm_live.engine.candidates import best_of

        engine = self.engine
        with progress_bar(bar or voice.name) as progress:
            begun = time.perf_counter()
            clip = delivered(best_of(engine, request, candidates, progress))
            if self.backend != "own":
                clip = replace(clip, notes=(*clip.notes, f"Computed by the backend {self.backend}."))
            generated = time.perf_counter()
            recipe = recipe_of(clip, self.preset, engine.device.type, voice, like_path, edited)
            published = self.outbox.publish(
                clip.samples, clip.sample_rate, recipe, voice.title, self.preset.credits
            )
            ended = time.perf_counter()
        read = 1000.0 * (voice.ended - voice.begun)
        write = 1000.0 * (ended - generated)
        total = read + 1000.0 * (ended - begun)
        timings = {"read": read, **clip.timings_ms, "write": write, "total": total}
        return Made(published, clip, voice, self.preset.name, timings)


def delivered(clip: Clip) -> Clip:
    """The clip at the rate of all delivered files, with a note where it was resampled to it."""
    from vocaldm_live.sound.audio import Sound

    if clip.sample_rate == DELIVERED_RATE:
        return clip
    samples = Sound(clip.samples, clip.sample_rate).at(DELIVERED_RATE).samples
    note = f"Made at {clip.sample_rate} Hz and resampled to {DELIVERED_RATE} Hz."
    return replace(clip, samples=samples, sample_rate=DELIVERED_RATE, notes=(*clip.notes, note))


def recipe_of(
    clip: Clip,
    preset: Preset,
    device: str,
    voice: Voice,
    like_path: Path | None,
    edited: Sequence[Path] = (),
) -> Recipe:
    """What makes `clip` again; `edited` as in `Maker.make`."""
    from vocaldm_live.deliver.recipe import Recipe, current_time, pack_vector
    from vocaldm_live.engine.words import Words

    request, anchor = clip.request, clip.request.anchor
    assert anchor is None or not callable(anchor)
    words = request.words or Words()
    named = [str(path.absolute()) for path in edited]
    has_like = request.like is not None and like_path is not None
    return Recipe(
        program_version=__version__,
        preset=preset.name,
        preset_sha256=preset.sha256,
        imitation=None if voice.path is None else str(voice.path.absolute()),
        imitation_sha256=None if request.imitation is None else request.imitation.digest(),
        seed=request.seed,
        steps=request.steps,
        guidance=request.guidance,
        follow=request.follow,
        sampler=request.sampler,
        eta=request.eta,
        tail=request.tail,
        device=device,
        created=current_time(),
        duration=request.duration,
        like=str(like_path.absolute()) if has_like and like_path else None,
        like_sha256=request.like.digest() if has_like and request.like else None,
        like_weight=request.like_weight,
        vocoder=preset.vocoder.name if preset.vocoder else None,
        vocoder_sha256=preset.vocoder.sha256 if preset.vocoder else None,
        notes=clip.notes,
        text=words.text,
        text_weight=words.weight,
        negative=words.negative,
        library=anchor.library if anchor is not None else None,
        nearest=anchor.nearest if anchor is not None else (),
        anchor=pack_vector(anchor.vector) if anchor is not None else None,
        edit=request.edit,
        source=named[0] if named else None,
        source_sha256=request.source.digest() if request.source else None,
        other=named[1] if len(named) > 1 else None,
        other_sha256=request.other.digest() if request.other else None,
    )


def request_of(
    recipe: Recipe,
    imitation: Sound | None,
    name: str = "imitation",
    like: Sound | None = None,
    edited: Sequence[Sound] = (),
    id: str = "",
) -> Request:
    """The request that a recipe keeps, of its sounds: `edited` are those that its edit changes."""
    from vocaldm_live.commands.anchoring import recipe_anchor
    from vocaldm_live.engine.request import Request
    from vocaldm_live.engine.words import Words

    return Request(
        imitation,
        name,
        recipe.seed,
        recipe.steps,
        recipe.guidance,
        recipe.follow,
        recipe.sampler,
        recipe.eta,
        like,
        recipe.like_weight,
        recipe.duration,
        recipe.tail,
        id=id,
        anchor=recipe_anchor(recipe),
        words=Words(recipe.text, recipe.text_weight, recipe.negative),
        edit=recipe.edit,
        source=edited[0] if edited else None,
        other=edited[1] if len(edited) > 1 else None,
    )


def read_voice(path: Path, title: str = "") -> Voice:
    """Read an imitation and check that it can be one; raises SoundError."""
    from vocaldm_live.sound.audio import check_imitation, read_sound

    begun = time.perf_counter()
    sound = check_imitation(read_sound(path), str(path))
    return Voice(sound, path, title or path.stem, begun, time.perf_counter())


def voiceless(text: str, like_path: Path | None) -> Voice:
    """What stands in a voice's place for clips of words or an example: no sound, and words or file for a title."""
    title = " ".join(text.split()) or (like_path.stem if like_path is not None else "sound")
    return Voice(None, None, title, 0.0, 0.0)


def edit_title(path: Path, kind: str) -> str:
    """The title of an edit of that file: its own where its name is one of ours, else the name's stem, and the kind."""
    from vocaldm_live.deliver.ucs import parse_name
    from vocaldm_live.errors import VocalDMError

    try:
        title = parse_name(path.name).fx_name
    except VocalDMError:
        title = path.stem
    return title if title.lower().endswith(kind) else f"{title} {kind}"


def open_outbox(folder: Path, bits: int) -> Outbox:
    """The outbox of an output folder, proven writable; RequestError for a bit depth that there is not."""
    from vocaldm_live.deliver.outbox import Outbox

    try:
        outbox = Outbox(folder, bits)
    except DeliveryError as error:
        raise RequestError(str(error)) from error
    outbox.check()
    return outbox


def check_options(
    request: Request, preset: Preset, device: str, variations: int, candidates: int = 1
) -> None:
    """Raise RequestError for the first option value that the preset or this machine cannot serve."""
    with large_imports():
        from vocaldm_live.engine.candidates import MOST_CANDIDATES, check_ranking
        from vocaldm_live.engine.engine import choose_device
        from vocaldm_live.engine.request import resolve

    if variations < 1:
        raise RequestError(f"variations is {variations}: give a whole number of 1 or more.")
    if not 1 <= candidates <= MOST_CANDIDATES:
        raise RequestError(f"candidates is {candidates}: give a whole number from 1 to {MOST_CANDIDATES}.")
    resolved = resolve(request, preset.header)
    if candidates > 1:
        check_ranking(resolved, preset.header)
    if resolved.eta > 0 and resolved.sampler != "ddim":
        raise RequestError(f"eta is {resolved.eta:g}, which {resolved.sampler} cannot use: choose ddim.")
    resolve(replace(request, seed=request.seed + variations * candidates - 1), preset.header)
    choose_device(device)


def placeholder() -> Sound:
    """A second of nothing, so that options can be checked before any imitation is read."""
    import numpy as np

    from vocaldm_live.sound.audio import Sound

    return Sound(np.zeros(48000, np.float32), 48000)
