"""`vocaldm demo`: the imitations that ship with the project become clips, and what they do is measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vocaldm_live.commands import (
    DEFAULT_OUT,
    DEFAULT_PRESET,
    DeviceOption,
    PresetOption,
    SeedOption,
    VocoderOption,
    figure,
    open_preset,
    say,
    short_path,
    table,
)
from vocaldm_live.commands.maker import Made, Maker, check_options, open_outbox, read_voice
from vocaldm_live.errors import DeliveryError, SoundError, VocalDMError

if TYPE_CHECKING:
    from vocaldm_live.measure.following import Following

HEAD = ("imitation", "s", "loudness r", "onset lag", "centroid r", "pitch", "time", "clip")


def demo(
    preset: PresetOption = DEFAULT_PRESET,
    vocoder: VocoderOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where clips and pictures go.")] = DEFAULT_OUT,
) -> int:
    """Make clips of the imitations that ship with the project, and measure how they follow."""
    from importlib.resources import as_file, files

    from vocaldm_live.engine.request import Request

    chosen = open_preset(preset, vocoder)
    with as_file(files("vocaldm_live") / "demo") as folder:
        paths = sorted(folder.glob("*.wav")) if folder.is_dir() else []
        if not paths:
            raise SoundError(
                "The demo's imitations are missing from this installation: install it again, "
                "or make them with `python -m training.make_demo`."
            )
        voices = [read_voice(path) for path in paths]
        check_options(Request(voices[0].sound, seed=seed), chosen, device, 1)
        maker = Maker(chosen, device, open_outbox(out, 24))
        maker.engine.warm(voices[0].seconds)
        rows: list[tuple[str, ...]] = []
        for voice in voices:
            try:
                made = maker.make(voice, Request(voice.sound, name=voice.name, seed=seed))
                rows.append(_row(made, _measure(made)))
            except DeliveryError:
                raise
            except VocalDMError as error:
                say(str(error))
    if rows:
        print(table(HEAD, rows))
        print()
        print("Loudness and centroid: correlation with the imitation, 1 is the same movement. Pitch: frames")
        print("within 50 cents in any octave. Time: from file to file, the engine being warm.")
        print(f"Beside each clip in {short_path(maker.outbox.folder)} lie its recipe and its picture.")
        print("Now your own voice: record it as a WAV and run `vocaldm generate FILE.wav --variations 3`.")
    return 0 if len(rows) == len(paths) else 1


def _measure(made: Made) -> Following:
    """Measure a clip against its imitation and draw both beside it."""
    from vocaldm_live.measure.following import measure_following
    from vocaldm_live.measure.picture import picture

    imitation = made.clip.request.voice.at(made.clip.sample_rate).samples
    following = measure_following(imitation, made.clip.samples, made.clip.sample_rate)
    caption = (
        f"loudness r {figure(following.loudness_r)}, onset lag {figure(following.onset_lag_ms, '+.0f')} ms, "
        f"centroid r {figure(following.centroid_r)}"
    )
    target = made.published.path.with_suffix(".png")
    picture(imitation, made.clip.samples, made.clip.sample_rate, target, made.voice.title, caption)
    return following


def _row(made: Made, following: Following) -> tuple[str, ...]:
    pitch = following.pitch_within_50_cents_folded
    lag = following.onset_lag_ms
    return (
        made.voice.name,
        f"{made.clip.seconds:.2f}",
        figure(following.loudness_r),
        "-" if lag is None else f"{lag:+.0f} ms",
        figure(following.centroid_r),
        "-" if pitch is None else f"{100 * pitch:.0f} %",
        f"{made.timings_ms['total']:.0f} ms",
        short_path(made.published.path),
    )
