"""Train the VAE: python -m training.train_vae --data DIR --held-out DIR --out DIR [--minutes M]"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from training.dataset import read_dataset
from training.run import Run, add_run_arguments, save_weights, start
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import HOUSE

CROP_FRAMES = 48
KL_WEIGHT = 1e-3


def gradient_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute distance of the slopes over time and over bands: edges and texture."""
    over_time = (one.diff(dim=2) - other.diff(dim=2)).abs().mean()
    return over_time + (one.diff(dim=1) - other.diff(dim=1)).abs().mean()


def main() -> None:
    """Train, measure the latent's statistics, write vae.safetensors into the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_run_arguments(parser, minutes=15.0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--held-out", type=Path, help="folder of held-out shards; none: the last 64 clips of --data"
    )
    arguments = start(parser)
    data = read_dataset(arguments.data)
    kept = min(64, len(data) // 4)
    bank = torch.from_numpy(
        (read_dataset(arguments.held_out, 64) if arguments.held_out else data).mel[-kept:]
    ).float()
    mels = data.mel if arguments.held_out else data.mel[: len(data) - kept]
    run = Run(arguments, MelVAE(HOUSE), forward_methods=("posterior", "reconstruct"))
    rng = np.random.default_rng([arguments.seed, run.step, run.fabric.global_rank])

    def loss(step: int) -> dict[str, Tensor]:
        rows = []
        for clip in rng.integers(len(mels), size=arguments.batch):
            start = int(rng.integers(0, mels.shape[2] - CROP_FRAMES + 1))
            gain = float(rng.uniform(-1.5, 0.5))
            rows.append(
                np.maximum(
                    mels[clip, :, start : start + CROP_FRAMES].astype(np.float32) + gain,
                    float(np.log(HOUSE.mel_floor)),
                )
            )
        mel = torch.from_numpy(np.stack(rows)).to(run.device)
        mean, spread = run.module.posterior(mel)
        spread = spread.clamp(-20.0, 10.0)
        again = run.module.reconstruct(mean + torch.randn_like(mean) * (0.5 * spread).exp())
        near = (again - mel).abs().mean() + 0.1 * (again - mel).square().mean()
        slopes = gradient_distance(again, mel)
        divergence = 0.5 * (mean.square() + spread.exp() - 1.0 - spread).mean()
        total = near + 0.3 * slopes + KL_WEIGHT * divergence
        return {
            "loss": total,
            "absolute": (again - mel).abs().mean(),
            "slopes": slopes,
            "divergence": divergence,
        }

    def validate(module: nn.Module) -> dict[str, float]:
        assert isinstance(module, MelVAE)
        with torch.inference_mode():
            errors = [
                (module.reconstruct(module.posterior(part.to(run.device))[0]).cpu() - part)
                for part in bank.split(8)
            ]
        error = torch.cat(errors)
        return {"mel_nepers": float(error.abs().mean()), "mel_db": float(error.abs().mean() * 8.686)}

    best = run.train(loss, validate)
    assert isinstance(best, MelVAE)
    if run.fabric.is_global_zero:
        with torch.inference_mode():
            some = torch.from_numpy(mels[:: max(1, len(mels) // 256)].astype(np.float32))
            raw = torch.cat([best.posterior(part.to(run.device))[0] for part in some.split(8)])
        best.fit(raw)
        save_weights(best, run.folder / "vae.safetensors")


if __name__ == "__main__":
    main()
