"""Published files become presets: every kind of file, and one clear sentence for those that can't."""

from __future__ import annotations

import argparse
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from audioldm_files import SCALE_FACTOR, networks, published, tokenizer_files, write_checkpoint
from safetensors.torch import save_file
from tiny import assert_sentence
from torch import Tensor, nn

from vocaldm_live.checkpoints.audioldm_file import read_audioldm
from vocaldm_live.checkpoints.importing import Imported, import_audioldm
from vocaldm_live.checkpoints.preset import check_preset, load_modules, load_part, read_text
from vocaldm_live.errors import PresetError
from vocaldm_live.model.encoder import Encoder

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def parts() -> dict[str, nn.Module]:
    return networks()


@pytest.fixture(scope="module")
def state(parts: dict[str, nn.Module]) -> State:
    return published(parts)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tokenizer_files(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(classifier=True, shared=False).eval()


def refusal(source: Path, folder: Path, **how: Any) -> str:
    """The sentence; nothing is left behind."""
    with pytest.raises(PresetError) as caught:
        import_audioldm(source, folder / "new", **how)
    assert_sentence(str(caught.value))
    assert not (folder / "new").exists()
    return str(caught.value)


def same(found: nn.Module, wanted: nn.Module, shift: float = 0.0) -> None:
    """Tensor by tensor."""
    own, others = found.state_dict(), wanted.state_dict()
    assert own.keys() == others.keys()
    for key, value in others.items():
        assert torch.allclose(own[key].float(), value.float() + shift, atol=1e-6), key


# What can be read ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_published_file(tmp_path: Path, state: State, parts: dict[str, nn.Module], tokenizer: Path) -> None:
    file = write_checkpoint(tmp_path / "small.ckpt", state, epoch=3)
    done = import_audioldm(file, tmp_path / "new", tokenizer=tokenizer)
    assert check_preset(done.preset.folder) == []
    modules = load_modules(done.preset)
    same(modules.unet.network, parts["unet"], 0.01)  # the average, which the files made here have 0.01 higher
    same(modules.vae.network, parts["vae"])
    assert modules.vocoder is not None
    same(modules.vocoder, parts["vocoder"])
    for name in ("clap_text", "clap_audio"):
        same(load_part(done.preset, name), parts[name])
    assert torch.allclose(modules.vae.latent_scale, torch.tensor(1.0 / SCALE_FACTOR))
    null = parts["clap_text"](torch.tensor([[0, 2]]))[0]
    assert torch.allclose(modules.unet.null_condition(2), null.expand(2, -1), atol=1e-6)
    header = done.preset.header
    assert header.parts.unet.heads == (1, 2, 3, 5) and header.schedule.spacing == "leading"  # type: ignore[union-attr]
    assert header.licence == "CC-BY-NC-SA-4.0" and not modules.schedule.zero_terminal_snr
    assert header.parts.clap_text is not None
    assert json.loads(read_text(done.preset, header.parts.clap_text.vocabulary))["<s>"] == 0


@pytest.mark.slow
def test_every_tensor_is_used_or_named_with_a_reason(tmp_path: Path, state: State, tokenizer: Path) -> None:
    strange = state | {"first_stage_model.mystery": torch.zeros(1)}
    done = import_audioldm(
        write_checkpoint(tmp_path / "a.ckpt", strange), tmp_path / "new", tokenizer=tokenizer
    )
    unknown = [key for key, why in done.unused.items() if why == "unknown"]
    assert unknown == ["first_stage_model.mystery"]
    used = sum(len(part) for part in _states(done)) - 1 - 2 - 2  # null, latent statistics, mel statistics
    assert used + len(done.unused) == len(strange) - 1  # and the scale factor


def _states(done: Imported) -> list[dict[str, Tensor]]:
    from safetensors.torch import load_file

    return [load_file(path) for path in sorted(done.preset.folder.glob("*.safetensors"))]


@pytest.mark.slow
def test_raw_weights_on_request(
    tmp_path: Path, state: State, parts: dict[str, nn.Module], tokenizer: Path
) -> None:
    file = write_checkpoint(tmp_path / "a.ckpt", state)
    raw = read_audioldm(file, False).states["unet"]
    assert torch.equal(raw["conv_in.weight"], parts["unet"].state_dict()["conv_in.weight"])
    without = {key: value for key, value in state.items() if not key.startswith("model_ema.")}
    file = write_checkpoint(tmp_path / "b.ckpt", without)
    done = import_audioldm(file, tmp_path / "new", tokenizer=tokenizer)
    same(load_modules(done.preset).unet.network, parts["unet"])
    assert "--ema" in refusal(file, tmp_path / "none", average=True)


@pytest.mark.slow
def test_wrapped_names(tmp_path: Path, state: State, parts: dict[str, nn.Module], tokenizer: Path) -> None:
    """As DistributedDataParallel, torch.compile and the authors' training program name them."""
    wrapped = {
        "module." + key.replace("diffusion_model.", "diffusion_model._orig_mod.")
        .replace("model_ema.diffusion_model", "model_ema.diffusion_model_orig_mod")
        .replace("cond_stage_model.", "cond_stage_models.0."): value
        for key, value in state.items()
    }  # fmt: skip
    done = import_audioldm(
        write_checkpoint(tmp_path / "a.ckpt", wrapped), tmp_path / "new", tokenizer=tokenizer
    )
    same(load_modules(done.preset).unet.network, parts["unet"], 0.01)
    assert done.preset.header.parts.clap_audio is not None
    assert "unknown" not in done.unused.values()


@pytest.mark.slow
def test_half_precision_stays_half(tmp_path: Path, state: State, tokenizer: Path) -> None:
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    halves["scale_factor"] = state["scale_factor"]
    done = import_audioldm(
        write_checkpoint(tmp_path / "a.ckpt", halves), tmp_path / "new", tokenizer=tokenizer
    )
    sizes = (done.preset.folder / "unet.safetensors").stat().st_size
    assert sizes < 2.2 * sum(v.numel() for k, v in halves.items() if k.startswith("model.diffusion_model."))
    assert load_modules(done.preset).unet.network.conv_in.weight.dtype == torch.float32


@pytest.mark.slow
def test_weight_norm_and_old_pickles(
    tmp_path: Path, state: State, parts: dict[str, nn.Module], tokenizer: Path
) -> None:
    normed = dict(state)
    for key in [
        key for key in state if key.startswith("first_stage_model.vocoder.") and key.endswith("weight")
    ]:
        value = normed.pop(key)
        normed[f"{key}_g"] = value.flatten(1).norm(dim=1)[:, None, None]
        normed[f"{key}_v"] = 3.0 * value
    file = tmp_path / "a.ckpt"
    torch.save({"state_dict": normed}, file, _use_new_zipfile_serialization=False)
    done = import_audioldm(file, tmp_path / "new", tokenizer=tokenizer)
    vocoder = load_modules(done.preset).vocoder
    assert vocoder is not None
    same(vocoder, parts["vocoder"])


def hub_folder(folder: Path, parts: dict[str, nn.Module], ending: str = "safetensors") -> Path:
    """As the Hub's cvssp/audioldm-* lie: one folder a network, heads counted wrongly."""
    configs: dict[str, dict[str, Any]] = {
        "unet": {"attention_head_dim": 8},
        "vae": {"scaling_factor": SCALE_FACTOR},
        "vocoder": {"upsample_rates": [5, 4, 2, 2, 2]},
        "text_encoder": {"layer_norm_eps": 1e-12},
    }
    for name, config in configs.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config))
        state = dict(parts["clap_text" if name == "text_encoder" else name].state_dict())
        if name == "vae":  # as diffusers named them when these were converted
            old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
            for new, before in old.items():
                state = {
                    key.replace(f"attentions.0.{new}", f"attentions.0.{before}"): v
                    for key, v in state.items()
                }
        stem = "diffusion_pytorch_model" if name in ("unet", "vae") else "model"
        if ending == "safetensors":
            save_file(
                {key: value.contiguous() for key, value in state.items()},
                folder / name / f"{stem}.safetensors",
            )
        else:
            stem = stem if stem != "model" else "pytorch_model"
            torch.save(state, folder / name / f"{stem}.bin")
    tokenizer_files(folder / "tokenizer")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_a_folder_from_the_hub(tmp_path: Path, parts: dict[str, nn.Module], ending: str) -> None:
    folder = hub_folder(tmp_path / "audioldm-s", parts, ending)
    done = import_audioldm(folder, tmp_path / "new")
    modules = load_modules(done.preset)
    same(modules.unet.network, parts["unet"])
    same(modules.vae.network, parts["vae"])
    assert done.preset.header.parts.unet.heads == (1, 2, 3, 5)  # type: ignore[union-attr]
    assert any("attention_head_dim, 8" in note for note in done.notes)
    assert done.preset.header.parts.clap_text is not None and done.preset.header.parts.clap_audio is None
    assert "--ema" in refusal(folder, tmp_path / "none", average=True)
    (folder / "vae" / "config.json").unlink()
    assert "config.json is missing" in refusal(folder, tmp_path / "none")


