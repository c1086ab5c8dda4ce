"""Spec: which data a run takes, as a recipe says it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DataSpec(BaseModel):
    """A collection by its place and format, and how much of it is held out."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)

    source: str = Field(min_length=1)  # a folder, a file, or the name of a data set on the Hub
    format: str = "auto"  # one of data.formats.FORMATS; "auto" looks
    held_out: float = Field(default=0.1, ge=0.0, lt=1.0)  # share of the groups, where `split` is "group"
    split: Literal["group", "given"] = "group"  # by what a group contains, or as the data themselves say
    limit: int | None = Field(default=None, ge=1)  # at most so many groups, evenly from the whole
