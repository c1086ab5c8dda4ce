"""Period judges: convolutions over samples that lie a period apart (HiFi-GAN, arXiv 2010.05646, section 2.3)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
KERNEL, STRIDE = 5, 3


class PeriodJudge(nn.Module):
    """Judges samples `[batch, n]` as columns of every `period`-th; returns the score map and the inner features.

    channels: width of the first layer; the others have 4, 16, 32 and 32 times that (the paper's: 32).
    """

    def __init__(self, period: int, channels: int = 32) -> None:
        super().__init__()
        self.period = period
        widths = (1, channels, 4 * channels, 16 * channels, 32 * channels, 32 * channels)
        strides = (STRIDE, STRIDE, STRIDE, STRIDE, 1)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(before, width, (KERNEL, 1), (stride, 1), padding=(KERNEL // 2, 0)))
            for before, width, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, samples: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Score map and feature maps."""
        missing = -samples.shape[1] % self.period
        whole = nn.functional.pad(samples[:, None], (0, missing), mode="reflect")
        x = whole.unflatten(2, (-1, self.period))
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.1)
            features.append(x)
        return self.score(x), features


class PeriodJudges(nn.Module):
    """One judge a period; prime ones, so that they overlap as little as can be."""

    def __init__(self, periods: Sequence[int] = PERIODS, channels: int = 32) -> None:
        super().__init__()
        self.judges = nn.ModuleList(PeriodJudge(period, channels) for period in periods)

    def forward(self, samples: Tensor) -> list[tuple[Tensor, list[Tensor]]]:
        """A (score map, features) pair a period."""
        return [judge(samples) for judge in self.judges]
