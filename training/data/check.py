"""Check: what is wrong with a collection, each thing in one sentence, before anything is trained on it."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.data.collection import Collection, Item
from training.data.duplicates import fingerprint, near_copies, same_content
from training.data.split import leaks
from training.errors import DataError
from vocaldm_live.sound.audio import SHORTEST_SECONDS, SILENCE_PEAK, Sound

Kind = Literal["missing", "unreadable", "short", "silent", "clipped", "duplicate", "leak", "rate", "name"]
KINDS: tuple[Kind, ...] = (
    "missing",
    "unreadable",
    "short",
    "silent",
    "clipped",
    "duplicate",
    "leak",
    "rate",
    "name",
)
# What a run must not start with; the others are told, and a run leaves out or bears what they name.
GRAVE = frozenset({"missing", "unreadable", "leak"})
CLIPPED_RUN = 4  # samples in a row at full scale
CLIPPED_SAMPLES = 16  # of such samples in all
FULL_SCALE = 0.985
LOWEST_RATE = 16000


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, the keys of the items that it is wrong with, and a sentence for people."""

    kind: Kind
    keys: tuple[str, ...]
    sentence: str


def check(collection: Collection, progress: Callable[[int, int], None] | None = None) -> tuple[Finding, ...]:
    """Every finding, by kind; reads every item once. `progress(done, whole)` hears how far it is."""
    findings = [Finding(fault.kind, (fault.key,), fault.sentence) for fault in collection.faults]
    digests: dict[str, str] = {}
    prints: dict[str, np.ndarray] = {}
    rates: dict[str, int] = {}
    for number, item in enumerate(collection.items, start=1):
        try:
            digests[item.key] = collection.content_key(item)
            if collection.kind == "mel":
                findings += _of_mel(collection.mel(item), item)
            else:
                sound = collection.read(item)
                rates[item.key] = sound.sample_rate
                findings += _of_sound(sound, item)
                picture = fingerprint(sound)
                if picture is not None and sound.seconds >= SHORTEST_SECONDS:
                    prints[item.key] = picture
        except DataError as error:
            findings.append(Finding("unreadable", (item.key,), str(error)))
        if progress is not None:
            progress(number, len(collection.items))
    readable = collection.of(item for item in collection.items if item.key in digests)
    twins = near_copies(prints)
    findings += _of_copies(readable, digests, twins)
    findings += _of_rates(rates)
    findings += _of_names(collection)
    return tuple(sorted(findings, key=lambda finding: (KINDS.index(finding.kind), finding.keys)))


def _of_sound(sound: Sound, item: Item) -> Iterator[Finding]:
    if sound.seconds < SHORTEST_SECONDS:
        what = f"is {sound.seconds * 1000:.1f} ms long, less than {SHORTEST_SECONDS * 1000:.0f} ms"
        yield Finding("short", (item.key,), f"{item.key} {what}: take it out.")
    elif np.abs(sound.samples - sound.samples.mean()).max() < SILENCE_PEAK:
        yield Finding("silent", (item.key,), f"{item.key} is silent (peak below -80 dBFS): take it out.")
    clipped = clipped_samples(sound.samples)
    if clipped >= CLIPPED_SAMPLES:
        what = f"is clipped ({clipped} samples in runs at full scale)"
        yield Finding("clipped", (item.key,), f"{item.key} {what}: export it with a lower level.")


def _of_mel(mel: np.ndarray, item: Item) -> Iterator[Finding]:
    if float(mel.max()) - float(mel.min()) < 1e-6:
        yield Finding("silent", (item.key,), f"{item.key} is one flat image: take it out.")


def clipped_samples(samples: np.ndarray) -> int:
    """Samples `[n]` that stand in runs of four or more at the peak, where that is near full scale.

    One sample at full scale is what a normalised file has; a run of equal ones is a crest cut off.
    """
    peak = float(np.abs(samples).max(initial=0.0))
    if peak < FULL_SCALE:
        return 0
    total = 0
    for at_peak in (samples >= peak * 0.9995, samples <= -peak * 0.9995):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], at_peak.astype(np.int8), [0]])))
        runs = edges[1::2] - edges[::2]
        total += int(runs[runs >= CLIPPED_RUN].sum())
    return total


def _of_copies(
    collection: Collection, digests: dict[str, str], twins: list[tuple[str, ...]]
) -> Iterator[Finding]:
    same = same_content(digests)
    for keys in same:
        yield Finding("duplicate", keys, f"{_names(keys)} hold the same: keep one.")
    for keys in twins:
        if len({digests[key] for key in keys}) > 1:
            what = "sound the same but for level, format or silence around them"
            yield Finding("duplicate", keys, f"{_names(keys)} {what}: keep one.")
    for items in leaks(collection, digests, twins):
        keys = tuple(item.key for item in items)
        splits = " and ".join(sorted({item.split for item in items if item.split}))
        yield Finding(
            "leak", keys, f"{_names(keys)} belong together and lie in {splits}: put them into one split."
        )


def _of_rates(rates: dict[str, int]) -> Iterator[Finding]:
    counts = Counter(rates.values())
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        told = ", ".join(f"{count} at {rate} Hz" for rate, count in sorted(counts.items()))
        others = tuple(sorted(key for key, rate in rates.items() if rate != usual))
        yield Finding(
            "rate", others, f"Sample rates are mixed ({told}): all are resampled when they are read."
        )
    low = tuple(sorted(key for key, rate in rates.items() if rate < LOWEST_RATE))
    if low:
        yield Finding(
            "rate", low, f"{_names(low)} have less than {LOWEST_RATE} Hz: nothing is above half of that."
        )


def _of_names(collection: Collection) -> Iterator[Finding]:
    alike: dict[str, list[str]] = {}
    for item in collection.items:
        try:
            item.key.encode("utf-8")
        except UnicodeEncodeError:
            shown = item.key.encode("utf-8", "backslashreplace").decode()
            yield Finding(
                "name", (item.key,), f"The name {shown} is not UTF-8: other systems cannot open it."
            )
        alike.setdefault(unicodedata.normalize("NFC", item.key).casefold(), []).append(item.key)
    for keys in alike.values():
        if len(keys) > 1:
            what = "differ only in case or in how accents are written"
            yield Finding(
                "name", tuple(keys), f"{_names(tuple(keys))} {what}: other systems take them for one."
            )


def _names(keys: tuple[str, ...]) -> str:
    shown = [key.encode("utf-8", "backslashreplace").decode() for key in keys]
    if len(shown) > 3:
        return f"{', '.join(shown[:2])} and {len(shown) - 2} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
