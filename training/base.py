"""Base: a preset opened for training: its networks apart, its schedule, its true unconditional."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.errors import RecipeError, RunError
from training.partial import load_partly
from vocaldm_live.checkpoints.header import one_line
from vocaldm_live.checkpoints.networks import expected_entries, network_of, schedule_of
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import Preset, load_part, read_preset
from vocaldm_live.checkpoints.weights import file_sha256, mismatches, read_entries
from vocaldm_live.errors import PresetError
from vocaldm_live.model.denoise import Prediction
from vocaldm_live.model.schedule import Schedule
from vocaldm_live.model.sketch_image import image_channels
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import Geometry


@dataclass(frozen=True, eq=False)
class Base:
    """A preset's networks by part, in eval mode, float32, without gradients, on the CPU.

    replaced: the hashes of weights that were put in place of the preset's, by part.
    """

    preset: Preset
    geometry: Geometry
    schedule: Schedule
    prediction: Prediction
    networks: Mapping[str, nn.Module]
    replaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What the base is: the preset's hash, and those of what was put in its place."""
        return " ".join(
            (self.preset.sha256, *(f"{part} {sha256}" for part, sha256 in sorted(self.replaced.items())))
        )

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

    def fresh(self, part: str) -> nn.Module:
        """A part's network, of the preset's sizes, with weights as they are before any training."""
        header = self.preset.header
        return network_of(header.geometry, header.parts.with_weights()[part], fresh=True)

    def with_weights(self, part: str, path: Path) -> Base:
        """The base with a part's weights from another file, every tensor by name and shape.

        Raises RecipeError where the file is none or belongs to another network.
        """
        network = copy.deepcopy(self.networks[part])
        try:
            load_partly(network, load_file(path))
        except (OSError, SafetensorError, RunError) as error:
            raise RecipeError(
                f"{path} holds no weights for the {part} of {self.preset.name} ({one_line(error)}); name others."
            ) from error
        sha256 = {**self.replaced, part: file_sha256(path)}
        return replace(self, networks={**self.networks, part: network}, replaced=sha256)

    def with_networks(self, networks: Mapping[str, nn.Module]) -> Base:
        """The base with others of its networks, as they are."""
        return replace(self, networks={**self.networks, **networks})

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
