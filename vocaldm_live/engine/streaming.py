"""Streaming: the vocoder run in segments, so that a clip can be heard while the rest is still being decoded.

`stream_vocoder`, for the inverse STFT: the network runs once over all frames, its head, the spectra and their
inverse in segments: phases and overlap-add carry on where they stopped. So the joins are the network's own; what
differs from `Vocoder.forward` is the order of some sums (float rounding). `stream_network`, for networks of
convolutions alone: each segment is computed with as many frames around it as it can hear. Segments grow: decoding
is many times faster than the sound, so only the first has to be short. The VAE's decoder normalises over all of
time and runs whole.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from vocaldm_live.model.bigvgan import BigVGAN
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.model.overlap import overlap_add
from vocaldm_live.model.phase import PeakPhases
from vocaldm_live.model.vocoder import Vocoder

FIRST_FRAMES = 64  # the head start: what must be computed before anything is heard
GROWTH = 8
MOST_FRAMES = 1024


def segment_plan(frames: int) -> list[tuple[int, int]]:
    """(begin, end) of every segment of a clip of so many frames; depends on nothing else.

    A rest shorter than half of its segment belongs to the one before it, unless that is the first.
    """
    ends, size = [min(FIRST_FRAMES, frames)], FIRST_FRAMES
    while ends[-1] < frames:
        size = min(GROWTH * size, MOST_FRAMES)
        ends.append(ends[-1] + size)
    if len(ends) > 2 and 2 * (frames - ends[-2]) < size:
        ends.pop()
    ends[-1] = frames
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
    phases, features = PeakPhases(size, hop), vocoder.features(mel)
    sound, weight = _OverlapAdd(size, hop), _OverlapAdd(size, hop)
    frames = mel.shape[2]
    cut, left = pad, frames * hop
    for begin, end in segment_plan(frames):
        last = end == frames
        prior = vocoder.prior(mel[:, :, begin:end]).transpose(1, 2)
        steady, level = vocoder.mix(features[:, begin:end], prior, phases(prior))
        spectrum = steady + level * noise[:, :, begin:end].transpose(1, 2)
        pieces = torch.fft.irfft(spectrum, size, dim=2) * window
        weights = (window**2).expand(1, pieces.shape[1], size)
        piece = sound(pieces, last)[:, cut:] / weight(weights, last)[:, cut:].clamp_min(1e-3)
        cut = 0
        piece = piece[:, :left]
        left -= piece.shape[1]
        yield piece


def stream_network(vocoder: HiFiGAN | BigVGAN, mel: Tensor) -> Iterator[Tensor]:
    """Samples `[batch, n]`, piece after piece, `frames * hop` in all, of log-mel `[batch, mel_bands, frames]`."""
    frames = mel.shape[2]
    for begin, end in segment_plan(frames):
        first = max(0, begin - vocoder.context)
        seen = vocoder(mel[:, :, first : min(frames, end + vocoder.context)])
        yield seen[:, (begin - first) * vocoder.hop : (end - first) * vocoder.hop]


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