def lightning(encoder: Encoder) -> dict[str, Any]:
    """A QVIM checkpoint as Lightning writes it, settings in a namespace."""
    settings = argparse.Namespace(project="qvim", batch_size=16, paths=[Path("a")])
    state = encoder.state_dict()
    return {
        "epoch": 9,
        "state_dict": state,
        "hyper_parameters": {"config": settings},
        "optimizer_states": [{}],
    }


def adapter_state(film_rows: int | None = None) -> State:
    draw = torch.Generator().manual_seed(1)
    shapes = {"0.weight": (1024, 960), "0.bias": (1024,), "1.weight": (1024,), "1.bias": (1024,)}
    shapes |= {"3.weight": (512, 1024), "3.bias": (512,), "4.weight": (512,), "4.bias": (512,)}
    state = {f"adapter.{key}": 0.05 * torch.randn(shape, generator=draw) for key, shape in shapes.items()}
    if film_rows is not None:
        state["audioldm.model.diffusion_model.film_emb.weight"] = torch.zeros(film_rows, 512)
    return state


@pytest.mark.slow
def test_encoder_and_adapter(tmp_path: Path, state: State, encoder: Encoder) -> None:
    file, qvim, adapter = (tmp_path / name for name in ("a.ckpt", "qvim.ckpt", "adapter.pt"))
    write_checkpoint(file, {key: value for key, value in state.items() if "audio_branch" not in key})
    torch.save(lightning(encoder), qvim)
    torch.save({"adapter": adapter_state(), "state_dict": {"film": torch.zeros(2)}}, adapter)
    done = import_audioldm(file, tmp_path / "new", qvim=qvim, adapter=adapter)
    modules = load_modules(done.preset)
    draw = torch.Generator().manual_seed(2)
    mel = torch.randn(1, 1, 128, 64, generator=draw)
    with torch.inference_mode():
        heard = encoder.embed_imitation(mel)
        assert torch.allclose(modules.encoder.embed_imitation(mel), heard, atol=1e-5)
        assert torch.allclose(modules.encoder.embed_reference(mel), encoder.embed_reference(mel), atol=1e-5)
        unit, layers = torch.nn.functional.normalize(heard), adapter_state()
        hidden = torch.nn.functional.linear(unit, layers["adapter.0.weight"], layers["adapter.0.bias"])
        hidden = torch.nn.functional.layer_norm(
            hidden, (1024,), layers["adapter.1.weight"], layers["adapter.1.bias"]
        )
        out = torch.nn.functional.linear(
            torch.nn.functional.gelu(hidden), layers["adapter.3.weight"], layers["adapter.3.bias"]
        )
        out = torch.nn.functional.layer_norm(
            out, (512,), layers["adapter.4.weight"], layers["adapter.4.bias"]
        )
        assert torch.allclose(modules.adapter(heard), torch.nn.functional.normalize(out), atol=1e-5)
    assert any(why.startswith("the AudioSet head") for why in done.unused.values())
    assert any("only its sound can tell" in note for note in done.notes)


