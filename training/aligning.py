"""Aligning: from a recipe to what align trains: base, encoder, pairs, and what both hear, out of the cache."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from training.base import Base, open_base
from training.data.mel_pairs import looks
from training.data.pairs import SoundPairs, open_pairs
from training.errors import DataError, RecipeError
from training.pictures import SIDES, Pictures
from training.targets import Heard, clap_targets, embeddings
from training.towers import heard, open_towers
from training.trainers.align import AlignTrainer
from training.trainers.align_recipe import AlignRecipe
from training.trainers.direct import DirectTrainer
from training.trainers.qvim import count, tell
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.model.clap_audio import ClapAudio
from vocaldm_live.model.encoder import Encoder

HOUSE = "house"
FITTING = 512  # imitations and sounds whose mean and spread the adapter takes off


def open_trainer(
    recipe: AlignRecipe, device: torch.device, out: Path, towers: nn.Module | None = None
) -> AlignTrainer | DirectTrainer:
    """The trainer of a recipe; `towers` stand in for the encoder of `direct`.

    Raises PresetError for a base or encoder that cannot be opened, RecipeError for a base without CLAP's audio tower,
    DataError for data that leave nothing.
    """
    base, encoder, own = _opened(recipe)
    tower = base.networks["clap_audio"]
    assert isinstance(tower, ClapAudio)
    if looks(Path(recipe.data.source)):
        raise DataError(
            f"{recipe.data.source} holds shards of pictures, of which CLAP hears nothing: give sounds."
        )
    cache = Path(recipe.cache) if recipe.cache else out / "cache"
    workers = recipe.machine.workers
    pairs = open_pairs(recipe.data, recipe.voices, cache, workers, tell, recipe.held_out, count)
    sets = (pairs[0], pairs[1].thinned(recipe.bank))
    rate = recipe.clap_rate or base.geometry.sample_rate
    targets = [clap_targets(each, tower, rate, cache, device, count) for each in sets]
    null = base.null(1)[0]
    identity = {"base": base.identity, "data": sets[0].digest(), "bank": sets[1].digest()}
    if recipe.mode == "adapter":
        if not own:
            identity["base"] += f" encoder {_file_sha256(encoder)}"
        train, bank = (
            _heard(each, encoder, cache, device, target) for each, target in zip(sets, targets, strict=True)
        )
        return AlignTrainer(recipe, device, train, bank, null, encoder, identity)
    pictures, bank_pictures = (
        Pictures(each, recipe.audio, recipe.mel, crop, workers)
        for each, crop in zip(sets, (recipe.crop, ()), strict=True)
    )
    hearer = (towers or encoder).to(device).eval()
    fitting = torch.cat([heard(hearer, pictures, side, device, most=FITTING) for side in SIDES])
    voices, sounds = (heard(hearer, bank_pictures, side, device) for side in SIDES)
    bank = Heard(voices, sounds, targets[1], torch.from_numpy(sets[1].of), sets[1].names)
    return DirectTrainer(
        recipe, device, hearer, pictures, bank_pictures, targets[0], bank, fitting, null, identity
    )


def _opened(recipe: AlignRecipe) -> tuple[Base, Encoder, bool]:
    """The base with UNet and CLAP, the encoder, and whether that is the base's own."""
    header = read_preset(resolve_preset(recipe.base)).header
    if header.parts.unet.kind != "audioldm" or header.parts.clap_audio is None:
        raise RecipeError(
            f"{recipe.base} is no AudioLDM with CLAP's audio tower, to which an encoder could be aligned: import a .ckpt."
        )
    own = recipe.encoder is None and header.parts.encoder is not None
    base = open_base(recipe.base, ["unet", "clap_audio", *(["encoder"] if own else [])])
    if not own:
        return base, open_towers(None, recipe.encoder or HOUSE), False
    encoder = base.networks["encoder"]
    assert isinstance(encoder, Encoder)
    return base, encoder, True


def _heard(
    pairs: SoundPairs, encoder: Encoder, cache: Path, device: torch.device, targets: torch.Tensor
) -> Heard:
    of = torch.from_numpy(pairs.of)
    voices = embeddings(pairs, encoder, "imitation", cache, device, count)
    sounds = embeddings(pairs, encoder, "sound", cache, device, count)
    return Heard(voices, sounds, targets, of, pairs.names)


def _file_sha256(encoder: Encoder) -> str:
    """The hash that the encoder's weights file will have, by which export knows it."""
    state = {name: value.detach().cpu().contiguous() for name, value in encoder.state_dict().items()}
    return hashlib.sha256(save(state)).hexdigest()
