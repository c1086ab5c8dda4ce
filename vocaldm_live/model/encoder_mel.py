"""Mel front end of the encoder: 32 kHz samples to the normalised log-mel picture that mn10 was trained on.

Kaldi-style mel bands at 100 frames a second. This is the encoder's own picture of a sound; it shares nothing
with the mel of the latent geometry.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

SAMPLE_RATE = 32000
N_FFT = 1024
WINDOW = 800
HOP = 320
MEL_BANDS = 128
FMIN = 0.0
FMAX = 15000.0
PRE_EMPHASIS = 0.97
LOG_OFFSET = 1e-5
NORMAL_SHIFT = 4.5
NORMAL_SCALE = 5.0
# One sample goes into the pre-emphasis, and reflection at the ends needs more than half an FFT of the rest.
MINIMUM_SAMPLES = N_FFT // 2 + 2


@dataclass(frozen=True)
class MelAugmentation:
    """What training varies in the mel picture: filter edges once a batch, masks once a clip.

    fmin_range: Hz; the lower edge is drawn from 0 .. fmin_range - 1.
    fmax_range: Hz, 2000 at most; the upper edge is drawn from the range of this width around 15000.
    frequency_mask: bands; one mask narrower than this in each clip.
    time_mask: frames of 10 ms; one mask shorter than this in each clip.
    Zero turns a part off. The defaults are those of the EfficientAT filters and the VocalDM masks.
    """

    fmin_range: int = 10
    fmax_range: int = 2000
    frequency_mask: int = 8
    time_mask: int = 300

    def __post_init__(self) -> None:
        if min(self.fmin_range, self.fmax_range, self.frequency_mask, self.time_mask) < 0:
            raise ValueError(f"mel augmentation ranges must be 0 or more, got {self}.")
        if FMAX + self.fmax_range // 2 > SAMPLE_RATE / 2:
            raise ValueError(
                f"fmax_range {self.fmax_range} Hz reaches above {SAMPLE_RATE // 2} Hz; use 2000 or less."
            )


def kaldi_mel_bank(fmin: float = FMIN, fmax: float = FMAX) -> Tensor:
    """Triangular mel filters `[128, 513]` over the FFT bins of 32 kHz sound, edges `fmin` and `fmax` in Hz.

    Kaldi's definition (kaldi/src/feat/mel-computations): mel(f) = 1127 ln(1 + f/700), triangles that are
    linear in mel, no area normalisation, and the Nyquist bin belongs to no band.
    Raises ValueError unless 0 <= fmin < fmax <= 16000.
    """
    if not 0 <= fmin < fmax <= SAMPLE_RATE / 2:
        raise ValueError(
            f"mel edges {fmin} and {fmax} Hz are not in order between 0 and {SAMPLE_RATE // 2} Hz."
        )
    frequencies = torch.arange(N_FFT // 2, dtype=torch.float64) * (SAMPLE_RATE / N_FFT)
    edges = torch.tensor([fmin, fmax], dtype=torch.float64)
    low, high = _hertz_to_mel(edges)
    corners = low + (high - low) / (MEL_BANDS + 1) * torch.arange(MEL_BANDS + 2, dtype=torch.float64)
    left, centre, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    mels = _hertz_to_mel(frequencies)[None]
    rising = (mels - left) / (centre - left)
    falling = (right - mels) / (right - centre)
    bank = torch.minimum(rising, falling).clamp(min=0.0)
    return functional.pad(bank, (0, 1)).float()


def frame_count(samples: int) -> int:
    """Number of mel frames for that many 32 kHz samples: 1000 for 320000, one every 10 ms."""
    return (samples - 1) // HOP + 1


class EncoderMel(nn.Module):
    """Normalised log-mel picture of 32 kHz sound, always computed in float32.

    Its constants are buffers outside the state dict, so checkpoints hold no key of it, and they stay float32
    when the surrounding network is cast to half precision: ln(x + 1e-5) needs the range.
    """

    window: Tensor
    mel_bank: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._make_constants(torch.device("cpu"))

    def forward(
        self,
        samples: Tensor,
        augmentation: MelAugmentation | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Mel picture `[batch, 1, 128, frame_count(n)]` of `samples` `[batch, n]` at 32 kHz.

        Silence is -1.40 everywhere. With `augmentation`, all its draws come from `generator`; masked regions
        hold the log value 0, as in EfficientAT's training.
        Raises ValueError for a wrong shape, less than 514 samples, and augmentation without a generator.
        """
        if samples.ndim != 2 or samples.shape[1] < MINIMUM_SAMPLES:
            raise ValueError(
                f"the encoder's mel needs samples shaped [batch, {MINIMUM_SAMPLES} or more] at 32 kHz, "
                f"got {list(samples.shape)}."
            )
        if augmentation is not None and generator is None:
            raise ValueError("mel augmentation draws random numbers: pass a torch.Generator with it.")
        with torch.autocast(device_type=samples.device.type, enabled=False):
            samples = samples.float()
            bank = self.mel_bank
            if augmentation is not None and generator is not None:
                bank = _jittered_bank(augmentation, generator).to(samples.device)
            log_mel = (bank @ self._power(samples) + LOG_OFFSET).log()
            if augmentation is not None and generator is not None:
                log_mel = _mask(log_mel, 1, augmentation.frequency_mask, generator)
                log_mel = _mask(log_mel, 2, augmentation.time_mask, generator)
            return ((log_mel + NORMAL_SHIFT) / NORMAL_SCALE)[:, None]

    def _power(self, samples: Tensor) -> Tensor:
        emphasised = samples[:, 1:] - PRE_EMPHASIS * samples[:, :-1]
        spectrum = torch.stft(
            emphasised,
            N_FFT,
            hop_length=HOP,
            win_length=WINDOW,
            window=self.window,
            center=True,
            pad_mode="reflect",
            onesided=True,
            return_complex=True,
        )
        return spectrum.real.square() + spectrum.imag.square()

    def _make_constants(self, device: torch.device) -> None:
        window = torch.hann_window(WINDOW, periodic=False, device=device)
        self.register_buffer("window", window, persistent=False)
        self.register_buffer("mel_bank", kaldi_mel_bank().to(device), persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EncoderMel:
        super()._apply(fn, recurse)
        if self.window.dtype != torch.float32:
            self._make_constants(self.window.device)
        return self


def _hertz_to_mel(frequencies: Tensor) -> Tensor:
    return 1127.0 * torch.log1p(frequencies / 700.0)


def _jittered_bank(augmentation: MelAugmentation, generator: torch.Generator) -> Tensor:
    fmin, fmax = FMIN, FMAX
    if augmentation.fmin_range:
        fmin += _draw_integer(augmentation.fmin_range, generator)
    if augmentation.fmax_range:
        fmax += augmentation.fmax_range // 2 - _draw_integer(augmentation.fmax_range, generator)
    return kaldi_mel_bank(fmin, fmax)


def _draw_integer(end: int, generator: torch.Generator) -> int:
    return int(torch.randint(end, (1,), generator=generator, device=generator.device))


def _mask(log_mel: Tensor, axis: int, width: int, generator: torch.Generator) -> Tensor:
    """One mask a clip along `axis` of `[batch, 128, frames]`: uniform width below `width`, uniform place."""
    if width == 0:
        return log_mel
    batch, size = log_mel.shape[0], log_mel.shape[axis]
    draws = torch.rand(2, batch, generator=generator, device=generator.device).to(log_mel.device)
    length = draws[0] * min(width, size)
    start = (draws[1] * (size - length)).floor()
    place = torch.arange(size, device=log_mel.device)[None]
    inside = (place >= start[:, None]) & (place < (start + length.floor())[:, None])
    return log_mel.masked_fill(inside[:, :, None] if axis == 1 else inside[:, None, :], 0.0)