@pytest.mark.slow
def test_mn10_and_an_adapter_in_front_of_this_size(tmp_path: Path, state: State, encoder: Encoder) -> None:
    file = write_checkpoint(tmp_path / "a.ckpt", state)
    qvim, adapter = tmp_path / "mn10_as.pt", tmp_path / "adapter.pt"
    torch.save(dict(encoder.reference_encoder.state_dict()), qvim)
    torch.save({"model_state_dict": adapter_state(film_rows=128)}, adapter)
    done = import_audioldm(file, tmp_path / "new", qvim=qvim, adapter=adapter)
    assert done.preset.header.parts.encoder is not None and done.preset.header.parts.encoder.shared_tower
    assert any("a model of this size" in note for note in done.notes)
    torch.save({"model_state_dict": adapter_state(film_rows=192)}, adapter)
    assert "another size" in refusal(file, tmp_path / "none", qvim=qvim, adapter=adapter)
    assert "--qvim" in refusal(file, tmp_path / "none", adapter=adapter)
    assert "no VocalDM adapter" in refusal(file, tmp_path / "none", qvim=qvim, adapter=qvim)
    assert "no QVIM checkpoint" in refusal(file, tmp_path / "none", qvim=adapter)
    assert "--qvim" in refusal(qvim, tmp_path / "none")
    assert "--adapter" in refusal(write_checkpoint(adapter, adapter_state()), tmp_path / "none")


