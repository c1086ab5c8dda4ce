"""Train the vocoder: python -m training.train_vocoder --sounds DIR --out DIR [--minutes M]

Segments of real sounds and of procedural ones; spectral energy distance first, then, from
--adversarial-from (a share of the minutes) on, multi-resolution spectrogram discriminators beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from training.discriminator import SpectrogramDiscriminators, discriminator_loss, generator_loss
from training.drawn import drawn_once
from training.library import LibrarySound, read_library
from training.run import Run, Stateful, add_run_arguments, save_weights, start
from training.spectral_losses import SIZES, energy_distance
from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.measure.spectra import multi_resolution_stft_distance
from vocaldm_live.model.overlap import inverse_stft
from vocaldm_live.model.vocoder import Vocoder, draw_noise
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel

SEGMENT_FRAMES = 64


def procedural(count: int, seed: int, seconds: float = 2.0) -> list[LibrarySound]:
    """`count` procedural sounds, families in turn; none of them is of a held-out family."""
    if not count:
        return []
    from training.examples import HELD_OUT_FAMILIES
    from training.synthesis.families import FAMILIES, render

    names = [name for name in FAMILIES if name not in HELD_OUT_FAMILIES]
    sounds = []
    for index in range(count):
        name = names[index % len(names)]
        samples = render(name, np.random.default_rng([seed, index]), seconds)
        sounds.append(LibrarySound(f"{name}-{index}", samples, False))
    return sounds


def draw_segments(sounds: list[LibrarySound], batch: int, rng: np.random.Generator) -> Tensor:
    """Random segments `[batch, SEGMENT_FRAMES * hop]` at random gains (-24..+6 dB, peak below 1)."""
    length = SEGMENT_FRAMES * HOUSE.hop
    rows = np.zeros((batch, length), dtype=np.float32)
    for row in rows:
        samples = sounds[rng.integers(len(sounds))].samples
        lead = int(rng.integers(0, length // 4)) if rng.random() < 0.3 or len(samples) < length else 0
        start = int(rng.integers(0, max(1, len(samples) - length + lead + 1)))
        piece = samples[start : start + length - lead]
        gain = 10.0 ** (rng.uniform(-24.0, 6.0) / 20.0)
        peak = float(np.abs(piece).max()) if len(piece) else 0.0
        row[lead : lead + len(piece)] = piece * min(gain, 0.98 / max(peak, 1e-4))
    return torch.from_numpy(rows)


def main() -> None:
    """Train, then write vocoder.safetensors into the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_run_arguments(parser, minutes=30.0)
    parser.add_argument("--sounds", type=Path, required=True, help="folder of real sounds")
    parser.add_argument("--procedural", type=int, default=300, help="procedural sounds beside them")
    parser.add_argument(
        "--repulsion", type=float, default=0.8, help="1: noise as spread as the target's, 0: median"
    )
    parser.add_argument(
        "--weights-of", type=Path, help="vocoder.safetensors to go on from, in a run of its own"
    )
    parser.add_argument(
        "--drawn-by", type=Path, help="a preset's folder: half of the mels are drawn by its diffusion model"
    )
    parser.add_argument("--drawn", type=int, default=600, help="how many clips it draws")
    parser.add_argument(
        "--adversarial-from",
        type=float,
        default=1.0,
        help="share of the minutes after which discriminators join",
    )
    arguments = start(parser)

    sounds, skipped = read_library(arguments.sounds)
    training = [sound for sound in sounds if not sound.held_out]
    kept = [sound for sound in sounds if sound.held_out]
    made = procedural(arguments.procedural, arguments.seed)
    print(
        f"{len(training)} sounds to train on, {len(kept)} held out, {len(made)} procedural, {len(skipped)} left out",
        flush=True,
    )

    if not training or not kept:
        parser.error(
            f"{arguments.sounds} holds {len(training)} sounds to train on and {len(kept)} held out: give more."
        )
    discriminators = SpectrogramDiscriminators()
    opponent = torch.optim.AdamW(discriminators.parameters(), lr=arguments.lr * 0.5, betas=(0.5, 0.9))
    others: dict[str, Stateful] = {"discriminators": discriminators, "opponent": opponent}
    vocoder = Vocoder(HOUSE)
    if arguments.weights_of:
        vocoder.load_state_dict(load_file(arguments.weights_of))
    run = Run(arguments, vocoder, forward_methods=("spectra",), others=others)
    discriminators.to(run.device)
    drawn = None
    if arguments.drawn_by:
        preset = read_preset(arguments.drawn_by)
        path = run.folder / f"drawn-{preset.sha256[:12]}-{arguments.drawn}.npz"
        prediction = preset.header.parts.unet.prediction
        drawn = drawn_once(path, arguments.drawn, arguments.seed, training, load_modules(preset), prediction)
    rng = np.random.default_rng([arguments.seed, run.step, run.fabric.global_rank])

    def loss(step: int) -> dict[str, Tensor]:
        ours = arguments.batch // 2 if drawn is not None else 0
        half = (arguments.batch - ours) // 2 if made else 0
        samples = torch.cat(
            [draw_segments(training, arguments.batch - ours - half, rng)]
            + ([draw_segments(made, half, rng)] if half else [])
        )
        samples = samples.to(run.device)
        mel = log_mel(samples, HOUSE)
        given = mel
        if drawn is not None:
            beside, smooth = (part.to(run.device) for part in drawn.segments(ours, SEGMENT_FRAMES, rng))
            samples, given = torch.cat([samples, beside]), torch.cat([mel, smooth])
            mel = torch.cat([mel, log_mel(beside, HOUSE)])
        steady, level = run.module.spectra(given)
        first, second = (
            inverse_stft(steady + level * draw_noise(len(mel), mel.shape[2], HOUSE).to(run.device), HOUSE)
            for _ in range(2)
        )
        sizes = tuple(np.delete(SIZES, step % len(SIZES)).tolist())
        logarithmic, linear = energy_distance(samples, first, second, arguments.repulsion, sizes)
        mel_error = (log_mel(first, HOUSE) - mel).abs().mean()
        total = logarithmic + linear + 0.5 * mel_error
        parts = {"logarithmic": logarithmic, "linear": linear, "mel": mel_error}
        if run.spent > arguments.adversarial_from * arguments.minutes * 60.0:
            opponent.zero_grad(set_to_none=True)
            judged = discriminator_loss(discriminators, samples, first.detach())
            judged.backward()
            opponent.step()
            fooled, matched = generator_loss(discriminators, samples, first)
            total = total + 0.1 * fooled + 0.5 * matched
            parts |= {"discriminator": judged, "fooled": fooled, "features": matched}
        return {"loss": total, **parts}

    def validate(module: nn.Module) -> dict[str, float]:
        distances = []
        with torch.inference_mode():
            for index, sound in enumerate(kept):
                samples = np.pad(sound.samples[:96000], (0, -len(sound.samples[:96000]) % HOUSE.hop))
                mel = log_mel(torch.from_numpy(samples)[None].to(run.device), HOUSE)
                made_again = module(mel, torch.Generator().manual_seed(index))[0].cpu().numpy()
                distances.append(multi_resolution_stft_distance(samples, made_again))
        return {"stft_distance": float(np.mean(distances))}

    best = run.train(loss, validate)
    if run.fabric.is_global_zero:
        save_weights(best, run.folder / "vocoder.safetensors")


if __name__ == "__main__":
    main()
