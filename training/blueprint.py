"""Blueprint: the preset that a latent diffusion run makes, known before its UNet is trained."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.base import Base
from training.conditioners.registry import Conditioner, Heard
from training.errors import RecipeError
from training.trainers.ldm_recipe import LEVELS, SIZES, LDMRecipe
from vocaldm_live.checkpoints.header import PresetHeader, parse_header
from vocaldm_live.checkpoints.importing import header_of
from vocaldm_live.checkpoints.networks import schedule_of
from vocaldm_live.checkpoints.places import HEADER_FILE
from vocaldm_live.checkpoints.preset import WEIGHTLESS, Preset, write_preset
from vocaldm_live.checkpoints.weights import read_tensors
from vocaldm_live.model.audioldm import AudioLDMUNet, head_counts
from vocaldm_live.model.pixels import Pixels
from vocaldm_live.sound.geometry import Geometry

KEPT = ("vae", "vocoder")
PIXEL_ATTENTION = 3
NOT_STATED = "not stated"


@dataclass(frozen=True, eq=False)
class Blueprint:
    """What preset.yaml will say, without hashes of what is not there yet; base: the preset that parts come from."""

    plain: Mapping[str, Any]
    header: PresetHeader
    base: Base | None
    heard: Heard

    @property
    def geometry(self) -> Geometry:
        """Of the preset."""
        return self.header.geometry.build()

    def unet(self) -> AudioLDMUNet:
        """The UNet with weights drawn anew."""
        from vocaldm_live.checkpoints.audioldm_networks import audioldm_network

        network = audioldm_network(self.geometry, self.header.parts.unet)  # type: ignore[arg-type]
        assert isinstance(network, AudioLDMUNet)
        return network

    def encoding_base(self) -> Base:
        """A base whose sounds are heard at the level that this preset's UNet is trained with."""
        networks = dict(self.base.networks) if self.base is not None else {}
        if self.plain["parts"]["vae"]["kind"] == "pixels":
            networks["vae"] = Pixels(self.geometry)
        preset = Preset(self.header.name, Path(), self.header, self.header.identity())
        schedule = schedule_of(self.header, Path())
        return Base(preset, self.geometry, schedule, self.header.parts.unet.prediction, networks)

    def write(self, folder: Path, unet: Mapping[str, Tensor], training: Mapping[str, Any]) -> Preset:
        """Write the preset `folder` with a trained UNet; raises PresetError where the disk says no."""
        states: dict[str, Mapping[str, Tensor]] = {"unet": unet, **self.heard.states}
        for part in KEPT:
            if self.base is not None and self.plain["parts"][part].get("kind") not in WEIGHTLESS:
                own = self.base.preset.header.parts.with_weights()[part]
                states[part] = read_tensors(self.base.preset.folder / own.file, own.sha256)
        plain = deepcopy(dict(self.plain)) | {"training": dict(training), "name": folder.name}
        return write_preset(folder, plain, states, torch.float32, self.heard.texts)


def drawn(
    recipe: LDMRecipe, base: Base | None, conditioner: Conditioner, beginning: Mapping[str, Any]
) -> Blueprint:
    """The blueprint of a recipe; beginning: the sizes of the UNet that it starts from, or none.

    Raises RecipeError where parts do not fit one another.
    """
    heard = conditioner.heard()
    geometry, vae, vocoder = _sound(recipe, base)
    unet = (
        _sizes(recipe, beginning)
        | {"kind": "audioldm", "prediction": recipe.prediction}
        | dict(conditioner.unet)
    )
    parts = {"unet": unet, "vae": vae, "vocoder": vocoder, **heard.parts}
    count = f"{recipe.space} diffusion, told by {conditioner.name}, predicting {recipe.prediction}"
    plain = header_of(f"Trained here: {count}.", parts, 64, 8, 4, {})
    plain["geometry"] = geometry.as_dict()
    plain["schedule"] = recipe.noise.model_dump(exclude={"spacing"})
    if recipe.noise.spacing == "leading":
        plain["schedule"]["spacing"] = "leading"
    told = plain["parameters"]
    told["steps"] |= {
        "high": recipe.noise.steps - 1 if recipe.noise.spacing == "leading" else recipe.noise.steps,
    }
    told["steps"]["default"] = min(told["steps"]["default"], told["steps"]["high"])
    told["guidance"]["default"] = 1.0 if conditioner.name == "none" else told["guidance"]["default"]
    before = () if base is None else base.preset.header.credits
    plain["credits"] = list(dict.fromkeys((*before, *heard.credits, *recipe.credits)))
    plain["licence"] = recipe.licence or (NOT_STATED if base is None else base.preset.header.licence)
    plain["name"] = recipe.preset
    placed = deepcopy(plain)
    for name, part in placed["parts"].items():
        if part["kind"] not in WEIGHTLESS:
            part.setdefault("file", f"{name}.safetensors")
            part["sha256"] = "0" * 64
    header, problems = parse_header(placed, Path(HEADER_FILE))
    if header is None:
        raise RecipeError(f"The recipe makes no preset: {problems[0]}")
    return Blueprint(plain, header, base, heard)


# Inside -------------------------------------------------------------------------------------------------


def _sound(recipe: LDMRecipe, base: Base | None) -> tuple[Geometry, dict[str, Any], dict[str, Any]]:
    """Geometry, and what the header says of VAE and vocoder."""
    parts = {} if base is None else base.preset.header.parts.model_dump(mode="json", exclude_none=True)
    for name in KEPT:
        parts.get(name, {}).pop("sha256", None)
        parts.get(name, {}).pop("file", None)
    if recipe.space == "latent":
        assert base is not None
        if parts["vae"]["kind"] == "pixels":
            raise RecipeError(f"The base {base.preset.name} has no VAE: take space pixels, or another base.")
        return base.geometry, parts["vae"], parts["vocoder"]
    told = recipe.pixels
    if not told.low < told.high:
        raise RecipeError("pixels.low must lie below pixels.high; correct the recipe.")
    floor = float(torch.tensor(told.low).exp())
    mean, scale = (told.low + told.high) / 2.0, (told.high - told.low) / 2.0
    mel: Any = told if base is None else base.geometry
    vocoder = parts.get("vocoder", {"kind": "griffin-lim", "iterations": told.griffin_lim})
    if vocoder["kind"] == "istft":  # it takes its mels as the base's networks do
        floor, mean, scale = mel.mel_floor, mel.mel_mean, mel.mel_scale
    return (
        Geometry(
            mel.sample_rate,
            mel.n_fft,
            mel.hop,
            mel.mel_bands,
            mel.fmin,
            mel.fmax,
            1,
            1,
            1,
            floor,
            mean,
            scale,
        ),
        {"kind": "pixels"},
        vocoder,
    )


def _sizes(recipe: LDMRecipe, beginning: Mapping[str, Any]) -> dict[str, Any]:
    told = recipe.unet
    size = told.size
    if size == "auto" and beginning:
        found = dict(beginning)
        if told.attention_from is not None:
            found["attention_from"] = told.attention_from
        return found
    size = "slim" if size == "auto" else size
    if size == "own":
        assert told.channels is not None
        channels, layers, head = list(told.channels), told.layers, told.head_width
    else:
        first, layers, head = SIZES[size]
        channels = [first * level for level in LEVELS]
    usual = PIXEL_ATTENTION if recipe.space == "pixels" else 1
    attention = usual if told.attention_from is None else told.attention_from
    found = {
        "channels": channels,
        "layers": layers,
        "heads": list(head_counts(channels, head)),
        "transformers": told.transformers,
    }
    return found if attention == 1 else found | {"attention_from": attention}
