"""Published vocoders: every form in which they are given away gives the same samples; all else one sentence."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from parts import package
from safetensors.torch import save_file
from test_model_bigvgan import quiet
from test_model_hifi_gan import mels
from tiny import assert_sentence
from torch import Tensor

from vocaldm_live.checkpoints.published import fold_weight_norm, import_vocoder
from vocaldm_live.checkpoints.vocoders import load_vocoder, read_vocoder, resolve_vocoder
from vocaldm_live.errors import PresetError
from vocaldm_live.model.alias_free import low_pass
from vocaldm_live.model.bigvgan import BigVGAN
from vocaldm_live.model.hifi_gan import HiFiGAN
from vocaldm_live.sound.geometry import HOUSE

SHAPE: dict[str, Any] = {
    "rates": [8, 4, 2],
    "kernels": [16, 8, 4],
    "block_kernels": [3, 5],
    "block_dilations": [[1, 3], [1, 2]],
}
CONFIG: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": SHAPE["rates"],
    "upsample_kernel_sizes": SHAPE["kernels"],
    "upsample_initial_channel": 32,
    "resblock_kernel_sizes": SHAPE["block_kernels"],
    "resblock_dilation_sizes": SHAPE["block_dilations"],
    "num_mels": 8,
    "n_fft": 256,
    "hop_size": 64,
    "win_size": 256,
    "sampling_rate": 16000,
    "fmin": 0,
    "fmax": None,
    "batch_size": 4,
    "dist_config": {"world_size": 1},
}
BIGVGAN = CONFIG | {"activation": "snakebeta", "snake_logscale": True}


def hifi_gan() -> HiFiGAN:
    network: Any = quiet(HiFiGAN(8, 32, **SHAPE))
    network.mean.zero_()
    network.scale.fill_(1.0)
    return network


def published(network: HiFiGAN | BigVGAN) -> dict[str, Tensor]:
    """The state by its published names: filters in it, no statistics."""
    state = {key.replace("upsampler.", "ups."): value for key, value in network.state_dict().items()}
    for name, module in network.named_modules():
        if hasattr(module, "act"):
            for place in ("upsample", "downsample.lowpass"):
                state[f"{name}.{place}.filter"] = torch.from_numpy(low_pass().copy())[None, None]
    return {key: value for key, value in state.items() if key not in ("mean", "scale")}


def normed(state: dict[str, Tensor], length: str, direction: str) -> dict[str, Tensor]:
    """Weights of convolutions as length and direction, the direction's own length being anything."""
    found = {}
    for key, value in state.items():
        if key.endswith(".weight"):
            stem = key.removesuffix("weight")
            found[stem + length] = value.flatten(1).norm(dim=1).view(-1, 1, 1)
            found[stem + direction] = value * (1.0 + torch.arange(len(value)).view(-1, 1, 1) % 3)
        else:
            found[key] = value
    return found


FORMS: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "folded": lambda state: {"generator": state},
    "weight norm": lambda state: {"generator": normed(state, "weight_g", "weight_v")},
    "parametrizations": lambda state: {
        "generator": normed(state, "parametrizations.weight.original0", "parametrizations.weight.original1"),
        "steps": 7,
    },
    "prefixed": lambda state: {
        "generator": {f"module._orig_mod.{key}": value for key, value in state.items()}
    },
    "bare": lambda state: state,
    "inside AudioLDM": lambda state: {
        "state_dict": {f"first_stage_model.vocoder.{key}": value for key, value in state.items()}
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["hifi-gan", "bigvgan"])
@torch.inference_mode()
def test_every_form_sounds_the_same(tmp_path: Path, kind: str, form: str) -> None:
    network: Any = hifi_gan() if kind == "hifi-gan" else quiet(BigVGAN(8, 32, **SHAPE))
    torch.save(FORMS[form](published(network)), tmp_path / "generator.pt")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG if kind == "hifi-gan" else BIGVGAN))
    choice = import_vocoder(tmp_path / "generator.pt", tmp_path / "made")
    assert choice.part.kind == kind and resolve_vocoder(str(tmp_path / "made")) == choice
    loaded: Any = load_vocoder(choice)
    if kind == "hifi-gan":
        # Kernels are twice the rates and the rates even: exact and half are the same.
        assert choice.part.padding == "exact"  # type: ignore[union-attr]
    mel = mels(8, 12)
    assert (loaded(mel) - network(mel)).abs().max() < 1e-6
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@torch.inference_mode()
def test_half_precision_and_safetensors_are_taken(tmp_path: Path) -> None:
    network: Any = quiet(BigVGAN(8, 32, **SHAPE, tanh_at_end=False, bias_at_end=False))
    half = {key: value.half() for key, value in published(network).items()}
    save_file(half, tmp_path / "generator.safetensors")
    config = BIGVGAN | {"use_tanh_at_final": False, "use_bias_at_final": False}
    (tmp_path / "generator.json").write_text(json.dumps(config))
    loaded: Any = load_vocoder(import_vocoder(tmp_path / "generator.safetensors", tmp_path / "made"))
    mel = mels(8, 12)
    assert next(loaded.parameters()).dtype == torch.float32
    assert (loaded(mel) - network(mel)).abs().max() < 0.01 * network(mel).abs().max()


@torch.inference_mode()
def test_a_folder_as_transformers_saves_it_is_taken(tmp_path: Path) -> None:
    transformers = package("transformers")
    config = transformers.SpeechT5HifiGanConfig(
        model_in_dim=64,
        sampling_rate=16000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        normalize_before=False,
    )
    theirs = transformers.SpeechT5HifiGan(config).eval()
    theirs.save_pretrained(tmp_path / "vocoder")
    choice = import_vocoder(tmp_path / "vocoder", tmp_path / "made")
    mel = choice.geometry
    assert mel is not None and (mel.n_fft, mel.hop, mel.fmin, mel.fmax) == (1024, 160, 0.0, 8000.0)
    loaded: Any = load_vocoder(choice)
    heard = mels(64, 10)
    assert torch.equal(loaded(heard), theirs(heard.transpose(1, 2))[:, :1600])


