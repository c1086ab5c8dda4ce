"""`vocaldm generate`: imitations become clips, and a recipe becomes the same clip again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

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
from vocaldm_live.commands.anchoring import chosen_anchoring
from vocaldm_live.commands.maker import (
    Maker,
    Voice,
    check_options,
    open_outbox,
    placeholder,
    read_voice,
    voiceless,
)
from vocaldm_live.commands.repeat import repeat
from vocaldm_live.errors import DeliveryError, PresetError, RequestError, VocalDMError

if TYPE_CHECKING:
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
        list[Path] | None,
        typer.Argument(
            metavar="[FILE|DIR]...",
            help="Imitations, or folders of them; none for a clip of --text or --like alone.",
        ),
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
        typer.Option(
            metavar="W",
            help="How much of them, 0 to 1; less keeps the voice. [default: 1, beside --like or --library 0.5]",
        ),
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
    """Turn imitations into clips; with an imported AudioLDM also words or an example sound alone."""
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
            return repeat(
                recipe, files or [], preset, vocoder, like, device, out, bits, json_lines, results, backend
            )
    named = DEFAULT_PRESET if preset is None else preset
    # Some presets need nothing: they hear nothing either.
    if not files and not text and like is None and not open_preset(named).header.parts.hears_nothing:
        raise RequestError(
            "There is nothing to do: give imitations or folders of them, a --recipe, or --text with an imported AudioLDM."
        )
    with results_only(json_lines) as results:
        from vocaldm_live.engine.request import Request
        from vocaldm_live.engine.words import Words
        from vocaldm_live.sound.audio import check_imitation, read_sound

        if text_weight is not None and not text:
            raise RequestError("--text-weight weighs the words of --text: give them too.")
        chosen = open_preset(named, vocoder)
        example = None
        whole = 1.0 if like is None and library is None else 0.5
        request = Request(
            placeholder() if files else None,
            seed=seed or 0,
            steps=steps,
            guidance=guidance,
            follow=follow,
            sampler=sampler,
            eta=eta or 0.0,
            like_weight=1.0 if like_weight is None else like_weight,
            duration=duration,
            words=Words(text or "", whole if text_weight is None else text_weight, negative or ""),
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
        anchoring = chosen_anchoring(library, nearest, chosen, like)
        if anchoring is not None and not files:
            raise RequestError("A library is searched by voice: give an imitation, or leave out --library.")
        request = replace(request, anchor=anchoring)
        paths, problems = collect(files or [])
        for problem in problems:
            say(problem)
        if files and not paths:
            return 1
        maker = Maker(chosen, device, open_outbox(out, bits), backend)
        # Read one by one, when the turn comes.
        sources: list[Path | Voice] = [*paths] if files else [voiceless(text or "", like)]
        good = _all_clips(maker, sources, request, example, like, count, each, json_lines, results)
        return 0 if good and not problems else 1


def _all_clips(
    maker: Maker,
    sources: Sequence[Path | Voice],
    request: Request,
    example: Sound | None,
    like_path: Path | None,
    variations: int,
    candidates: int,
    json_lines: bool,
    results: TextIO,
) -> bool:
    """Make every clip of files or of what stands in a voice's place, saying what fails; False when something did.

    A preset that cannot be loaded and a folder that takes no file end it, as they would for every clip.
    """
    good = True
    for number, source in enumerate(sources, 1):
        try:
            voice = source if isinstance(source, Voice) else read_voice(source)
            for shift in range(variations):
                one = replace(
                    request,
                    imitation=voice.sound,
                    name=voice.name if voice.path is None else str(voice.path),
                    seed=request.seed + shift * candidates,
                    like=example,
                )
                bar = f"{number}/{len(sources)} {voice.name}"
                made = maker.make(voice, one, like_path, bar, candidates=candidates)
                print(made.as_json() if json_lines else made.as_line(), file=results, flush=True)
        except (DeliveryError, PresetError) as error:
            say(str(error))
            return False
        except VocalDMError as error:
            say(str(error))
            good = False
    return good
