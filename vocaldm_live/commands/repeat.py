"""Repeat: the clip of a recipe again, sample for sample, from the sounds that the recipe names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, TextIO

from vocaldm_live import __version__
from vocaldm_live.commands import open_preset, say
from vocaldm_live.commands.maker import (
    Maker,
    Voice,
    edit_title,
    open_outbox,
    read_voice,
    request_of,
    voiceless,
)
from vocaldm_live.errors import PresetError, RequestError, SoundError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.deliver.recipe import Recipe
    from vocaldm_live.sound.audio import Sound


def repeat(
    recipe_path: Path,
    files: Sequence[Path],
    preset: str | None,
    vocoder: str | None,
    like: Path | None,
    device: str,
    out: Path,
    bits: int,
    json_lines: bool,
    results: TextIO,
    backend: str,
) -> int:
    """Make the clip of a recipe again; says what differs where it cannot be the same."""
    from vocaldm_live.deliver.recipe import read_recipe
    from vocaldm_live.engine.engine import choose_device

    choose_device(device)
    try:
        recipe = read_recipe(recipe_path)
    except RequestError as error:
        raise SoundError(str(error)) from error
    if recipe.edit is None and len(files) > 1:
        raise RequestError("A recipe has one imitation: give at most one FILE with --recipe.")
    chosen = open_preset(recipe.preset if preset is None else preset)
    if chosen.sha256 != recipe.preset_sha256:
        raise PresetError(
            f"The preset {chosen.name} in {chosen.folder} is not the one of {recipe_path} "
            f"(its hash is {chosen.sha256[:12]}, the recipe's {recipe.preset_sha256[:12]}): "
            "give the folder of the right one with --preset."
        )
    chosen = _with_its_vocoder(chosen, recipe, recipe_path, vocoder)
    edited, paths = edited_sounds(recipe, recipe_path, files)
    if recipe.imitation is None or recipe.imitation_sha256 is None:
        if files:
            raise RequestError(f"The recipe {recipe_path} is of words or an example alone: leave out FILE.")
        voice = voiceless(recipe.text, None if recipe.like is None else Path(recipe.like))
    elif recipe.edit is not None and recipe.imitation_sha256 == recipe.source_sha256:
        voice = Voice(edited[0], paths[0], edit_title(paths[0], recipe.edit.kind), 0.0, 0.0)
    else:
        given = files[0] if files and recipe.edit is None else None
        voice_path = _find(recipe.imitation, recipe_path, given, "imitation", "as FILE")
        voice = read_voice(voice_path, PureWindowsPath(recipe.imitation).stem)
        assert voice.sound is not None
        _check_same(voice.sound, recipe.imitation_sha256, voice_path, recipe_path, "imitation", "as FILE")
        if recipe.edit is not None:
            voice = replace(voice, title=edit_title(paths[0], recipe.edit.kind))
    example, like_path = None, None
    if recipe.like is not None and recipe.like_sha256 is not None:
        from vocaldm_live.sound.audio import read_sound

        like_path = _find(recipe.like, recipe_path, like, "example sound", "with --like")
        example = read_sound(like_path)
        _check_same(example, recipe.like_sha256, like_path, recipe_path, "example sound", "with --like")
    elif like is not None:
        raise RequestError(f"The recipe {recipe_path} has no example sound: leave out --like.")
    device = _recipe_device(recipe, device)
    maker = Maker(chosen, device, open_outbox(out, bits), backend)
    request = request_of(
        recipe, voice.sound, voice.title if voice.path is None else str(voice.path), example, edited
    )
    made = maker.make(voice, request, like_path, edited=paths)
    print(made.as_json() if json_lines else made.as_line(), file=results, flush=True)
    return 0


def edited_sounds(recipe: Recipe, recipe_path: Path, files: Sequence[Path]) -> tuple[list[Sound], list[Path]]:
    """The sounds that a recipe's edit changes, and their files: those given, else those that it names."""
    from vocaldm_live.sound.audio import read_sound

    sounds, paths = [], []
    named = [(recipe.source, recipe.source_sha256), (recipe.other, recipe.other_sha256)]
    for number, (name, digest) in enumerate(named):
        if name is not None and digest is not None:
            given = files[number] if number < len(files) else None
            path = _find(name, recipe_path, given, "edited sound", "as FILE")
            sounds.append(read_sound(path))
            _check_same(sounds[-1], digest, path, recipe_path, "edited sound", "as FILE")
            paths.append(path)
    return sounds, paths


def _with_its_vocoder(preset: Preset, recipe: Recipe, recipe_path: Path, given: str | None) -> Preset:
    """The preset with the recipe's vocoder, which `given` may find; raises where it is another one."""
    from vocaldm_live.checkpoints.vocoders import resolve_vocoder

    if recipe.vocoder is None:
        if given is not None and preset.with_vocoder(resolve_vocoder(given)).vocoder is not None:
            raise RequestError(f"The recipe {recipe_path} has the preset's own vocoder: leave out --vocoder.")
        return preset
    choice = resolve_vocoder(recipe.vocoder if given is None else given)
    if choice.sha256 != recipe.vocoder_sha256:
        raise PresetError(
            f"The vocoder {choice.name} is not the one of {recipe_path} (its hash is {choice.sha256[:12]}, the "
            f"recipe's {(recipe.vocoder_sha256 or '')[:12]}): give the folder of the right one with --vocoder."
        )
    return preset.with_vocoder(choice)


def _recipe_device(recipe: Recipe, device: str) -> str:
    """The device to use: the recipe's where it is there and no other was asked for; says what differs."""
    from vocaldm_live.engine.engine import choose_device

    if device == "auto":
        try:
            choose_device(recipe.device)
            device = recipe.device
        except RequestError:
            pass
    here = choose_device(device).type
    if here != recipe.device:
        say(f"The recipe's clip was made on {recipe.device} and this one on {here}: rounding may differ.")
    if recipe.program_version != __version__:
        say(
            f"The recipe is of version {recipe.program_version} and this is {__version__}: "
            "where the clip differs, use that version."
        )
    return device


def _find(named: str, recipe_path: Path, given: Path | None, what: str, how: str) -> Path:
    """A sound of a recipe: where the user says, where it was, or beside the recipe; raises SoundError."""
    if given is not None:
        return given
    # The name as either kind of system writes it, because recipes travel.
    for place in (Path(named), recipe_path.parent / PureWindowsPath(named).name):
        if place.is_file():
            return place
    raise SoundError(f"{named}, the {what} of {recipe_path}, is not there any more: give it {how}.")


def _check_same(sound: Sound, digest: str, path: Path, recipe_path: Path, what: str, how: str) -> None:
    if sound.digest() != digest:
        raise SoundError(
            f"{path} is not the {what} of {recipe_path} (its samples differ): give the right one {how}."
        )
