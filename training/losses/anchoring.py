"""Anchoring: conditions are brought to where a denoiser's training had them: CLAP's vectors of the sounds meant."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def distance(vectors: Tensor, targets: Tensor) -> Tensor:
    """1 - cosine of `[n, width]` x 2, `[n]`."""
    return 1.0 - functional.cosine_similarity(vectors, targets, dim=1)


def moments(vectors: Tensor, targets: Tensor) -> Tensor:
    """How far mean and covariance of unit vectors `[n, width]` are from those of their targets `[n, width]`.

    What a set of conditions looks like to a denoiser that was trained on another one, whichever row is which: 1 - cosine
    alone lets them gather around the targets' mean. The covariance's part is over its own size.
    """
    means, spreads = [], []
    for rows in (vectors, targets):
        mean = rows.mean(0)
        away = rows - mean
        means.append(mean)
        spreads.append(away.T @ away / max(1, len(rows) - 1))
    first = (means[0] - means[1]).square().sum()
    return first + (spreads[0] - spreads[1]).square().sum() / spreads[1].square().sum().clamp_min(1e-9)
