"""FastConv2d: a convolution of images for CPUs, as matrix products over rows of channels.

torch's own convolution of float32 is direct: it multiplies nine times for each pair of channels and each place. Large
maps are done by tiles instead (`toom_cook`), with 2.25 to 5.3 times fewer multiplications; small ones as one product
with the neighbours side by side. Same results to rounding.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from vocaldm_live.model.toom_cook import transforms

TAPS = 3
SMALL_BREADTH = 2  # up to here one product is faster than tiles
TALL = 48  # from here tiles are taller
BAND = 16  # columns done at once
SCRATCH = 2_500_000  # numbers in the largest scratch array, about what a processor's cache holds


class FastConv2d(nn.Module):
    """Does what a Conv2d does that `suits`; shares its `weight` and `bias`, so a state dict stays what it was.

    For inference: tiles need the weight in another form, made when a shape comes first and kept, 2.7 to 5.3 times its
    size. Images are wanted channels-last and come out so; others are copied.
    """

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        if not self.suits(conv):
            raise ValueError(f"{conv} is not a plain convolution of 1 x 1 or 3 x 3")
        self.weight, self.bias = conv.weight, conv.bias
        self._tiles: dict[tuple[int, int], Tensor] = {}

    @staticmethod
    def suits(conv: nn.Module) -> bool:
        """Whether a module is a convolution of 1 x 1 or 3 x 3 that keeps the shape and mixes all channels."""
        return (
            isinstance(conv, nn.Conv2d)
            and conv.kernel_size in ((1, 1), (TAPS, TAPS))
            and conv.padding == tuple(size // 2 for size in conv.kernel_size)
            and conv.padding_mode == "zeros"
            and conv.stride == conv.dilation == (1, 1)
            and conv.groups == 1
        )

    def forward(self, image: Tensor) -> Tensor:
        """`[batch, inputs, height, breadth]` to `[batch, outputs, height, breadth]`, channels-last."""
        rows = image.permute(0, 2, 3, 1).contiguous()
        if self.weight.shape[2] == 1:
            out = functional.linear(rows, self.weight[:, :, 0, 0], self.bias)
        elif rows.shape[2] <= SMALL_BREADTH:
            out = self._whole(rows)
        else:
            out = self._tiled(rows)
        return out.permute(0, 3, 1, 2)

    def _whole(self, rows: Tensor) -> Tensor:
        """Every place's nine neighbours side by side, times the weight as one matrix."""
        batch, height, breadth, inputs = rows.shape
        padded = functional.pad(rows, (0, 0, 1, 1, 1, 1))
        a, b, c, d = padded.stride()
        shape = (batch, height, breadth, TAPS, TAPS, inputs)
        seen = padded.as_strided(shape, (a, b, c, b, c, d)).reshape(
            batch, height, breadth, TAPS * TAPS * inputs
        )
        return functional.linear(seen, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias)

    def _tiled(self, rows: Tensor) -> Tensor:
        batch, height, breadth, inputs = rows.shape
        outputs = len(self.weight)
        tall = 6 if height >= TALL else 4
        broad = 4 if breadth > 4 else 2
        weight = self._tiles.get((tall, broad))
        if weight is None:
            weight = self._tiles[tall, broad] = _tile_weight(self.weight, tall, broad)
        points = tall + TAPS - 1
        tiles = -(-height // tall)
        out = rows.new_empty(batch, height, breadth, outputs)
        for left in range(0, breadth, BAND):
            right = min(left + BAND, breadth)
            edges = (min(left, 1), min(breadth - right, 1))
            sideways, back = _across(right - left, edges, broad)
            lines = len(sideways)
            seen = rows[:, :, left - edges[0] : right + edges[1]]
            step = max(1, SCRATCH // (points * lines * batch * max(inputs, outputs)))
            for first in range(0, tiles, step):
                last = min(tiles, first + step)
                down = _matrix(tall, 2) @ _stack(seen, first, last, tall).view(points, -1)
                spread = torch.bmm(sideways.expand(points, -1, -1), down.view(points, sideways.shape[1], -1))
                product = torch.bmm(spread.view(len(weight), -1, inputs), weight)
                joined = torch.bmm(back.expand(points, -1, -1), product.view(points, lines, -1))
                done = (_matrix(tall, 0) @ joined.view(points, -1)).view(
                    tall, right - left, batch, last - first, outputs
                )
                self._place(done.permute(2, 3, 0, 1, 4), out[:, :, left:right], first)
        return out

    def _place(self, tiles: Tensor, out: Tensor, first: int) -> None:
        """Tiles `[batch, tiles, tall, breadth, outputs]` from the `first` on, with the bias, into `out`'s rows."""
        count, tall = tiles.shape[1:3]
        top = first * tall
        whole = min(count, (out.shape[1] - top) // tall)
        bias = tiles.new_zeros(1) if self.bias is None else self.bias
        end = top + whole * tall
        torch.add(tiles[:, :whole], bias, out=out[:, top:end].unflatten(1, (whole, tall)))
        if whole < count:
            rest = out.shape[1] - end
            torch.add(tiles[:, whole, :rest], bias, out=out[:, end:])


def _stack(rows: Tensor, first: int, last: int, tall: int) -> Tensor:
    """What tiles `first` to `last` see: `[points, breadth, batch, tiles, inputs]`, zero beyond the image."""
    batch, height, breadth, inputs = rows.shape
    points = tall + TAPS - 1
    stack = rows.new_empty(points, breadth, batch, last - first, inputs)
    columns = rows.permute(2, 0, 1, 3)
    for point in range(points):
        shift = point - TAPS // 2
        begin = first if first * tall + shift >= 0 else first + 1
        end = min(last, (height - 1 - shift) // tall + 1)
        part = stack[point]
        part[:, :, : begin - first] = 0.0
        part[:, :, max(end, begin) - first :] = 0.0
        if begin < end:
            part[:, :, begin - first : end - first] = columns[
                :, :, begin * tall + shift : (end - 1) * tall + shift + 1 : tall
            ]
    return stack


def _tile_weight(weight: Tensor, tall: int, broad: int) -> Tensor:
    """`[points down * points across, inputs, outputs]`."""
    down, across = transforms(tall, TAPS)[1], transforms(broad, TAPS)[1]
    pieces = [torch.einsum("qw,ochw,h->qco", across, weight.double(), row).to(weight.dtype) for row in down]
    return torch.cat(pieces).contiguous()


@lru_cache
def _matrix(outputs: int, which: int) -> Tensor:
    return transforms(outputs, TAPS)[which].float()


@lru_cache
def _across(breadth: int, edges: tuple[int, int], broad: int) -> tuple[Tensor, Tensor]:
    """From so many columns, and those beyond them, to the points of their tiles and back.

    `[points * tiles, edges[0] + breadth + edges[1]]` and `[breadth, points * tiles]`.
    """
    after, _, before = transforms(broad, TAPS)
    points, tiles = len(before), -(-breadth // broad)
    there = torch.zeros(points, tiles, tiles * broad + TAPS - 1, dtype=torch.float64)
    back = torch.zeros(tiles, broad, points, tiles, dtype=torch.float64)
    for tile in range(tiles):
        there[:, tile, tile * broad : tile * broad + points] = before
        back[tile, :, :, tile] = after
    inside = there[:, :, 1 - edges[0] : 1 + breadth + edges[1]].flatten(0, 1)
    return inside.float().contiguous(), back.view(tiles * broad, -1)[:breadth].float().contiguous()
