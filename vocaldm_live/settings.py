"""Settings: one YAML file for `vocaldm live`, checked before anything starts; errors name the line and what is legal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import platformdirs
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model, model_validator

from vocaldm_live.errors import VocalDMError
from vocaldm_live.listen.gate import GateSettings

APPLICATION = "vocaldm-live"
FILE_NAME = "settings.yaml"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
Port = Annotated[int, Field(ge=0, le=65535)]


@cache
def default_folders() -> dict[str, Path]:
    """outbox, inbox and state in the places that this system means for them."""
    home = Path(platformdirs.user_music_dir()) / "VocalDM Live"
    return {
        "outbox": home / "clips",
        "inbox": home / "inbox",
        "state": Path(platformdirs.user_data_dir(APPLICATION, appauthor=False)),
    }


class SettingsError(VocalDMError):
    """The settings cannot be used: a wrong line, an unknown key, a file that is not there."""


class Section(BaseModel):
    """What every part of the settings has in common: unknown keys are refused, values stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Folders(Section):
    """Where things lie. `~` is the home folder; relative ones are relative to where the daemon starts."""

    outbox: Path = Field(default_factory=lambda: default_folders()["outbox"])
    inbox: Path | None = Field(default_factory=lambda: default_folders()["inbox"])
    state: Path = Field(default_factory=lambda: default_folders()["state"])
    allowed: tuple[Path, ...] = ()
    polling: Literal["auto", "always", "never"] = "auto"

    def absolute(self, path: Path) -> Path:
        """A folder of these settings as an absolute path."""
        return path.expanduser().absolute()


class Microphone(Section):
    """The input device: a number, a name or a part of one; none: the system's default."""

    enabled: bool = True
    device: str | int | None = None
    listen: bool = False
    ring_seconds: Annotated[float, Field(ge=5, le=600)] = 60.0


class Osc(Section):
    """Where the daemon can be reached. Addresses beside loopback need a token."""

    host: str = "127.0.0.1"
    port: Port = 9750
    query_port: Port = 9751
    query: bool = True
    announce: bool = False
    token: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _token_where_needed(self) -> Osc:
        if self.host not in LOOPBACK and not self.token:
            raise ValueError(f"host {self.host} can be reached from elsewhere: set a token beside it")
        return self


class Panel(Section):
    """The page for a browser. Addresses beside loopback need a token."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: Port = 9752
    token: Annotated[str, Field(max_length=200)] = ""

    @model_validator(mode="after")
    def _token_where_needed(self) -> Panel:
        if self.host not in LOOPBACK and not self.token:
            raise ValueError(f"host {self.host} can be reached from elsewhere: set a token beside it")
        return self


class Clips(Section):
    """How clips are written: bits 16, 24 or 32, and the fields of their UCS names."""

    bits: Literal[16, 24, 32] = 24
    cat_id: str | None = None
    creator_id: str | None = None
    source_id: str | None = None


class Queue(Section):
    """How many gestures wait at most; the oldest waiting one is dropped for a new one, and reported."""

    length: Annotated[int, Field(ge=1, le=100)] = 8


class Parameters(Section):
    """What the sliders stand at when the daemon starts; none: the preset's own default."""

    steps: Annotated[int, Field(ge=1, le=200)] | None = None
    guidance: Annotated[float, Field(ge=0, le=20)] | None = None
    follow: Annotated[float, Field(ge=0, le=1)] | None = None
    variations: Annotated[int, Field(ge=1, le=16)] = 1
    seed: Annotated[int, Field(ge=-1, le=2**31 - 1)] = -1


class Log(Section):
    """What is told, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    json_lines: bool = Field(default=False, alias="json")


def section_of(dataclass: type) -> type[BaseModel]:
    """A section with the fields, defaults and checks of a room's own frozen dataclass."""
    hints = get_type_hints(dataclass)
    fields: dict[str, Any] = {
        field.name: (hints[field.name], field.default) for field in dataclasses.fields(dataclass)
    }

    def check(self: BaseModel) -> BaseModel:
        try:
            dataclass(**self.model_dump())
        except VocalDMError as error:
            raise ValueError(str(error)) from error
        return self

    validators: dict[str, Any] = {"_check": model_validator(mode="after")(check)}
    return create_model(
        dataclass.__name__, __base__=Section, __validators__=validators, __doc__=dataclass.__doc__, **fields
    )


Gate = section_of(GateSettings)


