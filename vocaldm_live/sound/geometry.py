"""Geometry: the numbers that fix every shape between a waveform and a latent."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Geometry:
    """Sample rate, STFT, mel bands and latent grid of a preset.

    A mel spectrogram is `[mel_bands, frames]`; neighbouring bands are folded into channels, so the
    VAE sees `[fold, frames, mel_bands / fold]` and its latent is
    `[latent_channels, frames / factor, mel_bands / fold / factor]`.
    `mel_mean` and `mel_scale` centre and scale natural-log mel magnitudes for the networks.
    """

    sample_rate: int = 48000
    n_fft: int = 2048
    hop: int = 480
    mel_bands: int = 128
    fmin: float = 20.0
    fmax: float = 24000.0
    fold: int = 2
    factor: int = 4
    latent_channels: int = 8
    mel_floor: float = 1e-5
    mel_mean: float = -6.0
    mel_scale: float = 3.0

    def __post_init__(self) -> None:
        if self.mel_bands % (self.fold * self.factor):
            raise ValueError(
                f"{self.mel_bands} mel bands do not divide by fold x factor = {self.fold * self.factor}"
            )

    @property
    def frames_per_second(self) -> float:
        """Mel frames a second."""
        return self.sample_rate / self.hop

    @property
    def latent_bins(self) -> int:
        """Frequency bins of the latent."""
        return self.mel_bands // (self.fold * self.factor)

    def latent_frames(self, samples: int) -> int:
        """Latent frames that cover `samples` samples at the geometry's rate (rounded up, at least 1)."""
        per_latent = self.hop * self.factor
        return max(1, -(-samples // per_latent))

    def as_dict(self) -> dict[str, float | int]:
        """Plain values for a preset file."""
        return asdict(self)


HOUSE = Geometry()
