"""A recipe for tests of what is delivered, and clips in an outbox that were made by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vocaldm_live.deliver.outbox import Outbox
from vocaldm_live.deliver.recipe import Recipe

RECIPE = Recipe(
    program_version="0.1.0",
    preset="house",
    preset_sha256="a" * 64,
    imitation="voices/whoosh.wav",
    imitation_sha256="b" * 64,
    seed=7,
    steps=8,
    guidance=2.5,
    follow=1.0,
    sampler="ddim",
    eta=0.0,
    tail=0.25,
    device="cpu",
    created="2026-01-31T12:00:00+00:00",
)
FRAMES = 24000


def publish(folder: Path, seed: int = 7, title: str = "Whoosh", **changes: Any) -> tuple[Path, Path]:
    """A clip of FRAMES at 48 kHz and its recipe, in `folder`."""
    samples = (0.3 * np.sin(np.arange(FRAMES) / 20)).astype(np.float32)
    clip = Outbox(folder).publish(samples, 48000, replace(RECIPE, seed=seed, **changes), title)
    return clip.path, clip.recipe_path