class Settings(Section):
    """Everything that `vocaldm live` can be told, with defaults that work."""

    preset: str = "house"
    vocoder: Annotated[str, Field(min_length=1)] | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    engine: Annotated[str, Field(pattern=r"^(local|ray://[^/\s]+:\d{1,5})$")] = "local"
    folders: Folders = Field(default_factory=Folders)
    microphone: Microphone = Field(default_factory=Microphone)
    gate: Gate = Field(default_factory=Gate)  # type: ignore[valid-type]
    osc: Osc = Field(default_factory=Osc)
    panel: Panel = Field(default_factory=Panel)
    clips: Clips = Field(default_factory=Clips)
    queue: Queue = Field(default_factory=Queue)
    parameters: Parameters = Field(default_factory=Parameters)
    log: Log = Field(default_factory=Log)

    @property
    def gate_settings(self) -> GateSettings:
        """The gate's thresholds as the room `listen` takes them."""
        return GateSettings(**self.gate.model_dump())  # type: ignore[attr-defined]

    def as_yaml(self) -> str:
        """All settings in force, as a file that could be read again."""
        plain = self.model_dump(mode="json", by_alias=True)
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def default_file() -> Path:
    """Where the settings are looked for when no file is named."""
    return Path(platformdirs.user_config_dir(APPLICATION, appauthor=False)) / FILE_NAME


def read_settings(path: Path | None = None, changes: Mapping[str, Any] | None = None) -> Settings:
    """The settings of a file (the default one where it exists), with `changes` (`osc.port`: 9000) put over them.

    Raises SettingsError with a line for each mistake: the file's line, the key, what is legal.
    """
    text, where = "", "the command line"
    if path is not None or default_file().is_file():
        source = path or default_file()
        where = str(source)
        try:
            text = source.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{source} cannot be read ({error}): name another settings file.") from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        plain = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise SettingsError(f"{where}{line}: {problem}; correct the line.") from error
    plain = {} if plain is None else plain
    if not isinstance(plain, dict):
        raise SettingsError(f"{where} line 1: settings are `key: value` lines; see --print-settings.")
    for key, value in (changes or {}).items():
        _put(plain, key.split("."), value)
    try:
        return Settings.model_validate(plain)
    except ValidationError as error:
        given = set(changes or {})
        sentences = [
            _sentence(where, root, tuple(one["loc"]), one, given)
            for one in error.errors(include_url=False, include_context=True)
        ]
        raise SettingsError(" ".join(dict.fromkeys(sentences))) from error


# Inside -------------------------------------------------------------------------------------------------


def _put(plain: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        below = plain.setdefault(key, {})
        if not isinstance(below, dict):
            return
        plain = below
    plain[keys[-1]] = value


def _sentence(
    where: str, root: yaml.Node | None, place: tuple[Any, ...], error: Mapping[str, Any], given: set[str]
) -> str:
    place = tuple(part for part in place if _is_key(part))
    name = ".".join(str(part) for part in place)
    line = _line(root, place)
    at = "the command line" if name in given else f"{where} line {line}" if line else where
    return f"{at}: {name or 'settings'}: {_meaning(error, place)}."


def _is_key(part: Any) -> bool:
    # pydantic puts the names of a union's branches into the place; they are no keys of the file.
    return isinstance(part, int) or (isinstance(part, str) and part.isidentifier() and part not in _BRANCHES)


_BRANCHES = {"int", "str", "float", "bool", "path", "none", "constrained"}


def _meaning(error: Mapping[str, Any], place: tuple[Any, ...]) -> str:
    if error["type"] == "extra_forbidden":
        model = _model_at(place[:-1])
        known = ", ".join(_names(model)) if model else ""
        return f"there is no such setting; known here: {known}" if known else "there is no such setting"
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    shown = error.get("input")
    if isinstance(shown, (str, int, float, bool)) and error["type"] != "value_error":
        return f"{shown!r} does not fit: {message[0].lower() + message[1:]}"
    return message


def _model_at(place: Sequence[Any]) -> type[BaseModel] | None:
    model: type[BaseModel] = Settings
    for key in place:
        field = model.model_fields.get(str(key))
        if field is None or not (
            isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        ):
            return None
        model = field.annotation
    return model


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _line(root: yaml.Node | None, place: Sequence[Any]) -> int | None:
    """The line of the deepest part of a place that the file has."""
    node, line = root, None
    for key in place:
        below = None
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                if name.value == str(key):
                    line, below = name.start_mark.line + 1, value
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            below = node.value[key]
            line = below.start_mark.line + 1
        if below is None:
            return line
        node = below
    return line
