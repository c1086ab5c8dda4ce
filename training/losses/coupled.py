"""Coupled: losses over a whole batch whose rows see one another, in micro batches and on many processes.

GradCache (arXiv 2101.06983): all rows are embedded without gradients, the loss's gradient by embedding is taken
once, and rows are embedded again, a few at a time, to carry it to the weights. Exact but for what rows of a micro
batch share in the network itself: batch normalisation that counts statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from training.draws import Draws
from training.errors import RunError
from training.step import Step

Embed = Callable[[Draws], tuple[Tensor, ...]]
Couple = Callable[..., Mapping[str, Tensor]]


def coupled(
    embed: Embed, couple: Couple, step: Step, networks: Iterable[nn.Module] = ()
) -> Mapping[str, Tensor]:
    """Backward of `couple(*embeddings of the whole batch)["loss"]`; returns all that it gave, as shares.

    embed: embeddings `[rows, width]`, one or several, of some rows, the same whenever it is asked. couple: a mean over
    the whole batch; its own weights, such as a temperature, get their gradient too. networks: those whose running
    statistics `embed` moves; the first round leaves them alone.
    """
    parts = list(step.parts())
    if not parts:
        raise RunError(f"A batch of {step.batch} has no row for every process: set batch higher.")
    world = step.fabric.world_size
    once = len(parts) == 1
    if once:
        kept = embed(parts[0])
        rows: list[Tensor] = [each.detach() for each in kept]
    else:
        with torch.no_grad(), statistics_kept(networks):
            found = [embed(part) for part in parts]
        rows = [torch.cat(each) for each in zip(*found, strict=True)]
    # Every process has the whole batch's loss; its share of that keeps sums over processes right.
    whole = [step.gather(each.float()).requires_grad_() for each in rows]
    with torch.autocast(step.device.type, enabled=False):
        values = couple(*whole)
    step.backward(values["loss"] / world)
    own = torch.tensor(step.draws.rows, dtype=torch.long, device=whole[0].device)
    slopes = [None if each.grad is None else each.grad[own] * world for each in whole]
    first = 0
    for part in parts:
        again = kept if once else embed(part)
        last = first + len(part)
        carried = [
            (each.float() * slope[first:last]).sum()
            for each, slope in zip(again, slopes, strict=True)
            if slope is not None and each.requires_grad
        ]
        if carried:
            step.backward(torch.stack(carried).sum())
        first = last
    return {name: value.detach() / world for name, value in values.items()}


@contextmanager
def statistics_kept(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Batch normalisation goes on as it does, but its running statistics stay."""
    norms = [
        module
        for network in networks
        for module in network.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
    ]
    # Only those in training mode: the others need their statistics.
    norms = [norm for norm in norms if norm.training]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
