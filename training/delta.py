"""Delta: small trained changes around a network's own layers, with names of their own, added in when it is exported."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

ATTENTION_LAYERS = ("to_q", "to_k", "to_v", "to_out.0")
FILM_LAYER = "time_emb_proj"
VECTOR_LAYER = "class_embedding"


class LowRank(nn.Module):
    """A linear layer plus `b @ a` of a low rank (LoRA, arXiv 2106.09685); b begins at zero, the layer as it was.

    a: `[rank, inputs]`, b: `[outputs, rank]`. The layer's own weights stay as they are.
    """

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.empty(rank, base.in_features, device=base.weight.device))
        self.b = nn.Parameter(torch.zeros(base.out_features, rank, device=base.weight.device))
        nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        return self.base(x) + functional.linear(functional.linear(x, self.a), self.b)

    def weight(self) -> Tensor:
        """The weight of a plain layer that does the same, `[outputs, inputs]`."""
        return self.base.weight + self.b @ self.a


class Columns(nn.Module):
    """A linear layer plus a change of its last `count` input columns, zero at first.

    In a residual block's projection of (time, vector) these are the vector's: what the timestep does stays as it
    was, bit for bit. With a rank the change is `b @ a` of that rank, else a full matrix `[outputs, count]`.
    """

    def __init__(self, base: nn.Linear, count: int, rank: int | None = None) -> None:
        super().__init__()
        if not 1 <= count <= base.in_features:
            raise ValueError(
                f"a layer of {base.in_features} inputs has no last {count} columns; count again."
            )
        self.base = base
        self.count = count
        device = base.weight.device
        if rank is None:
            self.a = None
            self.b = nn.Parameter(torch.zeros(base.out_features, count, device=device))
        else:
            self.a = nn.Parameter(torch.empty(rank, count, device=device))
            self.b = nn.Parameter(torch.zeros(base.out_features, rank, device=device))
            nn.init.kaiming_uniform_(self.a, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """`[..., inputs]` to `[..., outputs]`."""
        last = x[..., -self.count :]
        if self.a is not None:
            last = functional.linear(last, self.a)
        return self.base(x) + functional.linear(last, self.b)

    def weight(self) -> Tensor:
        """The weight of a plain layer that does the same, `[outputs, inputs]`."""
        change = self.b if self.a is None else self.b @ self.a
        kept, last = self.base.weight.split([self.base.in_features - self.count, self.count], dim=1)
        return torch.cat((kept, last + change), dim=1)


def attach(
    network: nn.Module, attention: int = 0, film: bool = False, film_rank: int | None = None
) -> tuple[str, ...]:
    """Freeze a UNet and give it deltas to train; returns the names of what is trained.

    attention: rank of the deltas at every attention layer, 0: none. film: the vector's own embedding, and the
    columns by which every residual block takes it in, of a low rank where `film_rank` says one.
    Raises ValueError where the network has no such layers, or has deltas already.
    """
    if any(isinstance(module, (LowRank, Columns)) for module in network.modules()):
        raise ValueError("the network has deltas already: merge them before it gets others.")
    network.requires_grad_(False)
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    vectors = [module for name, module in layers if _is(name, VECTOR_LAYER)]
    found = {"attention": 0, "film": 0}
    for name, layer in layers:
        if attention and any(_is(name, one) for one in ATTENTION_LAYERS):
            _put(network, name, LowRank(layer, attention))
            found["attention"] += 1
        if film and vectors and _is(name, FILM_LAYER):
            _put(network, name, Columns(layer, vectors[0].out_features, film_rank))
            found["film"] += 1
    for wanted, kind in ((attention, "attention"), (film, "film")):
        if wanted and not found[kind]:
            raise ValueError(f"the network has no {kind} layers to train; it is no UNet of this family.")
    if film:
        for vector in vectors:
            vector.requires_grad_(True)
    return tuple(name for name, weight in network.named_parameters() if weight.requires_grad)


@torch.no_grad()
def merged(network: nn.Module, share: float = 1.0) -> dict[str, Tensor]:
    """The state dict of the network without deltas, their changes added, `share` times; names are plain again."""
    wrapped = {
        name: module for name, module in network.named_modules() if isinstance(module, (LowRank, Columns))
    }
    state = dict(network.state_dict())
    for name, module in wrapped.items():
        for key in [key for key in state if key.startswith(f"{name}.")]:
            value = state.pop(key)
            inside = key.removeprefix(f"{name}.")
            if inside == "base.weight":
                state[f"{name}.weight"] = torch.lerp(value, module.weight(), share)
            elif inside.startswith("base."):
                state[f"{name}.{inside.removeprefix('base.')}"] = value
    return state


def _is(name: str, layer: str) -> bool:
    return name == layer or name.endswith(f".{layer}")


def _put(network: nn.Module, name: str, module: nn.Module) -> None:
    above, _, last = name.rpartition(".")
    network.get_submodule(above)._modules[last] = module
