"""Byte pairs: text to RoBERTa's tokens by byte-pair encoding (Sennrich 2016, on bytes as in GPT-2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from vocaldm_live.model.clap_text import BEGIN, END

LONGEST = 512  # tokens, begin and end included
UNKNOWN = "<unk>"

_CONTRACTION = re.compile(r"'(?:s|t|re|ve|m|ll|d)")
# Over the kinds of characters (letter, number, blank, other space, anything else), not the characters.
_PIECE = re.compile(r"b?l+|b?n+|b?x+|[bs]+(?![^bs])|[bs]+")


class BytePairs:
    """A vocabulary and its merges, in their order: what vocab.json and merges.txt hold.

    Raises ValueError where the vocabulary lacks what every text needs.
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        lacking = [symbol for symbol in ("<s>", "</s>", UNKNOWN) if symbol not in vocabulary]
        if lacking:
            raise ValueError(f"the vocabulary has no {lacking[0]}")
        if (vocabulary["<s>"], vocabulary["</s>"]) != (BEGIN, END):
            raise ValueError(f"the vocabulary's <s> and </s> are not {BEGIN} and {END}, as RoBERTa has them")
        self._vocabulary = dict(vocabulary)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}

    def __call__(self, text: str) -> list[int]:
        """Tokens with begin and end, at most `LONGEST`; what is longer is cut."""
        unknown = self._vocabulary[UNKNOWN]
        found = [
            self._vocabulary.get(symbol, unknown) for piece in pieces(text) for symbol in self._joined(piece)
        ]
        return [BEGIN, *found[: LONGEST - 2], END]

    def _joined(self, piece: str) -> list[str]:
        """A piece's bytes as symbols, the pair that was merged first in training joined first."""
        symbols = [_letters()[byte] for byte in piece.encode("utf-8", "replace")]
        while len(symbols) > 1:
            pairs = list(zip(symbols, symbols[1:], strict=False))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, len(self._ranks)))
            if best not in self._ranks:
                break
            joined, at = [], 0
            while at < len(symbols):
                together = tuple(symbols[at : at + 2]) == best
                joined.append("".join(best) if together else symbols[at])
                at += 2 if together else 1
            symbols = joined
        return symbols


class PlainBytePairs(BytePairs):
    """The same for GPT-2: nothing before a text, and `closing` after it and a blank, as MS-CLAP has it.

    Raises ValueError where the vocabulary lacks that.
    """

    def __init__(
        self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], closing: str
    ) -> None:
        if closing not in vocabulary:
            raise ValueError(f"the vocabulary has no {closing}")
        self._vocabulary = dict(vocabulary)
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._closing = self._vocabulary[closing]

    def __call__(self, text: str) -> list[int]:
        """Tokens with the closing one; what the vocabulary lacks is left out."""
        symbols = [symbol for piece in pieces(f"{text} ") for symbol in self._joined(piece)]
        return [*(self._vocabulary[one] for one in symbols if one in self._vocabulary), self._closing]


def pieces(text: str) -> Iterator[str]:
    """What is encoded by itself: words and numbers with the blank before them, signs, spaces, contractions."""
    kinds = "".join(_kind(letter) for letter in text)
    at = 0
    while at < len(text):
        found = _CONTRACTION.match(text, at)
        end = found.end() if found else _PIECE.match(kinds, at).end()  # type: ignore[union-attr]
        yield text[at:end]
        at = end


def _kind(letter: str) -> str:
    if letter == " ":
        return "b"
    if letter.isspace():
        return "s"
    return {"L": "l", "N": "n"}.get(unicodedata.category(letter)[0], "x")


@lru_cache(maxsize=1)
def _letters() -> tuple[str, ...]:
    """A visible character for each of the 256 bytes: itself where it is one, else one from 256 upward."""
    visible = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = [byte for byte in range(256) if byte not in visible]
    return tuple(chr(byte) if byte in visible else chr(256 + hidden.index(byte)) for byte in range(256))
