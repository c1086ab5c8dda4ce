"""T5's encoder and its tokenizer against transformers and tokenizers, with random weights and a made-up vocabulary."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest
import torch
from transformers import T5Config, T5EncoderModel

from vocaldm_live.model.t5 import T5Encoder, bucketed
from vocaldm_live.model.unigram import Unigram

SPACE = "\u2581"
PIECES = [
    ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), (SPACE, -2.0), ("a", -3.0), ("d", -4.1), ("o", -4.2), ("g", -4.3),
    (f"{SPACE}dog", -5.0), (f"{SPACE}do", -4.9), ("og", -6.0), ("s", -3.5), (f"{SPACE}a", -2.5), ("r", -4.0),
    ("i", -4.4), ("n", -4.5), ("rain", -7.0), (f"{SPACE}r", -4.6), ("ain", -6.5), ("fi", -5.5),
]  # fmt: skip
TEXTS = (
    "a dog", "dogs  a rain", "  dog\tdog ", "ragain", "a zebra", "zz", "", "\ufb01n", "a. dog!", "rain in a dog\n", "A",
)  # fmt: skip


def config(gated: bool) -> dict[str, Any]:
    return {
        "vocab_size": 40,
        "d_model": 32,
        "d_kv": 6,
        "d_ff": 48,
        "num_layers": 3,
        "num_heads": 4,
        "feed_forward_proj": "gated-gelu" if gated else "relu",
        "relative_attention_num_buckets": 8,
        "relative_attention_max_distance": 20,
    }


@pytest.mark.parametrize("gated", [False, True])
@torch.inference_mode()
def test_the_encoder_is_transformers(gated: bool) -> None:
    torch.manual_seed(0)
    theirs = T5EncoderModel(T5Config(**config(gated), dropout_rate=0.0)).eval()
    ours = T5Encoder(40, 32, 3, 4, 6, 48, gated, 8, 20).eval()
    state = {name: value for name, value in theirs.state_dict().items() if "embed_tokens" not in name}
    ours.load_state_dict(state, strict=True)
    tokens = torch.randint(2, 40, (2, 50))
    tokens[1, 30:] = 0
    wanted = theirs(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
    heard = ours(tokens)
    assert float(wanted.std()) > 0.1
    torch.testing.assert_close(heard[0], wanted[0], atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(heard[1, :30], wanted[1, :30], atol=2e-5, rtol=1e-4)


def test_far_ways_share_a_bucket() -> None:
    ways = torch.tensor([-500, -200, -1, 0, 1, 200, 500])
    found = bucketed(ways, 32, 128).tolist()
    assert found[0] == found[1] == 15 and found[-1] == found[-2] == 31 and found[2:5] == [1, 0, 17]


def test_the_tokenizer_is_tokenizers() -> None:
    tokenizers = parts.package("tokenizers")
    theirs = tokenizers.Tokenizer(tokenizers.models.Unigram(PIECES, unk_id=2))
    normalizers = tokenizers.normalizers
    theirs.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
            normalizers.Strip(),
        ]
    )
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    ours = Unigram(PIECES, 2, 1)
    for text in TEXTS:
        assert ours(text) == [*theirs.encode(text).ids, 1], text


def test_pieces_that_lack_what_every_text_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="no unknown one"):
        Unigram(PIECES, 99, 1)


def test_a_hub_folder_is_read(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from training.conditioners.registry import ConditionerSpec, open_conditioner
    from training.data.collection import Item
    from training.errors import DataError, RecipeError

    torch.manual_seed(0)
    theirs = T5EncoderModel(T5Config(**config(True)))
    folder = tmp_path / "t5"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config(True)))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": PIECES, "unk_id": 2}}))
    spec = ConditionerSpec(name="t5", source=str(folder), places=6)
    with pytest.raises(RecipeError, match="neither model.safetensors"):
        open_conditioner(spec, None, torch.device("cpu"))
    save_file(
        {name: value.clone() for name, value in theirs.state_dict().items()}, folder / "model.safetensors"
    )
    told = open_conditioner(spec, None, torch.device("cpu"))
    assert told.unet == {"context_width": 32, "context_places": 6} and told.null.shape == (6, 33)
    assert told.null[:, -1].tolist() == [1, 0, 0, 0, 0, 0]
    with pytest.raises(DataError, match="neither caption nor label"):
        told.prepare([Item("a.wav")], None)
    item = Item("a.wav", captions=("a dog a dog a dog a dog",))
    told.prepare([item], None)
    said = told.condition(item, 0, None, np.random.default_rng(0))
    assert said[:, -1].tolist() == [1] * 6
    (folder / "config.json").write_text("{}")
    with pytest.raises(RecipeError, match="holds no T5"):
        open_conditioner(spec, None, torch.device("cpu"))
