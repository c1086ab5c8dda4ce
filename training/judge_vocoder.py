"""Judge a vocoder on the held-out real sounds beside Griffin-Lim: python -m training.judge_vocoder --sounds DIR --weights F

Prints the multi-resolution STFT distance of both on the same mels, the spread of noise, what silence becomes
and the level of tones at multiples of the frame rate.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from training.library import read_library
from vocaldm_live.measure.spectra import (
    frame_rate_tone_db,
    log_magnitude_variance,
    multi_resolution_stft_distance,
)
from vocaldm_live.model.vocoder import Vocoder, griffin_lim
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel

Render = Callable[[Tensor, int], Tensor]


def noises(seconds: float = 3.0) -> list[np.ndarray]:
    """White, pink, brown and band-limited noise at 48 kHz, peak 0.5."""
    rng = np.random.default_rng(11)
    count = int(seconds * 48000)
    bins = np.fft.rfftfreq(count, 1.0 / 48000)
    made = []
    for slope, low, high in ((0.0, 0, 24000), (-0.5, 20, 24000), (-1.0, 20, 24000), (0.0, 2000, 9000)):
        spectrum = np.fft.rfft(rng.standard_normal(count)) * np.maximum(bins, 20.0) ** slope
        spectrum[(bins < low) | (bins > high)] = 0.0
        samples = np.fft.irfft(spectrum, count)
        made.append((0.5 * samples / np.abs(samples).max()).astype(np.float32))
    return made


def judge(render: Render, sounds: list[np.ndarray]) -> dict[str, float]:
    """The figures of one vocoder: `render(mel [1, bands, frames], seed) -> [1, n]`."""
    distances = [
        multi_resolution_stft_distance(samples, again(render, samples, seed))
        for seed, samples in enumerate(sounds)
    ]
    ratios, tones = [], []
    for seed, samples in enumerate(noises()):
        made = again(render, samples, seed)
        ratios.append(log_magnitude_variance(made, 48000) / log_magnitude_variance(samples, 48000))
        tones.append(
            frame_rate_tone_db(made, 48000, HOUSE.hop) - frame_rate_tone_db(samples, 48000, HOUSE.hop)
        )
    silent = again(render, np.zeros(96000, dtype=np.float32), 0)
    return {
        "stft_distance": float(np.mean(distances)),
        "noise_variance_ratio_lowest": float(np.min(ratios)),
        "noise_variance_ratio_highest": float(np.max(ratios)),
        "silence_peak_dbfs": float(20 * np.log10(max(1e-9, np.abs(silent).max()))),
        "frame_rate_tones_db": float(np.max(tones)),
    }


def again(render: Render, samples: np.ndarray, seed: int) -> np.ndarray:
    """A sound to mel and back, as long as it was."""
    padded = np.pad(samples, (0, -len(samples) % HOUSE.hop))
    with torch.inference_mode():
        return render(log_mel(torch.from_numpy(padded)[None], HOUSE), seed)[0, : len(samples)].numpy()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sounds", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=32)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    vocoder = Vocoder(HOUSE).eval()
    vocoder.load_state_dict({key: value.float() for key, value in load_file(arguments.weights).items()})
    kept = [sound.samples[:144000] for sound in read_library(arguments.sounds)[0] if sound.held_out]
    figures = {
        "vocoder": judge(lambda mel, seed: vocoder(mel, torch.Generator().manual_seed(seed)), kept),
        "griffin_lim": judge(
            lambda mel, seed: griffin_lim(
                mel, HOUSE, arguments.iterations, generator=torch.Generator().manual_seed(seed)
            ),
            kept,
        ),
    }
    better = 1.0 - figures["vocoder"]["stft_distance"] / figures["griffin_lim"]["stft_distance"]
    print(f"{len(kept)} held-out sounds; vocoder's STFT distance is {100 * better:.1f} % below Griffin-Lim's")
    for name, values in figures.items():
        print(f"{name}: " + "  ".join(f"{key} {value:.4g}" for key, value in values.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures | {"better": better}, indent=1))


if __name__ == "__main__":
    main()
