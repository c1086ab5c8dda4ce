"""Header file: YAML beside weights, read into a strict model and written from it; what is wrong is told in a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import ValidationError

from vocaldm_live.checkpoints.audioldm_parts import AUDIOLDM_KINDS
from vocaldm_live.checkpoints.strict import Strict, short
from vocaldm_live.checkpoints.vocoder_parts import VOCODER_KINDS
from vocaldm_live.checkpoints.words_parts import WORDS_KINDS
from vocaldm_live.errors import PresetError

LONGEST_HEADER = 1_000_000  # bytes
# pydantic puts the kind that was chosen into the path of what it found.
KINDS = (*VOCODER_KINDS, *AUDIOLDM_KINDS, *WORDS_KINDS, "mlp", "sketch-unet", "autoencoder-kl")


class Header(Strict):
    """A whole file; `noun` is what its folder is called."""

    noun: ClassVar[str]


AnyHeader = TypeVar("AnyHeader", bound=Header)


def parse(plain: Mapping[str, Any], path: Path, model: type[AnyHeader]) -> tuple[AnyHeader | None, list[str]]:
    """The header that plain values make, or None, and one sentence on each thing wrong, naming `path`."""
    try:
        # By way of JSON: there, strict models still take a list for a tuple, which YAML cannot write.
        text = json.dumps(plain, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        return None, [f"{path} holds keys or values that are not plain ({one_line(error)}); correct it."]
    try:
        return model.model_validate_json(text), []
    except ValidationError as error:
        told = (_told(dict(found)) for found in error.errors())
        return None, [f"{path} is not a valid {model.noun} header: {one}." for one in told]


def read(path: Path, model: type[AnyHeader]) -> AnyHeader:
    """The header in a preset.yaml or vocoder.yaml; raises PresetError with the first thing wrong."""
    header, problems = inspect(path, model)
    if header is None:
        raise PresetError(problems[0])
    return header


def inspect(path: Path, model: type[AnyHeader]) -> tuple[AnyHeader | None, list[str]]:
    """The header in a preset.yaml or vocoder.yaml, or None, and one sentence for each thing wrong."""
    try:
        if not path.is_file():
            return None, [f"{path} is missing, so its folder is no {model.noun}; name one that is."]
        if path.stat().st_size > LONGEST_HEADER:
            return None, [f"{path} is longer than {LONGEST_HEADER} bytes, so it is no header; replace it."]
        plain = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        return None, [f"{path} cannot be read ({error.strerror}); check the file and its permissions."]
    except (UnicodeDecodeError, RecursionError, ValueError, yaml.YAMLError) as error:
        return None, [f"{path} is not readable YAML ({one_line(error)}); correct it."]
    if not isinstance(plain, dict):
        return None, [f"{path} holds no keys, so it is no {model.noun} header; replace it."]
    return parse(plain, path, model)


def one_line(error: BaseException | str) -> str:
    """An error's text in one line and as one part of a sentence, without its full stop."""
    return " ".join(str(error).split()).rstrip(".").replace(". ", ", ")


def written(header: Header) -> str:
    """A header as YAML."""
    plain = header.model_dump(mode="json", exclude_none=True)
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


# Inside -------------------------------------------------------------------------------------------------


class _Loader(yaml.SafeLoader):
    """YAML without anchors, which could make a small file huge, and without keys given twice."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias, not allowed, in line {self.peek_event().start_mark.line + 1}")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in getattr(node, "value", ()):
            if key.value.__hash__ is not None and key.value in seen:
                raise yaml.YAMLError(f"the key {key.value} twice, again in line {key.start_mark.line + 1}")
            seen.add(key.value if key.value.__hash__ is not None else id(key))
        return super().construct_mapping(node, deep)


# PyYAML reads YAML 1.1, where 1e-5 is text; a person who writes it means the number.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _told(found: dict[str, Any]) -> str:
    """What pydantic found, in words: which key, what is wrong, what to do; no full stop."""
    key = ".".join(str(step) for step in found["loc"] if step not in KINDS)
    kind = found["type"]
    if kind == "missing":
        return f"{key} is missing, so write it"
    if kind == "extra_forbidden":
        return f"{key} is not a known key, so remove it or correct its spelling"
    if kind == "union_tag_not_found":
        return f"{key}.kind is missing, so write it"
    if kind == "value_error":
        said = one_line(found["ctx"]["error"])
        return f"{key} {said}" if key else said
    if kind == "union_tag_invalid":
        return f"{key}.kind must be one of {found['ctx']['expected_tags']}, not {short(found['ctx']['tag'])}"
    wanted = found["msg"][0].lower() + found["msg"][1:].removesuffix(".")
    return f"{key}: {wanted}, not {short(found['input'])}"
