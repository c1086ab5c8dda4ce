"""What went wrong in the first VocalDM's hearing, each with the test that would have caught it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_audioldm import AUDIO

from vocaldm_live.model.clap_audio import ClapAudio, clap_mel, filled, listened
from vocaldm_live.sound.audio import Sound


def quiet_sounds() -> dict[str, Sound]:
    """Nothing at all, next to nothing, and a tone without anything above 8 kHz."""
    times = np.arange(16000) / 16000.0
    return {
        "zeros": Sound(np.zeros(16000, np.float32), 48000),
        "silence": Sound((1e-6 * np.random.default_rng(0).standard_normal(24000)).astype(np.float32), 48000),
        "16 kHz": Sound((0.5 * np.sin(2 * np.pi * 440.0 * times)).astype(np.float32), 16000),
    }


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_clap_stays_in_float32_whatever_is_around_it(kind: torch.dtype) -> None:
    """The alignment ran CLAP inside 16-bit autocast, where the floor of its mel, 1e-10, is zero: NaN for nearly all."""
    torch.manual_seed(0)
    tower = ClapAudio(**AUDIO).eval()  # type: ignore[arg-type]
    for name, sound in quiet_sounds().items():
        with torch.inference_mode():
            alone = listened(tower, sound, "cpu")
            mel = clap_mel(filled(torch.from_numpy(sound.at(48000).samples))[None])
            with torch.autocast("cpu", kind):
                inside = listened(tower, sound, "cpu")
                again = clap_mel(filled(torch.from_numpy(sound.at(48000).samples))[None])
        assert inside.dtype == torch.float32 and bool(inside.isfinite().all()), name
        torch.testing.assert_close(again, mel, rtol=0, atol=0)
        torch.testing.assert_close(inside, alone, rtol=0, atol=1e-6)
