"""`vocaldm edit`: a sound with parts of it made anew."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, get_type_hints

import typer

from vocaldm_live.commands import (
    DEFAULT_OUT,
    DEFAULT_PRESET,
    JsonOption,
    VocoderOption,
    open_preset,
    results_only,
    say,
)
from vocaldm_live.commands.anchoring import chosen_anchoring
from vocaldm_live.commands.history import StateOption
from vocaldm_live.errors import DeliveryError, PresetError, RequestError, VocalDMError
from vocaldm_live.sound.edit import Edit, read_spans

edits = typer.Typer(
    help="Make parts of a sound anew: inpaint, restyle, vary, extend, band, loop, morph.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Sound = Annotated[str, typer.Argument(metavar="SOUND", help="A sound file, or the id of a clip.")]
Spans = Annotated[
    list[str] | None,
    typer.Option("--span", metavar="BEGIN-END", help="Seconds, as 0.5-1.2; may be given several times."),
]
Strength = Annotated[
    float, typer.Option(metavar="S", help="How far from the sound, 0.02 to 1; 1 starts from noise alone.")
]
Gesture = Annotated[
    str, typer.Option(metavar="KIND", help="The curves of what is new: bridge, own, mirror or free.")
]
Keep = Annotated[str, typer.Option(metavar="WHAT", help="What stands outside: original or resynthesis.")]
Fade = Annotated[float, typer.Option(metavar="SEC", help="Cross-fades, just outside of what is new.")]


@dataclass(frozen=True)
class Given:
    """The options that every edit has."""

    imitation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A voice that says what is new and how it moves.")
    ] = None
    like: Annotated[Path | None, typer.Option(metavar="FILE", help="A sound to take the timbre from.")] = None
    like_weight: Annotated[float, typer.Option(metavar="W", help="How much of it, 0 to 1.")] = 1.0
    library: Annotated[
        Path | None,
        typer.Option(metavar="DIR|INDEX", help="An indexed folder whose nearest sounds give the timbre."),
    ] = None
    nearest: Annotated[
        int | None, typer.Option(metavar="K", help="How many of them, 1 to 100. [default: 4]")
    ] = None
    text: Annotated[
        str | None, typer.Option(metavar="WORDS", help="Words for what is new, with an imported AudioLDM.")
    ] = None
    text_weight: Annotated[
        float | None,
        typer.Option(
            metavar="W", help="How much of them, 0 to 1. [default: 1, beside --like or --library 0.5]"
        ),
    ] = None
    negative: Annotated[
        str | None, typer.Option(metavar="WORDS", help="What it should not be, with an imported AudioLDM.")
    ] = None
    candidates: Annotated[
        int, typer.Option(metavar="N", help="Make N and keep the one most like what was asked.")
    ] = 1
    preset: Annotated[str, typer.Option(metavar="NAME", help="A preset by name, or its folder.")] = (
        DEFAULT_PRESET
    )
    steps: Annotated[int | None, typer.Option(metavar="N", help="Sampler steps.")] = None
    guidance: Annotated[
        float | None, typer.Option(metavar="G", help="How strongly the sound's kind is insisted on.")
    ] = None
    follow: Annotated[
        float | None, typer.Option(metavar="F", help="How closely the curves are followed, 0 to 1.")
    ] = None
    sampler: Annotated[
        str | None, typer.Option(metavar="NAME", help="The sampler, one of those of the preset.")
    ] = None
    eta: Annotated[float, typer.Option(metavar="E", help="Fresh noise in each step, 0 to 1.")] = 0.0
    seed: Annotated[int, typer.Option(metavar="S", help="What the noise starts from.")] = 0
    variations: Annotated[int, typer.Option(metavar="K", help="Clips: seeds S, S+1, ...")] = 1
    vocoder: VocoderOption = None
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or mps.")] = "auto"
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the clips go.")] = DEFAULT_OUT
    bits: Annotated[int, typer.Option(metavar="N", help="16, 24, or 32 for floating point.")] = 24
    as_json: JsonOption = False
    state: StateOption = None


def edit_command(name: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Make a function a command of that name, the options of `Given` after its own; it gets them as `given`."""

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        hints = get_type_hints(Given, include_extras=True)
        own = [
            one
            for one in inspect.signature(function, eval_str=True).parameters.values()
            if one.name != "given"
        ]
        shared = [
            inspect.Parameter(
                one.name, inspect.Parameter.KEYWORD_ONLY, default=one.default, annotation=hints[one.name]
            )
            for one in fields(Given)
        ]

        @wraps(function)
        def command(**values: object) -> int:
            given = {one.name: values.pop(one.name) for one in fields(Given)}
            return function(**values, given=Given(**given))  # type: ignore[arg-type]

        command.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in (*own, *shared)}
        return edits.command(name)(command)

    return decorate


