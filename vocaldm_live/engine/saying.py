"""Saying: words become a condition, by whatever a preset understands them with."""

from __future__ import annotations

import difflib
import json

import numpy as np
import torch
from torch import nn

from vocaldm_live.checkpoints.audioldm_parts import ClapTextPart
from vocaldm_live.checkpoints.preset import Preset, read_text
from vocaldm_live.checkpoints.tokens import byte_pairs, unigram
from vocaldm_live.checkpoints.words_parts import T5Part, VectorsPart
from vocaldm_live.errors import RequestError
from vocaldm_live.model.clap_text import ClapText
from vocaldm_live.model.t5 import T5Encoder
from vocaldm_live.model.vector_table import VectorTable

Part = ClapTextPart | VectorsPart | T5Part
SHOWN = 8


def said(
    preset: Preset, part: Part, network: nn.Module, text: str, device: torch.device, places: int = 0
) -> np.ndarray:
    """What a text says, float32 `[width]`, of T5 `[places, width + 1]`; RequestError for a name that a table lacks."""
    if isinstance(part, VectorsPart):
        assert isinstance(network, VectorTable)
        return network(_row(preset, part, text)).float().cpu().numpy()
    if isinstance(part, T5Part):
        assert isinstance(network, T5Encoder)
        tokens = unigram(read_text(preset, part.pieces))(text)
        return spoken(network, tokens, places, device).cpu().numpy()
    assert isinstance(network, ClapText)
    encode = byte_pairs(read_text(preset, part.vocabulary), read_text(preset, part.merges))
    tokens = shortened(encode(text), part.places - 2)
    return network(torch.tensor([tokens], device=device))[0].cpu().numpy()


def shortened(tokens: list[int], most: int) -> list[int]:
    """At most so many tokens, the last of which closes the text.

    What stands at the beginning says most, so the end is what a short tower does without.
    """
    return tokens if len(tokens) <= most else [*tokens[: most - 1], tokens[-1]]


def spoken(network: T5Encoder, tokens: list[int], places: int, device: torch.device) -> torch.Tensor:
    """T5's tokens as a condition, `[places, width + 1]`, float32; what is longer loses its end."""
    tokens = shortened(tokens, places)
    heard = network(torch.tensor([tokens], device=device))[0].float()
    packed = torch.zeros(places, heard.shape[1] + 1, device=device)
    packed[: len(tokens), :-1] = heard
    packed[: len(tokens), -1] = 1.0
    return packed


def _row(preset: Preset, part: VectorsPart, text: str) -> int:
    """The row of the vector of that name, capitals apart."""
    try:
        names = [" ".join(str(name).split()) for name in json.loads(read_text(preset, part.names))]
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"{part.names.file} of the preset {preset.name} is no list of names: copy the preset again."
        ) from error
    folded = {name.casefold(): row for row, name in reversed(list(enumerate(names[: part.count])))}
    row = folded.get(text.casefold())
    if row is not None:
        return row
    near = difflib.get_close_matches(text.casefold(), folded, SHOWN, 0.3) or list(folded)[:SHOWN]
    shown = ", ".join(repr(names[folded[name]]) for name in near)
    raise RequestError(
        f"The preset {preset.name} knows {len(names)} names and not {text!r}: give one of them, as {shown}."
    )
