"""Starting: the weights of a UNet that a run begins with, wherever they come from, by the UNet's own names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.errors import RecipeError
from training.provenance import read_told
from vocaldm_live.checkpoints import sizes
from vocaldm_live.checkpoints.audioldm_file import read_audioldm
from vocaldm_live.checkpoints.audioldm_parts import AudioLDMUNetPart
from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.checkpoints.places import HEADER_FILE, resolve_preset
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.checkpoints.weights import read_tensors
from vocaldm_live.errors import PresetError
from vocaldm_live.model.audioldm import head_counts, published_head_width

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "unet.safetensors"
NETWORK = "network."
SIZES = ("channels", "layers", "heads", "transformers", "attention_from")


@dataclass(frozen=True, eq=False)
class Beginning:
    """Tensors of a `ConditionalUNet` by name, the sizes of that UNet as keys of its part, and sentences."""

    state: Mapping[str, Tensor]
    sizes: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_beginning(source: str, average: bool | None = None) -> Beginning:
    """From a preset by name or folder, a run's folder, a weights file, or AudioLDM's own files and folders.

    average: as in `read_audioldm`. Raises RecipeError or PresetError for anything else.
    """
    path = Path(source)
    if path.is_dir() and (path / WEIGHTS).is_file() and not (path / HEADER_FILE).is_file():
        path = path / WEIGHTS
    if path.is_file() and path.suffix == ".safetensors":
        tensors = read_foreign(path)
        own = {
            name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)
        }
        if own or "conv_in.weight" in tensors:
            state = own or dict(tensors)
            return _of_weights(state, path)
    if path.is_file() or (path / "unet").is_dir():
        file = read_audioldm(path, average)
        state = file.states["unet"]
        return Beginning(state, sizes_of(state, path), tuple(file.notes))
    preset = read_preset(resolve_preset(source))
    part = preset.header.parts.unet
    if not isinstance(part, AudioLDMUNetPart):
        raise RecipeError(
            f"The preset {preset.name} has a UNet that takes a sketch: name one of AudioLDM's kind as a start."
        )
    tensors = read_tensors(preset.folder / part.file, part.sha256)
    state = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    plain = part.model_dump(mode="json", exclude_none=True)
    return Beginning(state, {key: plain[key] for key in SIZES if key in plain})


def _of_weights(state: Mapping[str, Tensor], path: Path) -> Beginning:
    """A weights file of ours; the run that wrote it knows how many heads it has, which no tensor tells."""
    found = sizes_of(state, path)
    told = read_told(path.parent) if path.name == WEIGHTS else None
    plain = {} if told is None else told.about.get("parts", {}).get("unet", {})
    if "heads" in plain:
        return Beginning(state, {key: plain[key] for key in SIZES if key in plain})
    width = published_head_width(found["channels"][0])
    note = f"{path} does not tell how wide its heads are: {width} is taken, as in AudioLDM's own models."
    return Beginning(state, found, (note,))


def sizes_of(state: Mapping[str, Tensor], where: object) -> dict[str, Any]:
    """Channels, layers, heads and transformers of a UNet by its tensors; raises PresetError for another network."""
    channels = sizes.levels(state, "down_blocks.{}.resnets.0.conv1.weight", where)
    layers = sizes.count(state, r"down_blocks\.0\.resnets\.(\d+)\.")
    first = [
        int(found[1]) for name in state if (found := re.match(r"down_blocks\.(\d+)\.attentions\.", name))
    ]
    if not layers:
        raise PresetError(f"{where} is no UNet of AudioLDM's kind: name another start.")
    attention = min(first, default=len(channels))
    per_level = sizes.count(state, rf"down_blocks\.{attention}\.attentions\.(\d+)\.")
    found_sizes: dict[str, Any] = {
        "channels": channels,
        "layers": layers,
        "heads": list(head_counts(channels, published_head_width(channels[0]))),
        "transformers": max(1, per_level // layers),
    }
    return found_sizes if attention == 1 else found_sizes | {"attention_from": attention}
