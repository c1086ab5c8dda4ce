"""Recipe: everything that makes the same clip again, kept as JSON beside the clip and inside it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.errors import RequestError
from vocaldm_live.sound.edit import Edit

if TYPE_CHECKING:
    import numpy as np

RECIPE_FORMAT = 1

# Groups of fields that are left out of the JSON where the first is None, so that plain recipes read as they always did.
_GROUPS = (
    ("vocoder", "vocoder_sha256"),
    ("anchor", "library", "nearest"),
    ("edit", "source", "source_sha256", "other", "other_sha256"),
)
# Left out where nothing was said, so that such recipes read as they always did.
_WORD_FIELDS = frozenset({"text", "text_weight", "negative"})
_HASH = re.compile(r"[0-9a-f]{64}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,100000}={0,2}")


@dataclass(frozen=True)
class Recipe:
    """What makes the same clip again; raises RequestError when a field is of the wrong type or range.

    Hashes are SHA-256 in lower-case hexadecimal: `preset_sha256` of the preset, `imitation_sha256` and
    `like_sha256` of the sounds as `Sound.digest` gives them, `vocoder_sha256` of a vocoder that took the place of
    the preset's own; a recipe without one has neither key, as those of older versions. `duration` and `tail` are seconds, a
    `duration` of None is the imitation's own. `created` is an ISO 8601 time. `device` is the kind (cpu,
    cuda, mps) on which the samples repeat exactly. `notes` say what else was done, one sentence each.

    `imitation` and its hash are None for a clip of words or of an example sound alone.
    `library` is the folder whose sounds `nearest` stood in for the voice by `like_weight`, and `anchor` their
    vector, little-endian half floats in base64: the clip can be made again without them. Only the recipes
    of such clips have these three.
    `edit`, `source` and morph's `other` with their hashes are there for a sound that was edited, and left out of the
    JSON for a clip that was not. An edit's `imitation` is the voice that drove it, or the source again.
    `text`, blended in by `text_weight`, and `negative` are the words of the request; a recipe without words has
    none of the three.
    """

    program_version: str
    preset: str
    preset_sha256: str
    imitation: str | None
    imitation_sha256: str | None
    seed: int
    steps: int
    guidance: float
    follow: float
    sampler: str
    eta: float
    tail: float
    device: str
    created: str
    duration: float | None = None
    like: str | None = None
    like_sha256: str | None = None
    like_weight: float = 1.0
    vocoder: str | None = None
    vocoder_sha256: str | None = None
    notes: tuple[str, ...] = ()
    library: str | None = None
    nearest: tuple[str, ...] = ()
    anchor: str | None = None
    format: int = RECIPE_FORMAT
    text: str = ""
    text_weight: float = 1.0
    negative: str = ""
    edit: Edit | None = None
    source: str | None = None
    source_sha256: str | None = None
    other: str | None = None
    other_sha256: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            kind, legal, normal = _RULES[field.name]
            value = getattr(self, field.name)
            if not legal(value):
                raise RequestError(f"The recipe's {field.name} is {_short(value)}: {kind} belongs there.")
            object.__setattr__(self, field.name, normal(value))
        for name in ("imitation", "like", "vocoder"):
            if (getattr(self, name) is None) != (getattr(self, f"{name}_sha256") is None):
                raise RequestError(
                    f"The recipe has only one of {name} and {name}_sha256: give both or neither."
                )
        if self.imitation is None and (self.edit is not None or self.duration is None):
            raise RequestError("The recipe has no imitation where its edit or its length needs one: give it.")
        if (self.library is None) != (self.anchor is None):
            raise RequestError("The recipe has only one of library and anchor: give both or neither.")
        if (self.other is None) != (self.other_sha256 is None):
            raise RequestError("The recipe has only one of other and other_sha256: give both or neither.")
        if len({self.edit is None, self.source is None, self.source_sha256 is None}) != 1:
            raise RequestError(
                "The recipe has only part of edit, source and source_sha256: give all or none."
            )
        if (self.edit is not None and self.edit.kind == "morph") != (self.other is not None):
            raise RequestError("The recipe's edit and its other sound disagree: only morph has another one.")

    def to_json(self) -> str:
        """The recipe as a JSON object in ASCII, its format first, ending in a line feed."""
        absent = {name for group in _GROUPS if getattr(self, group[0]) is None for name in group}
        left_out = {"format"} | absent
        names = ["format", *(field.name for field in fields(self) if field.name not in left_out)]
        values = {name: getattr(self, name) for name in names}
        if self.edit is not None:
            values["edit"] = self.edit.as_plain()
        if not self.text and not self.negative:
            values = {name: value for name, value in values.items() if name not in _WORD_FIELDS}
        return json.dumps(values, indent=2, ensure_ascii=True, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str, where: str = "The recipe") -> Recipe:
        """Read what `to_json` wrote; `where` names the source in the message.

        Raises RequestError for text that is no JSON object, another format version, and fields that
        are missing, unknown, given twice or of the wrong type.
        """
        values = _parse_object(text, where)
        if "format" not in values:
            raise RequestError(
                f"{where} is not a recipe because it has no format: give the JSON file beside a clip."
            )
        version = values["format"]
        if isinstance(version, bool) or version != RECIPE_FORMAT:
            raise RequestError(
                f"{where} has the recipe format {_short(version)} and this program reads {RECIPE_FORMAT}: "
                "use the program version that wrote it."
            )
        names = {field.name for field in fields(Recipe)}
        left_out = {name for group in _GROUPS if group[0] != "edit" or "edit" not in values for name in group}
        if not _WORD_FIELDS & set(values):
            left_out |= _WORD_FIELDS
        missing, unknown = sorted(names - left_out - set(values)), sorted(set(values) - names)
        if missing:
            raise RequestError(
                f"{where} lacks {', '.join(missing)}: give a complete recipe, as it lies beside a clip."
            )
        if unknown:
            listed = ", ".join(_short(name) for name in unknown)
            raise RequestError(
                f"{where} holds {listed}, which no recipe has: take it out or check its spelling."
            )
        for name in ("notes", "nearest"):
            if isinstance(values.get(name), list):
                values[name] = tuple(values[name])
        try:
            if values.get("edit") is not None:
                values["edit"] = Edit.from_plain(values["edit"])
            return Recipe(**values)
        except RequestError as error:
            raise RequestError(f"{where} cannot be used: {_lower_first(str(error))}") from error

    def anchor_vector(self) -> np.ndarray | None:
        """The vector that stood in for the voice, float32 [n]; None where there was none."""
        if self.anchor is None:
            return None
        import numpy as np

        packed = base64.b64decode(self.anchor)
        return np.frombuffer(packed[: len(packed) // 2 * 2], dtype="<f2").astype(np.float32)

    def created_time(self) -> datetime:
        """`created` as a date and time."""
        return parse_time(self.created)


def read_recipe(path: str | Path) -> Recipe:
    """Read a recipe file; raises RequestError when it is missing, not text or not a recipe."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is not a text file: give the JSON file beside a clip.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RequestError(f"{path} cannot be read ({reason}): give the JSON file beside a clip.") from error
    return Recipe.from_json(text, where=str(path))


