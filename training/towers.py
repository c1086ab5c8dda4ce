"""Towers: the networks that hear imitations and sounds, fresh or from weights that the user has."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from training.errors import RecipeError
from training.partial import load_partly
from training.pictures import Batch, Pictures, Side
from training.runfolder import channels_last
from vocaldm_live.checkpoints.importing import read_encoder
from vocaldm_live.checkpoints.places import HEADER_FILE, resolve_preset
from vocaldm_live.checkpoints.preset import load_encoder, read_preset
from vocaldm_live.model.encoder import Encoder, normalise

Number = Literal["two", "shared"]


def open_towers(number: Number, start: str | None) -> Encoder:
    """An encoder of two towers or a shared one: fresh, of a preset, or of a file.

    start: a preset's name or folder, weights of our own, a QVIM checkpoint, or EfficientAT's mn10 (`mn10_as`), which
    begins both towers. Raises PresetError for what cannot be read, RecipeError where two towers would become one.
    """
    encoder = Encoder(classifier=False, shared=number == "shared")
    if start is not None:
        state = _state(start)
        if number == "two" and not any(name.startswith("reference_encoder.") for name in state):
            state |= {
                name.replace("imitation_encoder.", "reference_encoder.", 1): value
                for name, value in state.items()
                if name.startswith("imitation_encoder.")
            }
        if number == "shared" and any(name.startswith("reference_encoder.") for name in state):
            raise RecipeError(
                f"{start} has two towers: set towers to two, or start from one tower's weights."
            )
        load_partly(encoder, state)
    return channels_last(encoder)


def _state(start: str) -> dict[str, Tensor]:
    path = Path(start)
    if path.is_file():
        return dict(read_encoder(path)[1])
    preset = read_preset(path if (path / HEADER_FILE).is_file() else resolve_preset(start))
    return {name: value.float() for name, value in load_encoder(preset).state_dict().items()}


def described(towers: nn.Module) -> dict[str, Any]:
    """What preset.yaml says of an encoder, beside its file."""
    return {"kind": "mn10", "shared_tower": bool(getattr(towers, "shared", False)), "classifier": False}


def embed(towers: nn.Module, side: Side, batch: Batch, device: torch.device) -> Tensor:
    """Embeddings `[rows, width]`, not normalised, of a batch of pictures, by the side's own tower."""
    mel, frames = batch
    mel = mel.to(device).contiguous(memory_format=torch.channels_last)
    # A batch of equal lengths needs no masks, which cost time.
    lengths = None if bool((frames == mel.shape[3]).all()) else frames.to(device)
    tower = towers.embed_imitation if side == "imitation" else towers.embed_reference
    embedding: Tensor = tower(mel, lengths)  # type: ignore[operator]
    return embedding


def heard(towers: nn.Module, pictures: Pictures, side: Side, device: torch.device, rows: int = 8) -> Tensor:
    """Unit embeddings `[n, width]` on the CPU of all imitations or sounds of a set, whole, by towers in eval mode."""
    count = len(pictures.pairs) if side == "imitation" else len(pictures.pairs.names)
    found = []
    with torch.inference_mode():
        for first in range(0, count, rows):
            batch = pictures.plain(side, range(first, min(count, first + rows)))
            found.append(normalise(embed(towers, side, batch, device)).float().cpu())
    return torch.cat(found).clone()


def batch_norms(networks: Iterable[nn.Module]) -> list[nn.BatchNorm2d]:
    """The batch normalisations of some networks."""
    return [one for network in networks for one in network.modules() if isinstance(one, nn.BatchNorm2d)]


def settle(towers: nn.Module, batches: Iterable[tuple[Batch, Batch]], device: torch.device) -> None:
    """Measure the batch-norm statistics of averaged weights anew, as plain means over some batches.

    A momentum of 0.01 needs hundreds of steps to arrive, and a short run has no more than that.
    """
    norms = batch_norms([towers])
    momenta = [norm.momentum for norm in norms]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    towers.train()
    with torch.no_grad():
        for imitation, sound in batches:
            embed(towers, "imitation", imitation, device)
            embed(towers, "sound", sound, device)
    towers.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
