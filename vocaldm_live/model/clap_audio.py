"""CLAP's audio tower: ten seconds of sound to a unit vector in the space that text and sound share.

HTS-AT (arXiv 2202.00874): a log-mel spectrogram folded into a square image, a Swin transformer over it
(arXiv 2103.14030), the mean over its tokens, a projection. Tensor names are those of LAION's CLAP.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vocaldm_live.model.clap_text import Projection
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import mel_filters

SAMPLE_RATE, LENGTH = 48000, 480000
MEL = Geometry(SAMPLE_RATE, 1024, 480, 64, 50.0, 14000.0, 1, 1, 1, 1e-10, 0.0, 1.0)
SIDE, PATCH = 256, 4  # of the image and of a patch


def filled(samples: Tensor) -> Tensor:
    """`[n]` at 48 kHz to `[480000]`: the first ten seconds, or the sound as often as it fits, then zeros."""
    samples = samples[:LENGTH]
    samples = samples.repeat(max(1, LENGTH // max(1, len(samples))))
    return functional.pad(samples, (0, LENGTH - len(samples)))


def clap_mel(samples: Tensor) -> Tensor:
    """Log-mel in dB `[batch, 1, 1001, 64]` of `[batch, 480000]`."""
    return mel_in_db(samples, MEL)


def mel_in_db(samples: Tensor, geometry: Geometry) -> Tensor:
    """Log-mel of power in dB `[batch, 1, frames, bands]` of `[batch, n]`, not below the geometry's floor.

    In float32 whatever autocast is around it: in half precision the floor is zero.
    """
    with torch.autocast(samples.device.type, enabled=False):
        samples = samples.float()
        window = torch.hann_window(geometry.n_fft, device=samples.device)
        spectrum = torch.stft(
            samples, geometry.n_fft, geometry.hop, window=window, pad_mode="reflect", return_complex=True
        )
        filters = torch.from_numpy(mel_filters(geometry)).to(samples.device)
        power = (filters @ spectrum.abs().square()).clamp_min(geometry.mel_floor)
        return 10.0 * power.log10().transpose(1, 2)[:, None]


class ClapAudio(nn.Module):
    """Mels `[batch, 1, 1001, 64]` to unit vectors `[batch, vector_width]`.

    width: of the first stage, doubled by each; depths, heads: blocks and heads of each stage; window: its side.
    """

    def __init__(
        self, width: int, depths: Sequence[int], heads: Sequence[int], window: int, vector_width: int = 512
    ) -> None:
        super().__init__()
        self.audio_branch = HTSAT(width, depths, heads, window)
        self.audio_projection = Projection(width << (len(depths) - 1), vector_width)

    def forward(self, mel: Tensor) -> Tensor:
        """In float32, whatever autocast is around it: dB of what is quieter than float16 can say are no numbers there."""
        with torch.autocast(mel.device.type, enabled=False):
            return functional.normalize(self.audio_projection(self.audio_branch(mel.float())), dim=-1)


def listened(tower: ClapAudio, sound: Sound, device: torch.device | str) -> Tensor:
    """A sound's unit vector `[1, vector_width]`, of its first ten seconds."""
    samples = torch.from_numpy(np.ascontiguousarray(sound.at(SAMPLE_RATE).samples)).to(device)
    return tower(clap_mel(filled(samples.float())[None]))


class HTSAT(nn.Module):
    """The transformer, `[batch, 1, frames, 64]` to the mean over its tokens."""

    def __init__(self, width: int, depths: Sequence[int], heads: Sequence[int], window: int) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(1, width, PATCH, PATCH), "norm": nn.LayerNorm(width)}
        )
        self.bn0 = nn.BatchNorm2d(MEL.mel_bands)
        self.layers = nn.ModuleList()
        for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            side = SIDE // PATCH >> stage
            last = stage == len(depths) - 1
            self.layers.append(Stage(width << stage, depth, count, min(window, side), side, last))
        self.norm = nn.LayerNorm(width << (len(depths) - 1))

    def forward(self, mel: Tensor) -> Tensor:
        """`[batch, width of the last stage]`."""
        image = folded(self.bn0(mel.transpose(1, 3)).transpose(1, 3))
        x = self.patch_embed["norm"](self.patch_embed["proj"](image).permute(0, 2, 3, 1))
        for layer in self.layers:
            x = layer(x)
        return self.norm(x).flatten(1, 2).mean(1)


