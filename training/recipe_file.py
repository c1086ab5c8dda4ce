"""Recipe file: YAML to a recipe and back, sentences for what is wrong, and what differs between two recipes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from training.errors import RecipeError, RunError
from training.recipe import Recipe

RECIPE_FILE = "recipe.yaml"
RUN_FILE = "run.json"
"""Of a run whose networks stood."""

STAGES_FILE = "preset.json"
"""Of a run of several stages: which are done."""

MAY_DIFFER = ("budget", "machine", "keeping")
"""Sections that a resumed run may be told anew: they do not change what the run is."""

ALTERNATIVES = ("steps", "minutes")

R = TypeVar("R", bound=Recipe)


def read_recipe(path: Path | None, kind: type[R], changes: Sequence[str] = ()) -> R:
    """The recipe of a file, or the command's defaults, with changes like `optimiser.rates.peak=1e-4` put over it.

    Raises RecipeError with a sentence for each mistake: the file, the key, what is legal.
    """
    plain = _over(_defaults(kind), {} if path is None else _read(path))
    where = "The recipe" if path is None else str(path)
    changes_alone: dict[str, Any] = {}
    changed: set[str] = set()
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not key:
            raise RecipeError(f"{change!r} is no change of a recipe: write KEY=VALUE, as in batch=8.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise RecipeError(
                f"{change!r} has no readable value: write a number, a word or a list."
            ) from None
        _put(plain, changes_alone, key.split("."), value, change)
        changed.add(key)
    try:
        return kind.model_validate(_over(plain, changes_alone))
    except ValidationError as error:
        told = [_sentence(one, kind, where, changed) for one in error.errors(include_url=False)]
        raise RecipeError(" ".join(dict.fromkeys(told))) from error


def write_recipe(recipe: Recipe, folder: Path) -> Path:
    """Write recipe.yaml, whole or not at all; raises RunError where the disk says no."""
    path = folder / RECIPE_FILE
    part = folder / f".{RECIPE_FILE}.part"
    plain = recipe.model_dump(mode="json", by_alias=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise RunError(
            f"{path} cannot be written ({error.strerror}); free space or name another folder."
        ) from error
    return path


def recipe_of_run(folder: Path) -> Path | None:
    """The recipe of a run that was begun in a folder; one whose start failed has left nothing to go on with."""
    path = folder / RECIPE_FILE
    if not path.is_file():
        return None
    if (folder / RUN_FILE).is_file():
        return path
    try:
        stages = json.loads((folder / STAGES_FILE).read_text(encoding="utf-8"))
        return path if stages["done"] else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def differences(old: Recipe, new: Recipe) -> list[str]:
    """Keys in which two recipes differ, those apart that a resumed run may be told anew."""
    one, other = (dict(_flat(recipe.model_dump(mode="json", by_alias=True))) for recipe in (old, new))
    keys = [key for key in dict.fromkeys((*one, *other)) if key.split(".")[0] not in MAY_DIFFER]
    return [key for key in keys if one.get(key) != other.get(key)]


# Inside -------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, Any]:
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path} cannot be read ({error}); name another recipe.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{path}{line} is not readable YAML; correct the line.") from error
    if plain is not None and not isinstance(plain, dict):
        raise RecipeError(f"{path} holds no keys: a recipe is made of `key: value` lines.")
    return plain or {}


def _defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """The command's own sections, so that a recipe that names one key of a section keeps the others."""
    return {
        field.alias or name: field.default.model_dump(mode="json", by_alias=True, exclude_none=True)
        for name, field in kind.model_fields.items()
        if isinstance(field.default, BaseModel)
    }


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of both, the upper's where both have one; steps or minutes named above end both below."""
    merged = dict(lower)
    if any(key in upper for key in ALTERNATIVES):
        merged = {key: value for key, value in lower.items() if key not in ALTERNATIVES}
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _over(below, value) if both else value  # type: ignore[arg-type]
    return merged


def _put(
    plain: Mapping[str, Any], into: dict[str, Any], keys: Sequence[str], value: Any, change: str
) -> None:
    here: Any = plain
    for key in keys[:-1]:
        here = here.get(key, {}) if isinstance(here, Mapping) else None
        into = into.setdefault(key, {})
        if not isinstance(here, (Mapping, type(None))) or not isinstance(into, dict):
            raise RecipeError(f"{change!r} goes below {key}, which holds no keys; change {key} itself.")
    into[keys[-1]] = value


def _sentence(error: Mapping[str, Any], kind: type[BaseModel], where: str, changed: set[str]) -> str:
    place = [str(part) for part in error["loc"] if str(part).isidentifier() or isinstance(part, int)]
    name = ".".join(place)
    source = "the command line" if name in changed else where
    if error["type"] == "extra_forbidden":
        known = ", ".join(_names(_model_at(kind, place[:-1])))
        return f"{source}: there is no key {name}; known there: {known}."
    if error["type"] == "missing":
        return f"{source}: {name} is missing; set it."
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    shown = error.get("input")
    if isinstance(shown, (str, int, float, bool)):
        message = f"{shown!r} does not fit, {message[0].lower() + message[1:]}"
    return f"{source}: {name or 'recipe'}: {message}."


def _model_at(kind: type[BaseModel], place: Sequence[str]) -> type[BaseModel]:
    for key in place:
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        if key not in fields:
            return kind
        annotation = fields[key].annotation
        below = [
            one
            for one in (annotation, *get_args(annotation))
            if isinstance(one, type) and issubclass(one, BaseModel)
        ]
        kind = below[0] if below else kind
    return kind


def _names(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield field.alias or name


def _flat(plain: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in plain.items():
        name = f"{above}{key}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}.")
        else:
            yield name, value
