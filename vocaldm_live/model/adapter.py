"""The adapter: an encoder embedding of 960 numbers becomes the condition of 512 that FiLM layers take.

Conditions are unit vectors, as CLAP's are in AudioLDM. That makes one contract of all sources: an adapter's
output, a CLAP vector of text or sound and the null condition can stand in for one another and be blended on
the sphere, and AudioLDM's own FiLM layers get the scale that they were trained on. A network that would
rather see elements near 1 multiplies by sqrt(512) where it takes the condition in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_SIZE = 960
HIDDEN_SIZE = 1024
CONDITION_SIZE = 512


class Adapter(nn.Module):
    """Standardise, Linear 960 -> 1024, LayerNorm, GELU, Linear 1024 -> 512, unit length; and a learned null.

    Embeddings of this encoder are pooled Hardswish outputs, nearly non-negative with a large common mean.
    Taken as they are, all of them come out of a fresh network as nearly the same condition. So the mean over
    the training embeddings goes first, what is left is scaled to elements near 1, and no bias starts as large
    as the signal: different sounds start as different conditions.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(EMBEDDING_SIZE))
        self.register_buffer("scale", torch.full((1,), 1.0 / math.sqrt(EMBEDDING_SIZE)))
        self.layers = nn.Sequential(
            nn.Linear(EMBEDDING_SIZE, HIDDEN_SIZE),
            nn.LayerNorm(HIDDEN_SIZE),
            nn.GELU(),
            nn.Linear(HIDDEN_SIZE, CONDITION_SIZE),
        )
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)
        self.null = nn.Parameter(torch.empty(CONDITION_SIZE))
        nn.init.normal_(
            self.null, std=CONDITION_SIZE**-0.5
        )  # about unit length; `null_condition` makes it so

    @torch.no_grad()
    def fit(self, embeddings: Tensor) -> None:
        """Set `mean` `[960]` and `scale` `[1]` from training embeddings `[n, 960]`, at least two of them.

        Measured on unit embeddings. One scale for all elements, the root mean square of what remains after
        centring: the angles between sounds, which contrastive training made, survive, and elements that
        hardly ever move are not blown up to noise.
        Raises ValueError for a wrong shape, for values that are not finite, and where all are alike.
        """
        if embeddings.ndim != 2 or embeddings.shape[0] < 2 or embeddings.shape[1] != EMBEDDING_SIZE:
            raise ValueError(
                f"fit needs embeddings shaped [2 or more, {EMBEDDING_SIZE}], got {list(embeddings.shape)}."
            )
        if not bool(embeddings.isfinite().all()):
            raise ValueError("fit got embeddings that are not finite: check the encoder's input for NaN.")
        units = functional.normalize(embeddings.detach().cpu().double(), dim=1)
        mean = units.mean(0)
        scale = (units - mean).square().mean().sqrt()
        if scale < 1e-7:
            raise ValueError("fit got embeddings that are all alike: encode different sounds.")
        self.mean.copy_(mean)
        self.scale.copy_(scale)

    def forward(self, embedding: Tensor, drop: Tensor | None = None) -> Tensor:
        """Conditions `[batch, 512]` at unit length from embeddings `[batch, 960]` of any length.

        Rows where `drop`, a bool tensor `[batch]`, is true become the null condition (classifier-free
        guidance, Ho and Salimans 2022).
        Raises ValueError for a wrong shape or kind of either.
        """
        if embedding.ndim != 2 or embedding.shape[1] != EMBEDDING_SIZE:
            raise ValueError(
                f"the adapter needs embeddings [batch, {EMBEDDING_SIZE}], got {list(embedding.shape)}."
            )
        # The difference to the mean is small beside both: float32 even where the layers are half precision.
        units = functional.normalize(embedding.float(), dim=1)
        standard = (units - self.mean.float()) / self.scale.float()
        condition = functional.normalize(self.layers(standard.to(self.null.dtype)), dim=1)
        if drop is None:
            return condition
        if drop.dtype != torch.bool or drop.shape != embedding.shape[:1]:
            raise ValueError(
                f"drop must be a bool tensor [{embedding.shape[0]}], got {drop.dtype} {list(drop.shape)}."
            )
        return torch.where(drop[:, None], self.null_condition(len(embedding)), condition)

    def null_condition(self, batch: int) -> Tensor:
        """The learned condition of "no sound given", at unit length, repeated to `[batch, 512]`."""
        return functional.normalize(self.null, dim=0).expand(batch, -1)


class VocalDMAdapter(nn.Module):
    """The first VocalDM's adapter: a unit embedding as it is, two linear layers with a LayerNorm after each.

    It was trained in front of AudioLDM and has no null of its own: guidance leans from the UNet's.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(EMBEDDING_SIZE, HIDDEN_SIZE),
            nn.LayerNorm(HIDDEN_SIZE),
            nn.GELU(),
            nn.Linear(HIDDEN_SIZE, CONDITION_SIZE),
            nn.LayerNorm(CONDITION_SIZE),
        )

    def forward(self, embedding: Tensor) -> Tensor:
        """Conditions `[batch, 512]` at unit length from embeddings `[batch, 960]` of any length."""
        return functional.normalize(self.layers(functional.normalize(embedding, dim=1)), dim=1)


def blend(a: Tensor, b: Tensor, weight: float | Tensor) -> Tensor:
    """Condition between `a` and `b`, all `[batch, 512]` at unit length: `weight` 0 is `a`, 1 is `b`.

    Moves along the great circle at even speed (slerp, Shoemake 1985), so a blend is as long as its ends,
    where a straight mean would be shorter. `weight` is a number or `[batch]`. Exactly opposite conditions
    have no shortest way: the circle then goes over the axis that `a` leans on least.
    Raises ValueError for shapes that differ and for a weight outside 0 .. 1.
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"blend needs two conditions [batch, 512], got {list(a.shape)} and {list(b.shape)}.")
    weights = torch.as_tensor(weight, dtype=torch.float32, device=a.device)
    if not bool(((weights >= 0) & (weights <= 1)).all()):
        raise ValueError(f"the blend weight must lie in 0 .. 1, got {weights.tolist()}.")
    if weights.ndim > 1 or (weights.ndim == 1 and len(weights) != len(a)):
        raise ValueError(f"blend needs one weight or one a row, got {list(weights.shape)} for {len(a)} rows.")
    start = functional.normalize(a.float(), dim=1)
    end = functional.normalize(b.float(), dim=1)
    cosine = (start * end).sum(1, keepdim=True)
    across = end - cosine * start
    sine = across.norm(dim=1, keepdim=True)
    least = functional.one_hot(start.abs().argmin(1), start.shape[1]).to(start.dtype)
    detour = least - (least * start).sum(1, keepdim=True) * start
    across = functional.normalize(torch.where(sine < 1e-6, detour, across), dim=1)
    angle = torch.atan2(sine, cosine) * weights.reshape(-1, 1)
    return (start * angle.cos() + across * angle.sin()).to(a.dtype)
