"""Searching: whose encoder compares a voice with the sounds of a library, for presets with and without one."""

from __future__ import annotations

from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import Preset, read_preset

HOUSE = "house"


def searching_preset(preset: Preset) -> Preset:
    """The preset whose encoder searches libraries for this one: itself, or for one without an encoder the house's.

    Raises PresetError where the house's is not there.
    """
    return preset if preset.header.parts.encoder is not None else read_preset(resolve_preset(HOUSE))
