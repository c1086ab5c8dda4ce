"""MS-CLAP: as CLAP, in the space of Microsoft's HTS-AT and GPT-2; the UNet's vector is as wide as that space."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from training.conditioners.registry import Conditioner, ConditionerSpec, Heard, source_of, words_of
from training.data.collection import Item
from training.data.features import MSCLAP
from training.errors import RecipeError
from vocaldm_live.checkpoints import sizes
from vocaldm_live.checkpoints.foreign import read_foreign
from vocaldm_live.checkpoints.tokens import closed_byte_pairs
from vocaldm_live.model.msclap import PLACES, MSClapAudio, MSClapText

if TYPE_CHECKING:
    from training.base import Base
    from training.data.encoding import Encoded

AUDIO, TEXT = "audio_encoder.", "caption_encoder."
GPT2_HEAD = 64
FILES = ("vocab.json", "merges.txt")
STORED = ("msclap-vocab.json", "msclap-merges.txt")
_NEEDLESS = re.compile(
    r"\.attn\.(masked_)?bias$|attn_mask|relative_position_index|_extractor|tscam_conv|\.head\.|logmel|spectrogram"
)


class MSClapConditioner:
    """A unit vector: of one of a sound's texts, by a stated share, or of the sound. The null is the empty text's."""

    name = "msclap"
    sounds: tuple[str, ...] = (MSCLAP,)

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        parts: Mapping[str, Any],
        texts: Mapping[str, str],
        text_share: float,
        device: torch.device,
    ) -> None:
        self.networks = {name: network.eval().requires_grad_(False) for name, network in networks.items()}
        self.parts, self.files, self.text_share, self.device = parts, texts, text_share, device
        self.unet: Mapping[str, int] = {"vector_width": int(parts["msclap_audio"]["vector_width"])}
        self._encode = closed_byte_pairs(*(texts[name] for name in STORED))
        self.texts: dict[str, Tensor] = {}
        self.null = self._said("")

    def prepare(self, items: Sequence[Item], encoded: Encoded | None) -> None:
        """Say every text once."""
        for item in items:
            for text in words_of(item):
                if text not in self.texts:
                    self.texts[text] = self._said(text)

    def condition(self, item: Item, at: int, encoded: Encoded | None, rng: np.random.Generator) -> Tensor:
        """`[width]`; the share is drawn first, then the text."""
        words, share = words_of(item), float(rng.random())
        if words and (share < self.text_share or encoded is None):
            return self.texts[words[int(rng.integers(len(words)))]]
        if encoded is None:
            raise RecipeError("MS-CLAP hears sounds, and these are mel images without words.")
        return encoded.vector(at, MSCLAP)

    def heard(self) -> Heard:
        """Both towers and GPT-2's tokenizer."""
        states = {name: network.state_dict() for name, network in self.networks.items()}
        credits = ("MS-CLAP: Microsoft (arXiv 2309.05767)",)
        return Heard(dict(self.parts), states, dict(self.files), credits, self.networks)

    def _said(self, text: str) -> Tensor:
        network = self.networks["msclap_text"]
        tokens = self._encode(" ".join(text.split()))[:PLACES]
        with torch.inference_mode(), torch.autocast("cpu", enabled=False):
            return network(torch.tensor([tokens]))[0].float().clone()


def make(spec: ConditionerSpec, base: Base | None, device: torch.device) -> Conditioner:
    """From a folder with MS-CLAP's weights file (.pth, .safetensors) and GPT-2's vocab.json and merges.txt.

    Raises RecipeError where one is missing, PresetError where the weights are of another network.
    """
    folder = source_of(spec, "a folder with MS-CLAP's weights and GPT-2's vocab.json and merges.txt")
    weights = sorted(path for path in folder.glob("*") if path.suffix in (".pth", ".safetensors", ".bin"))
    if len(weights) != 1 or not all((folder / name).is_file() for name in FILES):
        raise RecipeError(
            f"{folder} needs one weights file (.pth, .safetensors) and GPT-2's {' and '.join(FILES)} beside it."
        )
    texts = {}
    try:
        for stored, name in zip(STORED, FILES, strict=True):
            texts[stored] = (folder / name).read_text(encoding="utf-8")
        closed_byte_pairs(*(texts[name] for name in STORED))
        most = max(json.loads(texts[STORED[0]]).values())
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".").replace(". ", ", ")
        raise RecipeError(f"{folder} holds no tokenizer of GPT-2 ({reason}): download it again.") from error
    states = _states(weights[0])
    parts = _parts(states, weights[0], texts)
    if most >= parts["msclap_text"]["size"]:
        raise RecipeError(f"{folder} has a tokenizer with more tokens than its weights know: give GPT-2's.")
    audio, text = parts["msclap_audio"], parts["msclap_text"]
    networks: dict[str, nn.Module] = {
        "msclap_audio": MSClapAudio(**{key: value for key, value in audio.items() if key != "kind"}),
        "msclap_text": MSClapText(
            *(text[key] for key in ("size", "places", "width", "layers", "heads", "vector_width"))
        ),
    }
    for name, network in networks.items():
        try:
            network.load_state_dict(states[name], strict=True)
        except RuntimeError as error:
            told = " ".join(str(error).split())[:200].rstrip(".").replace(". ", ", ")
            raise RecipeError(
                f"{weights[0]} is not MS-CLAP as it is known here ({told}): name another."
            ) from error
    return MSClapConditioner(networks, parts, texts, spec.text_share, device)


def _states(path: Path) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {"msclap_audio": {}, "msclap_text": {}}
    for key, value in read_foreign(path).items():
        key = key.removeprefix("model.")
        for part, beginning in (("msclap_audio", AUDIO), ("msclap_text", TEXT)):
            if key.startswith(beginning) and not _NEEDLESS.search(key):
                found[part][key.removeprefix(beginning)] = (
                    value.float() if value.is_floating_point() else value
                )
    return found


def _parts(
    states: Mapping[str, Mapping[str, Tensor]], path: Path, texts: Mapping[str, str]
) -> dict[str, Any]:
    audio, text = states["msclap_audio"], states["msclap_text"]
    renamed = {key.replace("base.htsat.", "audio_branch."): value for key, value in audio.items()}
    size, width = sizes.shape(text, "base.wte.weight", path)
    files = {
        key: {"file": name, "sha256": hashlib.sha256(texts[name].encode()).hexdigest()}
        for key, name in zip(("vocabulary", "merges"), STORED, strict=True)
    }
    return {
        "msclap_audio": sizes.clap_audio_part(renamed, path)
        | {"kind": "msclap-audio", "vector_width": sizes.shape(audio, "projection.linear1.weight", path)[0]},
        "msclap_text": {
            "kind": "msclap-text",
            "size": size,
            "places": sizes.shape(text, "base.wpe.weight", path)[0],
            "width": width,
            "layers": sizes.count(text, r"base\.h\.(\d+)\."),
            "heads": max(1, width // GPT2_HEAD),
            "vector_width": sizes.shape(text, "projection.linear1.weight", path)[0],
            **files,
        },
    }
