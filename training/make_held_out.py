"""Write held-out pairs as WAV for `vocaldm evaluate`: python -m training.make_held_out --out DIR [--clips N]

Each is a sound of a family or recording that no training set holds, imitated by a voice that none holds either:
NAME_imitation.wav and NAME_reference.wav.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training.examples import imitate_sound, make_sound
from training.library import read_library
from vocaldm_live.deliver.wave import encode_wave
from vocaldm_live.sound.audio import SILENCE_PEAK


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sounds", type=Path, help="folder of real sounds; its held-out tenth is used")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--real-share", type=float, default=0.3)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    library = (
        [sound for sound in read_library(arguments.sounds)[0] if sound.held_out] if arguments.sounds else []
    )
    for index in range(arguments.clips):
        samples, family, _ = make_sound(index, arguments.seed, library, arguments.real_share, True)
        voice, _ = imitate_sound(samples, np.random.default_rng([arguments.seed, index, 1]), True)
        if min(np.abs(voice).max(), np.abs(samples).max()) < SILENCE_PEAK:
            continue
        for part, kind in ((voice, "imitation"), (samples, "reference")):
            path = arguments.out / f"{index:03d}-{family}_{kind}.wav"
            path.write_bytes(encode_wave(np.clip(part, -1.0, 1.0), 48000, 24))
    print(f"{len(list(arguments.out.glob('*_imitation.wav')))} pairs in {arguments.out}")


if __name__ == "__main__":
    main()
