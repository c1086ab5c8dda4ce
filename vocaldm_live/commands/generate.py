"""`vocaldm generate`: imitations become clips, and a recipe becomes the same clip again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from vocaldm_live import __version__
from vocaldm_live.commands import (
    DEFAULT_OUT,
    DEFAULT_PRESET,
    DeviceOption,
    JsonOption,
    VocoderOption,
    open_preset,
    results_only,
    say,
)
from vocaldm_live.commands.maker import (
    Maker,
    Voice,
    check_options,
    edit_title,
    open_outbox,
    placeholder,
    read_voice,
    request_of,
)
from vocaldm_live.errors import DeliveryError, PresetError, RequestError, SoundError, VocalDMError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.preset import Preset
    from vocaldm_live.commands.anchoring import Anchoring
    from vocaldm_live.deliver.recipe import Recipe
    from vocaldm_live.engine.request import Request
    from vocaldm_live.sound.audio import Sound


BACKENDS = ("own", "reference")


def collect(given: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Files and the sound files of folders, in the order given, and a sentence for each that yields none."""
    from vocaldm_live.sound.audio import sound_files

    paths: list[Path] = []
    problems: list[str] = []
    for entry in given:
        if not entry.is_dir():
            paths.append(entry)
            continue
        try:
            found = sound_files(entry)
        except OSError as error:
            problems.append(f"{entry} cannot be listed ({error.strerror}): mend its permissions.")
            continue
        if not found:
            problems.append(f"{entry} holds no sound files: put WAV, FLAC, OGG, MP3 or AIFF files into it.")
        paths.extend(found)
    return paths, problems


def generate(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE|DIR", help="Imitations, or folders of them.")
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="A preset by name, or its folder. [default: house]")
    ] = None,
    steps: Annotated[int | None, typer.Option(metavar="N", help="Sampler steps.")] = None,
    guidance: Annotated[
        float | None, typer.Option(metavar="G", help="How strongly the sound's kind is insisted on.")
    ] = None,
    follow: Annotated[
        float | None, typer.Option(metavar="F", help="How closely the clip moves with the voice, 0 to 1.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A sound to take the timbre from.")
    ] = None,
    like_weight: Annotated[
        float | None, typer.Option(metavar="W", help="How much of it, 0 to 1. [default: 1]")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(metavar="DIR|INDEX", help="An indexed folder whose nearest sounds give the timbre."),
    ] = None,
    nearest: Annotated[
        int | None, typer.Option(metavar="K", help="How many of them, 1 to 100. [default: 4]")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="Words for the sound, where the preset understands them."),
    ] = None,
    text_weight: Annotated[
        float | None,
        typer.Option(metavar="W", help="How much of them, 0 to 1; less keeps the voice. [default: 1]"),
    ] = None,
    negative: Annotated[
        str | None,
        typer.Option(metavar="WORDS", help="What it should not be, where the preset understands words."),
    ] = None,
    candidates: Annotated[
        int | None,
        typer.Option(metavar="N", help="Make N and keep the one most like what was asked. [default: 1]"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="S", help="What the noise starts from. [default: 0]")
    ] = None,
    variations: Annotated[
        int | None, typer.Option(metavar="K", help="Clips of each imitation: seeds S, S+1, ... [default: 1]")
    ] = None,
    duration: Annotated[
        float | None, typer.Option(metavar="SEC", help="Length of the clip; the gesture is fitted to it.")
    ] = None,
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME", help="The sampler, one of those of the preset.")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(metavar="E", help="Fresh noise in each step, 0 to 1. [default: 0]")
    ] = None,
    vocoder: VocoderOption = None,
    device: DeviceOption = "auto",
    backend: Annotated[
        str,
        typer.Option(metavar="NAME", help="own, or reference: AudioLDM's authors' program, installed apart."),
    ] = "own",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the clips go.")] = DEFAULT_OUT,
    bits: Annotated[int, typer.Option(metavar="N", help="16, 24, or 32 for floating point.")] = 24,
    json_lines: JsonOption = False,
    recipe: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Make the clip of this recipe again, sample for sample."),
    ] = None,
) -> int:
    """Turn imitations into clips."""
    fixed = {
        "--steps": steps,
        "--guidance": guidance,
        "--follow": follow,
        "--like-weight": like_weight,
        "--library": library,
        "--nearest": nearest,
        "--text": text,
        "--text-weight": text_weight,
        "--negative": negative,
        "--candidates": candidates,
        "--seed": seed,
        "--variations": variations,
        "--duration": duration,
        "--sampler": sampler,
        "--eta": eta,
    }
    if backend not in BACKENDS:
        raise RequestError(f"backend is {backend!r}: choose one of {', '.join(BACKENDS)}.")
    if recipe is not None:
        both = [name for name, value in fixed.items() if value is not None]
        if both:
            raise RequestError(f"The recipe settles {both[0]} already: leave out one of the two.")
        with results_only(json_lines) as results:
            return _again(
                recipe, files or [], preset, vocoder, like, device, out, bits, json_lines, results, backend
            )
    if not files:
        raise RequestError("There is nothing to do: give imitations or folders of them, or a --recipe.")
    with results_only(json_lines) as results:
        from vocaldm_live.engine.request import Request
        from vocaldm_live.engine.words import Words
        from vocaldm_live.sound.audio import check_imitation, read_sound

        if text_weight is not None and not text:
            raise RequestError("--text-weight weighs the words of --text: give them too.")
        chosen = open_preset(DEFAULT_PRESET if preset is None else preset, vocoder)
        example = None
        request = Request(
            placeholder(),
            seed=seed or 0,
            steps=steps,
            guidance=guidance,
            follow=follow,
            sampler=sampler,
            eta=eta or 0.0,
            like_weight=1.0 if like_weight is None else like_weight,
            duration=duration,
            words=Words(text or "", 1.0 if text_weight is None else text_weight, negative or ""),
        )
        each = 1 if candidates is None else candidates
        count = 1 if variations is None else variations
        if like is not None:
            request = replace(request, like=placeholder())
        check_options(request, chosen, device, count, each)
        request = replace(request, like=None)
        if like is not None:
            example = check_imitation(read_sound(like), str(like))
        elif like_weight is not None and library is None:
            raise RequestError("--like-weight weighs the sound of --like: give that sound too.")
        request = replace(request, anchor=_anchoring(library, nearest, chosen, like))
        paths, problems = collect(files)
        for problem in problems:
            say(problem)
        if not paths:
            return 1
        maker = Maker(chosen, device, open_outbox(out, bits), backend)
        good = _all_clips(maker, paths, request, example, like, count, each, json_lines, results)
        return 0 if good and not problems else 1


