"""Sketch images: each curve is drawn where the latent's own picture of such a sound would have it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from vocaldm_live.model.sketch_image import _comb, draw_sketch, image_channels
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import fold, log_mel, mel_centres
from vocaldm_live.sound.sketch import measure_sketch

FACTOR, BINS = HOUSE.factor, HOUSE.latent_bins
PRESENCE, CENTROID, SALIENCE = 0, 1, 2
LOUDNESS = slice(3, 3 + FACTOR)
RIDGE = 3 + FACTOR
COMB = slice(RIDGE + 1, None)


def curves(
    frames: int = 40,
    loudness: float = -30.0,
    centroid: float = 90.0,
    pitch: float = 60.0,
    salience: float = 1.0,
) -> Tensor:
    """Curves `[1, 4, frames]` that stand still."""
    return torch.tensor([loudness, centroid, pitch, salience])[None, :, None].repeat(1, 1, frames)


def note(hertz: float) -> float:
    return 69.0 + 12.0 * math.log2(hertz / 440.0)


def test_an_image_has_the_latents_grid() -> None:
    image = draw_sketch(curves(40).repeat(3, 1, 1), HOUSE)
    assert image.shape == (3, image_channels(HOUSE), 10, BINS)
    assert image.dtype == torch.float32 and image.isfinite().all()
    assert (image[:, PRESENCE] == 1.0).all()


def test_the_comb_is_folded_as_the_vae_folds_its_mel() -> None:
    """fold, then 4 x 4 cells of time and frequency into channels."""
    moving = curves(40)
    moving[0, 2] = torch.linspace(40.0, 80.0, 40)
    moving[0, 3] = torch.linspace(0.5, 1.0, 40)
    mel = _comb(moving[:, 2], moving[:, 3], HOUSE)
    assert mel.shape == (1, HOUSE.mel_bands, 40)
    folded = fold(mel * HOUSE.mel_scale + HOUSE.mel_mean, HOUSE)
    cells = torch.nn.functional.pixel_unshuffle(folded, FACTOR)
    # pixel_unshuffle counts [fold, time, frequency], the image [frequency, fold, time].
    cells = cells.reshape(1, HOUSE.fold, FACTOR, FACTOR, 10, BINS).permute(0, 3, 1, 2, 4, 5).flatten(1, 3)
    comb = draw_sketch(moving, HOUSE)[:, COMB]
    torch.testing.assert_close(comb, cells, atol=1e-6, rtol=0)
    assert len(set(comb.amax(dim=(0, 2, 3)).tolist())) > 8, "the channels must differ for their order to show"


@pytest.mark.parametrize("hertz", [300.0, 700.0])
def test_the_comb_lies_on_the_harmonics(hertz: float) -> None:
    comb = _comb(torch.full((1, 4), note(hertz)), torch.ones(1, 4), HOUSE)[0, :, 0]
    centres = mel_centres(HOUSE)
    for number in (1, 2, 3):
        place = int(np.abs(centres - number * hertz).argmin())
        assert comb[place] > 0.6
        between = int(np.abs(centres - (number + 0.5) * hertz).argmin())
        assert comb[between] < 0.1
    assert (comb[centres < 0.7 * hertz] < 0.1).all()


def test_the_comb_of_a_sound_is_where_its_mel_is() -> None:
    phase = 2 * np.pi * 330.0 * np.arange(24000) / 48000
    samples = (0.2 * np.sum([np.sin(k * phase) / k for k in range(1, 6)], axis=0)).astype(np.float32)
    sketch = torch.from_numpy(measure_sketch(samples, 48000).array())[None]
    comb = _comb(sketch[:, 2], sketch[:, 3], HOUSE)[0, :, 25]
    mel = log_mel(torch.from_numpy(samples)[None], HOUSE)[0, :, 25]
    low = mel_centres(HOUSE) < 1800.0
    assert np.corrcoef(comb[low].numpy(), mel[low].numpy())[0, 1] > 0.7


def test_unvoiced_frames_have_no_comb() -> None:
    partly = curves(40)
    partly[:, 2:, 20:] = 0.0
    image = draw_sketch(partly, HOUSE)
    assert (image[:, COMB, 5:] == 0.0).all() and (image[:, SALIENCE, 5:] == 0.0).all()
    assert image[:, COMB, :5].amax() > 0.5 and (image[:, SALIENCE, :5] == 1.0).all()


def test_salience_scales_the_comb() -> None:
    full, half = draw_sketch(curves(salience=1.0), HOUSE), draw_sketch(curves(salience=0.5), HOUSE)
    torch.testing.assert_close(half[:, COMB], 0.5 * full[:, COMB])


@pytest.mark.parametrize("bin_", [0, 3, 8, 15])
def test_the_ridge_stands_at_the_centroids_bin(bin_: int) -> None:
    bands = HOUSE.fold * FACTOR
    hertz = float(mel_centres(HOUSE)[bin_ * bands : (bin_ + 1) * bands].mean())
    ridge = draw_sketch(curves(centroid=note(hertz)), HOUSE)[0, RIDGE, 4]
    assert ridge.argmax() == bin_
    assert ridge.max() > 0.9 and ridge.sum() < 3.0


def test_the_centroid_is_also_a_number() -> None:
    low, high = (draw_sketch(curves(centroid=value), HOUSE)[:, CENTROID] for value in (70.0, 110.0))
    torch.testing.assert_close(high - low, torch.full_like(low, 2.0))


def test_an_onset_10_ms_later_is_seen() -> None:
    early, late = (curves(40, loudness=-80.0) for _ in range(2))
    early[:, 0, 17:] = -10.0
    late[:, 0, 18:] = -10.0
    one, other = (draw_sketch(part, HOUSE)[0] for part in (early, late))
    changed = (one != other).any(dim=2)
    assert changed.nonzero().tolist() == [[LOUDNESS.start + 1, 4]], "frame 17 is the second of latent frame 4"
    fine = one[LOUDNESS, :, 0].T.flatten()
    assert int((fine > 0).float().argmax()) == 17


def test_loudness_below_the_floor_is_the_floor() -> None:
    floor, below = (draw_sketch(curves(loudness=value), HOUSE) for value in (-80.0, -120.0))
    assert torch.equal(floor, below)
