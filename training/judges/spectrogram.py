"""Spectrogram judges: convolutions over complex spectrograms at several resolutions (Jang et al., arXiv 2106.07889)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

RESOLUTIONS = (512, 1024, 2048)


class SpectrogramJudge(nn.Module):
    """Judges samples `[batch, n]` by their STFT of one size; returns the score map and the inner features."""

    def __init__(self, size: int, channels: int = 16) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(
            [
                weight_norm(nn.Conv2d(2, channels, (3, 9), padding=(1, 4))),
                weight_norm(nn.Conv2d(channels, channels, (3, 9), stride=(1, 2), padding=(1, 4))),
                weight_norm(nn.Conv2d(channels, channels, (3, 9), stride=(1, 2), padding=(1, 4))),
                weight_norm(nn.Conv2d(channels, channels, (3, 3), padding=(1, 1))),
            ]
        )
        self.score = weight_norm(nn.Conv2d(channels, 1, (3, 3), padding=(1, 1)))

    def forward(self, samples: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score map and feature maps."""
        window = torch.hann_window(self.size, device=samples.device)
        level = samples.square().mean(dim=1, keepdim=True).sqrt() + 1e-3
        spectrum = torch.stft(
            samples / level, self.size, self.size // 4, self.size, window, return_complex=True
        )
        x = torch.stack([spectrum.real, spectrum.imag], dim=1).transpose(2, 3) / self.size**0.5
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.score(x), features


class SpectrogramJudges(nn.Module):
    """One judge a resolution."""

    def __init__(self, sizes: Sequence[int] = RESOLUTIONS, channels: int = 16) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrogramJudge(size, channels) for size in sizes)

    def forward(self, samples: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """A (score map, features) pair a resolution."""
        return [judge(samples) for judge in self.judges]
