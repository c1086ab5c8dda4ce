"""Request: what is asked of the engine, and what comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from vocaldm_live.engine.anchor import Anchor, FindAnchor, check_anchor
from vocaldm_live.engine.words import Words, check_heard
from vocaldm_live.errors import RequestError
from vocaldm_live.sound.audio import LONGEST_SECONDS, Sound
from vocaldm_live.sound.edit import Edit

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader

HIGHEST_SEED = 2**32 - 1
LONGEST_TAIL = 5.0
INVERSION_STEPS = 16


@dataclass(frozen=True)
class Request:
    """One clip to make. None stands for the preset's default; `resolve` puts it in.

    imitation: the voice, None where words or an example alone say what the clip is (AudioLDM); like: a sound whose
    timbre stands in for the voice's, by `like_weight` 0..1; anchor: a library's sounds do so instead, given by what
    finds them or as they were found before;
    duration: seconds without the tail, None: as long as the imitation; unconditional: the learned null
    instead of any vector (an anchor of `evaluate`); words: what is said of the clip, for presets with CLAP.
    edit: `source` is changed instead of a clip made anew, `other` being morph's second sound. The imitation is then
    the voice that drives what is new (`edit.voice`), or the source itself; duration and tail have no say.
    """

    imitation: Sound | None
    name: str = "imitation"
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    follow: float | None = None
    sampler: str | None = None
    eta: float = 0.0
    like: Sound | None = None
    like_weight: float = 1.0
    duration: float | None = None
    tail: float | None = None
    unconditional: bool = False
    id: str = ""
    anchor: Anchor | FindAnchor | None = None
    edit: Edit | None = None
    source: Sound | None = None
    other: Sound | None = None
    words: Words | None = None


@dataclass(frozen=True)
class ResolvedRequest:
    """A request with every value in place and legal."""

    imitation: Sound | None
    name: str
    seed: int
    steps: int
    guidance: float
    follow: float
    sampler: str
    eta: float
    like: Sound | None
    like_weight: float
    duration: float | None
    tail: float
    unconditional: bool
    id: str
    anchor: Anchor | FindAnchor | None = None
    edit: Edit | None = None
    source: Sound | None = None
    other: Sound | None = None
    words: Words | None = None

    @property
    def voice(self) -> Sound:
        """The imitation; raises RequestError where there is none."""
        if self.imitation is None:
            raise RequestError("The request has no voice: give one.")
        return self.imitation

    @property
    def hears_voice(self) -> bool:
        """Whether the imitation is a voice; an edit without one has the sound itself in its place."""
        return self.edit is None or self.edit.voice

    @property
    def seconds(self) -> float:
        """Length of the clip, tail included."""
        if self.edit is not None and self.source is not None:
            return self.edit.seconds(self.source.seconds, self.other.seconds if self.other else None)
        return (self.voice.seconds if self.duration is None else self.duration) + self.tail

    def with_seed(self, seed: int) -> ResolvedRequest:
        """The same request with another seed."""
        return replace(self, seed=seed)


@dataclass(frozen=True)
class Progress:
    """How far a request is: stage (encode, sample, decode), step of steps within it."""

    id: str
    stage: str
    step: int
    steps: int


@dataclass(frozen=True)
class Clip:
    """Samples float32 `[n]`, how they were asked for, and what it took in milliseconds by stage.

    level_db: gain that brought the imitation's sketch to the reference level before it was followed.
    """

    samples: np.ndarray
    sample_rate: int
    request: ResolvedRequest
    timings_ms: dict[str, float]
    level_db: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate


def resolve(request: Request, header: PresetHeader) -> ResolvedRequest:
    """The request with the preset's defaults; RequestError names the first value that is not legal."""
    parameters = header.parameters
    edit = request.edit
    if header.parts.hears_nothing:
        request = _check_unhearing(request, header)
    if request.imitation is None:
        _check_voiceless(request, header)
    # Noise that was found by inversion leads back to its sound in small steps without guidance only.
    inverts = edit is not None and edit.kind == "morph" and not edit.voice
    steps = parameters.steps.default if request.steps is None else request.steps
    guidance = parameters.guidance.default if request.guidance is None else request.guidance
    sampler = parameters.sampler.default if request.sampler is None else request.sampler
    check_anchor(request.anchor, header)
    if inverts:
        sampler = request.sampler or "ddim"
        steps = min(INVERSION_STEPS, int(parameters.steps.high)) if request.steps is None else request.steps
    fits = edit is not None and edit.kind in ("inpaint", "extend", "band", "loop")
    if inverts or (fits and header.parts.unet.kind != "audioldm"):
        # What is new has to fit what is kept, and guidance leads the house's away from that; AudioLDM's authors
        # inpaint as they generate.
        guidance = max(1.0, parameters.guidance.low) if request.guidance is None else request.guidance
    follow = parameters.follow.default if request.follow is None else request.follow
    tail = parameters.tail_seconds if request.tail is None else request.tail
    if request.like is not None and request.anchor is not None:
        raise RequestError("An example sound and a library both stand in for the voice: give one of them.")
    steps = _whole("steps", steps, int(parameters.steps.low), int(parameters.steps.high))
    guidance = _number("guidance", guidance, parameters.guidance.low, parameters.guidance.high)
    if parameters.follow.high == 0.0 and follow:
        raise RequestError(f"The preset {header.name} follows no gesture, only its length: leave out follow.")
    follow = _number("follow", follow, parameters.follow.low, parameters.follow.high)
    if sampler not in parameters.sampler.choices:
        raise RequestError(f"sampler is {sampler!r}: choose one of {', '.join(parameters.sampler.choices)}.")
    eta = _number("eta", request.eta, 0.0, 1.0)
    if eta > 0.0 and sampler != "ddim":
        raise RequestError(
            f"eta is {eta:g} with sampler {sampler}: only ddim adds noise, choose it or eta 0."
        )
    duration = request.duration
    if duration is not None:
        duration = _number("duration", duration, 0.05, LONGEST_SECONDS, " s")
    if edit is not None:
        _check_edit(request, edit, header, sampler)
        duration, tail = None, 0.0
    return ResolvedRequest(
        request.imitation,
        request.name,
        _whole("seed", request.seed, 0, HIGHEST_SEED),
        steps,
        guidance,
        follow,
        sampler,
        eta,
        request.like,
        _number("like weight", request.like_weight, 0.0, 1.0),
        duration,
        _number("tail", tail, 0.0, LONGEST_TAIL, " s"),
        request.unconditional,
        request.id,
        request.anchor,
        request.edit,
        request.source,
        request.other,
        check_heard(request.words, request.like is not None, request.unconditional, header),
    )


