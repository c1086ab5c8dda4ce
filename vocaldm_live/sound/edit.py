"""Edit: which part of a sound is made anew and how; settings only, the sounds travel beside it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from vocaldm_live.errors import RequestError

KINDS = ("inpaint", "restyle", "vary", "extend", "band", "loop", "morph")
GESTURES = ("bridge", "own", "mirror", "free")
KEEPS = ("original", "resynthesis")
LONGEST_SECONDS = 600.0
SHORTEST_SPAN = 0.02
WEAKEST = 0.02
LONGEST_FADE = 1.0
HIGHEST_HERTZ = 96000.0
_OWN_GESTURE = {"inpaint": "bridge", "loop": "bridge", "band": "bridge", "extend": "mirror"}


@dataclass(frozen=True)
class Edit:
    """What is to be done to a sound; RequestError where a setting is not legal by itself.

    kind: inpaint (spans anew), restyle and vary (all of it, from itself by strength), extend (before, after),
    band (frequencies anew, in spans or everywhere), loop (the seam anew), morph (with another sound).
    spans: (begin, end) in s; low, high: Hz, None: the end of the spectrum. strength: 1 starts from noise alone,
    less from the sound with as much noise (arXiv 2108.01073). before, after, seam: s. weight: 0 this sound to 1
    the other. gesture: the curves of what is new where no voice gives them: bridge (drawn straight across; of a
    band without content the spectrum below it is drawn on), own (the sound's), mirror (its curves backward from
    the edge), free (none); empty: what is usual. keep: what stands outside, the original's samples or the sound
    through VAE and vocoder. fade: s of cross-fade, just outside of what is new. voice: the imitation is a voice,
    not the sound itself.
    """

    kind: str
    spans: tuple[tuple[float, float], ...] = ()
    low: float | None = None
    high: float | None = None
    strength: float = 1.0
    before: float = 0.0
    after: float = 0.0
    seam: float = 0.5
    weight: float = 0.5
    gesture: str = ""
    keep: str = "original"
    fade: float = 0.03
    voice: bool = False

    def __post_init__(self) -> None:
        _choice("edit", self.kind, KINDS)
        _choice("gesture", self.gesture or "own", GESTURES)
        _choice("keep", self.keep, KEEPS)
        if not isinstance(self.voice, bool):
            raise RequestError(f"voice is {self.voice!r}: give true or false.")
        for name, low, high, unit in (
            ("strength", WEAKEST, 1.0, ""),
            ("before", 0.0, LONGEST_SECONDS, " s"),
            ("after", 0.0, LONGEST_SECONDS, " s"),
            ("seam", 2 * SHORTEST_SPAN, 30.0, " s"),
            ("weight", 0.0, 1.0, ""),
            ("fade", 0.0, LONGEST_FADE, " s"),
        ):
            object.__setattr__(self, name, _number(name, getattr(self, name), low, high, unit))
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _number(name, getattr(self, name), 0.0, HIGHEST_HERTZ, " Hz"))
        object.__setattr__(self, "spans", _spans(self.spans))
        object.__setattr__(self, "gesture", self.gesture or _OWN_GESTURE.get(self.kind, "own"))
        self._check_kind()

    def _check_kind(self) -> None:
        if self.kind == "inpaint" and not self.spans:
            raise RequestError("There is no span to make anew: give its begin and its end in seconds.")
        if self.kind == "extend" and self.before == 0.0 and self.after == 0.0:
            raise RequestError("The sound is to grow by nothing: give seconds before or after it.")
        if self.kind == "extend" and self.gesture == "own":
            raise RequestError("Beyond a sound it has no curves of its own: choose mirror, bridge or free.")
        if self.gesture == "mirror" and self.kind != "extend":
            raise RequestError("Mirrored curves belong to extend: choose bridge, own or free.")
        if self.kind == "band":
            if self.low is None and self.high is None:
                raise RequestError("There is no band to make anew: give its low or its high end in Hz.")
            if self.high is not None and (self.low or 0.0) >= self.high:
                raise RequestError(
                    f"The band from {self.low or 0:g} to {self.high:g} Hz is empty: let low lie below high."
                )

    def check_sound(self, seconds: float, sample_rate: int) -> None:
        """RequestError where the edit does not fit a sound of that length, made at that rate in Hz."""
        if not 0.05 <= seconds <= LONGEST_SECONDS:
            raise RequestError(
                f"The sound is {seconds:.2f} s long: edits take 0.05 s to {LONGEST_SECONDS:g} s."
            )
        for begin, end in self.spans:
            if begin >= seconds:
                raise RequestError(
                    f"The span from {begin:g} to {end:g} s begins after the sound's end at {seconds:.2f} s: "
                    "give one inside it."
                )
        if self.kind == "extend" and seconds + self.before + self.after > LONGEST_SECONDS:
            raise RequestError(f"The sound would grow beyond {LONGEST_SECONDS:g} s: ask for less.")
        loop = self.loop_seconds(seconds)
        if self.kind == "loop" and 2.0 * self.seam > loop:
            raise RequestError(
                f"A seam of {self.seam:g} s needs a loop of {2 * self.seam:g} s and this one has {loop:.2f} s: "
                "give a shorter seam."
            )
        if self.kind == "band" and (self.low or 0.0) >= 0.5 * sample_rate:
            raise RequestError(
                f"The preset's sounds end at {sample_rate / 2:g} Hz: let the band begin below that."
            )

    def loop_seconds(self, seconds: float) -> float:
        """Length of the loop that is cut out of a sound of so many seconds: its span, or all of it."""
        if self.kind != "loop" or not self.spans:
            return seconds
        begin, end = self.spans[0]
        return min(end, seconds) - begin

    def with_fitting_seam(self, seconds: float) -> Edit:
        """The same loop with the usual seam: half a second, or a third of a loop that is shorter than that asks for."""
        return replace(self, seam=min(0.5, max(2 * SHORTEST_SPAN, self.loop_seconds(seconds) / 3.0)))

    def seconds(self, source: float, other: float | None = None) -> float:
        """Length of the result for a sound, and for morph another one, of so many seconds."""
        if self.kind == "extend":
            return source + self.before + self.after
        if self.kind == "loop":
            return self.loop_seconds(source)
        if self.kind == "morph" and other is not None:
            return (1.0 - self.weight) * source + self.weight * other
        return source

    def fades(self, seconds: float) -> tuple[bool, bool]:
        """Whether the result's begin and end are new and may be faded; kept ends and loops stay as they are.

        seconds: length of the result.
        """
        if self.kind == "extend":
            return self.before > 0.0, self.after > 0.0
        if self.kind == "inpaint":
            return self.spans[0][0] <= 0.0, self.spans[-1][1] >= seconds
        new = self.kind in ("restyle", "vary", "morph")
        return new, new

    def as_plain(self) -> dict[str, Any]:
        """What JSON can hold; `from_plain` reads it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"spans": [list(span) for span in self.spans]}

    @staticmethod
    def from_plain(values: Mapping[str, Any]) -> Edit:
        """The inverse of `as_plain`; RequestError for what is missing, unknown or not legal."""
        names = {field.name for field in fields(Edit)}
        if not isinstance(values, Mapping) or set(values) != names:
            raise RequestError(f"An edit has exactly the fields {', '.join(sorted(names))}: give those.")
        return Edit(**values)


