"""Listeners: published files of small widths with random weights, loaded and heard with; what is wrong is one sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from audioldm_files import networks, published, stirred, tokenizer_files, write_checkpoint
from safetensors.torch import save_file
from tiny import assert_sentence, make_tiny_preset
from torch import Tensor, nn

from training.errors import RecipeError
from training.listeners import Listener, listener
from training.listeners.clap import Clap
from training.listeners.panns import Cnn14
from training.listeners.vggish import VGG, log_mel_windows
from vocaldm_live.checkpoints.importing import import_audioldm
from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.engine.clap_hearing import ClapHearing
from vocaldm_live.errors import PresetError
from vocaldm_live.sound.audio import Sound
from vocaldm_live.sound.geometry import Geometry
from vocaldm_live.sound.mel import mel_filters


def tone(rate: int, seconds: float = 1.5, pitch: float = 300.0) -> np.ndarray:
    time = np.arange(int(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * pitch * time * (1 + time))).astype(np.float32)


def panns_state(size: int = 512, width: int = 2) -> dict[str, Tensor]:
    """What a published CNN14 holds, of small width."""
    torch.manual_seed(3)
    network = Cnn14(width)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.1, 0.1)  # type: ignore[arg-type]
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)  # or what comes out hardly depends on what went in
    rate = {512: 16000, 1024: 32000}[size]
    mel = mel_filters(Geometry(rate, size, rate // 100, 64, 50.0, min(14000.0, rate / 2), 1, 1, 1))
    return {
        **network.state_dict(),
        "spectrogram_extractor.stft.conv_real.weight": torch.zeros(size // 2 + 1, 1, size),
        "spectrogram_extractor.stft.conv_imag.weight": torch.zeros(size // 2 + 1, 1, size),
        "logmel_extractor.melW": torch.from_numpy(mel.T.copy()),
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of every kind: as torch writes them, as safetensors, and presets."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save({"iteration": 600000, "model": panns_state()}, folder / "Cnn14_16k.pth")
    save_file(panns_state(1024), folder / "Cnn14.safetensors")
    torch.manual_seed(4)
    torch.save(VGG(32).state_dict(), folder / "vggish.pth")
    make_tiny_preset(folder)
    checkpoint = write_checkpoint(folder / "small.ckpt", published(stirred(networks()), average=False))
    import_audioldm(checkpoint, folder / "small", tokenizer=tokenizer_files(folder / "tokenizer"))
    return folder


def every(files: Path) -> list[Listener]:
    return [
        listener("fingerprint"),
        listener(f"ours:{files / 'tiny'}"),
        listener(f"clap:{files / 'small'}"),
        listener("panns", files / "Cnn14_16k.pth"),
        listener("panns", files / "Cnn14.safetensors"),
        listener("vggish", files / "vggish.pth"),
    ]


@pytest.mark.slow
def test_every_listener_keeps_the_contract(files: Path) -> None:
    """Widths, kinds, the same numbers twice, other numbers for another sound; the shortest of sounds and silence too."""
    found = every(files)
    assert len({one.sha256 for one in found}) == len(found)
    for one in found:
        for samples in (tone(one.rate), tone(one.rate, 0.05), np.zeros(one.rate, np.float32)):
            vector, windows, answers = one(samples), one.windows(samples), one.classes(samples)
            assert vector.shape == (one.width,) and vector.dtype == np.float32
            assert windows.shape[1] == one.width and np.isfinite(windows).all()
            np.testing.assert_allclose(windows.mean(axis=0), vector, atol=1e-5)
            assert (answers is not None) == (one.name == "panns")
            np.testing.assert_array_equal(one(samples), vector)
        assert not np.allclose(one(tone(one.rate)), one(tone(one.rate, pitch=1500.0)), atol=1e-6)


def test_panns_answers_and_rates_come_from_its_file(files: Path) -> None:
    low, high = listener("panns", files / "Cnn14_16k.pth"), listener("panns", files / "Cnn14.safetensors")
    assert (low.rate, high.rate, low.width) == (16000, 32000, 64)
    answers = low.classes(tone(16000))
    assert answers is not None and answers.shape == (527,)
    other = low.classes(tone(16000, pitch=2000.0))
    assert other is not None and not np.allclose(answers, other)


def test_panns_hears_decibels(files: Path) -> None:
    """Twice the sound is 6 dB more in every band, a full-scale sine is where its frequency is."""
    one: Any = listener("panns", files / "Cnn14_16k.pth")
    noise = np.random.default_rng(0).standard_normal(16000).astype(np.float32) * 0.1
    quiet, loud = one.mel(noise), one.mel(2 * noise)
    torch.testing.assert_close(loud - quiet, torch.full_like(quiet, 20 * np.log10(2)), atol=1e-3, rtol=0)
    assert quiet.shape == (1, 1, 101, 64)


def test_vggish_hears_whole_windows_of_its_own_mel() -> None:
    """As long as AudioSet's examples: 0.975 s make one window, 1.9 s still one, 2 s two; louder is more by ln."""
    for seconds, count in ((0.2, 1), (0.975, 1), (1.9, 1), (1.95, 2), (2.0, 2)):
        assert log_mel_windows(tone(16000, seconds)).shape == (count, 1, 96, 64)
    silent = log_mel_windows(np.zeros(16000, np.float32))
    torch.testing.assert_close(silent, torch.full_like(silent, float(np.log(0.01))))
    time = np.arange(16000) / 16000
    mel = log_mel_windows(np.sin(2 * np.pi * 1000 * time).astype(np.float32))[0, 0, 50]
    # 64 bands from 125 to 7500 Hz, evenly spaced by 1127 ln(1 + f / 700).
    edges = 1127 * np.log1p(np.array([125, 1000, 7500]) / 700)
    assert abs(int(mel.argmax()) - ((edges[1] - edges[0]) / (edges[2] - edges[0]) * 65 - 1)) <= 1


