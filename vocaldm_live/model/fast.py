"""Fast convolutions in place of a network's own, where they gain: wide layers on a CPU."""

from __future__ import annotations

from torch import nn

from vocaldm_live.model.fast_conv1d import FastConv1d
from vocaldm_live.model.fast_conv2d import FastConv2d

LEAST_CHANNELS = 128


def quicken(network: nn.Module) -> int:
    """Replace the convolutions of a network that `suits` fits, in place; returns how many. For inference on a CPU."""
    found = 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            fast = _fast(child)
            if fast is not None:
                setattr(parent, name, fast)
                found += 1
    return found


def _fast(layer: nn.Module) -> nn.Module | None:
    if not isinstance(layer, nn.Conv1d | nn.Conv2d) or min(layer.weight.shape[:2]) < LEAST_CHANNELS:
        return None
    if isinstance(layer, nn.Conv2d):
        return FastConv2d(layer) if FastConv2d.suits(layer) else None
    return FastConv1d(layer) if FastConv1d.suits(layer) else None