def _anchoring(
    library: Path | None, nearest: int | None, preset: Preset, like: Path | None
) -> Anchoring | None:
    """What finds the nearest sounds of `--library`; None without one."""
    if library is None:
        if nearest is not None:
            raise RequestError("--nearest counts sounds of --library: give that folder too.")
        return None
    if like is not None:
        raise RequestError("--like and --library both stand in for the voice: leave out one of them.")
    from vocaldm_live.commands.anchoring import NEAREST, open_anchoring
    from vocaldm_live.commands.library import libraries_folder
    from vocaldm_live.library.places import locate

    index = locate(library, libraries_folder())
    return open_anchoring(index, preset, NEAREST if nearest is None else nearest)


def _all_clips(
    maker: Maker,
    paths: Sequence[Path],
    request: Request,
    example: Sound | None,
    like_path: Path | None,
    variations: int,
    candidates: int,
    json_lines: bool,
    results: TextIO,
) -> bool:
    """Make every clip, saying what fails; False when something did.

    A preset that cannot be loaded and a folder that takes no file end it, as they would for every clip.
    """
    good = True
    for number, path in enumerate(paths, 1):
        try:
            voice = read_voice(path)
            for shift in range(variations):
                one = replace(
                    request,
                    imitation=voice.sound,
                    name=str(path),
                    seed=request.seed + shift * candidates,
                    like=example,
                )
                bar = f"{number}/{len(paths)} {path.name}"
                made = maker.make(voice, one, like_path, bar, candidates=candidates)
                print(made.as_json() if json_lines else made.as_line(), file=results, flush=True)
        except (DeliveryError, PresetError) as error:
            say(str(error))
            return False
        except VocalDMError as error:
            say(str(error))
            good = False
    return good


def _again(
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
    if recipe.edit is not None and recipe.imitation_sha256 == recipe.source_sha256:
        voice = Voice(edited[0], paths[0], edit_title(paths[0], recipe.edit.kind), 0.0, 0.0)
    else:
        given = files[0] if files and recipe.edit is None else None
        voice_path = _find(recipe.imitation, recipe_path, given, "imitation", "as FILE")
        voice = read_voice(voice_path, PureWindowsPath(recipe.imitation).stem)
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
    request = request_of(recipe, voice.sound, str(voice.path), example, edited)
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
