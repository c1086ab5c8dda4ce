"""Finding: one line of `vocaldm doctor`."""

from __future__ import annotations

from dataclasses import dataclass

OK, NOTE, PROBLEM = "ok", "note", "problem"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is (ok, note, problem), and a sentence that says so and what to do."""

    subject: str
    state: str
    sentence: str
