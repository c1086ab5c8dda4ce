"""Skeleton: networks of shapes alone, for weights that are about to be loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


class _WithoutDraws(TorchFunctionMode):
    """Leaves tensors alone that were to be filled with random numbers.

    On the meta device torch decomposes these in Python, and the first of them imports torch._dynamo, for seconds.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


@contextmanager
def skeletons() -> Iterator[None]:
    """Modules made here have weights on the meta device: no memory, and no random numbers drawn."""
    with torch.device("meta"), _WithoutDraws():
        yield
