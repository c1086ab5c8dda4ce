"""MS-CLAP: GPT-2 and its tokens against transformers and tokenizers; a model is told by it, and plays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from audioldm_files import tokenizer_files
from cli_helpers import run, write_gesture
from data_sets import burst, put
from tiny_audioldm import make_tiny_audioldm
from torch.nn import functional
from transformers import GPT2Config, GPT2Model

from vocaldm_live.checkpoints.tokens import closed_byte_pairs
from vocaldm_live.model.gpt2 import GPT2
from vocaldm_live.model.msclap import CLOSING, MSClapAudio, MSClapText, MSProjection, ms_listened
from vocaldm_live.sound.audio import Sound

AUDIO = {"width": 16, "depths": (1, 1, 1, 1), "heads": (1, 2, 2, 4), "window": 8, "vector_width": 40}
TEXT = (400, 80, 64, 1, 1, 40)


@torch.inference_mode()
def test_gpt2_is_transformers() -> None:
    torch.manual_seed(0)
    sizes = GPT2Config(
        vocab_size=50, n_positions=30, n_embd=32, n_layer=2, n_head=4, bos_token_id=0, eos_token_id=0
    )
    theirs = GPT2Model(sizes).eval()
    for weight in theirs.parameters():
        weight.add_(0.03 * torch.randn(weight.shape))
    ours = GPT2(50, 30, 32, 2, 4).eval()
    state = {name: value for name, value in theirs.state_dict().items() if not name.endswith(".attn.bias")}
    ours.load_state_dict(state, strict=True)
    tokens = torch.randint(0, 50, (2, 20))
    wanted = theirs(input_ids=tokens).last_hidden_state
    assert float(wanted.std()) > 0.1
    torch.testing.assert_close(ours(tokens), wanted, atol=2e-5, rtol=1e-4)


def test_the_projection_adds_what_it_bends() -> None:
    torch.manual_seed(0)
    projection = MSProjection(6, 4)
    x = torch.randn(3, 6)
    first = x @ projection.linear1.weight.T
    wanted = functional.layer_norm(first + functional.gelu(first) @ projection.linear2.weight.T, (4,))
    torch.testing.assert_close(projection(x), wanted)


def gpt2_files(folder: Path) -> Path:
    """A tiny tokenizer without RoBERTa's own symbols, and with the one that closes a text."""
    tokenizer_files(folder)
    known = json.loads((folder / "vocab.json").read_text())
    plain = [symbol for symbol in known if not symbol.startswith("<")]
    (folder / "vocab.json").write_text(
        json.dumps({symbol: number for number, symbol in enumerate([*plain, CLOSING])})
    )
    return folder


def test_tokens_are_those_of_gpt2(tmp_path: Path) -> None:
    tokenizers = parts.package("tokenizers")
    folder = gpt2_files(tmp_path)
    files = [(folder / name).read_text() for name in ("vocab.json", "merges.txt")]
    known = json.loads(files[0])
    merges = [tuple(line.split(" ")) for line in files[1].splitlines()[1:]]
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=known, merges=merges))
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    theirs.add_special_tokens([CLOSING])
    ours = closed_byte_pairs(*files)
    for text in ("a dog", "", "dogs, rain!", "d\u00f6g 12's"):
        assert ours(text) == theirs.encode(f"{text} {CLOSING}").ids, text
    with pytest.raises(ValueError, match="endoftext"):
        closed_byte_pairs('{"a": 0}', files[1])


@torch.inference_mode()
def test_short_sounds_are_heard_over_and_over() -> None:
    torch.manual_seed(0)
    tower = MSClapAudio(**AUDIO).eval()  # type: ignore[arg-type]
    short = burst(1, 0.5, 44100)
    heard = ms_listened(tower, Sound(short, 44100), "cpu")
    assert heard.shape == (1, 40) and float(heard.norm()) == pytest.approx(1.0, abs=1e-5)
    twice = ms_listened(tower, Sound(np.concatenate([short, short]), 44100), "cpu")
    torch.testing.assert_close(twice, heard)
    assert float((ms_listened(tower, Sound(burst(2, 0.5, 44100), 44100), "cpu") - heard).abs().max()) > 1e-4


@pytest.mark.slow
def test_a_model_is_told_by_it_and_plays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.package("lightning_fabric")
    from training.cli import main
    from vocaldm_live.checkpoints.preset import check_preset, read_preset

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.manual_seed(0)
    folder = gpt2_files(tmp_path / "msclap")
    audio, text = MSClapAudio(**AUDIO), MSClapText(*TEXT)  # type: ignore[arg-type]
    state = {f"audio_encoder.{name}": value for name, value in audio.state_dict().items()}
    state |= {f"caption_encoder.{name}": value for name, value in text.state_dict().items()}
    state |= {"logit_scale": torch.ones(()), "caption_encoder.base.h.0.attn.bias": torch.ones(1, 1, 4, 4)}
    state["audio_encoder.base.htsat.tscam_conv.weight"] = torch.zeros(2, 2)
    torch.save({"model": state}, folder / "CLAP_weights.pth")
    rows = ["path,caption"]
    for number in range(6):
        put(tmp_path / "sounds" / f"{number}.wav", burst(number, 0.3))
        rows.append(f"{number}.wav,{('a dog', 'rain')[number % 2]}")
    (tmp_path / "sounds" / "sounds.csv").write_text("\n".join(rows) + "\n")
    told = {
        "machine": "{accelerator: cpu, devices: 1, threads: 1, workers: 0}",
        "unet": "{size: own, channels: [32, 32], head_width: 16}",
        "conditioner": f"{{name: msclap, source: '{folder}'}}",
        "optimiser.rates.warmup": 1,
        "batch": 4,
        "average": 0.5,
        "data.held_out": 0.3,
    }
    base = make_tiny_audioldm(tmp_path, "base", text=False)
    asked = ["ldm", "--data", str(tmp_path / "sounds"), "--out", str(tmp_path / "run"), "--base", str(base)]
    changes = [part for key, value in told.items() for part in ("--set", f"{key}={value}")]
    assert main([*asked, "--steps", "2", *changes]) == 0
    capsys.readouterr()
    preset = tmp_path / "run" / "ldm"
    assert check_preset(preset) == []
    header = read_preset(preset).header
    assert header.parts.unet.vector_width == 40 and header.parts.clap_audio is None  # type: ignore[union-attr]
    more = ("--preset", preset, "--steps", 1, "--json", "--out", tmp_path / "clips")
    for given in (
        ("--text", "a dog", "--duration", 0.4),
        (write_gesture(tmp_path / "voice.wav"), "--candidates", 2),
    ):
        said = run(capsys, "generate", *given, *more)
        assert (said.code, said.err) == (0, ""), said