def pack_vector(vector: np.ndarray) -> str:
    """A vector as `Recipe.anchor` wants it: half floats, little-endian, in base64."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode("ascii")


def current_time() -> str:
    """Now, in UTC to the second, as `Recipe.created` wants it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def parse_time(text: str) -> datetime:
    """An ISO 8601 date and time, `Z` allowed for UTC; raises ValueError when it is none."""
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def _parse_object(text: str, where: str) -> dict[str, Any]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in items}) != len(items):
            raise ValueError("a field is given twice")
        return dict(items)

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is not a JSON number")

    try:
        values = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{where} is not JSON ({error}): give the JSON file beside a clip.") from error
    if not isinstance(values, dict):
        raise RequestError(f"{where} is not a JSON object: give the JSON file beside a clip.")
    return values


def _short(value: object) -> str:
    shown = ascii(value)
    return shown if len(shown) <= 40 else shown[:37] + "..."


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None


def _is_whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most


def _is_number(value: Any, least: float, most: float = 1e9) -> bool:
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return least <= float(value) <= most
    except OverflowError:
        return False


def _is_time(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse_time(value)
    except ValueError:
        return False
    return True


def _is_notes(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(note, str) for note in value)


def _is_vector(value: Any) -> bool:
    return isinstance(value, str) and len(value) % 4 == 0 and _BASE64.fullmatch(value) is not None


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _same(value: Any) -> Any:
    return value


_Rule = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
_TEXT: _Rule = ("text", _is_text, _same)
_SHA256: _Rule = ("a SHA-256 of 64 hexadecimal digits", _is_hash, _same)
_POSITIVE: _Rule = ("a number of 0 or more", lambda value: _is_number(value, 0.0), float)

# For each field: what belongs there, its check, and the plain Python type that JSON can hold.
_RULES: dict[str, _Rule] = {
    "program_version": _TEXT,
    "preset": _TEXT,
    "preset_sha256": _SHA256,
    "imitation": ("the path of a sound or null", _or_none(_is_text), _same),
    "imitation_sha256": ("a SHA-256 of 64 hexadecimal digits or null", _or_none(_is_hash), _same),
    "seed": ("a whole number from 0 to 2^63 - 1", lambda value: _is_whole(value, 0, 2**63 - 1), int),
    "steps": ("a whole number of 1 or more", lambda value: _is_whole(value, 1, 100_000), int),
    "guidance": _POSITIVE,
    "follow": ("a number from 0 to 1", lambda value: _is_number(value, 0.0, 1.0), float),
    "sampler": _TEXT,
    "eta": _POSITIVE,
    "tail": _POSITIVE,
    "device": _TEXT,
    "created": ("a time such as 2026-01-31T12:00:00+00:00", _is_time, _same),
    "duration": (
        "a number of seconds above 0 or null",
        _or_none(lambda value: _is_number(value, 0.0) and value > 0),
        lambda value: None if value is None else float(value),
    ),
    "like": ("the path of a sound or null", _or_none(_is_text), _same),
    "like_sha256": ("a SHA-256 of 64 hexadecimal digits or null", _or_none(_is_hash), _same),
    "like_weight": ("a number from 0 to 1", lambda value: _is_number(value, 0.0, 1.0), float),
    "vocoder": ("the name of a vocoder or null", _or_none(_is_text), _same),
    "vocoder_sha256": ("a SHA-256 of 64 hexadecimal digits or null", _or_none(_is_hash), _same),
    "text": ("text", lambda value: isinstance(value, str), _same),
    "text_weight": ("a number from 0 to 1", lambda value: _is_number(value, 0.0, 1.0), float),
    "negative": ("text", lambda value: isinstance(value, str), _same),
    "notes": ("a list of texts", _is_notes, _same),
    "library": ("the path of a folder or null", _or_none(_is_text), _same),
    "nearest": ("a list of texts", _is_notes, _same),
    "anchor": ("half floats in base64 or null", _or_none(_is_vector), _same),
    "edit": ("an edit or null", _or_none(lambda value: isinstance(value, Edit)), _same),
    "source": ("the path of a sound or null", _or_none(_is_text), _same),
    "source_sha256": ("a SHA-256 of 64 hexadecimal digits or null", _or_none(_is_hash), _same),
    "other": ("the path of a sound or null", _or_none(_is_text), _same),
    "other_sha256": ("a SHA-256 of 64 hexadecimal digits or null", _or_none(_is_hash), _same),
    "format": (f"{RECIPE_FORMAT}", lambda value: _is_whole(value, RECIPE_FORMAT, RECIPE_FORMAT), int),
}
