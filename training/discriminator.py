"""Discriminators: convolutional judges of complex spectrograms at three resolutions (Jang et al., arXiv 2106.07889)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm


class SpectrogramDiscriminator(nn.Module):
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


class SpectrogramDiscriminators(nn.Module):
    """One discriminator a resolution."""

    def __init__(self, sizes: tuple[int, ...] = (512, 1024, 2048)) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrogramDiscriminator(size) for size in sizes)

    def forward(self, samples: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """A (score map, features) pair a resolution."""
        return [judge(samples) for judge in self.judges]


def discriminator_loss(judges: SpectrogramDiscriminators, real: Tensor, made: Tensor) -> Tensor:
    """Hinge loss of the judges."""
    total = real.new_zeros(())
    for (real_score, _), (made_score, _) in zip(judges(real), judges(made), strict=True):
        total = total + (1.0 - real_score).clamp_min(0.0).mean() + (1.0 + made_score).clamp_min(0.0).mean()
    return total / len(judges.judges)


def generator_loss(judges: SpectrogramDiscriminators, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Hinge loss of the generator, and the feature-matching distance."""
    fooled = real.new_zeros(())
    matched = real.new_zeros(())
    with torch.no_grad():
        reference = judges(real)
    for (made_score, made_features), (_, real_features) in zip(judges(made), reference, strict=True):
        fooled = fooled + (1.0 - made_score).clamp_min(0.0).mean()
        for one, other in zip(made_features, real_features, strict=True):
            matched = matched + (one - other).abs().mean() / len(real_features)
    return fooled / len(judges.judges), matched / len(judges.judges)