def folded(mel: Tensor) -> Tensor:
    """`[batch, 1, frames, 64]` to the image `[batch, 1, 256, 256]`: four stretches of time above one another."""
    times = SIDE // MEL.mel_bands
    size = (SIDE * times, MEL.mel_bands)
    mel = functional.interpolate(mel, size, mode="bicubic", align_corners=True)
    return mel.unflatten(2, (times, SIDE)).transpose(3, 4).flatten(2, 3)


class Stage(nn.Module):
    """Blocks over `[batch, side, side, width]`, every other one with its windows moved; halved unless last."""

    def __init__(self, width: int, depth: int, heads: int, window: int, side: int, last: bool) -> None:
        super().__init__()
        shifts = [window // 2 if block % 2 and window < side else 0 for block in range(depth)]
        self.blocks = nn.ModuleList(Block(width, heads, window, shift) for shift in shifts)
        if not last:
            self.downsample = Merging(width)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, side / 2, side / 2, 2 width]`; if last as it came."""
        for block in self.blocks:
            x = block(x)
        return self.downsample(x) if hasattr(self, "downsample") else x


class Merging(nn.Module):
    """Four neighbours become one place of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, h, w, width]` to `[batch, h / 2, w / 2, 2 width]`."""
        neighbours = [x[:, row::2, column::2] for column in range(2) for row in range(2)]
        return self.reduction(self.norm(torch.cat(neighbours, dim=-1)))


class Block(nn.Module):
    """Attention within windows and a feed-forward layer, each normalised before and added to what it was given."""

    def __init__(self, width: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, h, w, width]`."""
        side, size = x.shape[1], self.window
        inner = torch.roll(self.norm1(x), (-self.shift, -self.shift), (1, 2))
        windows = inner.unflatten(2, (-1, size)).unflatten(1, (-1, size)).transpose(2, 3)
        mask = None if self.shift == 0 else apart(side, size, self.shift).to(x.device)
        heard = self.attn(windows.flatten(3, 4).flatten(1, 2), mask)
        heard = heard.unflatten(2, (size, size)).unflatten(1, (side // size, side // size))
        heard = heard.transpose(2, 3).flatten(3, 4).flatten(1, 2)
        x = x + torch.roll(heard, (self.shift, self.shift), (1, 2))
        return x + self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(x))))


class WindowAttention(nn.Module):
    """Attention over `[batch, windows, places, width]`, within each window, with a bias for each way between two."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask: `[windows, places, places]`, added to the scores."""
        q, k, v = self.qkv(x).unflatten(3, (3, self.heads, -1)).permute(3, 0, 1, 4, 2, 5)
        ways = relative_places(self.window).to(x.device)
        bias = self.relative_position_bias_table[ways].permute(2, 0, 1)
        if mask is not None:
            bias = bias + mask[:, None]
        heard = functional.scaled_dot_product_attention(
            q, k, v, attn_mask=bias.expand(q.shape[1], *bias.shape[-3:])
        )
        return self.proj(heard.transpose(2, 3).flatten(3))


@lru_cache(maxsize=8)
def relative_places(window: int) -> Tensor:
    """Row of the bias table for the way from each place of a window to each other, `[places, places]`."""
    places = torch.stack(torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")).flatten(1)
    down, right = places[:, :, None] - places[:, None, :] + window - 1
    return down * (2 * window - 1) + right


@lru_cache(maxsize=8)
def apart(side: int, window: int, shift: int) -> Tensor:
    """-100 between places of a moved window that lie on two sides of the image's edge, else 0."""
    places = torch.arange(side)
    regions = (places >= side - window).long() + (places >= side - shift).long()
    image = 3.0 * regions[:, None] + regions[None, :]
    windows = (
        image.unflatten(1, (-1, window)).unflatten(0, (-1, window)).transpose(1, 2).flatten(2).flatten(0, 1)
    )
    return torch.where(windows[:, None, :] == windows[:, :, None], 0.0, -100.0)