@edit_command("inpaint")
def inpaint(
    sound: Sound,
    span: Spans = None,
    strength: Strength = 1.0,
    gesture: Gesture = "bridge",
    keep: Keep = "original",
    fade: Fade = 0.03,
    *,
    given: Given,
) -> int:
    """Make spans of a sound anew; everything else keeps its samples."""
    edit = Edit("inpaint", read_spans(span or []), strength=strength, gesture=gesture, keep=keep, fade=fade)
    return run_edit(edit, [sound], given)


@edit_command("restyle")
def restyle(
    sound: Sound,
    strength: Strength = 0.6,
    voice: Annotated[bool, typer.Option("--voice", help="The sound itself is a voice's imitation.")] = False,
    *,
    given: Given,
) -> int:
    """Make all of a sound anew, starting from the sound itself (audio to audio)."""
    return run_edit(Edit("restyle", strength=strength, voice=voice), [sound], given)


@edit_command("vary")
def vary(
    sound: Sound,
    strength: Strength = 0.4,
    *,
    given: Given,
) -> int:
    """Variations of a sound: little strength stays near, much goes far."""
    return run_edit(Edit("vary", strength=strength), [sound], given)


@edit_command("extend")
def extend(
    sound: Sound,
    before: Annotated[float, typer.Option(metavar="SEC", help="Seconds to put before it.")] = 0.0,
    after: Annotated[float, typer.Option(metavar="SEC", help="Seconds to put after it.")] = 0.0,
    gesture: Gesture = "mirror",
    keep: Keep = "original",
    fade: Fade = 0.03,
    *,
    given: Given,
) -> int:
    """Let a sound begin earlier and go on longer, up to ten minutes in all."""
    edit = Edit("extend", before=before, after=after, gesture=gesture, keep=keep, fade=fade)
    return run_edit(edit, [sound], given)


@edit_command("band")
def band(
    sound: Sound,
    low: Annotated[float | None, typer.Option(metavar="HZ", help="Anew from here on upward.")] = None,
    high: Annotated[float | None, typer.Option(metavar="HZ", help="Anew up to here.")] = None,
    span: Spans = None,
    strength: Strength = 1.0,
    gesture: Gesture = "bridge",
    keep: Keep = "original",
    fade: Fade = 0.03,
    *,
    given: Given,
) -> int:
    """Make a band of frequencies anew; the others keep what they hold."""
    edit = Edit("band", read_spans(span or []), low, high, strength, gesture=gesture, keep=keep, fade=fade)
    return run_edit(edit, [sound], given)


@edit_command("loop")
def loop(
    sound: Sound,
    span: Annotated[
        str, typer.Option("--span", metavar="BEGIN-END", help="The part that is to loop, in seconds.")
    ] = "",
    seam: Annotated[
        float | None,
        typer.Option(metavar="SEC", help="Made anew around the seam. [default: 0.5, or a third]"),
    ] = None,
    gesture: Gesture = "bridge",
    keep: Keep = "original",
    fade: Fade = 0.03,
    *,
    given: Given,
) -> int:
    """Make a sound end where it begins, so that it can be repeated without a step."""
    edit = Edit(
        "loop", read_spans([span] if span else []), seam=seam or 0.5, gesture=gesture, keep=keep, fade=fade
    )
    return run_edit(edit, [sound], given, fit_seam=seam is None)


