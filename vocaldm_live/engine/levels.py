"""Levels: what is made anew brought to the loudness that its curve asks for, so that it stands level with what is kept."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vocaldm_live.engine.brightness import drawn_on
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import mel_centres
from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, a_weighting

SMOOTHING = 25  # frames of 10 ms: slower than any onset, so that what moves faster is the model's own
MOST_DB = 15.0


def levelled_mel(
    mel: Tensor, known: np.ndarray, kept: Tensor, loudness: np.ndarray, geometry: Geometry
) -> Tensor:
    """Log-mel `[1, bands, frames]` whose new frames have, over a quarter of a second, the loudness of the curve.

    known: bool `[frames]`, where `kept`, the sound's own log-mel, holds; loudness: dB `[frames]`, the curve followed,
    whose offset to the mel's own loudness is measured where it is known. No frame moves by more than 15 dB.
    """
    found = mel_loudness(mel, geometry)
    own = mel_loudness(kept, geometry)
    heard = known & (loudness > max(LOUDNESS_FLOOR + 5.0, float(loudness.max()) - 40.0))
    if not heard.any() or known.all():
        return mel
    offset = float(np.median(own[heard] - loudness[heard]))
    wanted = np.where(known, own, loudness + offset)
    found = np.where(known, own, found)
    gain = _smooth_power(wanted) - _smooth_power(found)
    gain = np.where(known, 0.0, np.clip(gain, -MOST_DB, MOST_DB))
    return mel + torch.from_numpy((gain * np.log(10.0) / 20.0).astype(np.float32)).to(mel.device)


def levelled_band(
    mel: Tensor, kept: Tensor, samples: np.ndarray, geometry: Geometry, low: float | None, high: float | None
) -> Tensor:
    """Log-mel `[1, bands, frames]` whose new band stands to what is below as the sound's own, or as its line drawn on.

    Measured in the band's first octave, over a quarter of a second: against `kept`, the sound's own log-mel, where the
    sound has that band, else against the line (`brightness.drawn_on`), which is set against the octave below in both.
    """
    frames = mel.shape[2]
    drawn = drawn_on(samples, geometry.sample_rate, low, high, frames)
    if drawn is None or low is None:
        return mel
    centres = mel_centres(geometry)
    octave = (centres >= low) & (centres <= 2.0 * low)
    under = (centres >= 0.4 * low) & (centres <= 0.9 * low)
    inside = (centres >= low) & (centres <= (high or geometry.fmax))
    if not octave.any() or not under.any():
        return mel
    found = _band_level(mel, geometry, octave)
    if drawn.missing:
        wanted = drawn.octave - drawn.under + _band_level(kept, geometry, under)
    else:
        wanted = _band_level(kept, geometry, octave)
    gain = np.clip(_smooth_power(wanted) - _smooth_power(found), -MOST_DB, MOST_DB)
    moved = torch.from_numpy(np.outer(inside, gain * np.log(10.0) / 20.0).astype(np.float32))
    return mel + moved.to(mel.device)


def _band_level(mel: Tensor, geometry: Geometry, bands: np.ndarray) -> np.ndarray:
    widths = np.gradient(mel_centres(geometry)) * bands
    power = torch.exp(2.0 * mel[0].double()).cpu().numpy()
    return 10.0 * np.log10(np.maximum(widths @ power, 1e-20))


def mel_loudness(mel: Tensor, geometry: Geometry) -> np.ndarray:
    """A-weighted power in dB of each frame of a log-mel `[1, bands, frames]`, up to a constant."""
    centres = mel_centres(geometry)
    widths = np.gradient(centres)
    weights = 10.0 ** (a_weighting(centres) / 10.0) * widths
    power = torch.exp(2.0 * mel[0].double()).cpu().numpy()
    return 10.0 * np.log10(np.maximum(weights @ power, 1e-20))


def _smooth_power(level: np.ndarray) -> np.ndarray:
    """dB `[frames]` averaged as power over a running quarter of a second."""
    half = min(SMOOTHING // 2, max(0, (len(level) - 1) // 2))
    padded = np.pad(10.0 ** (level / 10.0), half, mode="edge")
    return 10.0 * np.log10(np.convolve(padded, np.ones(2 * half + 1) / (2 * half + 1), "valid"))
