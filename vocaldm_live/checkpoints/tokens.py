"""Tokens: the two files of RoBERTa's tokenizer, found in a folder and made the same whatever they were."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints.header import one_line
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from vocaldm_live.model.byte_pairs import BytePairs
    from vocaldm_live.model.unigram import Unigram


@dataclass(frozen=True)
class TokenizerTexts:
    """What vocab.json (symbol to number) and merges.txt (a pair a line, in their order) hold."""

    vocabulary: str
    merges: str


def read_tokenizer(folder: Path, size: int) -> TokenizerTexts:
    """From vocab.json and merges.txt, or tokenizer.json, for a tower with `size` tokens; raises PresetError."""
    try:
        if (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
            vocabulary = _object(folder / "vocab.json")
            merges = (folder / "merges.txt").read_text(encoding="utf-8")
        elif (folder / "tokenizer.json").is_file():
            model = _object(folder / "tokenizer.json").get("model", {})
            vocabulary = model.get("vocab", {})
            pairs = model.get("merges", [])
            merges = "\n".join(pair if isinstance(pair, str) else " ".join(pair) for pair in pairs)
        else:
            raise PresetError(
                f"{folder} has no tokenizer: put roberta-base's vocab.json and merges.txt into it, or its tokenizer.json."
            )
        texts = TokenizerTexts(json.dumps(vocabulary, ensure_ascii=True), _plain(merges))
        most = max(vocabulary.values(), default=0)
        byte_pairs(texts.vocabulary, texts.merges)("a")
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PresetError(
            f"{folder} holds no usable tokenizer ({one_line(error)}): download it again."
        ) from error
    if most >= size:
        raise PresetError(
            f"{folder} has a tokenizer with {most + 1} tokens and CLAP's text tower knows {size}: give roberta-base's."
        )
    return texts


@lru_cache(maxsize=2)
def byte_pairs(vocabulary: str, merges: str) -> BytePairs:
    """The tokenizer that two files' texts make; raises ValueError where they make none."""
    from vocaldm_live.model.byte_pairs import BytePairs

    known = json.loads(vocabulary)
    if not isinstance(known, dict) or not all(isinstance(number, int) for number in known.values()):
        raise ValueError("the vocabulary is no list of symbols and numbers")
    pairs = [tuple(line.split(" ")) for line in _plain(merges).splitlines()]
    if not all(len(pair) == 2 for pair in pairs):
        raise ValueError("a merge is not a pair")
    return BytePairs(known, pairs)  # type: ignore[arg-type]


@lru_cache(maxsize=2)
def unigram(text: str) -> Unigram:
    """The tokenizer of T5 that a file's text makes; raises ValueError where it makes none."""
    from vocaldm_live.model.unigram import Unigram

    plain = json.loads(text)
    try:
        pieces = [(str(piece), float(score)) for piece, score in plain["pieces"]]
        return Unigram(pieces, int(plain["unknown"]), int(plain["end"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the pieces are not whole ({error})") from error


def _object(path: Path) -> dict[str, Any]:
    plain = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(plain, dict):
        raise ValueError(f"{path.name} is no object")
    return plain


def _plain(merges: str) -> str:
    lines = [line for line in merges.split("\n") if line.strip() and not line.startswith("#version")]
    return "".join(f"{line.rstrip()}\n" for line in lines)
