"""Candidates: several clips of one request, and the one of them that is most like what was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from vocaldm_live.engine.request import Clip, Progress, Request, ResolvedRequest, resolve
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader
    from vocaldm_live.engine.engine import Engine

MOST_CANDIDATES = 64


def best_of(
    engine: Engine,
    request: Request,
    candidates: int,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Clip:
    """The clip of `candidates` seeds, counted up from the request's, that is most like what was asked for.

    Progress is told as that of one clip with so many times the steps. Raises as `Engine.generate`, and RequestError
    where the preset cannot rank.
    """
    if candidates == 1:
        return engine.generate(request, progress, cancelled)
    check_ranking(resolve(request, engine.preset.header), engine.preset.header)

    def told(number: int) -> Callable[[Progress], None] | None:
        if progress is None:
            return None

        def tell(now: Progress) -> None:
            if now.stage == "sample":
                progress(replace(now, step=number * now.steps + now.step, steps=candidates * now.steps))
            elif number == (0 if now.stage == "encode" else candidates - 1):
                progress(now)

        return tell

    clips = [
        engine.generate(replace(request, seed=request.seed + number), told(number), cancelled)
        for number in range(candidates)
    ]
    scores = [engine.likeness(clip) for clip in clips]
    best = scores.index(max(scores))
    note = (
        f"Best of {candidates} candidates (seeds {request.seed} to {request.seed + candidates - 1}): likeness "
        f"{scores[best]:.3f}, the least {min(scores):.3f}."
    )
    return replace(clips[best], notes=(*clips[best].notes, note))


def check_ranking(request: ResolvedRequest, header: PresetHeader) -> None:
    """Raise RequestError where a preset cannot tell how near a clip is to what was asked for."""
    parts = header.parts
    by_encoder = parts.encoder is not None and (request.imitation is not None or request.like is not None)
    if parts.listens is None and not by_encoder:
        raise RequestError(
            f"The preset {header.name} cannot tell how near a clip is to what was asked for: leave out the candidates."
        )
