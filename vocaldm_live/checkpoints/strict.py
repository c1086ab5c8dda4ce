"""Strict: what the models of all header files share: exact keys, exact types, plain names of weights files."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

_WEIGHTS_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.safetensors")

Width = Annotated[int, Field(ge=1, le=4096)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1, max_length=8)]
Few = Annotated[int, Field(ge=1, le=64)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Strict(BaseModel):
    """Every key required where it has no default, no other taken, no type turned into another."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Weights(Strict):
    """One file beside the header and the SHA-256 of its bytes."""

    file: str
    sha256: str

    @field_validator("file")
    @classmethod
    def _beside_the_header(cls, file: str) -> str:
        if not _WEIGHTS_FILE.fullmatch(file):
            raise ValueError(f"must be a plain .safetensors name beside its header, not {short(file)}")
        return file

    @field_validator("sha256")
    @classmethod
    def _hexadecimal(cls, sha256: str) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise ValueError(f"must be 64 lower-case hexadecimal digits, not {short(sha256)}")
        return sha256


class TextFile(Strict):
    """A file of the tokenizer beside the header, and the SHA-256 of its bytes."""

    file: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("file")
    @classmethod
    def _plain(cls, file: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}\.(json|txt)", file):
            raise ValueError(f"must be a plain .json or .txt name beside preset.yaml, not {short(file)}")
        return file


def check_bands(mel: Any) -> None:
    """Raise ValueError where the bands of a mel are impossible; it has fmin, fmax, sample_rate, hop, n_fft."""
    if not mel.fmin < mel.fmax <= mel.sample_rate / 2:
        raise ValueError("needs fmin below fmax and fmax within half the sample rate")
    if mel.hop > mel.n_fft:
        raise ValueError("has a hop longer than its n_fft")


def short(value: object) -> str:
    """A value as it would be written in Python, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