def read_spans(texts: Sequence[str]) -> tuple[tuple[float, float], ...]:
    """Spans written as BEGIN-END in seconds, 0.5-1.2 for instance; RequestError for other text."""
    found = []
    for text in texts:
        begin, _, end = text.partition("-")
        try:
            found.append((float(begin), float(end)))
        except ValueError as error:
            raise RequestError(
                f"{text[:40]!r} is no span: write its begin and its end in seconds, as 0.5-1.2."
            ) from error
    return tuple(found)


def _spans(given: Any) -> tuple[tuple[float, float], ...]:
    """Spans in order, overlapping ones joined."""
    found: list[tuple[float, float]] = []
    if not isinstance(given, (tuple, list)):
        raise RequestError("Spans are pairs of seconds: give begin and end of each.")
    pairs = []
    for span in given:
        if not isinstance(span, (tuple, list)) or len(span) != 2:
            raise RequestError("A span is a pair of seconds: give its begin and its end.")
        begin, end = (_number("a span's edge", edge, 0.0, LONGEST_SECONDS, " s") for edge in span)
        if end - begin < SHORTEST_SPAN:
            raise RequestError(
                f"The span from {begin:g} to {end:g} s is too short: let it last {SHORTEST_SPAN:g} s or more."
            )
        pairs.append((begin, end))
    for begin, end in sorted(pairs):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise RequestError(f"{name} is {value!r}: choose one of {', '.join(choices)}.")


def _number(name: str, value: Any, low: float, high: float, unit: str = "") -> float:
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not low <= value <= high:
        raise RequestError(f"{name} is {value!r}: give a number from {low:g} to {high:g}{unit}.")
    return float(value)
