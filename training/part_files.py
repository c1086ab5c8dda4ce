"""Part files: the trained weights of each part of a preset, as runs leave them, and what their runs tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from training.provenance import Told, read_told
from training.runfolder import ENDED
from vocaldm_live.checkpoints.header import HOUSE_PARTS, one_line
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.errors import PresetError


@dataclass(frozen=True, eq=False)
class PartFile:
    """A part's weights, where they came from (for sentences, not for presets), and the run that made them if known.

    sha256: of the weights file, "" for weights in memory.
    """

    part: str
    state: Mapping[str, Tensor]
    source: str
    run: Path | None = None
    told: Told | None = None
    sha256: str = ""


def read_part(part: str, place: Path) -> PartFile:
    """The weights of a part from a run's folder, or from a weights file of one.

    Raises PresetError where the run is not finished or has no such part, or the file is none.
    """
    path = place / f"{part}.safetensors" if place.is_dir() else place
    run = path.parent if path.name == f"{part}.safetensors" else None
    told = None if run is None else read_told(run)
    if told is not None and told.state not in ENDED:
        raise PresetError(
            f"{run} is not finished ({told.state or 'it tells no state'}); go on with it first."
        )
    if place.is_dir() and not path.is_file():
        raise PresetError(f"{place} holds no {path.name}; name a finished run that trained the {part}.")
    state = read_state(path)
    return PartFile(part, state, str(path), None if told is None else run, told, file_sha256(path))


def find_parts(
    runs: Path | None, given: Mapping[str, Path], needed: bool, without: Collection[str] = ()
) -> dict[str, Path]:
    """Each part's place: what was given for it, else the only weights of its name in `runs` and the folders there.

    needed: every part of the house's has to be found, those apart that the preset is `without`. Raises PresetError
    where one is not, or is there twice.
    """
    found: dict[str, Path] = {}
    for part in HOUSE_PARTS:
        if part in without:
            continue
        if part in given:
            found[part] = given[part]
            continue
        if runs is None:
            if needed:
                raise PresetError(f"No weights are given for the {part}; add --{part} RUN, or --base PRESET.")
            continue
        name = f"{part}.safetensors"
        places = (runs / name, *sorted(runs.glob(f"*/{name}")))
        candidates = [path for path in places if path.is_file()]
        if len(candidates) > 1:
            shown = ", ".join(str(path.relative_to(runs)) for path in candidates)
            raise PresetError(f"{runs} holds several {name} ({shown}); choose with --{part} RUN.")
        if candidates:
            found[part] = candidates[0]
        elif needed:
            raise PresetError(f"{runs} and its folders hold no {name}; add --{part} RUN.")
    return found


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from safetensors; raises PresetError where there is none."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise PresetError(
            f"{path} is no readable safetensors file ({one_line(error)}); train it again."
        ) from error
