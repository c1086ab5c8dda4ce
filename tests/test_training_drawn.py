"""Mels that a preset's denoiser draws for known sounds, for a vocoder to learn from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from training.drawn import draw_mels
from training.examples import make_sound
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel

pytestmark = pytest.mark.slow


def test_a_drawn_mel_keeps_the_sound_it_set_out_from() -> None:
    modules = load_modules(read_preset(resolve_preset("house")))
    samples, _, _ = make_sound(0, 5, [], 0.0, False)
    mel = log_mel(torch.from_numpy(samples)[None], HOUSE).numpy()
    drawn = draw_mels(samples[None], modules, "v", 1)
    assert drawn.shape == mel.shape
    assert np.corrcoef(drawn.ravel(), mel.ravel())[0, 1] > 0.9
