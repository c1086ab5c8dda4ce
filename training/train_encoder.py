"""Train both encoder towers: python -m training.train_encoder --data DIR --held-out DIR --out DIR [--minutes M]

Symmetric contrastive loss between imitations and references (NT-Xent, tau 0.07). Two clips of one real sound
are never each other's negatives; clips of one procedural family share a part of the positive weight, for
the vector is to say what a sound is, and the sketch says how it moves.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.dataset import Dataset, read_dataset
from training.run import Run, add_run_arguments, channels_last, save_weights, start
from vocaldm_live.model.encoder import Encoder, normalise
from vocaldm_live.sound.geometry import HOUSE

TAU = 0.07
FAMILY_SHARE = 0.35


def contrast(one: Tensor, other: Tensor, same_family: Tensor, same_sound: Tensor, tau: float = TAU) -> Tensor:
    """Symmetric cross-entropy of similarities `[batch, 960]` x 2 with soft targets.

    `same_family`, `same_sound`: boolean `[batch, batch]` without the diagonal; the latter's pairs are left out.
    """
    logits = (normalise(one) @ normalise(other).T / tau).masked_fill(same_sound, -1e4)
    own = torch.eye(len(one), device=one.device)
    kin = (same_family & ~same_sound).float()
    targets = own + FAMILY_SHARE * kin / kin.sum(1, keepdim=True).clamp_min(1.0)
    targets = targets / targets.sum(1, keepdim=True)
    forward = -(targets * logits.log_softmax(1)).sum(1).mean()
    backward = -(targets * logits.T.log_softmax(1)).sum(1).mean()
    return 0.5 * (forward + backward)


def relations(data: Dataset, clips: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    """Which clips share a family, which share a real sound; the diagonal is False."""
    families = np.array([data.family[clip] for clip in clips])
    sources = np.array([data.source[clip] for clip in clips])
    real = families == "real"
    others = ~np.eye(len(clips), dtype=bool)
    kin = (families[:, None] == families[None]) & ~real[:, None] & others
    same = (sources[:, None] == sources[None]) & real[:, None] & others
    return torch.from_numpy(kin).to(device), torch.from_numpy(same).to(device)


def masked(mel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encoder mel `[128, frames]` with a level shift, a short frequency mask and a time mask."""
    mel = mel.astype(np.float32) + float(rng.uniform(-0.25, 0.25))
    band, frame = rng.integers(0, 120), rng.integers(0, mel.shape[1])
    mel[band : band + rng.integers(0, 8)] = mel.min()
    mel[:, frame : frame + rng.integers(0, 24)] = mel.min()
    return mel


def settle_statistics(
    encoder: Encoder, data: Dataset, batches: int, rng: np.random.Generator, device: torch.device
) -> None:
    """Measure the batch-norm statistics of averaged weights anew, as plain means over some batches.

    A momentum of 0.01 needs hundreds of steps to arrive, and a short run has no more than that.
    """
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    encoder.train()
    with torch.no_grad():
        for _ in range(batches):
            clips = rng.choice(len(data), size=min(16, len(data)), replace=False)
            for array, embed in (
                (data.imitation, encoder.embed_imitation),
                (data.reference, encoder.embed_reference),
            ):
                embed(torch.from_numpy(array[clips].astype(np.float32))[:, None].to(device))
    encoder.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def main() -> None:
    """Train, write encoder.safetensors (both towers without their classifiers) into the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_run_arguments(parser, minutes=12.0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    arguments = start(parser)
    data = read_dataset(arguments.data)
    bank = read_dataset(arguments.held_out, 128)
    # channels_last: 1.5 times as fast on CPUs.
    run = Run(arguments, channels_last(Encoder(classifier=False)), ema=0.995)
    rng = np.random.default_rng([arguments.seed, run.step, run.fabric.global_rank])

    def loss(step: int) -> dict[str, Tensor]:
        clips = rng.choice(len(data), size=arguments.batch, replace=False)
        width = int(rng.choice((96, 128, 192)))
        start = int(rng.integers(0, HOUSE_FRAMES - width + 1))
        part = slice(start, start + width)
        heard, meant = (
            torch.from_numpy(np.stack([masked(array[clip][:, part], rng) for clip in clips]))[:, None]
            .to(run.device)
            .contiguous(memory_format=torch.channels_last)
            for array in (data.imitation, data.reference)
        )
        imitation, reference = run.module(heard, meant)
        return {"loss": contrast(imitation, reference, *relations(data, clips, run.device))}

    def validate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, Encoder)
        with torch.inference_mode():
            sides = []
            for array, embed in (
                (bank.imitation, module.embed_imitation),
                (bank.reference, module.embed_reference),
            ):
                parts = torch.from_numpy(array.astype(np.float32))[:, None].split(16)
                sides.append(normalise(torch.cat([embed(part.to(run.device)) for part in parts])))
        ranks = (sides[0] @ sides[1].T).argsort(1, descending=True)
        own = (ranks == torch.arange(len(ranks), device=ranks.device)[:, None]).nonzero()[:, 1] + 1
        return {
            "reciprocal_rank": float((1.0 / own).mean()),
            "cosine": float((sides[0] * sides[1]).sum(1).mean()),
        }

    best = run.train(loss, validate)
    if run.fabric.is_global_zero:
        assert isinstance(best, Encoder)
        settle_statistics(best, data, 24, rng, run.device)
        print("settled: " + "  ".join(f"{name} {value:.4g}" for name, value in validate(best).items()))
        save_weights(best, run.folder / "encoder.safetensors")


HOUSE_FRAMES = int(HOUSE.frames_per_second * 2.56)

if __name__ == "__main__":
    main()
