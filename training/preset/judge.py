"""Judge: whether clips of a new preset are closer to the folder's sounds than its base's, and follow as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from training.listeners import Listener
from training.metrics.interval import Interval
from training.metrics.kernel import kernel_distance
from training.metrics.paired import kernel_difference
from training.preset.gestures import Gesture
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request
from vocaldm_live.measure.following import Following, measure_following, summarise
from vocaldm_live.sound.audio import Sound

ALLOWED_LOSS = 0.03
"""Of the median loudness r that a new preset may follow worse by than its base."""

FEWEST = 3
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class Performance:
    """What an engine made of gestures: clips float32 [n] at its own rate, and how each follows."""

    name: str
    rate: int
    clips: tuple[np.ndarray, ...]
    followings: tuple[Following, ...]
    bank: tuple[Following, ...] = ()


@dataclass
class Judgement:
    """Every figure, in plain numbers ready for JSON, and the answer: closer by which listeners, following or not.

    rows: by what was heard (the presets, the anchors), of each listener KAD with its interval; differences: new
    minus base; loudness: medians and drops by set of gestures. held_out: whether training never heard what judges;
    chosen_apart: nor what chose.
    """

    base: str
    name: str
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    differences: dict[str, dict[str, Any]] = field(default_factory=dict)
    loudness: dict[str, dict[str, float]] = field(default_factory=dict)
    unet: float = 1.0
    adapter: float = 1.0
    guidance: float | None = None
    gestures: int = 0
    sounds: int = 0
    held_out: bool = True
    chosen_apart: bool = True

    @property
    def closer(self) -> dict[str, bool | None]:
        """By listener: whether the whole interval of the difference is below 0; None where none could be had."""
        return {
            name: None if one.get("high") is None else bool(one["high"] < 0.0)
            for name, one in self.differences.items()
        }

    @property
    def drop(self) -> float:
        """The larger loss of median loudness r, over the folder's gestures and the bank; below 0: follows better."""
        return max((one["drop"] for one in self.loudness.values()), default=0.0)

    def weigh(self, base: Performance, new: Performance) -> None:
        """Compare how both follow the voices' loudness."""
        for name, one, other in (
            ("folder", base.followings, new.followings),
            ("bank", base.bank, new.bank),
        ):
            before, after = median_loudness(one), median_loudness(other)
            if before is not None and after is not None:
                self.loudness[name] = {"base": before, "new": after, "drop": before - after}

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "closer": self.closer, "drop": self.drop}


def perform(
    name: str,
    engine: Engine,
    gestures: Sequence[Gesture],
    bank: Sequence[Gesture],
    seed: int,
    tell: Tell | None = None,
) -> Performance:
    """Make a clip of each gesture, number i with the seed `seed` + i, and measure how it follows."""
    clips: list[np.ndarray] = []
    followings: list[Following] = []
    for number, gesture in enumerate((*gestures, *bank)):
        if tell is not None:
            tell(f"clips of {name}", number, len(gestures) + len(bank))
        clip = engine.generate(Request(gesture.imitation, name=gesture.name, seed=seed + number))
        voice = gesture.imitation.at(clip.sample_rate).samples
        clips.append(clip.samples)
        followings.append(measure_following(voice, clip.samples, clip.sample_rate))
    count = len(gestures)
    rate = clip.sample_rate
    return Performance(name, rate, tuple(clips[:count]), tuple(followings[:count]), tuple(followings[count:]))


