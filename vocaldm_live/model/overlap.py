"""Overlap-add: STFT frames back to samples, framed like `sound.mel.stft_magnitude`."""

from __future__ import annotations

import torch
from torch import Tensor

from vocaldm_live.sound.geometry import Geometry


def inverse_stft(spectrum: Tensor, geometry: Geometry) -> Tensor:
    """Complex `[batch, n_fft / 2 + 1, frames]` to samples `[batch, frames * hop]`, Hann window both ways.

    The (n_fft - hop) / 2 samples that framing adds on each side are cut off again, so a clip is
    exactly as long as its frames ("same" padding, Vocos, arXiv 2306.00814, section 3.3).
    """
    size, hop = geometry.n_fft, geometry.hop
    frames = spectrum.shape[-1]
    window = torch.hann_window(size, device=spectrum.device)
    pieces = torch.fft.irfft(spectrum.transpose(1, 2), size, dim=2) * window
    added = overlap_add(pieces, hop)
    weight = overlap_add((window**2).expand(1, frames, size), hop)
    pad = (size - hop) // 2
    end = pad + frames * hop
    return added[:, pad:end] / weight[:, pad:end].clamp_min(1e-3)


def overlap_add(pieces: Tensor, hop: int) -> Tensor:
    """Frames `[batch, frames, size]`, `hop` apart, summed into `[batch, at least (frames - 1) * hop + size]`.

    Frames are cut into blocks of one hop, and the k-th blocks of all frames are added at once.
    """
    batch, frames, size = pieces.shape
    blocks = -(-size // hop)
    cut = torch.nn.functional.pad(pieces, (0, blocks * hop - size)).reshape(batch, frames, blocks, hop)
    total = pieces.new_zeros(batch, frames + blocks - 1, hop)
    for block in range(blocks):
        total[:, block : block + frames] += cut[:, :, block]
    return total.reshape(batch, -1)


def stft(samples: Tensor, geometry: Geometry) -> Tensor:
    """Complex STFT `[batch, n_fft / 2 + 1, n / hop]` of samples `[batch, n]`; inverse of `inverse_stft`."""
    size, hop = geometry.n_fft, geometry.hop
    pad = (size - hop) // 2
    padded = torch.nn.functional.pad(samples, (pad, pad))
    window = torch.hann_window(size, device=samples.device)
    return torch.stft(padded, size, hop, size, window, center=False, return_complex=True)
