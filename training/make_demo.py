"""Make the demo's imitations: python -m training.make_demo [--out vocaldm_live/demo]

Each is this project's own synthetic voice imitating a procedural sound that no preset was trained on (its own
seed); nobody was recorded.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.synthesis.families import render
from training.synthesis.imitate import imitate
from training.synthesis.voice import HELD_OUT_SPEAKERS
from vocaldm_live.deliver.wave import encode_wave
from vocaldm_live.sound.audio import resample
from vocaldm_live.sound.sketch import measure_sketch

RATE = 32000
DEMOS = (
    ("whoosh", 5, 1.8),
    ("laser", 8, 1.6),
    ("bell", 3, 2.4),
    ("creature", 4, 2.0),
    ("engine", 2, 2.4),
    ("rain", 6, 2.4),
)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("vocaldm_live/demo"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for index, (family, seed, seconds) in enumerate(DEMOS):
        sound = render(family, np.random.default_rng([7000, seed]), seconds)
        speaker = HELD_OUT_SPEAKERS[index % len(HELD_OUT_SPEAKERS)]
        voice = imitate(measure_sketch(sound, 48000), np.random.default_rng([7001, seed]), 48000, speaker)
        slow = np.clip(resample(voice, 48000, RATE), -1.0, 1.0)
        path = arguments.out / f"{family}.wav"
        path.write_bytes(encode_wave(slow, RATE, 16))
        print(f"{path}: {seconds} s")


if __name__ == "__main__":
    main()