def _check_voiceless(request: Request, header: PresetHeader) -> None:
    """RequestError where something is missing that only a voice could give, or be blended with."""
    words = request.words
    says = words is not None and bool(words.text)
    if header.parts.unet.kind != "audioldm":
        raise RequestError(
            f"The preset {header.name} makes clips of voices and understands no words: give a voice, or an imported "
            "AudioLDM preset with --text."
        )
    if request.edit is not None or request.anchor is not None:
        raise RequestError("An edit and a library need a sound or a voice to go by: give one.")
    if not says and request.like is None and not request.unconditional:
        raise RequestError("Nothing says what the clip is to be: give a voice, words or an example sound.")
    if request.duration is None:
        raise RequestError("Without a voice nothing says how long the clip is to be: give a duration.")
    if request.like is not None and request.like_weight != 1.0:
        raise RequestError(
            "The like weight blends the example with a voice, and there is none: leave it out."
        )
    if words is not None and says and words.weight != 1.0 and request.like is None:
        raise RequestError("The text weight blends words with a sound, and there is none: leave it out.")


def _check_unhearing(request: Request, header: PresetHeader) -> Request:
    """The request as one without a condition, for presets that take none; RequestError where one is given."""
    words = request.words
    voice = request.imitation is not None and (request.edit is None or request.edit.voice)
    said = words is not None and bool(words.text or words.negative)
    if not request.unconditional and (
        voice or said or request.like is not None or request.anchor is not None
    ):
        raise RequestError(
            f"The preset {header.name} hears nothing and makes clips of noise alone: give a duration and no voice, no "
            "words and no example."
        )
    return replace(request, unconditional=True, words=None)


def _check_edit(request: Request, edit: Edit, header: PresetHeader, sampler: str) -> None:
    if request.source is None:
        raise RequestError("There is no sound to edit: give one.")
    rate = int(header.geometry.sample_rate)
    edit.check_sound(request.source.seconds, rate)
    if (edit.kind == "morph") != (request.other is not None):
        raise RequestError("Two sounds are for morph and morph is for two: give as many as the edit takes.")
    if request.other is not None:
        edit.check_sound(request.other.seconds, rate)
        if not edit.voice and sampler != "ddim":
            raise RequestError(f"sampler is {sampler!r}: sounds are inverted and morphed with ddim only.")


def _number(name: str, value: Any, low: float, high: float, unit: str = "") -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        wanted = f"a number from {low:g} to {high:g}{unit}" if low < high else f"{low:g}, the only one here"
        raise RequestError(f"{name} is {value!r}: give {wanted}.")
    return float(value)


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not low <= int(value) <= high:
        wanted = f"a whole number from {low} to {high}" if low < high else f"{low}, the only one here"
        raise RequestError(f"{name} is {value!r}: give {wanted}.")
    return int(value)
