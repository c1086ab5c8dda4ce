"""Train the VAE: python -m training.train_vae --data DIR --held-out DIR --out DIR [--minutes M]

With --decoder-of vae.safetensors only the decoder learns on: latents stay what they were, so a denoiser that was
trained on them stays right, and partials come out sharper.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
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


def magnitude_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute distance of linear magnitudes over the mean magnitude: the partials that carry a pitch."""
    wanted = other.exp()
    return ((one.clamp_max(8.0).exp() - wanted).abs().mean((1, 2)) / (wanted.mean((1, 2)) + 1e-3)).mean()


def main() -> None:
    """Train, measure the latent's statistics, write vae.safetensors into the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_run_arguments(parser, minutes=15.0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--held-out", type=Path, help="folder of held-out shards; none: the last 64 clips of --data"
    )
    parser.add_argument(
        "--decoder-of", type=Path, help="trained vae.safetensors whose decoder learns on alone"
    )
    arguments = start(parser)
    data = read_dataset(arguments.data)
    kept = min(64, len(data) // 4)
    bank = torch.from_numpy(
        (read_dataset(arguments.held_out, 64) if arguments.held_out else data).mel[-kept:]
    ).float()
    mels = data.mel if arguments.held_out else data.mel[: len(data) - kept]
    vae = MelVAE(HOUSE)
    if arguments.decoder_of:
        vae.load_state_dict(load_file(arguments.decoder_of))
        for part in (vae.network.encoder, vae.network.quant_conv):
            part.requires_grad_(False)
    run = Run(arguments, vae, forward_methods=("posterior", "reconstruct"))
    rng = np.random.default_rng([arguments.seed, run.step, run.fabric.global_rank])

    def loss(step: int) -> dict[str, Tensor]:
        rows = []
        for clip in rng.integers(len(mels), size=arguments.batch):
            first = int(rng.integers(0, mels.shape[2] - CROP_FRAMES + 1))
            gain = float(rng.uniform(-1.5, 0.5))
            rows.append(
                np.maximum(
                    mels[clip, :, first : first + CROP_FRAMES].astype(np.float32) + gain,
                    float(np.log(HOUSE.mel_floor)),
                )
            )
        mel = torch.from_numpy(np.stack(rows)).to(run.device)
        mean, spread = run.module.posterior(mel)
        spread = spread.clamp(-20.0, 10.0)
        again = run.module.reconstruct(mean + torch.randn_like(mean) * (0.5 * spread).exp())
        near = (again - mel).abs().mean() + 0.1 * (again - mel).square().mean()
        slopes = gradient_distance(again, mel)
        partials = magnitude_distance(again, mel)
        divergence = 0.5 * (mean.square() + spread.exp() - 1.0 - spread).mean()
        total = (
            near + 0.3 * slopes + 0.5 * partials + (0.0 if arguments.decoder_of else KL_WEIGHT * divergence)
        )
        return {
            "loss": total,
            "absolute": (again - mel).abs().mean(),
            "slopes": slopes,
            "partials": partials,
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
        if not arguments.decoder_of:
            fit_latents(best, mels, run.device)
        save_weights(best, run.folder / "vae.safetensors")


def fit_latents(vae: MelVAE, mels: np.ndarray, device: torch.device) -> None:
    """Measure the latent's statistics over some of the clips `[clips, bands, frames]`."""
    with torch.inference_mode():
        some = torch.from_numpy(mels[:: max(1, len(mels) // 256)].astype(np.float32))
        raw = torch.cat([vae.posterior(part.to(device))[0] for part in some.split(8)])
    vae.fit(raw)


if __name__ == "__main__":
    main()
