"""Choosing: how much of what was learned goes into the preset, by what brings clips closer on sounds it learned from.

A run's error says how well noise is taken off, not how a clip of few steps sounds. So candidates play gestures of
training sounds; the held-out ones are left for the judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.listeners import Listener
from training.metrics.kernel import kernel_distance
from training.preset.gestures import Gesture
from training.preset.judge import FEWEST, Performance, heard_by, median_loudness
from vocaldm_live.sound.audio import Sound

SHARES = (1.0, 0.5)
"""Of what the UNet learned that are tried, beside none of it where the adapter has learned too."""

MORE_GUIDANCE = 1.5
"""Times the base's guidance, tried with the best share."""

Play = Callable[["Choice"], Performance]


@dataclass(frozen=True)
class Choice:
    """How far the UNet and the adapter go from the base's to what was learned, 0 .. 1, and guidance times its default."""

    unet: float = 1.0
    adapter: float = 1.0
    guidance: float = 1.0

    def weaker(self, by: float) -> Choice:
        """The same, gone less far."""
        return Choice(self.unet * by, self.adapter * by, 1.0 + (self.guidance - 1.0) * by)


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

    shares: of the UNet's changes that are tried.
    Near is the mean over listeners of KAD over the base's. With too few sounds for a distance, all of what was
    learned is taken.
    """
    if len(gestures) < FEWEST or len(reference) < FEWEST:
        return Choice()
    targets = [heard_by(listener, reference) for listener in listeners]

    def distances(one: Performance) -> list[float]:
        clips = [Sound(clip, one.rate) for clip in one.clips]
        pairs = zip(listeners, targets, strict=True)
        return [kernel_distance(target, heard_by(listener, clips)).value for listener, target in pairs]

    before, r = distances(base), median_loudness(base.followings)

    def weigh(choice: Choice) -> float:
        played = play(choice)
        ratios = [
            (now - was) / max(1.0, abs(was)) for now, was in zip(distances(played), before, strict=True)
        ]
        after = median_loudness(played.followings)
        lost = 0.0 if r is None or after is None else r - after
        score = float(np.mean(ratios)) + (10.0 * (lost - allowed_loss) if lost > allowed_loss else 0.0)
        what = f"{choice.unet:.0%} of the UNet's changes, guidance times {choice.guidance:g}"
        tell(
            f"On training sounds, with {what}: distance {1.0 + np.mean(ratios):.2f} of the base's, loudness r {-lost:+.3f}."
        )
        return score

    scores = {choice: weigh(choice) for choice in (Choice(unet=share) for share in shares)}
    best = min(scores, key=lambda choice: scores[choice])
    more = Choice(best.unet, best.adapter, MORE_GUIDANCE)
    return more if weigh(more) < scores[best] else best
