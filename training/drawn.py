"""Drawn mels: sounds beside their mels as the diffusion model draws them, for a vocoder to learn from.

A generated mel is smoother than a measured one, and a vocoder that has heard only measured ones takes the
smooth for steady and hums at the frame rate. Half-noised latents of real sounds, denoised by the UNet and
decoded, are smooth in the same way and still belong to known samples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.errors import RecipeError, RunError
from training.examples import CLIP_FRAMES, make_sound
from training.library import LibrarySound
from training.sounds import Sounds
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import Modules, load_modules, read_preset
from vocaldm_live.model.denoise import Prediction, denoise_from
from vocaldm_live.model.samplers import ddim
from vocaldm_live.model.sketch_image import draw_sketch
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import HOUSE, Geometry
from vocaldm_live.sound.mel import log_mel
from vocaldm_live.sound.sketch import measure_sketch

STEPS, START = 4, 2
MEL = ("sample_rate", "n_fft", "hop", "mel_bands", "fmin", "fmax", "mel_floor")


@dataclass(frozen=True)
class Drawn:
    """`samples` float32 `[clips, frames * hop]` and `mel` float16 `[clips, bands, frames]` drawn for them."""

    samples: np.ndarray
    mel: np.ndarray

    def __len__(self) -> int:
        return len(self.samples)

    def segment(self, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A random `[frames * hop]` of the samples and the mel at the same place, float32 `[bands, frames]`."""
        hop = self.samples.shape[1] // self.mel.shape[2]
        clip = int(rng.integers(len(self)))
        start = int(rng.integers(0, self.mel.shape[2] - frames + 1))
        samples = self.samples[clip, start * hop : (start + frames) * hop]
        return samples, self.mel[clip, :, start : start + frames].astype(np.float32)


def drawn_by(
    name: str, folder: Path, count: int, seed: int, sounds: Sounds, geometry: Geometry, frames: int
) -> Drawn:
    """What a preset draws for `count` sounds, real ones and procedural ones by halves, kept in `folder`.

    Raises PresetError where there is no such preset, RecipeError where it cannot draw these mels.
    """
    preset = read_preset(resolve_preset(name))
    own_mel = all(
        getattr(one, key) == getattr(HOUSE, key) for one in (preset.geometry, geometry) for key in MEL
    )
    if preset.header.parts.unet.kind != "sketch-unet" or not own_mel or frames > CLIP_FRAMES:
        raise RecipeError(
            f"drawn_by needs a preset of the house's kind, a vocoder of the house's mel and a crop of {CLIP_FRAMES} "
            f"frames at most, which {name} and this recipe are not; leave it out."
        )
    path = folder / f"drawn-{_digest(preset.sha256, seed, sounds)}-{count}.npz"
    library = [
        LibrarySound(own, np.asarray(row), False) for own, row in zip(sounds.names, sounds.rows, strict=True)
    ]
    modules = load_modules(preset) if not path.exists() else None
    return drawn_once(path, count, seed, library, modules, preset.header.parts.unet.prediction)


def draw_mels(samples: np.ndarray, modules: Modules, prediction: Prediction, seed: int) -> np.ndarray:
    """Mels `[clips, bands, frames]` that the model draws for samples `[clips, n]`, the last half of its steps."""
    geometry = modules.geometry
    curves = np.stack([measure_sketch(row, geometry.sample_rate).array() for row in samples])
    with torch.inference_mode():
        latent = modules.vae.encode(log_mel(torch.from_numpy(samples), geometry))
        frames = latent.shape[2] * geometry.factor
        image = draw_sketch(torch.from_numpy(curves[:, :, :frames]), geometry)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(seed))
        null = Condition(modules.adapter.null_condition(len(samples)), image)
        drawn = ddim(
            denoise_from(modules.unet, modules.schedule, prediction),
            noise,
            modules.schedule,
            STEPS,
            condition=null,
            x_start=latent,
            start_step=START,
        )
        return modules.vae.decode(drawn).numpy()


def drawn_once(
    path: Path,
    count: int,
    seed: int,
    library: Sequence[LibrarySound],
    modules: Modules | None,
    prediction: Prediction,
    real_share: float = 0.5,
) -> Drawn:
    """`count` sounds and their drawn mels, kept at `path` so that a resumed run begins at once and needs no modules."""
    if path.exists():
        kept = np.load(path, allow_pickle=False)
        return Drawn(kept["samples"], kept["mel"])
    assert modules is not None
    samples = np.stack(
        [make_sound(index, seed, library, real_share, False)[0] for index in range(count)]
    ).astype(np.float32)
    mels = [
        draw_mels(samples[start : start + 16], modules, prediction, seed + start)
        for start in range(0, count, 16)
    ]
    drawn = Drawn(samples, np.concatenate(mels).astype(np.float16))
    part = path.with_name(f".{path.name}.part.npz")
    try:
        np.savez(part, samples=drawn.samples, mel=drawn.mel)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path} cannot be written ({error.strerror}); free space there and give the same command again."
        ) from error
    # What was drawn for other sounds is taken up by no run in this folder any more.
    for other in path.parent.glob("drawn-*.npz"):
        if other != path:
            other.unlink(missing_ok=True)
    return drawn


def _digest(preset: str, seed: int, sounds: Sounds) -> str:
    """Of what clips are drawn from: the preset, the seed, and the sounds in their order."""
    return hashlib.sha256("\n".join((preset, str(seed), *sounds.names, *sounds.keys)).encode()).hexdigest()[
        :16
    ]
