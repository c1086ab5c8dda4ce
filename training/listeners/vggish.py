"""VGGish: the network that FAD was first measured with. It agrees badly with listeners: for comparison with papers.

Hershey et al. 2017 (arXiv 1609.09430). Tensor names are those of the published `vggish-10086976.pth`; without the last
ReLU and without the PCA, as the common FAD tools use it.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.listeners.weights import fill, read_network
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.measure.spectra import hann

RATE, SIZE, SPAN, HOP = 16000, 512, 400, 160  # Hz and samples: transform, window, step
BANDS, LOWEST, HIGHEST = 64, 125.0, 7500.0
OFFSET = 0.01  # added to the magnitudes before their logarithm
FRAMES = 96  # of a window of 0.96 s; windows do not overlap
WIDTH = 128
PLAN = (64, 0, 128, 0, 256, 256, 0, 512, 512, 0)  # channels of the convolutions, 0 for pooling
HIDDEN = 4096


class VGG(nn.Module):
    """Windows `[batch, 1, 96, 64]` to `[batch, 128]`; `narrow` divides all inner widths, for tests."""

    def __init__(self, narrow: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for channels in PLAN:
            if channels:
                layers += [nn.Conv2d(before, channels // narrow, 3, padding=1), nn.ReLU()]
                before = channels // narrow
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        hidden = HIDDEN // narrow
        self.embeddings = nn.Sequential(
            nn.Linear(before * 6 * 4, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, WIDTH),
        )

    def forward(self, windows: Tensor) -> Tensor:
        """Channels come last where the dense layers begin, as where the weights were trained."""
        return self.embeddings(self.features(windows).permute(0, 2, 3, 1).flatten(1))


class VGGish:
    """Vectors of 128 numbers for each 0.96 s; shorter sounds get zeros at their end. Raises PresetError."""

    name = "vggish"
    rate = RATE
    width = WIDTH

    def __init__(self, weights: Path) -> None:
        found = read_network(weights)
        first = found.get("features.0.weight")
        narrow = max(1, PLAN[0] // len(first)) if first is not None and first.ndim == 4 else 1
        self._network = VGG(narrow)
        fill(self._network, found, weights, "VGGish", beside=("pproc.",))
        self.sha256 = file_sha256(weights)

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The mean of a sound's windows, float32 `[n]` to `[128]`."""
        mean: np.ndarray = self.windows(samples).mean(axis=0)
        return mean

    def windows(self, samples: np.ndarray) -> np.ndarray:
        """Every window of a sound, `[windows, 128]`: FAD takes them one by one."""
        with torch.inference_mode():
            heard: np.ndarray = self._network(log_mel_windows(samples)).numpy()
        return heard

    def classes(self, samples: np.ndarray) -> np.ndarray | None:
        """Its classes were never published."""
        return None


def log_mel_windows(samples: np.ndarray) -> Tensor:
    """The log-mels of a sound `[n]` at 16 kHz in whole windows, float32 `[windows, 1, 96, 64]`; at least one."""
    least = SPAN + (FRAMES - 1) * HOP
    sound = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
    sound = functional.pad(sound, (0, max(0, least - len(sound))))
    frames = sound.unfold(0, SPAN, HOP) * torch.from_numpy(hann(SPAN)).float()
    magnitude = torch.fft.rfft(frames, SIZE).abs()
    mel = (magnitude @ torch.from_numpy(_filters()).float() + OFFSET).log()
    whole = len(mel) // FRAMES
    return mel[: whole * FRAMES].reshape(whole, 1, FRAMES, BANDS)


@lru_cache(maxsize=1)
def _filters() -> np.ndarray:
    """Triangles on the mel scale of HTK, peak 1, nothing from DC: `[257, 64]` (AudioSet's `mel_features`)."""

    def mel(frequency: np.ndarray) -> np.ndarray:
        return 1127.0 * np.log1p(frequency / 700.0)

    edges = np.linspace(mel(np.array(LOWEST)), mel(np.array(HIGHEST)), BANDS + 2)
    bins = mel(np.linspace(0.0, RATE / 2, SIZE // 2 + 1))[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0
    return weights