# What can't -------------------------------------------------------------------------------------------


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("zipped", [True, False])
def test_code_in_a_pickle_is_not_run(tmp_path: Path, state: State, zipped: bool) -> None:
    file, mark = tmp_path / "a.ckpt", tmp_path / "mark"
    few = {key: value for key, value in state.items() if value.numel() < 10}
    trapped = {"state_dict": few, "callbacks": Trap(mark)}
    torch.save(trapped, file, _use_new_zipfile_serialization=zipped)
    assert "mkdir" in refusal(file, tmp_path)
    file.write_bytes(pickle.dumps(Trap(mark)))
    refusal(file, tmp_path)
    assert not mark.exists()


def test_files_that_are_something_else(tmp_path: Path, state: State) -> None:
    file = tmp_path / "a.ckpt"
    assert "no file" in refusal(file, tmp_path)
    for data, said in (
        (b"", "empty"),
        (b"these are words\n" * 9, "neither a torch nor a safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS"),
        (b"\x80\x04 but nothing after it", "damaged"),
        (b"PK\x03\x04 but nothing after it", "damaged"),
        (b"\x10" + b"\0" * 7 + b"{ this is no JSON", "damaged"),
    ):
        file.write_bytes(data)
        assert said in refusal(file, tmp_path)
    torch.save({"state_dict": {"epoch": 3}}, file)
    assert "no weights" in refusal(file, tmp_path)
    write_checkpoint(file, {"encoder.weight": torch.zeros(3)})
    assert "no AudioLDM checkpoint" in refusal(file, tmp_path)
    assert "is missing" in refusal(tmp_path, tmp_path)


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_truncated_file(tmp_path: Path, state: State, share: float) -> None:
    few = {key: value for key, value in state.items() if value.numel() < 2000}
    file = write_checkpoint(tmp_path / "a.ckpt", few)
    with open(file, "r+b") as opened:
        opened.truncate(int(share * file.stat().st_size))
    assert "cut short" in refusal(file, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s.pop("scale_factor"), "scale_factor"),
        (lambda s: s.pop("model.diffusion_model.out.2.bias"), "average"),
        (lambda s: _drop(s, "first_stage_model.vocoder"), "conv_pre.weight"),
        (lambda s: _drop(s, "first_stage_model.encoder.mid"), "missing"),
        (lambda s: _drop(s, "text_branch"), "text tower"),
        (lambda s: s.update({"model.diffusion_model.film_emb.weight": torch.zeros(128, 1024)}), "1024"),
        (lambda s: _widen(s), "cross-attention"),
    ],
)
def test_a_model_that_is_not_whole_or_another(
    tmp_path: Path, state: State, tokenizer: Path, change: Callable[[State], Any], said: str
) -> None:
    kept = said == "average"
    changed = {key: value for key, value in state.items() if kept or not key.startswith("model_ema.")}
    change(changed)
    if said == "average":
        changed["model.diffusion_model.out.2.bias"] = torch.zeros(8)
        changed.pop("model_ema.diffusion_modelout2bias")
    file = write_checkpoint(tmp_path / "a.ckpt", changed)
    assert said in refusal(file, tmp_path, tokenizer=tokenizer, average=None if said == "average" else False)


def _drop(state: State, begin: str) -> None:
    for key in [key for key in state if begin in key]:
        del state[key]


def _widen(state: State) -> None:
    state["model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"] = torch.zeros(
        64, 1024
    )


@pytest.mark.slow
def test_tokenizers_that_do_not_fit(tmp_path: Path, state: State, tokenizer: Path) -> None:
    kept = {k: v for k, v in state.items() if "audio_branch" not in k and not k.startswith("model_ema.")}
    file = write_checkpoint(tmp_path / "a.ckpt", kept)
    assert "--tokenizer" in refusal(file, tmp_path)
    assert "no tokenizer" in refusal(file, tmp_path, tokenizer=tmp_path)
    for name, text, said in (
        ("vocab.json", '{"<s>": 0, "</s>": 2, "<unk>": 3, "a": 4000}', "4001 tokens"),
        ("vocab.json", '{"a": 1}', "no <s>"),
        ("vocab.json", "[]", "no object"),
        ("merges.txt", "a b c\n", "not a pair"),
    ):
        other = tmp_path / "other"
        tokenizer_files(other)
        (other / name).write_text(text)
        assert said in refusal(file, tmp_path, tokenizer=other)
