"""Places: where presets lie, and which folder a name means. Reads no preset and imports nothing heavy."""

from __future__ import annotations

import importlib.resources
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from vocaldm_live.errors import PresetError

HEADER_FILE = "preset.yaml"
VARIABLE = "VOCALDM_PRESETS"
INSTALLED_PACKAGE = "vocaldm_live_presets"


def find_presets(extra: Sequence[Path] = ()) -> dict[str, Path]:
    """Every preset's name and folder, in search order; of one name the first place's is kept.

    Places: the `extra` folders, those in the environment variable VOCALDM_PRESETS, ./presets, the checkout's
    presets/, the user's own place (`own_place`), the presets that were installed with the package. In a place
    they go by name, and hidden folders are passed over. Raises PresetError where an extra folder or one in
    VOCALDM_PRESETS is not there.
    """
    found: dict[str, Path] = {}
    for place in _places(extra):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if not folder.name.startswith(".") and (folder / HEADER_FILE).is_file():
                found.setdefault(folder.name, folder.resolve())
    return found


def own_place() -> Path:
    """Where presets go that a user makes: found from every folder, so that a running daemon sees them come."""
    import platformdirs

    return Path(platformdirs.user_data_dir("vocaldm-live", appauthor=False)) / "presets"


def resolve_preset(name_or_path: str | Path, extra: Sequence[Path] = ()) -> Path:
    """The folder of a preset given by name, by folder or by its preset.yaml; a known name goes before a path.

    Raises PresetError naming the known presets where there is none.
    """
    text = str(name_or_path)
    known = find_presets(extra)
    if text in known:
        return known[text]
    path = Path(text).expanduser()
    if text and path.name == HEADER_FILE and path.is_file():
        return path.parent.resolve()
    if text and (path / HEADER_FILE).is_file():
        return path.resolve()
    if text and path.is_dir():
        raise PresetError(f"{path} has no {HEADER_FILE}, so it is not a preset; {_advice(known)}.")
    raise PresetError(f"There is no preset {text!r}; {_advice(known)}.")


# Inside -------------------------------------------------------------------------------------------------


def _places(extra: Sequence[Path]) -> Iterator[Path]:
    for folder in extra:
        if not Path(folder).is_dir():
            raise PresetError(f"The preset place {folder} is not a folder; correct it or make the folder.")
        yield Path(folder)
    for text in filter(None, os.environ.get(VARIABLE, "").split(os.pathsep)):
        if not Path(text).is_dir():
            raise PresetError(f"{VARIABLE} names {text}, which is not a folder; correct or unset it.")
        yield Path(text)
    yield Path("presets")
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file():
        yield checkout / "presets"
    yield own_place()
    installed = _installed()
    if installed is not None:
        yield installed


def _installed() -> Path | None:
    """The folder of the presets that pip installed, or None where they are not installed as plain files."""
    try:
        root = importlib.resources.files(INSTALLED_PACKAGE)
    except ModuleNotFoundError:
        return None
    return root if isinstance(root, Path) else None


def _advice(known: dict[str, Path]) -> str:
    if not known:
        return f"none was found, so put one into ./presets or name its place in {VARIABLE}"
    return f"the known ones are {', '.join(known)}"
