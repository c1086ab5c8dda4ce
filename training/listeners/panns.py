"""Panns: CNN14 of PANNs, taught AudioSet's 527 classes; AudioLDM's FD, KL and ISc hear by it.

Kong et al. 2020 (arXiv 1912.10211). Tensor names are those of the published files `Cnn14_16k_mAP=0.438.pth` (16 kHz)
and `Cnn14_mAP=0.431.pth` (32 kHz); a file's own mel matrix says which it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.listeners.weights import fill, read_network
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.errors import PresetError

WIDTH, CLASSES, MEL_BANDS = 2048, 527, 64
RATES = {256: 8000, 512: 16000, 1024: 32000}  # Hz, by the length of the analysis window
SHORTEST, LONGEST = 1.0, 10.0  # s: shorter sounds get zeros at their end, longer ones are cut
STFT = "spectrogram_extractor."
MEL = "logmel_extractor.melW"


class Block(nn.Module):
    """Two 3 x 3 convolutions with batch norm and ReLU, then the mean over squares of `pool`."""

    def __init__(self, before: int, after: int, pool: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, before, frames, bands]` to `[batch, after, frames / pool, bands / pool]`."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return functional.avg_pool2d(x, self.pool) if self.pool > 1 else x


class Cnn14(nn.Module):
    """Log-mels in dB `[batch, 1, frames, 64]` to the embedding `[batch, 32 width]` and logits `[batch, classes]`."""

    def __init__(self, width: int = 64, classes: int = CLASSES) -> None:
        super().__init__()
        self.bn0 = nn.BatchNorm2d(MEL_BANDS)
        widths = [1, *(width << level for level in range(6))]
        for level in range(6):
            block = Block(widths[level], widths[level + 1], 2 if level < 5 else 1)
            self.add_module(f"conv_block{level + 1}", block)
        self.fc1 = nn.Linear(widths[-1], widths[-1])
        self.fc_audioset = nn.Linear(widths[-1], classes)

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Embedding after the first dense layer's ReLU, and answers before their sigmoid."""
        x = self.bn0(mel.transpose(1, 3)).transpose(1, 3)
        for level in range(6):
            x = self.get_submodule(f"conv_block{level + 1}")(x)
        x = x.mean(dim=3)
        heard = functional.relu(self.fc1(x.amax(dim=2) + x.mean(dim=2)))
        return heard, self.fc_audioset(heard)


class Panns:
    """Vectors of 2048 numbers and 527 answers over a sound's first ten seconds; raises PresetError."""

    name = "panns"

    def __init__(self, weights: Path) -> None:
        found = read_network(weights)
        if MEL not in found or found[MEL].ndim != 2 or "fc_audioset.weight" not in found:
            raise PresetError(f"{weights} is no CNN14 of PANNs: name the published Cnn14_16k_mAP=0.438.pth.")
        self._mel = found[MEL].float()
        self._size = 2 * (len(self._mel) - 1)
        if self._size not in RATES or self._mel.shape[1] != MEL_BANDS:
            raise PresetError(
                f"{weights} has a mel matrix of {tuple(self._mel.shape)}, and CNN14's are [129, 257 or 513, 64]."
            )
        self.rate = RATES[self._size]
        width = max(1, found["fc_audioset.weight"].shape[1] // 32)
        self._network = Cnn14(width, len(found["fc_audioset.weight"]))
        fill(self._network, found, weights, "CNN14 of PANNs", beside=(STFT, MEL))
        self.width = 32 * width
        self.sha256 = file_sha256(weights)
        self._last: tuple[bytes, np.ndarray, np.ndarray] | None = None

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """The embedding of a sound, float32 `[n]` to `[2048]`."""
        return self._heard(samples)[0]

    def windows(self, samples: np.ndarray) -> np.ndarray:
        """The same as `[1, 2048]`."""
        return self(samples)[None]

    def classes(self, samples: np.ndarray) -> np.ndarray | None:
        """Its answers to a sound as logits, `[527]`."""
        return self._heard(samples)[1]

    def mel(self, samples: np.ndarray) -> Tensor:
        """The log-mel in dB of a sound `[n]` that the network sees, `[1, 1, frames, 64]`."""
        longest, shortest = round(LONGEST * self.rate), round(SHORTEST * self.rate)
        cut = np.pad(samples[:longest], (0, max(0, shortest - len(samples)))).astype(np.float32)
        spectrum = torch.stft(
            torch.from_numpy(cut)[None],
            self._size,
            round(self.rate / 100),
            window=torch.hann_window(self._size),
            pad_mode="reflect",
            return_complex=True,
        )
        power = spectrum.abs().square().transpose(1, 2) @ self._mel
        return 10.0 * power.clamp_min(1e-10).log10()[:, None]

    def _heard(self, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Both answers to one sound are asked for one after the other.
        key = np.ascontiguousarray(samples, dtype=np.float32).tobytes()
        if self._last is None or self._last[0] != key:
            with torch.inference_mode():
                vector, answers = self._network(self.mel(samples))
            self._last = (key, vector[0].numpy(), answers[0].numpy())
        return self._last[1], self._last[2]
