"""Streaming: the vocoder run in segments, so that a clip can be heard while the rest is still being decoded.

Every convolution keeps the few frames that its next segment needs, the phase and the overlap-add carry on
where they stopped. So no frame is computed twice and the joins are the network's own; what differs from
`Vocoder.forward` is the order of some sums (float rounding). The VAE's decoder normalises over all of time
and therefore runs whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from vocaldm_live.model.overlap import overlap_add
from vocaldm_live.model.phase import PeakPhases
from vocaldm_live.model.vocoder import ConvNeXtBlock, Vocoder

FIRST_FRAMES = 64  # the head start: what must be computed before anything is heard
NEXT_FRAMES = 128


def segment_plan(frames: int) -> list[tuple[int, int]]:
    """(begin, end) of every segment of a clip of so many frames; depends on nothing else.

    A rest shorter than half a segment belongs to the one before it.
    """
    ends = list(range(FIRST_FRAMES, frames, NEXT_FRAMES))
    if ends and frames - ends[-1] < NEXT_FRAMES // 2:
        ends.pop()
    ends.append(frames)
    return list(zip([0, *ends[:-1]], ends, strict=True))


def stream_vocoder(vocoder: Vocoder, mel: Tensor, noise: Tensor) -> Iterator[Tensor]:
    """Samples `[batch, n]`, piece after piece, `frames * hop` in all.

    mel: log-mel `[batch, mel_bands, frames]`; noise: complex `[batch, n_fft / 2 + 1, frames]` of unit power.
    """
    geometry = vocoder.geometry
    size, hop = geometry.n_fft, geometry.hop
    # "Same" padding, as `inverse_stft` has it: what the first frames add before the clip begins is cut off.
    pad = (size - hop) // 2
    window = torch.hann_window(size, device=mel.device)
    network, phases = _Backbone(vocoder), PeakPhases(size, hop)
    sound, weight = _OverlapAdd(size, hop), _OverlapAdd(size, hop)
    frames = mel.shape[2]
    made, cut, left = 0, pad, frames * hop
    for begin, end in segment_plan(frames):
        last = end == frames
        features = network(mel[:, :, begin:end], last)
        ready = slice(made, made + features.shape[1])
        made = ready.stop
        prior = vocoder.prior(mel[:, :, ready]).transpose(1, 2)
        steady, level = vocoder.mix(features, prior, phases(prior))
        pieces = torch.fft.irfft(steady + level * noise[:, :, ready].transpose(1, 2), size, dim=2) * window
        weights = (window**2).expand(1, pieces.shape[1], size)
        piece = sound(pieces, last)[:, cut:] / weight(weights, last)[:, cut:].clamp_min(1e-3)
        cut = 0
        piece = piece[:, :left]
        left -= piece.shape[1]
        yield piece


class _Backbone:
    """The vocoder's network in segments; features come out `[batch, frames, channels]`, 27 frames late at first."""

    def __init__(self, vocoder: Vocoder) -> None:
        self._vocoder = vocoder
        self._embed = _Convolution(vocoder.embed)
        self._blocks = [
            (block, _Convolution(block.depthwise))
            for block in vocoder.blocks
            if isinstance(block, ConvNeXtBlock)
        ]

    def __call__(self, mel: Tensor, last: bool) -> Tensor:
        geometry, vocoder = self._vocoder.geometry, self._vocoder
        x, _ = self._embed((mel - geometry.mel_mean) / geometry.mel_scale, last)
        x = vocoder.norm(x.transpose(1, 2)).transpose(1, 2)
        for block, depthwise in self._blocks:
            inner, x = depthwise(x, last)
            inner = block.contract(nn.functional.gelu(block.expand(block.norm(inner.transpose(1, 2)))))
            x = x + (inner * block.scale).transpose(1, 2)
        features: Tensor = vocoder.final(x.transpose(1, 2))
        return features


class _Convolution:
    """A convolution over time that remembers the end of its last segment."""

    def __init__(self, convolution: nn.Conv1d) -> None:
        self._convolution = convolution
        self._side = convolution.kernel_size[0] // 2
        self._kept: Tensor | None = None

    def __call__(self, x: Tensor, last: bool) -> tuple[Tensor, Tensor]:
        """The frames that are complete, and the input at the same frames."""
        side, convolution = self._side, self._convolution
        zeros = x.new_zeros(x.shape[0], x.shape[1], side)
        joined = torch.cat([zeros if self._kept is None else self._kept, x, *([zeros] if last else [])], 2)
        self._kept = joined[:, :, -2 * side :]
        out = nn.functional.conv1d(joined, convolution.weight, convolution.bias, groups=convolution.groups)
        return out, joined[:, :, side:-side]


class _OverlapAdd:
    """Frames `[batch, frames, size]`, `hop` apart, to the samples that no later frame adds to."""

    def __init__(self, size: int, hop: int) -> None:
        self._size, self._hop = size, hop
        self._kept: Tensor | None = None

    def __call__(self, pieces: Tensor, last: bool) -> Tensor:
        total = overlap_add(pieces, self._hop)
        if self._kept is not None:
            total[:, : self._kept.shape[1]] += self._kept
        done = pieces.shape[1] * self._hop
        self._kept = total[:, done:]
        return total if last else total[:, :done]