def test_folding_is_that_of_torch() -> None:
    layer = torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(4, 6, 3))
    folded = fold_weight_norm({f"a.{key}": value for key, value in layer.state_dict().items()})
    assert set(folded) == {"a.weight", "a.bias"}
    torch.testing.assert_close(folded["a.weight"], layer.weight.detach(), atol=1e-7, rtol=1e-6)


class Malice:
    """Runs a command where its pickle is loaded without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        (b"", "neither"),
        (b"some text that is no network\n", "neither"),
        (b"PK\x03\x04 and nothing more", "cut short"),
        ({"mpd": {"x.weight": torch.zeros(3)}}, "holds no generator"),
        ({"state_dict": {"model.x": torch.zeros(3)}}, "model.x"),
        ([1, 2], "no tensors by name"),
        ({"generator": {"conv_pre.weight": torch.zeros(32, 8, 7)}}, "missing"),
        ({"generator": {"conv_pre.weight": torch.full((32, 8, 7), float("nan"))}}, "not finite"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path: Path, held: Any, said: str) -> None:
    file = tmp_path / "generator.pt"
    if isinstance(held, bytes):
        file.write_bytes(held)
    else:
        torch.save(held, file)
    refused(tmp_path, file, CONFIG, said)


@pytest.mark.parametrize("save", [torch.save, lambda held, path: path.write_bytes(pickle.dumps(held))])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, save: Any) -> None:
    save({"generator": Malice(tmp_path / "ran")}, tmp_path / "generator.pt")
    refused(tmp_path, tmp_path / "generator.pt", CONFIG, "can run code")
    assert not (tmp_path / "ran").exists()


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "generator.pt"
    torch.save({"generator": published(hifi_gan())}, file)
    file.write_bytes(file.read_bytes()[:-2000])
    refused(tmp_path, file, CONFIG, "cut short")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"upsample_initial_channel": 64}, "shape"),
        ({"num_mels": 16}, "shape"),
        ({"upsample_rates": [8, 4]}, "kernels"),
        ({"hop_size": 128}, "hop"),
        ({"win_size": 128}, "window"),
        ({"n_fft": None}, "n_fft"),
        ({"resblock": "2"}, "resblock"),
        ({"sampling_rate": "fast"}, "sampling_rate"),
        ({"fmax": 9000}, "fmax"),
    ],
)
def test_a_config_that_does_not_belong_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    torch.save({"generator": published(hifi_gan())}, tmp_path / "generator.pt")
    refused(tmp_path, tmp_path / "generator.pt", CONFIG | change, said)


def test_other_filters_are_refused(tmp_path: Path) -> None:
    state = published(quiet(BigVGAN(8, 32, **SHAPE)))  # type: ignore[arg-type]
    state["activation_post.upsample.filter"] = torch.full((1, 1, 12), 1 / 12)
    torch.save({"generator": state}, tmp_path / "generator.pt")
    refused(tmp_path, tmp_path / "generator.pt", BIGVGAN, "filters")


def test_a_folder_that_is_no_vocoder_is_not_replaced(tmp_path: Path) -> None:
    torch.save({"generator": published(hifi_gan())}, tmp_path / "generator.pt")
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "letter.txt").write_text("dear")
    refused(tmp_path, tmp_path / "generator.pt", CONFIG, "not replaced")
    assert (tmp_path / "made" / "letter.txt").read_text() == "dear"


def test_damage_after_the_import_is_seen(tmp_path: Path) -> None:
    torch.save({"generator": published(hifi_gan())}, tmp_path / "generator.pt")
    (tmp_path / "generator.json").write_text(json.dumps(CONFIG))
    choice = import_vocoder(tmp_path / "generator.pt", tmp_path / "made")
    weights = tmp_path / "made" / "vocoder.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(PresetError, match=r"vocoder\.yaml") as caught:
        load_vocoder(choice)
    assert_sentence(str(caught.value))
    weights.unlink()
    with pytest.raises(PresetError, match="missing"):
        load_vocoder(read_vocoder(tmp_path / "made"))


def test_another_mel_is_refused_naming_both(tmp_path: Path) -> None:
    torch.save({"generator": published(hifi_gan())}, tmp_path / "generator.pt")
    (tmp_path / "generator.json").write_text(json.dumps(CONFIG))
    choice = import_vocoder(tmp_path / "generator.pt", tmp_path / "made")
    with pytest.raises(PresetError) as caught:
        choice.check_fits("house", HOUSE)
    said = str(caught.value)
    assert_sentence(said)
    for part in (
        str(tmp_path / "made"),
        "house",
        "16000 Hz",
        "48000 Hz",
        "hop 64",
        "hop 480",
        "fmax 8000 Hz",
    ):
        assert part in said
    assert choice.geometry is not None
    choice.check_fits("other", choice.geometry)


def refused(folder: Path, file: Path, config: dict[str, Any], said: str) -> None:
    (folder / "its.json").write_text(json.dumps(config))
    before = sorted((folder / "made").iterdir()) if (folder / "made").exists() else None
    with pytest.raises(PresetError) as caught:
        import_vocoder(file, folder / "made", folder / "its.json")
    assert_sentence(str(caught.value))
    assert said in str(caught.value), str(caught.value)
    assert (sorted((folder / "made").iterdir()) if (folder / "made").exists() else None) == before
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
