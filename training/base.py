"""Base: a preset opened for training: its networks apart, its schedule, its true unconditional."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.errors import RecipeError
from vocaldm_live.checkpoints.networks import expected_entries, schedule_of
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import Preset, load_part, read_preset
from vocaldm_live.checkpoints.weights import mismatches, read_entries
from vocaldm_live.errors import PresetError
from vocaldm_live.model.denoise import Prediction
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.sketch_image import image_channels
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Base:
    """A preset's networks by part, in eval mode, float32, without gradients, on the CPU."""

    preset: Preset
    geometry: Geometry
    schedule: Schedule
    prediction: Prediction
    networks: Mapping[str, nn.Module]

    def null(self, batch: int) -> Tensor:
        """The condition of "no sound given", `[batch, 512]`: CLAP of the empty text, or the learned null.

        It is the one that guidance leans from when the preset is played; a vector of zeros never was.
        Raises RecipeError where the part that holds it was not opened.
        """
        for part in ("unet", "adapter"):
            network = self.networks.get(part)
            null = getattr(network, "null_condition", None)
            if null is not None:
                condition: Tensor = null(batch)
                return condition
        raise RecipeError(f"The null of {self.preset.name} is in its adapter or UNet; open that part too.")

    def condition(self, vector: Tensor, image: Tensor | None = None, frames: int = 0) -> Condition:
        """What a UNet of this preset takes, from vectors `[batch, 512]` and images, or none of so many latent frames."""
        if image is None:
            shape = (len(vector), image_channels(self.geometry), frames, self.geometry.latent_bins)
            image = torch.zeros(shape, device=vector.device, dtype=vector.dtype)
        return Condition(vector, image)


def open_base(name: str, parts: Collection[str]) -> Base:
    """Open some parts of a preset (`unet`, `adapter`, `encoder`, `vae`, `vocoder`, CLAP's), by name or folder.

    Raises PresetError where there is none, a part is missing, or a file does not match its header.
    """
    preset = read_preset(resolve_preset(name))
    there = preset.header.parts.with_weights()
    networks: dict[str, nn.Module] = {}
    for part in parts:
        if part not in there:
            raise PresetError(
                f"The preset {preset.name} has no {part}; name one that has: {', '.join(there)}."
            )
        path = preset.folder / there[part].file
        problems = mismatches(path, read_entries(path), expected_entries(part, preset.header, preset.folder))
        if problems:
            raise PresetError(problems[0])
        networks[part] = load_part(preset, part)
    schedule = schedule_of(preset.header, preset.folder)
    return Base(preset, preset.geometry, schedule, preset.header.parts.unet.prediction, networks)
