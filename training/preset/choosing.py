"""Choosing: how much of what was learned goes into the preset, by what brings clips closer to the folder's sounds.

A run's error says how well noise is taken off, not how a clip of few steps sounds. So candidates play gestures of
sounds that are neither learned from nor judged by. Distances of some dozens of clips are uncertain, so the least
changed candidate stands unless another one is closer with nine chances in ten. One that follows worse than it may goes
less far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.listeners import Listener
from training.metrics.paired import kernel_difference
from training.preset.gestures import Gesture
from training.preset.judge import FEWEST, Performance, heard_by, loss_of_loudness
from vocaldm_live.sound.audio import Sound

SHARES = (1.0, 0.5)
"""Of what the UNet learned that are tried, beside none of it where the adapter has learned too."""

MORE_GUIDANCE = 1.5
"""Times the base's guidance, tried with the best share."""

WEAKER = (0.6, 0.3)
"""Of what was chosen, tried in turn where it follows worse than it may."""

LEVEL = 0.8
"""Of the interval that has to lie below 0: a tenth of the chances lies above it."""

Play = Callable[["Choice"], Performance]


@dataclass(frozen=True)
class Choice:
    """How far the UNet and the adapter go from the base's to what was learned, 0 .. 1, and guidance times its default."""

    unet: float = 1.0
    adapter: float = 1.0
    guidance: float = 1.0

    def said(self) -> str:
        """In a few words."""
        return f"{self.unet:.0%} of the UNet's changes with guidance x {self.guidance:g}"

    def weaker(self, by: float) -> Choice:
        """The same, gone less far."""
        return Choice(self.unet * by, self.adapter * by, 1.0 + (self.guidance - 1.0) * by)


@dataclass(frozen=True, eq=False)
class Weighed:
    """A choice that has played: what each listener heard in its clips, and the loudness r that it lost to the base."""

    choice: Choice
    vectors: list[np.ndarray]
    lost: float


def choose(
    listeners: Sequence[Listener],
    reference: Sequence[Sound],
    gestures: Sequence[Gesture],
    base: Performance,
    play: Play,
    shares: Sequence[float],
    allowed_loss: float,
    tell: Callable[[str], None],
) -> Choice:
    """The choice whose clips of these gestures are nearest to the reference sounds and follow well enough.

    shares: of the UNet's changes that are tried. base, play: performances of these gestures and of a bank's.
    With too few sounds for a distance, all of what was learned is taken, as far as it follows.
    """
    targets = [heard_by(listener, reference) for listener in listeners]
    groups = [gesture.group for gesture in gestures]
    can_tell = len(set(groups)) >= FEWEST and len(reference) >= FEWEST

    def played(choice: Choice) -> Weighed:
        one = play(choice)
        clips = [Sound(clip, one.rate) for clip in one.clips]
        vectors = [heard_by(listener, clips) for listener in listeners] if can_tell else []
        return Weighed(choice, vectors, loss_of_loudness(base, one))

    def closer(one: Weighed, than: Weighed) -> bool:
        """By no listener farther, by one at least closer beyond its interval, and following well enough."""
        pairs = zip(targets, than.vectors, one.vectors, strict=True)
        found = [
            kernel_difference(target, before, after, groups, level=LEVEL) for target, before, after in pairs
        ]
        told = ", ".join(
            f"{difference.value:+.2f} [{difference.low:+.2f}, {difference.high:+.2f}]" for difference in found
        )
        tell(
            f"{one.choice.said()} against {than.choice.said()}: KAD {told}, loudness r {-one.lost:+.3f} to the base's."
        )
        sure = any(difference.high is not None and difference.high < 0.0 for difference in found)
        return sure and all(difference.value < 0.0 for difference in found) and one.lost <= allowed_loss

    best = played(Choice(unet=min(shares)) if can_tell else Choice())
    if can_tell:
        for share in sorted(shares)[1:]:
            other = played(Choice(unet=share))
            if closer(other, best):
                best = other
        more = played(Choice(best.choice.unet, guidance=MORE_GUIDANCE))
        if closer(more, best):
            best = more
    whole = best.choice
    for by in WEAKER:
        if best.lost <= allowed_loss:
            break
        tell(
            f"{best.choice.said()} follow worse than the base (median loudness r {-best.lost:+.3f}): {by:.0%} of all "
            "that was learned is tried."
        )
        best = played(whole.weaker(by))
    return best.choice
