"""T5: sounds are told by their captions, token by token, and the UNet attends to them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard, source_of, words_of
from training.data.collection import Item
from training.errors import DataError, RecipeError
from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.checkpoints.tokens import unigram
from vocaldm_live.engine.saying import spoken
from vocaldm_live.model.t5 import T5Encoder

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded

PIECES_FILE = "t5-pieces.json"
CONFIG, TOKENIZER = "config.json", "tokenizer.json"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class T5Conditioner:
    """The tokens of one of a sound's texts, `[places, width + 1]`; the null is what T5 says to the empty text."""

    name = "t5"
    sounds: tuple[str, ...] = ()

    def __init__(
        self, network: T5Encoder, part: Mapping[str, Any], pieces: str, places: int, device: torch.device
    ) -> None:
        self.network, self.part, self.pieces, self.places = network.eval().to(device), part, pieces, places
        self.unet: Mapping[str, int] = {"context_width": int(part["width"]), "context_places": places}
        self.device = device
        self._encode = unigram(pieces)
        self.texts: dict[str, Tensor] = {}
        self.null = self._said("")

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Say every text once; raises DataError for an item without any."""
        for item in items:
            words = words_of(item)
            if not words:
                raise DataError(f"{item.key} has neither caption nor label for T5: add one, or take it out.")
            for text in words:
                if text not in self.texts:
                    self.texts[text] = self._said(text)

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """One of the item's texts, which the generator chooses."""
        words = words_of(item)
        return self.texts[words[int(rng.integers(len(words)))]]

    def heard(self) -> Heard:
        """T5 itself and its tokenizer."""
        return Heard({"t5": dict(self.part)}, {"t5": self.network.state_dict()}, {PIECES_FILE: self.pieces})

    def _said(self, text: str) -> Tensor:
        tokens = self._encode(" ".join(text.split()))
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=False):
            return spoken(self.network, tokens, self.places, self.device).cpu().clone()


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """The T5 in the folder that the recipe names, as the Hub has it; raises RecipeError for anything else."""
    folder = source_of(spec, "a folder with a T5")
    part, pieces = _described(folder)
    network = T5Encoder(**{key: value for key, value in part.items() if key not in ("kind", "pieces")})
    path = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        raise RecipeError(f"{folder} has neither {' nor '.join(WEIGHTS)}: download the T5 whole.")
    tensors = read_foreign(path)
    state = {name: value.float() for name, value in tensors.items() if name in network.state_dict()}
    if "shared.weight" not in state and "encoder.embed_tokens.weight" in tensors:
        state["shared.weight"] = tensors["encoder.embed_tokens.weight"].float()
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        told = " ".join(str(error).split())[:200].rstrip(".").replace(". ", ", ")
        raise RecipeError(
            f"{path} is not the T5 that {CONFIG} tells of ({told}): download it whole."
        ) from error
    return T5Conditioner(network.requires_grad_(False), part, pieces, spec.places, device)


def _described(folder: Path) -> tuple[dict[str, Any], str]:
    """The part of the header, and the tokenizer's pieces as text."""
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tokenizer = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
        model = tokenizer["model"]
        feed = str(config.get("feed_forward_proj", "relu"))
        if feed not in ("relu", "gated-gelu"):
            raise RecipeError(f"{folder} has a T5 with {feed} layers, which is not known: name another.")
        found = [[str(piece), float(score)] for piece, score in model["vocab"]]
        end = next(number for number, (piece, _) in enumerate(found) if piece == "</s>")
        plain = {"pieces": found, "unknown": int(model["unk_id"]), "end": end}
        pieces = json.dumps(plain, ensure_ascii=True, separators=(",", ":"))
        part = {
            "kind": "t5",
            "size": int(config["vocab_size"]),
            "width": int(config["d_model"]),
            "layers": int(config["num_layers"]),
            "heads": int(config["num_heads"]),
            "head_width": int(config["d_kv"]),
            "hidden": int(config["d_ff"]),
            "gated": feed == "gated-gelu",
            "buckets": int(config.get("relative_attention_num_buckets", 32)),
            "distance": int(config.get("relative_attention_max_distance", 128)),
            "pieces": {"file": PIECES_FILE, "sha256": hashlib.sha256(pieces.encode()).hexdigest()},
        }
        unigram(pieces)
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        reason = " ".join(str(error).split()).rstrip(".").replace(". ", ", ") or type(error).__name__
        raise RecipeError(
            f"{folder} holds no T5 with {CONFIG} and {TOKENIZER} ({reason}): download it whole."
        ) from error
    return part, pieces
