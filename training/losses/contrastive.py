"""Contrastive: which of a batch belongs to which, as losses over unit embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

FAR = -1e4  # a logit that softmax makes nothing of, in half precision too


def contrast(
    one: Tensor, other: Tensor, same: Tensor, tau: Tensor | float, soft: Tensor | None = None
) -> Tensor:
    """Symmetric cross-entropy of similarities of `[n, width]` x 2, row i of one belonging to row i of the other.

    same: boolean `[n, n]`, pairs off the diagonal that are the same thing: neither right nor wrong, left out. tau:
    the temperature. soft: weights `[n, n]` of others that are right in part, beside 1 for the own.
    NT-Xent (arXiv 2002.05709), one direction of which trained the first QVIM encoder (arXiv 2408.11638).
    """
    own = torch.eye(len(one), dtype=torch.bool, device=one.device)
    logits = functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T / tau
    logits = logits.masked_fill(same & ~own, FAR)
    targets = own.to(logits.dtype)
    if soft is not None:
        targets = targets + soft.masked_fill(same | own, 0.0)
    ahead, back = targets / targets.sum(1, keepdim=True), targets.T / targets.T.sum(1, keepdim=True)
    forward = -(ahead * logits.log_softmax(1)).sum(1).mean()
    backward = -(back * logits.T.log_softmax(1)).sum(1).mean()
    return 0.5 * (forward + backward)


def kin(families: Tensor, same: Tensor, share: float) -> Tensor:
    """Soft targets `[n, n]`: `share` spread over the others of a row's family; families below 0 have none.

    families: long `[n]`; same as in `contrast`.
    """
    others = ~torch.eye(len(families), dtype=torch.bool, device=families.device)
    related = (families[:, None] == families[None]) & (families >= 0)[:, None] & others & ~same
    weights = related.float()
    return share * weights / weights.sum(1, keepdim=True).clamp_min(1.0)


def choice(vectors: Tensor, candidates: Tensor, wanted: Tensor, tau: Tensor | float) -> Tensor:
    """InfoNCE of each of `[n, width]` among unique candidates `[m, width]`, of which `wanted` `[n]` is right: `[n]`."""
    logits = functional.normalize(vectors, dim=1) @ functional.normalize(candidates, dim=1).T / tau
    return functional.cross_entropy(logits, wanted, reduction="none")


def semi_hard(one: Tensor, other: Tensor, same: Tensor, margin: float) -> Tensor:
    """Triplet loss with semi-hard negatives, by cosine distance, both ways: the mean over `[n, width]` x 2.

    A negative is semi-hard where it is farther than the own one by less than the margin (arXiv 1503.03832); the
    nearest of these counts, and a row without one doesn't.
    """
    distance = 1.0 - functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T
    blocked = same | torch.eye(len(one), dtype=torch.bool, device=one.device)
    losses = []
    for table in (distance, distance.T):
        own = table.diagonal()[:, None]
        legal = ~blocked & (table > own) & (table < own + margin)
        nearest = table.masked_fill(~legal, float("inf")).amin(1)
        found = nearest.isfinite()
        gap = own[:, 0] - torch.where(found, nearest, own[:, 0]) + margin
        losses.append(torch.where(found, gap, torch.zeros_like(gap)).mean())
    return 0.5 * (losses[0] + losses[1])