def judge(
    listeners: Sequence[Listener],
    reference: Sequence[Sound],
    gestures: Sequence[Gesture],
    base: Performance,
    new: Performance,
    resynthesis: Sequence[np.ndarray],
    tell: Tell | None = None,
) -> Judgement:
    """Hold both performances of the same gestures, and anchors, against the folder's sounds.

    Anchors: the sounds that were imitated, the same through the preset's own mel and vocoder (`resynthesis`, at the
    new preset's rate), the voices themselves, and clips of other gestures.
    """
    found = Judgement(base.name, new.name, gestures=len(gestures))
    groups = [gesture.group for gesture in gestures]
    found.sounds = len(set(groups))
    sets: dict[str, list[Sound]] = {
        new.name: [Sound(clip, new.rate) for clip in new.clips],
        base.name: [Sound(clip, base.rate) for clip in base.clips],
        "the imitated sounds": _once(gestures),
        "the same, resynthesised": [Sound(samples, new.rate) for samples in resynthesis],
        "the voices": [gesture.imitation for gesture in gestures],
    }
    for number, listener in enumerate(listeners):
        if tell is not None:
            tell(f"{listener.name} listens", number, len(listeners))
        target = heard_by(listener, reference)
        vectors = {name: heard_by(listener, sounds) for name, sounds in sets.items()}
        for name, heard in vectors.items():
            enough = len(heard) >= FEWEST and len(target) >= FEWEST
            found.rows.setdefault(name, {})[listener.name] = _plain(
                kernel_distance(target, heard) if enough else None
            )
        if len(set(groups)) >= FEWEST and len(target) >= FEWEST:
            difference = kernel_difference(target, vectors[base.name], vectors[new.name], groups)
            found.differences[listener.name] = _plain(difference)
    found.weigh(base, new)
    found.rows[new.name]["following"] = summarise(new.followings)
    found.rows[base.name]["following"] = summarise(base.followings)
    found.rows["clips of other gestures"] = {"following": summarise(_crossed(gestures, new))}
    return found


def loss_of_loudness(before: Performance, after: Performance) -> float:
    """The larger loss of median loudness r, over the folder's gestures and the bank's."""
    judged = Judgement("", "")
    judged.weigh(before, after)
    return judged.drop


def sentence(judged: Mapping[str, Any]) -> str:
    """What a judgement comes to, in words for the person whose sounds they are."""
    closer: Mapping[str, bool | None] = judged["closer"]
    name, base = judged["name"], judged["base"]
    if not closer:
        near = f"There are too few sounds to tell whether {name} is closer to them than {base}."
    elif all(closer.values()):
        near = f"{name} is measurably closer to the folder's sounds than {base}."
    elif any(closer.values()):
        yes = ", ".join(one for one, is_so in closer.items() if is_so)
        near = f"{name} is closer to the folder's sounds than {base} by {yes}; the others can't tell."
    else:
        near = f"{name} is not measurably closer to the folder's sounds than {base}: give it more minutes or more sounds."
    lost = judged["drop"]
    if not judged["loudness"]:
        return near
    how = "as well" if lost <= ALLOWED_LOSS else "worse"
    return f"{near} It follows the voice's loudness {how} (median r {-lost:+.3f})."


def heard_by(listener: Listener, sounds: Sequence[Sound]) -> np.ndarray:
    """What a listener hears in each sound, `[n, width]`."""
    return np.stack([listener(sound.at(listener.rate).samples) for sound in sounds])


def median_loudness(followings: Sequence[Following]) -> float | None:
    """The median correlation of loudness; a clip that stands still follows nothing. None where none could be had."""
    values = [0.0 if "loudness_r" in one.stood_still else one.loudness_r for one in followings]
    present = [value for value in values if value is not None]
    return float(np.median(present)) if present else None


# Inside -------------------------------------------------------------------------------------------------


def _once(gestures: Sequence[Gesture]) -> list[Sound]:
    """Each imitated sound once, though several voices imitate it."""
    kept = {gesture.sound.tobytes(): gesture for gesture in gestures}
    return [gesture.imitated for gesture in kept.values()]


def _crossed(gestures: Sequence[Gesture], new: Performance) -> list[Following]:
    """How each gesture is followed by the clip of the next one: what the figures are worth when nothing follows."""
    clips = [*new.clips[1:], *new.clips[:1]]
    return [
        measure_following(gesture.imitation.at(new.rate).samples, clip, new.rate)
        for gesture, clip in zip(gestures, clips, strict=True)
    ]


def _plain(interval: Interval | None) -> dict[str, Any]:
    return {} if interval is None else asdict(interval)


__all__ = [
    "ALLOWED_LOSS",
    "Judgement",
    "Performance",
    "heard_by",
    "judge",
    "loss_of_loudness",
    "median_loudness",
    "perform",
    "sentence",
]
