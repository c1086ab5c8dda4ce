"""FastConv1d: a dilated convolution of signals for CPUs, by tiles (`toom_cook`) of rows of channels.

HiFi-GAN's long kernels at its first stages are most of its work; torch's own convolution multiplies once for each tap.
Same results to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vocaldm_live.model.toom_cook import transforms

# Kernel: (samples a tile makes, taps of a group). Several groups have as many taps as tiles have samples, so that the
# next group sees what this one sees, one tile on.
TILES = {3: (6, 3), 5: (4, 5), 7: (4, 7), 9: (5, 5), 11: (6, 6)}


class FastConv1d(nn.Module):
    """Does what a Conv1d does that `suits`; shares its `weight` and `bias`, so a state dict stays what it was.

    For inference: the weight in the tiles' form is kept beside it, 1.4 to 2.7 times its size. Signals are wanted with
    channels side by side in memory (`[batch, channels, samples]` that is a transposed view) and come out so.
    """

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        if not self.suits(conv):
            raise ValueError(f"{conv} is not a plain convolution of {', '.join(map(str, TILES))} taps")
        self.weight, self.bias = conv.weight, conv.bias
        self.taps, self.dilation = conv.kernel_size[0], conv.dilation[0]
        self.samples, self.group = TILES[self.taps]
        after, _, before = transforms(self.samples, self.group)
        self._after, self._before = after.float(), before.float()
        self._kernels: list[Tensor] = []

    @staticmethod
    def suits(conv: nn.Module) -> bool:
        """Whether a module is a convolution of a known length that keeps the length and mixes all channels."""
        return (
            isinstance(conv, nn.Conv1d)
            and conv.kernel_size[0] in TILES
            and conv.padding == (conv.dilation[0] * (conv.kernel_size[0] - 1) // 2,)
            and conv.padding_mode == "zeros"
            and conv.stride == (1,)
            and conv.groups == 1
        )

    def forward(self, signal: Tensor) -> Tensor:
        """`[batch, inputs, samples]` to `[batch, outputs, samples]`."""
        if not self._kernels:
            self._kernels = self._grouped()
        rows = signal.transpose(1, 2).contiguous()
        made = [self._one(one)[None] for one in rows]
        return (made[0] if len(made) == 1 else torch.cat(made)).transpose(1, 2)

    def _one(self, rows: Tensor) -> Tensor:
        """`[samples, inputs]` to `[samples, outputs]`."""
        length, inputs = rows.shape
        outputs, wide = len(self.weight), self.dilation
        points, groups = len(self._before), len(self._kernels)
        hop = self.samples * wide
        tiles = -(-length // hop)
        seen = tiles + groups - 1
        before = (self.taps - 1) // 2 * wide
        padded = rows.new_zeros(seen * hop + (points - self.samples) * wide, inputs)
        padded[before : before + length] = rows
        stack = padded.as_strided((points, seen, wide * inputs), (wide * inputs, hop * inputs, 1)).reshape(
            points, -1
        )
        spread = (self._before @ stack).view(points, seen * wide, inputs)
        product = torch.bmm(spread[:, : tiles * wide], self._kernels[0])
        for group, kernel in enumerate(self._kernels[1:], 1):
            product.baddbmm_(spread[:, group * wide : (group + tiles) * wide], kernel)
        done = (self._after @ product.view(points, -1)).view(self.samples, tiles, wide, outputs)
        out = rows.new_empty(tiles, self.samples, wide, outputs)
        bias = rows.new_zeros(outputs) if self.bias is None else self.bias
        torch.add(done.transpose(0, 1), bias, out=out)
        return out.view(-1, outputs)[:length]

    def _grouped(self) -> list[Tensor]:
        """For each group of taps `[points, inputs, outputs]`."""
        kernel = transforms(self.samples, self.group)[1]
        groups = -(-self.taps // self.group)
        weight = torch.zeros(*self.weight.shape[:2], groups * self.group, dtype=torch.float64)
        weight[:, :, : self.taps] = self.weight
        return [
            torch.einsum("pt,oct->pco", kernel, part).to(self.weight.dtype).contiguous()
            for part in weight.split(self.group, dim=2)
        ]
