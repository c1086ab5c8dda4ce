"""Presets: what is written comes back, and damaged weights are refused in one sentence."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from disks import small_disk
from safetensors.torch import load_file, save_file
from tiny import assert_sentence, change_header, make_tiny_preset, tiny_header, tiny_networks
from torch import Tensor

from vocaldm_live.checkpoints.header import GeometryHeader
from vocaldm_live.checkpoints.preset import check_preset, load_modules, read_preset, write_preset
from vocaldm_live.checkpoints.weights import file_sha256, read_entries
from vocaldm_live.errors import PresetError
from vocaldm_live.model.unet import Condition
from vocaldm_live.sound.geometry import HOUSE, Geometry


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound preset that nobody may change."""
    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to damage."""
    return Path(shutil.copytree(whole, tmp_path / "tiny"))


def change_weights(folder: Path, part: str, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Change a part's tensors and make the hash in preset.yaml right again."""
    path = folder / f"{part}.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    right_hash(folder, part)


def right_hash(folder: Path, part: str) -> None:
    change_header(
        folder,
        lambda plain: plain["parts"][part].update(sha256=file_sha256(folder / plain["parts"][part]["file"])),
    )


def refusal(folder: Path, file: str) -> str:
    """The one sentence with which both checking and loading refuse a preset; it names the file."""
    problems = check_preset(folder)
    assert len(problems) == 1, problems
    with pytest.raises(PresetError) as caught:
        load_modules(read_preset(folder))
    assert str(caught.value) == problems[0]
    assert_sentence(problems[0])
    assert str(folder / file) in problems[0]
    return problems[0]


# Round trip ---------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_written_preset_is_sound_and_says_what_was_given(whole: Path) -> None:
    assert check_preset(whole) == []
    preset = read_preset(whole)
    assert (preset.name, preset.folder, preset.geometry) == ("tiny", whole.resolve(), HOUSE)
    given, back = tiny_header(), json.loads(preset.header.model_dump_json(exclude_none=True))
    assert {key: back[key] for key in given if key != "parts"} == json.loads(
        json.dumps({key: given[key] for key in given if key != "parts"})
    )
    for part, values in json.loads(json.dumps(given["parts"])).items():
        assert values.items() <= back["parts"][part].items()
        assert back["parts"][part]["sha256"] == file_sha256(whole / back["parts"][part]["file"])
    assert sorted(path.name for path in whole.parent.iterdir()) == ["tiny"]


