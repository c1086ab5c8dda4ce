"""Preset page: what came of a preset made from a folder: the answer, the table with anchors, clips to see and hear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from training.errors import DataError
from training.preset.gestures import Gesture
from training.preset.judge import ALLOWED_LOSS, Performance, sentence
from training.report.page import Page
from vocaldm_live.measure.picture import picture

LOSSES = ("loss",)


def preset_page(
    path: Path,
    title: str,
    said: Sequence[str],
    judged: Mapping[str, Any],
    gestures: Sequence[Gesture],
    base: Performance,
    new: Performance,
    run: Path,
    shown: int,
    problems: Sequence[str],
) -> Path:
    """Write the page at `path` and return it; `said` are paragraphs on how the preset was made, `run` its training.

    Raises RunError where its folder takes no file.
    """
    page = Page(path, title)
    page.text(sentence(judged))
    for paragraph in said:
        page.text(paragraph)
    _table(page, judged)
    _following(page, judged)
    _training(page, run)
    page.heading("Clips")
    held = "held-out sounds" if judged["held_out"] else "sounds that it was trained on, for none was held out"
    page.text(
        f"Imitations of {held}, by voices that training never heard unless they are recordings. Both presets have the "
        "same seed. The pictures show the imitation to the left and the new preset's clip to the right."
    )
    for at in _spread(len(gestures), shown):
        _show(page, path.parent, gestures[at], base, new, at)
    if problems:
        page.heading("Left out")
        for problem in problems:
            page.text(problem)
    return page.write()


# Inside -------------------------------------------------------------------------------------------------


def _table(page: Page, judged: Mapping[str, Any]) -> None:
    page.heading("How close to the folder's sounds")
    apart = (
        "but for those that are imitated here"
        if judged["held_out"]
        else "those that are imitated here among them"
    )
    page.text(
        f"KAD by each listener, with its 95 % interval: the distance between a set and the folder's sounds, {apart}; "
        "lower is closer, about 0 for sounds of the folder itself. The last line is new minus base on the same "
        "gestures, its interval by bootstrap over sounds: the new preset is closer where all of it is below 0. The "
        "listener ours is the base's own encoder, which also tells the preset what to make, so it judges kindly; "
        "fingerprint has learned nothing."
    )
    rows = judged["rows"]
    listeners = list(dict.fromkeys(name for row in rows.values() for name in row if name != "following"))
    table = [
        (name, *(_interval(row.get(listener)) for listener in listeners))
        for name, row in rows.items()
        if any(listener in row for listener in listeners)
    ]
    differences = judged["differences"]
    if differences:
        table.append(
            (
                f"{judged['name']} minus {judged['base']}",
                *(_interval(differences.get(one)) for one in listeners),
            )
        )
    page.table(("set", *listeners), table)


def _following(page: Page, judged: Mapping[str, Any]) -> None:
    page.heading("How it follows")
    page.text(
        f"Medians over {judged['gestures']} gestures of {judged['sounds']} sounds. A preset may lose "
        f"{ALLOWED_LOSS:g} of the loudness r; clips of other gestures show what r is worth when nothing follows."
    )
    head = ("set", "loudness r", "centroid r", "onset lag, ms", "pitch within 50 cents")
    keys = ("loudness_r", "centroid_r", "onset_lag_ms", "pitch_within_50_cents_folded")
    table = []
    for name, row in judged["rows"].items():
        if "following" in row:
            medians = [row["following"].get(key, {}).get("median") for key in keys]
            table.append((name, *("-" if one is None else f"{one:.3g}" for one in medians)))
    page.table(head, table)
    for kind, one in judged["loudness"].items():
        what = "the folder's gestures" if kind == "folder" else "a bank of gestures that is the same for all"
        page.text(f"On {what}: {one['base']:.3f} before, {one['new']:.3f} now.")
    other = "neither learned from nor judged by" if judged["chosen_apart"] else "that it learned from"
    page.text(
        f"Of what the UNet learned {judged['unet']:.0%} are in it, of what the adapter learned "
        f"{judged['adapter']:.0%}: chosen by imitations of sounds {other}."
        + ("" if judged["guidance"] is None else f" Its guidance is {judged['guidance']:g} unless told.")
    )


def _training(page: Page, run: Path) -> None:
    page.heading("Training")
    # A run of few steps has no rows yet.
    for name in ("train.csv", "validation.csv"):
        with suppress(DataError):
            page.curve(run / name, LOSSES)


def _show(page: Page, folder: Path, gesture: Gesture, base: Performance, new: Performance, at: int) -> None:
    path = folder / f".{gesture.name}.png"
    voice = gesture.imitation.at(new.rate).samples
    r = new.followings[at].loudness_r
    caption = "" if r is None else f"loudness r {r:.2f}"
    try:
        picture(voice, new.clips[at], new.rate, path, f"{gesture.name}: {_plain(gesture.group)}", caption)
        page.picture(_plain(gesture.group), path)
    finally:
        path.unlink(missing_ok=True)
    page.sound("imitation, recorded" if gesture.recorded else "imitation", gesture.voice, 48000)
    page.sound(f"clip of {new.name}", new.clips[at], new.rate)
    page.sound(f"clip of {base.name}", base.clips[at], base.rate)
    page.sound("the sound that was imitated", gesture.sound, 48000)


def _interval(one: Mapping[str, Any] | None) -> str:
    if not one:
        return "-"
    if one["low"] is None:
        return f"{one['value']:.2f}"
    return f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


def _plain(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()


def _spread(count: int, shown: int) -> list[int]:
    """`shown` places, evenly."""
    if shown >= count:
        return list(range(count))
    return [int(place) for place in np.linspace(0, count - 1, shown).round()]
