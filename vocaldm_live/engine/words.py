"""Words: what is said of a sound beside the voice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from vocaldm_live.checkpoints.header import PresetHeader

LONGEST_TEXT = 2000  # characters, more than the tower's 512 tokens hold


@dataclass(frozen=True)
class Words:
    """text: what the clip is, `weight` 0..1 of the way from what is heard to it; negative: what it is not.

    Either may be empty. A negative takes the place of the empty text that guidance leans away from.
    """

    text: str = ""
    weight: float = 1.0
    negative: str = ""


def check_heard(
    words: Words | None, has_like: bool, unconditional: bool, header: PresetHeader
) -> Words | None:
    """The words, or None where there are none, for a preset that can hear what is asked; raises RequestError."""
    parts = header.parts
    if words is not None and not words.text and not words.negative:
        words = None
    if words is not None:
        if parts.words is None:
            raise RequestError(
                f"The preset {header.name} understands no words: give an example sound with --like, or import an "
                "AudioLDM preset with --tokenizer."
            )
        for name, text in (("text", words.text), ("negative text", words.negative)):
            if len(text) > LONGEST_TEXT:
                raise RequestError(f"The {name} has {len(text)} characters: give up to {LONGEST_TEXT}.")
        weight = words.weight
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0.0 <= weight <= 1.0:
            raise RequestError(f"text weight is {weight!r}: give a number from 0 to 1.")
        assert math.isfinite(weight)
    hears = parts.adapter is not None or parts.clap_audio is not None
    only_words = words is not None and words.text and words.weight == 1.0
    if not hears and not unconditional and (has_like or not only_words):
        raise RequestError(
            f"The preset {header.name} hears words alone, no voices and no examples: give --text without --like, or "
            "import it again with --qvim and --adapter."
        )
    return words