def test_loaded_networks_compute_what_the_saved_ones_did(whole: Path) -> None:
    saved, loaded = tiny_networks(), load_modules(read_preset(whole))
    draw = torch.Generator().manual_seed(5)
    mel = torch.randn(1, HOUSE.mel_bands, 16, generator=draw) - 5.0
    latent = torch.randn(1, 8, 8, 16, generator=draw)
    embedding = torch.rand(1, 960, generator=draw)
    time = torch.tensor([500])
    channels = loaded.unet.network.conv_in.sketch.in_channels  # type: ignore[union-attr]
    condition = Condition(
        torch.nn.functional.normalize(torch.randn(1, 512, generator=draw)),
        torch.randn(1, int(channels), 8, 16, generator=draw),  # type: ignore[arg-type]
    )
    heard = torch.randn(1, 1, 128, 64, generator=draw)

    def close(found: Tensor, wanted: Tensor) -> None:
        """Equal but for half-precision weights."""
        assert float((found - wanted).norm() / wanted.norm()) < 5e-3

    with torch.inference_mode():
        close(loaded.encoder.embed_imitation(heard), saved["encoder"].embed_imitation(heard))  # type: ignore[operator]
        close(loaded.adapter(embedding), saved["adapter"](embedding))
        close(loaded.unet(latent, time, condition), saved["unet"](latent, time, condition))
        close(loaded.vae.decode(latent), saved["vae"].decode(latent))  # type: ignore[operator]
        assert loaded.vocoder is not None
        noise = torch.zeros(1, HOUSE.n_fft // 2 + 1, 16, dtype=torch.complex64)
        close(loaded.vocoder(mel, noise=noise), saved["vocoder"](mel, noise=noise))
    assert loaded.schedule.zero_terminal_snr and len(loaded.schedule) == 1000


def test_loaded_networks_are_ready_to_run_and_nothing_else(whole: Path) -> None:
    torch.manual_seed(11)
    first = torch.rand(1)
    torch.manual_seed(11)
    loaded = load_modules(read_preset(whole))
    assert torch.equal(torch.rand(1), first), "loading drew from the global random numbers"
    for network in (loaded.encoder, loaded.adapter, loaded.unet, loaded.vae, loaded.vocoder):
        assert network is not None and not network.training
        assert all(not value.requires_grad for value in network.parameters())
        for value in (*network.parameters(), *network.buffers()):
            assert value.device.type == "cpu" and value.dtype in (torch.float32, torch.int64)


def test_kernels_are_half_precision_on_disk_and_vectors_exact(whole: Path) -> None:
    for path in whole.glob("*.safetensors"):
        for key, entry in read_entries(path).items():
            wanted = {0: "I64", 1: "F32"}.get(len(entry.shape), "F16")
            assert entry.dtype == wanted, f"{path.name} {key}"
    saved, stored = tiny_networks()["encoder"].state_dict(), load_file(whole / "encoder.safetensors")
    statistic = "imitation_encoder.features.0.1.running_var"
    assert torch.equal(saved[statistic], stored[statistic])


def test_griffin_lim_needs_no_vocoder_file(tmp_path: Path) -> None:
    header = tiny_header()
    header["parts"]["vocoder"] = {"kind": "griffin-lim", "iterations": 16}
    states = {part: network.state_dict() for part, network in tiny_networks().items() if part != "vocoder"}
    preset = write_preset(tmp_path / "plain", header, states, torch.bfloat16)
    assert load_modules(preset).vocoder is None
    assert preset.header.parts.vocoder.kind == "griffin-lim" and preset.header.parts.vocoder.iterations == 16
    assert not (preset.folder / "vocoder.safetensors").exists()


def test_the_hash_names_what_makes_the_sound_and_not_the_words(whole: Path, copy: Path) -> None:
    before = read_preset(whole).sha256
    change_header(copy, lambda plain: plain.update(credits=["Another"], description="x", metrics={"r": 0.9}))
    change_header(copy, lambda plain: plain["parameters"]["steps"].update(default=4))
    assert read_preset(copy).sha256 == before
    change_weights(copy, "vae", lambda state: state["latent_mean"].add_(0.5))
    assert check_preset(copy) == []
    changed = read_preset(copy).sha256
    assert changed != before
    change_header(copy, lambda plain: plain["schedule"].update(beta_end=0.02))
    assert read_preset(copy).sha256 not in (before, changed)


def test_the_same_networks_make_the_same_preset(whole: Path, tmp_path: Path) -> None:
    again = make_tiny_preset(tmp_path)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_the_header_knows_every_field_of_the_geometry() -> None:
    assert [field.name for field in dataclasses.fields(Geometry)] == list(GeometryHeader.model_fields)


# Damaged weights ----------------------------------------------------------------------------------------


def test_a_flipped_byte_is_found_by_the_hash(copy: Path) -> None:
    path = copy / "vae.safetensors"
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    assert "sha256" in refusal(copy, "vae.safetensors")


def test_a_dropped_key_is_named(copy: Path) -> None:
    change_weights(copy, "vae", lambda state: state.pop("latent_mean"))
    assert "latent_mean is missing" in refusal(copy, "vae.safetensors")


def test_an_added_key_is_named(copy: Path) -> None:
    change_weights(copy, "vae", lambda state: state.update(extra=torch.zeros(3)))
    assert "extra is unexpected" in refusal(copy, "vae.safetensors")


def test_a_transposed_matrix_is_named_with_both_shapes(copy: Path) -> None:
    def transpose(state: dict[str, Tensor]) -> None:
        state["layers.0.weight"] = state["layers.0.weight"].T.contiguous()

    change_weights(copy, "adapter", transpose)
    text = refusal(copy, "adapter.safetensors")
    assert "layers.0.weight" in text and "[960, 1024]" in text and "[1024, 960]" in text


def test_a_tensor_of_whole_numbers_where_floats_belong_is_named(copy: Path) -> None:
    change_weights(copy, "vae", lambda state: state.update(latent_mean=torch.zeros(8, dtype=torch.int64)))
    text = refusal(copy, "vae.safetensors")
    assert "latent_mean" in text and "I64" in text


def test_another_number_type_is_refused(copy: Path) -> None:
    change_weights(copy, "vae", lambda state: state.update(latent_mean=torch.zeros(8, dtype=torch.float64)))
    assert "F64" in refusal(copy, "vae.safetensors")


class Trap:
    """Leaves a mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.mark.parametrize("kind", ["protocol 2", "protocol 4", "torch", "torch, old"])
def test_a_pickle_is_told_and_never_opened(copy: Path, tmp_path: Path, kind: str) -> None:
    path, mark = copy / "vae.safetensors", tmp_path / "opened"
    if kind.startswith("torch"):
        torch.save({"a": Trap(mark)}, path, _use_new_zipfile_serialization=kind == "torch")
    else:
        path.write_bytes(pickle.dumps({"a": Trap(mark)}, protocol=int(kind[-1])))
    right_hash(copy, "vae")
    assert "pickle" in refusal(copy, "vae.safetensors")
    assert not mark.exists()


def test_a_header_whose_length_looks_like_a_pickle_is_still_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for size in range(8, 2000, 8):
        save_file({"a": torch.ones(2)}, path, metadata={"note": "x" * size})
        if path.read_bytes()[:2] == b"\x80\x02":
            break
    assert path.read_bytes()[:2] == b"\x80\x02"
    assert read_entries(path)["a"].shape == (2,)


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_a_truncated_file_is_told(copy: Path, kept: int) -> None:
    path = copy / "vae.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    right_hash(copy, "vae")
    refusal(copy, "vae.safetensors")


@pytest.mark.parametrize(
    "text", [b"RIFF....WAVEfmt ", b"\xff" * 64, b"\x10" + b"\0" * 7 + b"{not json at all", b"{}" * 20]
)
def test_something_else_under_the_name_is_told(copy: Path, text: bytes) -> None:
    (copy / "vae.safetensors").write_bytes(text)
    right_hash(copy, "vae")
    refusal(copy, "vae.safetensors")


def test_bytes_after_the_last_tensor_are_told(copy: Path) -> None:
    path = copy / "vae.safetensors"
    path.write_bytes(path.read_bytes() + b"PK\x03\x04")
    right_hash(copy, "vae")
    assert "4 bytes too many" in refusal(copy, "vae.safetensors")


def test_a_missing_file_is_told(copy: Path) -> None:
    (copy / "vocoder.safetensors").unlink()
    assert "missing" in refusal(copy, "vocoder.safetensors")


def test_every_damaged_file_is_listed(copy: Path) -> None:
    (copy / "unet.safetensors").unlink()
    (copy / "vae.safetensors").write_bytes(b"")
    change_header(copy, lambda plain: plain.update(name="other"))
    problems = check_preset(copy)
    assert len(problems) == 3
    for file, problem in zip(("preset.yaml", "unet.safetensors", "vae.safetensors"), problems, strict=True):
        assert_sentence(problem)
        assert file in problem


def test_an_unknown_sampler_is_refused(copy: Path) -> None:
    change_header(copy, lambda plain: plain["parameters"]["sampler"].update(choices=["ddim", "euler"]))
    assert "euler" in refusal(copy, "preset.yaml")


# Writing ------------------------------------------------------------------------------------------------


def states_of(seed: int = 0) -> dict[str, dict[str, Tensor]]:
    return {part: network.state_dict() for part, network in tiny_networks(seed).items()}


def test_a_failed_write_leaves_the_older_preset_and_no_remains(copy: Path) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    too_large = states_of()
    too_large["unet"]["network.conv_out.weight"][0, 0, 0, 0] = 1e6
    with pytest.raises(PresetError, match="conv_out.weight overflows float16"):
        write_preset(copy, tiny_header(), too_large, torch.float16)
    broken = states_of()
    broken["vae"]["latent_mean"][0] = float("nan")
    with pytest.raises(PresetError, match="latent_mean is not finite"):
        write_preset(copy, tiny_header(), broken, torch.float16)
    lacking = states_of()
    del lacking["vae"]["latent_mean"]
    with pytest.raises(PresetError, match="latent_mean is missing"):
        write_preset(copy, tiny_header(), lacking, torch.float16)
    with pytest.raises(PresetError, match="needs weights for"):
        write_preset(copy, tiny_header(), {}, torch.float16)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]


def test_writing_again_replaces_the_preset_and_keeps_what_else_lies_there(copy: Path) -> None:
    (copy / "README.md").write_text("mine")
    (copy / "old.safetensors").write_bytes(b"")
    before = read_preset(copy).sha256
    preset = write_preset(copy, tiny_header(), states_of(seed=1), torch.float16)
    assert preset.sha256 != before and check_preset(copy) == []
    assert (copy / "README.md").read_text() == "mine"
    assert not (copy / "old.safetensors").exists()
    assert [path.name for path in copy.parent.iterdir()] == ["tiny"]


def test_a_folder_that_is_no_preset_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_bytes(b"precious")
    with pytest.raises(PresetError, match="not replaced"):
        write_preset(tmp_path / "songs", tiny_header(), states_of(), torch.float16)
    assert (tmp_path / "songs" / "a.wav").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["songs"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """The library that writes weights wraps the system's error in one of its own."""
    with small_disk(tmp_path / "disk", "300k") as disk:
        with pytest.raises(PresetError, match="cannot be written .No space left on device") as caught:
            make_tiny_preset(disk / "presets")
        assert_sentence(str(caught.value))
        assert list((disk / "presets").iterdir()) == []