def test_clap_hears_what_the_engine_hears(files: Path) -> None:
    """Sounds and words get the vectors that the preset's own engine gives them."""
    clap = listener(f"clap:{files / 'small'}")
    assert isinstance(clap, Clap) and clap.understands_words
    preset = read_preset(files / "small")
    hearing = ClapHearing(preset, load_modules(preset), torch.device("cpu"))
    sound = Sound(tone(48000), 48000)
    np.testing.assert_allclose(clap(sound.samples), hearing.sound(sound)[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(clap.words(" dog  rain "), hearing.text("dog rain")[0].numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "weights", "said"),
    [
        ("nonsense", None, "fingerprint"),
        ("clap", None, "clap:PRESET"),
        ("panns", None, "--weights panns=FILE"),
        ("vggish", None, "--weights vggish=FILE"),
        ("ours:house", "any.pth", "takes no file"),
    ],
)
def test_a_wrong_name_is_one_sentence(name: str, weights: str | None, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        listener(name, Path(weights) if weights else None)
    assert_sentence(str(caught.value))


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch it-ran",)


def test_a_wrong_file_is_one_sentence_and_nothing_in_it_runs(
    files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    state = panns_state()
    missing = {name: value for name, value in state.items() if name != "fc1.bias"}
    reshaped = state | {"conv_block2.conv1.weight": torch.zeros(5, 2, 3, 3)}
    more = state | {"head.weight": torch.zeros(3)}
    odd = state | {"logmel_extractor.melW": torch.zeros(300, 64)}
    for number, (kind, content, said) in enumerate(
        [
            ("panns", missing, "lacks fc1.bias"),
            ("panns", reshaped, "conv_block2.conv1.weight has the shape"),
            ("panns", more, "head.weight"),
            ("panns", odd, "mel matrix"),
            ("panns", VGG(32).state_dict(), "no CNN14"),
            ("vggish", state, "no VGGish"),
            ("panns", {"model": state, "hook": _Evil()}, "system"),
            ("vggish", {"hook": _Evil()}, "system"),
        ]
    ):
        file = tmp_path / f"{number}.pth"
        torch.save(content, file)
        with pytest.raises(PresetError, match=said) as caught:
            listener(kind, file)
        assert_sentence(str(caught.value).replace(".pth", ""))
    whole = (files / "Cnn14_16k.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    for name in ("cut.pth", "none.pth"):
        with pytest.raises(PresetError, match=name):
            listener("panns", tmp_path / name)
    assert not (tmp_path / "it-ran").exists()


def test_clap_without_its_tower_is_one_sentence(files: Path) -> None:
    with pytest.raises(PresetError, match="no CLAP audio tower"):
        listener(f"clap:{files / 'tiny'}")
