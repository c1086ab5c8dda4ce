"""Provenance: what the folder of a run tells of itself, and how a preset says it: everything but where it lay."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from training.recipe_file import RECIPE_FILE
from training.runfolder import RUN_FILE
from vocaldm_live.checkpoints.header import one_line
from vocaldm_live.errors import PresetError

NOT_TOLD = ("machine", "keeping")
"""Sections of a recipe that change nothing about what comes out."""

CREDIT_FILES = ("CREDITS", "LICENSE", "LICENCE", "COPYING", "COPYRIGHT")
LONGEST_CREDITS = 400  # lines


@dataclass(frozen=True)
class Told:
    """What a run says of itself.

    command: the noun, as `vae`. state: as in run.json. entry: what preset.yaml is to say of it. base: name and
    SHA-256 of the preset that it was trained from. replaced: SHA-256 of weights files that stood in the place of that
    preset's, by part. about: what its trainer says beside: parts (as in preset.yaml), parameters, geometry, schedule.
    credits: those whose work was learnt from, a line each.
    """

    command: str
    state: str
    entry: Mapping[str, Any]
    base: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    credits: tuple[str, ...] = ()


def read_told(folder: Path) -> Told | None:
    """What the run in a folder tells, or None where the folder holds no run of `vocaldm-train`.

    Raises PresetError where it has a run.json that cannot be read.
    """
    path = folder / RUN_FILE
    if not path.is_file():
        return None
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        recipe = yaml.safe_load((folder / RECIPE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PresetError(
            f"{folder} tells no whole story of its run ({one_line(error)}); name a weights file instead."
        ) from error
    about, identity = run.get("about") or {}, run.get("identity") or {}
    base, replaced = _base(about, identity, recipe)
    data = about.get("data") or _data(identity, recipe)
    entry: dict[str, Any] = {
        "command": plain_command(run.get("command", ())),
        "steps": run.get("steps"),
        "seconds": run.get("seconds"),
        "recipe": {key: value for key, value in without_places(recipe).items() if key not in NOT_TOLD},
        "versions": run.get("versions"),
        "held_out": run.get("best"),
        "base": without_places({**base, **({"replaced": replaced} if replaced else {})}),
        "data": without_places(data),
    }
    entry = {key: value for key, value in entry.items() if value not in (None, {}, "")}
    command = str(recipe.get("command", "run"))
    credits = about.get("credits") or credits_of(Path(_source(recipe)))
    return Told(command, str(run.get("state", "")), entry, base, replaced, about, tuple(map(str, credits)))


def plain_command(arguments: Sequence[str]) -> str:
    """A command line with names in the place of paths."""
    return " ".join(shlex.quote(_argument(str(argument))) for argument in arguments)


def without_places(value: Any) -> Any:
    """The same value, every path in it (a text with a slash, or one that begins with ~) cut to its last name.

    hub:OWNER/NAME is no path.
    """
    if isinstance(value, Mapping):
        return {str(key): without_places(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_places(one) for one in value]
    return _name_of(value) if isinstance(value, str) else value


def describe_data(name: str, keys: Iterable[str], **more: Any) -> dict[str, Any]:
    """Data by the last name of its place, how many items it has, and one digest of their content keys (in any order)."""
    found = sorted(keys)
    digest = hashlib.sha256("\n".join(found).encode()).hexdigest()
    return {"name": _name_of(name), "items": len(found), "sha256": digest, **more}


def credits_of(folder: Path) -> tuple[str, ...]:
    """What CREDITS and licence files at the top of a folder say: credits line by line, of a licence its first line."""
    found: list[str] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.is_file() or not path.stem.upper().startswith(CREDIT_FILES):
            continue
        try:
            lines = read_credits(path)[:LONGEST_CREDITS]
        except PresetError:
            lines = []
        whole = path.stem.upper().startswith("CREDITS")
        found += lines if whole else [f"{folder.resolve().name}: {path.name}, {line}" for line in lines[:1]]
    return tuple(dict.fromkeys(found))


def read_mapping(path: Path | None) -> dict[str, Any]:
    """The keys of a YAML or JSON file (JSON is YAML); no file, no keys."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise PresetError(
            f"{path} cannot be read as YAML or JSON ({one_line(error)}); correct it."
        ) from error
    if not isinstance(found, dict):
        raise PresetError(f"{path} holds no keys; write it as a mapping.")
    return found


def read_credits(path: Path | None) -> list[str]:
    """One credit a line; empty lines and those that begin with # are left out, and so are list marks."""
    if path is None:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PresetError(f"{path} cannot be read as text ({one_line(error)}); correct it.") from error
    plain = [line.strip().removeprefix("- ").strip() for line in lines]
    return [line for line in plain if line and not line.startswith("#")]


# Inside -------------------------------------------------------------------------------------------------


def _base(
    about: Mapping[str, Any], identity: Mapping[str, Any], recipe: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Name and hash of the preset a run set out from, and the hashes of what stood in the place of its parts.

    An identity is the preset's hash and, after it, part and hash in turns (training/base.py).
    """
    words = str(identity.get("base") or "").split()
    replaced = dict(zip(words[1::2], words[2::2], strict=False))
    if about.get("base"):
        return dict(about["base"]), replaced
    if not words:
        return {}, {}
    return {"name": _name_of(str(recipe.get("base", ""))), "sha256": words[0]}, replaced


def _data(identity: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    digest = identity.get("data")
    return {"name": _source(recipe), "sha256": digest} if digest else {}


def _source(recipe: Mapping[str, Any]) -> str:
    """Where a recipe's data lie; what is no folder has no credits."""
    data = recipe.get("data")
    source = data.get("source") if isinstance(data, Mapping) else None
    return str(source) if source else "nowhere"


def _argument(argument: str) -> str:
    """`--set data.source=a/b` is two arguments, and the second one's value is the path."""
    key, equals, value = argument.partition("=")
    if equals and not re.search(r"[\\/]", key):
        return f"{key}={_name_of(value)}"
    return _name_of(argument)


def _name_of(text: str) -> str:
    if text.startswith("hub:") or not re.search(r"[\\/]|^~", text):
        return text
    if "\n" in text:
        return "\n".join(_name_of(line) for line in text.split("\n"))
    # A folder may be called `[drums] kit`: what is to be looked into has to be YAML as a whole.
    if re.match(r"\s*[{\[]", text):
        with suppress(yaml.YAMLError, ValueError):
            value = yaml.safe_load(text)
            if isinstance(value, (dict, list)):
                plain = without_places(value)
                return str(
                    yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10**9)
                ).strip()
    return re.split(r"[\\/]", text.rstrip("\\/"))[-1] or "root"
