"""Aiming: the adapter learns to say of a voice what it says of the sound that the voice means, among this folder's.

A denoiser's own loss hardly moves an adapter (its gradients are a thousandth of the UNet's), and a UNet needs far more
than minutes to sound otherwise. Where a voice's condition lies among those of the folder's sounds, though, a base
already sounds more like them.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from training.imitated_sounds import ImitatedSounds
from training.losses.anchoring import distance, moments
from training.losses.contrastive import contrast
from vocaldm_live.model.adapter import Adapter

BATCH = 64
STEPS = 800
RATE = 5e-4
WARMUP = 50
EVERY = 50
"""Steps between two looks at what is held out."""

TEMPERATURE = 0.1
CONTRAST, MOMENTS = 0.1, 0.1
"""Weights of telling the sounds of a batch apart and of being spread as they are: else all voices mean their middle."""

SAME = 0.999
"""Cosine from which on two sounds count as one, which is not told apart."""


@dataclass(frozen=True, eq=False)
class Aimed:
    """The adapter, the step that was best on what is held out, and the cosine of voice to sound there, before and after."""

    adapter: Adapter
    step: int
    before: float
    after: float


def aim(adapter: Adapter, sounds: ImitatedSounds, held_out: ImitatedSounds, seed: int) -> Aimed:
    """A copy of an adapter, trained on pairs of voice and sound; the base's where nothing gets better.

    What it says of sounds themselves stays what it was, for that is the aim. Takes seconds; the same arguments
    give the same weights.
    """
    voices, meant, wanted = _pairs(adapter, sounds)
    judged = _pairs(adapter, held_out) if len(held_out) else (voices, meant, wanted)
    learner = copy.deepcopy(adapter).train()
    trained = [weight for name, weight in learner.named_parameters() if name != "null"]
    learner.requires_grad_(False)
    for weight in trained:
        weight.requires_grad_(True)
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=1e-2)
    rng = np.random.default_rng([seed, 17])
    before = best = _cosine(adapter, judged)
    kept, at = copy.deepcopy(adapter.state_dict()), 0
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (1.0 - step / STEPS)
        rows = torch.from_numpy(rng.integers(len(voices), size=min(BATCH, len(voices))))
        said, again, target = learner(voices[rows]), learner(meant[rows]), wanted[rows]
        same = target @ target.T > SAME
        loss = distance(said, target).mean() + distance(again, target).mean()
        loss = loss + CONTRAST * contrast(said, target, same, TEMPERATURE) + MOMENTS * moments(said, target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if (step + 1) % EVERY == 0:
            now = _cosine(learner, judged)
            if now > best:
                best, at, kept = now, step + 1, copy.deepcopy(learner.state_dict())
    learner.load_state_dict(kept)
    return Aimed(learner.eval().requires_grad_(False), at, before, best)


# Inside -------------------------------------------------------------------------------------------------


def _pairs(adapter: Adapter, sounds: ImitatedSounds) -> tuple[Tensor, Tensor, Tensor]:
    """Voices `[n, 960]`, the sounds they mean `[n, 960]`, and what the adapter says of those, `[n, 512]`."""
    pairs = [(at, which) for at in range(len(sounds)) for which in range(sounds.imitations(at))]
    voices = torch.stack([sounds.vector(at, "imitation", which) for at, which in pairs])
    meant = torch.stack([sounds.vector(at, "reference") for at, _ in pairs])
    with torch.no_grad():
        return voices.float(), meant.float(), adapter(meant.float())


def _cosine(adapter: Adapter, pairs: Sequence[Tensor]) -> float:
    voices, _, wanted = pairs
    with torch.no_grad():
        return float((adapter(voices) * wanted).sum(1).mean())
