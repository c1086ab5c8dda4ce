"""Unigram: text to T5's tokens: of all ways to cut it into known pieces the likeliest (arXiv 1804.10959)."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence

SPACE = "\u2581"
UNKNOWN_PENALTY = 10.0


class Unigram:
    """Pieces and their log likelihoods in the order of their numbers; `end` closes every text.

    What is in no piece becomes `unknown`, once for all neighbours. Raises ValueError where these two are no pieces.
    """

    def __init__(self, pieces: Sequence[tuple[str, float]], unknown: int, end: int) -> None:
        if not (0 <= unknown < len(pieces) and 0 <= end < len(pieces)):
            raise ValueError("the pieces have no unknown one and no end")
        self._unknown, self._end = unknown, end
        self._pieces = {
            piece: (number, score) for number, (piece, score) in reversed(list(enumerate(pieces)))
        }
        self._longest = max((len(piece) for piece in self._pieces), default=1)
        self._worst = min((score for _, score in pieces), default=0.0) - UNKNOWN_PENALTY

    def __call__(self, text: str) -> list[int]:
        """Tokens, the end included; the empty text is the end alone."""
        plain = " ".join(unicodedata.normalize("NFKC", text).split())
        return [*self._numbers(SPACE + plain.replace(" ", SPACE)), self._end] if plain else [self._end]

    def _numbers(self, text: str) -> Iterator[int]:
        last = None
        for number in self._cut(text):
            if number != self._unknown or last != number:
                yield number
            last = number

    def _cut(self, text: str) -> list[int]:
        """The likeliest way (Viterbi's), found from the beginning and read from the end."""
        best = [0.0] + [-math.inf] * len(text)
        way: list[tuple[int, int]] = [(0, 0)] * (len(text) + 1)
        for at in range(len(text)):
            single = False
            for stop in range(at + 1, min(len(text), at + self._longest) + 1):
                found = self._pieces.get(text[at:stop])
                if found is None:
                    continue
                single = single or stop == at + 1
                if best[at] + found[1] > best[stop]:
                    best[stop], way[stop] = best[at] + found[1], (at, found[0])
            if not single and best[at] + self._worst > best[at + 1]:
                best[at + 1], way[at + 1] = best[at] + self._worst, (at, self._unknown)
        numbers, at = [], len(text)
        while at:
            at, number = way[at]
            numbers.append(number)
        return numbers[::-1]
