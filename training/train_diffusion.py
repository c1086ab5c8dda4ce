"""Train UNet and adapter: python -m training.train_diffusion --data DIR --held-out DIR --vae F --encoder F --out DIR

v-prediction on a zero-terminal-SNR schedule. The vector comes from the imitation's tower half of the time and
from the reference's the other half, so that both may be given at run time. Vector and sketch are dropped
separately; the sketch is loosened by the function that `follow` uses.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from training.dataset import Dataset, read_dataset
from training.run import Run, add_run_arguments, channels_last, save_weights, start
from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.encoder import Encoder, normalise
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.model.unet import Condition, SketchUNet
from vocaldm_live.model.vae import MelVAE
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.sketch import LOUDNESS_FLOOR, Sketch, loosened

LENGTHS = (32, 48, 64)
DROP_VECTOR = 0.15
DROP_SKETCH = 0.1
LOOSE_SKETCH = 0.2
DROP_PITCH = 0.1
ROOM_NOISE = 0.3


class Denoiser(nn.Module):
    """UNet and adapter, trained together."""

    def __init__(self) -> None:
        super().__init__()
        self.unet = SketchUNet(HOUSE)
        self.adapter = Adapter()

    def forward(self, x_t: Tensor, t: Tensor, embedding: Tensor, drop: Tensor, image: Tensor) -> Tensor:
        """v for noisy latents, embeddings `[batch, 960]` and sketch images."""
        return self.unet(x_t, t, Condition(self.adapter(embedding, drop), image))


@dataclass(frozen=True)
class Prepared:
    """A set as the denoiser takes it: latents `[clips, 8, 64, 16]`, embeddings `[clips, 960]`, sketches."""

    latent: Tensor
    imitation: Tensor
    reference: Tensor
    sketch: np.ndarray


def prepare(data: Dataset, vae: MelVAE, encoder: Encoder, device: torch.device) -> Prepared:
    """Encode a whole set once."""
    with torch.inference_mode():
        latent = torch.cat(
            [vae.encode(torch.from_numpy(part.astype(np.float32)).to(device)) for part in chunks(data.mel)]
        )
        sides = []
        for array, embed in (
            (data.imitation, encoder.embed_imitation),
            (data.reference, encoder.embed_reference),
        ):
            parts = [
                embed(torch.from_numpy(part.astype(np.float32))[:, None].to(device)) for part in chunks(array)
            ]
            sides.append(normalise(torch.cat(parts)))
    return Prepared(latent.clone(), sides[0].clone(), sides[1].clone(), data.sketch)


def prepare_folder(
    folder: Path, limit: int | None, vae: MelVAE, encoder: Encoder, device: torch.device
) -> Prepared:
    """Read a set and encode it."""
    return prepare(read_dataset(folder, limit), vae, encoder, device)


def prepared_once(folder: Path, key: str, make: Callable[[], Prepared], device: torch.device) -> Prepared:
    """A prepared set from `folder`, or made and kept there under `key`, so that a resumed run begins at once."""
    path = folder / f"prepared-{key}.safetensors"
    if path.exists():
        kept = load_file(path, device=str(device))
        return Prepared(kept["latent"], kept["imitation"], kept["reference"], kept["sketch"].cpu().numpy())
    made = make()
    part = path.with_suffix(".part")
    tensors = {"latent": made.latent, "imitation": made.imitation, "reference": made.reference}
    save_file(
        {**{name: value.cpu() for name, value in tensors.items()}, "sketch": torch.from_numpy(made.sketch)},
        part,
    )
    part.rename(path)
    return made


def chunks(array: np.ndarray, size: int = 32) -> list[np.ndarray]:
    """An array in pieces of `size` rows."""
    return [array[start : start + size] for start in range(0, len(array), size)]


def disturbed(sketch: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """A sketch `[4, frames]` as a voice might give it, and the `follow` it is given with (0: dropped)."""
    loudness, centroid, pitch, salience = (row.copy() for row in sketch)
    if rng.random() < ROOM_NOISE:
        floor = loudness.max() - rng.uniform(32.0, 62.0)
        loudness = 10.0 * np.log10(10.0 ** (loudness / 10.0) + 10.0 ** (floor / 10.0))
    loudness = np.maximum(loudness + rng.uniform(-1.5, 1.5), LOUDNESS_FLOOR)
    if rng.random() < DROP_PITCH:
        pitch, salience = np.zeros_like(pitch), np.zeros_like(salience)
    draw = rng.random()
    if draw < DROP_SKETCH:
        return sketch, 0.0
    curves = np.stack([loudness, centroid, pitch, salience]).astype(np.float32)
    if draw < DROP_SKETCH + LOOSE_SKETCH:
        follow = float(rng.uniform(0.05, 1.0))
        return loosened(Sketch.of(curves), follow).array(), follow
    return curves, 1.0


def main() -> None:
    """Train, then write unet.safetensors and adapter.safetensors into the run's folder."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_run_arguments(parser, minutes=60.0)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--held-out", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--ema", type=float, default=0.998)
    arguments = start(parser)

    vae, encoder = MelVAE(HOUSE).eval(), Encoder(classifier=False).eval()
    vae.load_state_dict(load_file(arguments.vae))
    encoder.load_state_dict(load_file(arguments.encoder))
    denoiser = Denoiser()
    channels_last(denoiser.unet)
    run = Run(arguments, denoiser, ema=arguments.ema)
    vae.to(run.device)
    channels_last(encoder.to(run.device))

    def prepared(name: str, folder: Path, limit: int | None) -> Prepared:
        key = hashlib.sha256(arguments.vae.read_bytes() + arguments.encoder.read_bytes())
        for shard in sorted(folder.glob("shard-*.npz")):
            key.update(f"{shard.name} {shard.stat().st_size} {shard.stat().st_mtime_ns} {limit}".encode())
        make = partial(prepare_folder, folder, limit, vae, encoder, run.device)
        return prepared_once(run.folder, f"{name}-{key.hexdigest()[:12]}", make, run.device)

    data = prepared("train", arguments.data, None)
    bank = prepared("held-out", arguments.held_out, 128)
    if run.step == 0:
        for module in (denoiser, run.average.module):
            assert isinstance(module, Denoiser)
            module.adapter.fit(torch.cat([data.imitation, data.reference]))
    schedule = Schedule.linear_sqrt(zero_terminal_snr=True)
    rng = np.random.default_rng([arguments.seed, run.step, run.fabric.global_rank])

    def draw(source: Prepared, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        length = int(rng.choice(LENGTHS))
        latents, embeddings, curves, follows = [], [], [], []
        for clip in rng.integers(len(source.latent), size=size):
            start = int(rng.integers(0, source.latent.shape[2] - length + 1))
            latents.append(source.latent[clip, :, start : start + length])
            embeddings.append((source.imitation if rng.random() < 0.5 else source.reference)[clip])
            sketch, follow = disturbed(source.sketch[clip], rng)
            curves.append(sketch[:, start * HOUSE.factor : (start + length) * HOUSE.factor])
            follows.append(follow)
        image = draw_sketch(torch.from_numpy(np.stack(curves)).to(run.device), HOUSE)
        image = image * torch.tensor(follows, device=run.device, dtype=image.dtype)[:, None, None, None]
        drop = torch.from_numpy(rng.random(size) < DROP_VECTOR).to(run.device)
        return torch.stack(latents), torch.stack(embeddings), drop, image

    def loss(step: int) -> dict[str, Tensor]:
        latent, embedding, drop, image = draw(data, arguments.batch)
        t = torch.randint(0, len(schedule), (len(latent),), device=run.device)
        noise = torch.randn_like(latent)
        v = run.module(schedule.add_noise(latent, noise, t), t, embedding, drop, image)
        return {"loss": (v - schedule.v_from_data(latent, noise, t)).square().mean()}

    fixed = torch.Generator().manual_seed(1234)
    bank_noise = torch.randn(bank.latent.shape, generator=fixed).to(run.device)
    bank_t = (torch.arange(len(bank.latent), device=run.device) * len(schedule) // len(bank.latent)).flip(0)
    order = torch.randperm(len(bank_t), generator=fixed).to(run.device)
    bank_t = bank_t[order]

    def validate(module: nn.Module) -> dict[str, float]:
        errors = []
        with torch.inference_mode():
            for rows in torch.arange(len(bank.latent)).split(16):
                latent, t, noise = bank.latent[rows], bank_t[rows], bank_noise[rows]
                image = draw_sketch(torch.from_numpy(bank.sketch[rows.numpy()]).to(run.device), HOUSE)
                drop = torch.zeros(len(rows), dtype=torch.bool, device=run.device)
                v = module(schedule.add_noise(latent, noise, t), t, bank.imitation[rows], drop, image)
                wanted = schedule.v_from_data(latent, noise, t)
                errors.append((v - wanted).square().mean(dim=(1, 2, 3)))
        error = torch.cat(errors)
        late = bank_t >= 700
        return {
            "v": float(error.mean()),
            "v_noisy": float(error[late].mean()),
            "v_clean": float(error[~late].mean()),
        }

    best = run.train(loss, validate)
    assert isinstance(best, Denoiser)
    if run.fabric.is_global_zero:
        save_weights(best.unet, run.folder / "unet.safetensors")
        save_weights(best.adapter, run.folder / "adapter.safetensors")


if __name__ == "__main__":
    main()