@edit_command("morph")
def morph(
    sound: Sound,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="A second sound file, or clip's id.")],
    weight: Annotated[float, typer.Option(metavar="W", help="0: the first sound, 1: the other.")] = 0.5,
    voices: Annotated[bool, typer.Option("--voices", help="Both are voices: morph their clips.")] = False,
    *,
    given: Given,
) -> int:
    """Make what lies between two sounds, or between the clips of two imitations."""
    return run_edit(Edit("morph", weight=weight, voice=voices), [sound, other], given)


# Inside -------------------------------------------------------------------------------------------------


def run_edit(edit: Edit, sounds: Sequence[str], given: Given, fit_seam: bool = False) -> int:
    """Read the sounds, make every variation, print what was made; raises VocalDMError."""
    from vocaldm_live.commands.maker import Maker, Voice, check_options, edit_title, open_outbox, read_voice
    from vocaldm_live.engine.request import Request
    from vocaldm_live.engine.words import Words
    from vocaldm_live.sound.audio import check_imitation, read_sound

    if given.text_weight is not None and not given.text:
        raise RequestError("--text-weight weighs the words of --text: give them too.")
    with results_only(given.as_json) as results:
        chosen = open_preset(given.preset, given.vocoder)
        paths = [find_sound(text, given.state) for text in sounds]
        read = [read_sound(path) for path in paths]
        title = edit_title(paths[0], edit.kind)
        voice = Voice(read[0], paths[0], title, 0.0, 0.0)
        if given.imitation is not None:
            if edit.kind == "morph":
                raise RequestError("A morph has two sounds and no --imitation: leave it out.")
            edit = replace(edit, voice=True)
            voice = replace(read_voice(given.imitation), title=title)
        if fit_seam:
            edit = edit.with_fitting_seam(read[0].seconds)
        like = None if given.like is None else check_imitation(read_sound(given.like), str(given.like))
        anchoring = chosen_anchoring(given.library, given.nearest, chosen, given.like)
        if anchoring is not None and edit.kind == "morph":
            raise RequestError("What lies between two sounds is theirs: leave out --library.")
        if given.eta and edit.kind == "morph" and not edit.voice:
            raise RequestError("Sounds are inverted and morphed without fresh noise: leave out --eta.")
        whole = 1.0 if given.like is None and given.library is None else 0.5
        weight = whole if given.text_weight is None else given.text_weight
        request = Request(
            voice.sound,
            str(voice.path),
            given.seed,
            given.steps,
            given.guidance,
            given.follow,
            given.sampler,
            given.eta,
            like=like,
            like_weight=given.like_weight,
            anchor=anchoring,
            words=Words(given.text or "", weight, given.negative or ""),
            edit=edit,
            source=read[0],
            other=read[1] if len(read) > 1 else None,
        )
        check_options(request, chosen, given.device, given.variations, given.candidates)
        maker = Maker(chosen, given.device, open_outbox(given.out, given.bits))
        good = True
        for shift in range(given.variations):
            try:
                one = replace(request, seed=given.seed + shift * given.candidates)
                bar = f"{edit.kind} {paths[0].name}"
                made = maker.make(voice, one, given.like, bar, paths, given.candidates)
            except (DeliveryError, PresetError):
                raise
            except VocalDMError as error:
                say(str(error))
                good = False
                continue
            print(made.as_json() if given.as_json else made.as_line(), file=results, flush=True)
        return 0 if good else 1


def find_sound(text: str, state: Path | None) -> Path:
    """The file of that name, or of the clip of that id in the history; RequestError for neither."""
    path = Path(text)
    if path.exists() or not text.isalnum():
        return path
    from vocaldm_live.deliver.history import History
    from vocaldm_live.settings import default_folders

    index = (state or default_folders()["state"]).expanduser().absolute() / "history.sqlite"
    if not index.is_file():
        raise RequestError(f"{text} is no file and there is no history yet: give a sound file.")
    history = History(index)
    try:
        return history.get(text).path
    finally:
        history.close()
