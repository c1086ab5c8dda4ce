"""`vocaldm-train vae`: it learns, its latents are measured, its decoder can learn on alone, mistakes are sentences."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
from PIL import Image
from tiny import assert_sentence, make_tiny_preset

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402
from sound_runs import MEL, tones  # noqa: E402
from sound_runs import command as sound_command  # noqa: E402

from training.cli import main  # noqa: E402
from training.data.rows import from_tables  # noqa: E402
from training.data.spec import DataSpec  # noqa: E402
from training.dataset import ARRAYS, read_dataset  # noqa: E402
from training.errors import DataError  # noqa: E402
from training.export import export  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.judges.patch import PatchJudge  # noqa: E402
from training.losses.mels import (  # noqa: E402
    absolute_distance,
    magnitude_distance,
    resolution_distance,
    slope_distance,
    square_distance,
)
from training.mels import OfSounds, Stored, read_mels  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.sounds import Sounds  # noqa: E402
from training.trainers.vae import VAERecipe  # noqa: E402
from training.vae_part import make_vae  # noqa: E402
from vocaldm_live.model.audioldm import AudioLDMVAE  # noqa: E402
from vocaldm_live.model.vae import MelVAE  # noqa: E402
from vocaldm_live.sound.geometry import HOUSE, Geometry  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SIZES = [4, 8, 8]
LEARNT = ("network.decoder", "network.post_quant_conv")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen clips of 64 frames: two gliding partials over noise, at different levels; the last four are held out."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    time, band = np.arange(64), np.arange(128)[:, None]
    mels = []
    for _ in range(16):
        mel = -9.0 + 0.3 * rng.standard_normal((128, 64))
        for _ in range(2):
            place = rng.uniform(10, 110) + rng.uniform(-0.4, 0.4) * time
            mel = np.maximum(mel, -1.0 - 0.5 * (band - place) ** 2)
        mels.append(mel)
    arrays = {name: np.zeros((16, 1), np.float16) for name in ARRAYS} | {"mel": np.array(mels, np.float16)}
    names = json.dumps(["glide"] * 12 + ["kept"] * 4)
    np.savez(folder / "shard-00000.npz", family=names, source=names, **arrays)
    return folder


def command(shards: Path, out: Path, *more: str) -> list[str]:
    fixed = {
        "data.source": shards,
        "machine.accelerator": "cpu",
        "machine.devices": 1,
        "machine.threads": 1,
        "sizes": f"{{channels: {SIZES}, groups: 4}}",
        "optimiser.rates.warmup": 5,
        "keeping.validate.steps": 30,
        "batch": 4,
        "average": 0.9,
        "crop": 16,
    }
    changes = [part for key, value in fixed.items() for part in ("--set", f"{key}={value}")]
    return ["vae", "--out", str(out), *changes, *more]


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("vae")
    assert main(command(shards, out, "--steps", "60")) == 0
    return out


def vae_of(path: Path) -> MelVAE:
    vae = MelVAE(HOUSE, SIZES, 1, 4)
    vae.load_state_dict(load_file(path), strict=True)
    return vae.eval()


@pytest.mark.slow
def test_it_learns_and_its_latents_are_standard(shards: Path, trained: Path) -> None:
    judged = [float(row["mel_db"]) for row in read_rows(trained / "validation.csv")]
    assert judged[-1] < 0.5 * judged[0]
    with torch.inference_mode():
        latent = vae_of(trained / "vae.safetensors").encode(
            torch.from_numpy(read_dataset(shards).mel[:12]).float()
        )
    torch.testing.assert_close(latent.mean((0, 2, 3)), torch.zeros(8), atol=1e-3, rtol=0)
    torch.testing.assert_close(latent.std((0, 2, 3)), torch.ones(8), atol=1e-3, rtol=0)


@pytest.mark.slow
def test_a_stopped_run_ends_as_an_unbroken_one(shards: Path, trained: Path, tmp_path: Path) -> None:
    assert main(command(shards, tmp_path, "--steps", "60", "--max-hours", "1e-9")) == 0
    assert json.loads((tmp_path / "run.json").read_text())["state"] == "paused"
    # The run's own recipe is at hand: nothing but the folder has to be named again.
    assert main(["vae", "--out", str(tmp_path), "--max-hours", "1"]) == 0
    one, other = (load_file(folder / "vae.safetensors") for folder in (tmp_path, trained))
    assert all(torch.equal(one[name], other[name]) for name in other)


@pytest.mark.slow
def test_the_decoder_learns_on_alone(shards: Path, trained: Path, tmp_path: Path) -> None:
    first = trained / "vae.safetensors"
    more = [
        "--steps",
        "20",
        "--set",
        f"weights_of={first}",
        "--set",
        "train=decoder",
        "--set",
        "keeping.listen.steps=20",
    ]
    assert main(command(shards, tmp_path, *more)) == 0
    before, after = load_file(first), load_file(tmp_path / "vae.safetensors")
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith(LEARNT) for name in changed)
    assert (tmp_path / "listening" / "step-0000020" / "mels.npz").exists()


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (["--set", "crop=10"], 1, "crop must divide by 4"),
        (["--set", "crop=400"], 1, "too few to train and judge by"),
        (["--set", "data.source=nowhere"], 1, "nowhere does not exist"),
        (["--set", "weights_of=nowhere.safetensors"], 1, "nowhere.safetensors cannot be read"),
        (["--set", "losses.perceptual=1"], 2, "there is no key losses.perceptual; known there: square"),
        (["--precision", "8-bit"], 2, "machine.precision: '8-bit' does not fit"),
    ],
)
def test_mistakes_are_sentences(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, part: str
) -> None:
    assert main(command(shards, tmp_path, *more)) == code
    said = capsys.readouterr().err.strip()
    assert part in said
    assert_sentence(said)


def test_without_data_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["vae", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "The recipe: data is missing; set it.\n"


def test_clips_of_one_recording_stay_together(shards: Path, tmp_path: Path) -> None:
    """Examples are variations: the last ones are made of the same recordings as the first."""
    found = read_mels(DataSpec(source=str(shards)), None, HOUSE, None, tmp_path, 2, print)
    assert (len(found.training), len(found.kept)) == (12, 4)
    with np.load(shards / "shard-00000.npz") as whole:
        arrays = {name: whole[name] for name in whole.files}
    mixed = {"source": json.dumps(["glide", "kept"] * 8)}
    for name, more in (("mixed", mixed), ("alone", {"source": json.dumps(["glide"] * 16)})):
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "shard-00000.npz", **arrays | more)
    apart = read_mels(DataSpec(source=str(tmp_path / "mixed")), None, HOUSE, None, tmp_path, 2, print)
    np.testing.assert_array_equal(apart.kept.mels, arrays["mel"][1::2])  # type: ignore[union-attr]
    for source, held_out, said in (
        ("alone", None, "too few to judge by"),
        ("alone", "mixed", "holds glide, which"),
    ):
        other = None if held_out is None else str(tmp_path / held_out)
        with pytest.raises(DataError, match=said) as caught:
            read_mels(DataSpec(source=str(tmp_path / source)), other, HOUSE, None, tmp_path, 2, print)
        assert_sentence(str(caught.value).replace(": ", ", "))


def test_images_of_mels_are_as_loud_as_mels(tmp_path: Path) -> None:
    """audio-diffusion's pixels are dB: as nepers they would be nine times too far apart, and below every floor."""
    pyarrow = parts.package("pyarrow")
    cells = []
    for level in (0, 255):
        file = io.BytesIO()
        Image.fromarray(np.full((16, 8), level, np.uint8)).save(file, format="PNG")
        cells.append({"bytes": file.getvalue(), "path": None})
    table = pyarrow.table({"image": cells, "audio_file": ["dark", "light"]})
    geometry = Geometry(**MEL)  # type: ignore[arg-type]
    mels = Stored(from_tables("set", {"train": table}), geometry)
    dark, light = (mels.crop(at, 8, (0.0, 0.0), np.random.default_rng(0)) for at in range(2))
    assert dark == pytest.approx(-80.0 * np.log(10.0) / 20.0) and light == pytest.approx(0.0, abs=1e-6)
    assert mels.lowest == pytest.approx(float(dark.min())), "what pads them is as dark as they get"


def test_the_houses_recipe_is_one() -> None:
    recipe = read_recipe(ROOT / "training" / "recipes" / "house-vae.yaml", VAERecipe)
    assert recipe.budget.minutes == 14 and recipe.sizes.channels == (16, 32, 64)
    recipe = read_recipe(ROOT / "training" / "recipes" / "audioldm-vae.yaml", VAERecipe)
    made = make_vae(recipe.sizes, recipe.geometry.build(), None, None)
    assert sum(weight.numel() for weight in made.network.parameters()) == 55_376_873, "what the paper's has"


@pytest.mark.slow
def test_it_learns_against_a_judge(shards: Path, tmp_path: Path) -> None:
    judge = "judge={after: 0.4, channels: 4, layers: 2}"
    more = ("--steps", "60", "--set", judge, "--set", "losses.resolutions=0.5")
    assert main(command(shards, tmp_path, *more)) == 0
    judged = [float(row["mel_db"]) for row in read_rows(tmp_path / "validation.csv")]
    assert judged[-1] < 0.5 * judged[0]
    told = read_rows(tmp_path / "train.csv")
    assert float(told[0].get("fooled") or 0) == 0 != float(told[-1]["fooled"])
    assert float(told[-1]["gradient.judge"]) > 0 and float(told[-1]["resolutions"]) > 0


@pytest.mark.slow
def test_sounds_are_data_too_and_one_deviation_does(tmp_path: Path) -> None:
    """Short ones among them, in a geometry of their own; the second command goes on from what the first one made."""
    folder = tones(tmp_path / "tones", seconds=0.3)
    told = {"statistics": "one", "peak": 0.5, "crop": 96, "judge__after": 1.0}
    out = tmp_path / "run"
    assert main(sound_command("vae", folder, out, "--steps", "4", **told)) == 0
    state = load_file(out / "vae.safetensors")
    assert torch.equal(state["latent_mean"], torch.zeros(8)) and len(set(state["latent_scale"].tolist())) == 1
    about = json.loads((out / "run.json").read_text())["about"]
    assert about["parts"]["vae"] == {
        "kind": "autoencoder-kl",
        "channels": [4, 8, 8],
        "layers": 1,
        "groups": 4,
    }
    assert about["geometry"]["sample_rate"] == 16000
    first = out / "vae.safetensors"
    assert (
        main(
            sound_command(
                "vae",
                folder,
                tmp_path / "on",
                "--steps",
                "2",
                "--set",
                "keeping.best=false",
                weights_of=first,
                **told,
            )
        )
        == 0
    )
    after = load_file(tmp_path / "on" / "vae.safetensors")
    assert torch.equal(after["latent_scale"], state["latent_scale"])
    assert any((after[name] != state[name]).any() for name in state)


@pytest.mark.slow
def test_a_presets_decoder_learns_on_and_fits_the_preset(tmp_path: Path) -> None:
    preset = make_tiny_preset(tmp_path)
    told = {"base": preset, "train": "decoder", "crop": 8, "bank": 2, "judge__after": 1.0}
    folder = tones(tmp_path / "tones", 8)
    assert main(sound_command("vae", folder, tmp_path / "run", "--steps", "2", **told)) == 0
    made = export(str(preset), {"vae": tmp_path / "run"}, "mine", tmp_path / "presets")
    before, after = (load_file(path / "vae.safetensors") for path in (preset, made.preset.folder))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith(LEARNT) for name in changed)


def test_an_audioldms_vae_learns_at_its_own_level(tmp_path: Path) -> None:
    part = "{kind: audioldm-vae, channels: [32, 64], layers: 1}"
    told = {"sizes": part, "geometry__factor": 2, "crop": 16, "judge__after": 1.0, "sizes__groups": 8}
    folder = tones(tmp_path / "tones", 8)
    assert main(sound_command("vae", folder, tmp_path / "run", "--steps", "2", **told)) == 0
    about = json.loads((tmp_path / "run" / "run.json").read_text())["about"]
    assert about["parts"]["vae"] == {"kind": "audioldm-vae", "channels": [32, 64], "layers": 1}
    geometry = Geometry(**about["geometry"])
    AudioLDMVAE(geometry, [32, 64], 1).load_state_dict(load_file(tmp_path / "run" / "vae.safetensors"))
    made = OfSounds(Sounds(("one",), (np.ones(640, np.float32) * 0.1,), 16000), geometry, 0.5)
    made.sounds.rows[0][::2] = 0.0
    loud = made.crop(0, 10, (0.0, 0.0), np.random.default_rng(0))
    made.sounds.rows[0][:] *= 0.01
    np.testing.assert_allclose(made.crop(0, 10, (0.0, 0.0), np.random.default_rng(0)), loud, atol=1e-3)


@pytest.mark.parametrize(
    "distance",
    [
        absolute_distance,
        square_distance,
        slope_distance,
        magnitude_distance,
        lambda one, other, valid: resolution_distance(one, other, valid, 1e-5),
    ],
)
def test_padding_counts_nowhere(distance: Callable[..., torch.Tensor]) -> None:
    """Neither in a distance nor in a gradient, whatever stands in it; a row's value is its own."""
    torch.manual_seed(0)
    one, other = torch.randn(2, 2, 16, 20)
    valid = torch.tensor([20, 11])
    noisy = one.clone()
    noisy[1, :, 11:] = 7.0
    noisy.requires_grad_(True)
    found = distance(noisy, other, valid)
    torch.testing.assert_close(found.detach(), distance(one, other, valid))
    found.sum().backward()
    assert noisy.grad is not None
    assert torch.equal(noisy.grad[1, :, 11:], torch.zeros(16, 9))
    assert noisy.grad[1].abs().sum() > 0
    torch.testing.assert_close(
        found[1:].detach(),
        distance(one[1:, :, :12], other[1:, :, :12], valid[1:]),
    )


def test_a_judge_scores_rows_alone_and_no_padding() -> None:
    torch.manual_seed(0)
    judge = PatchJudge(4, 2)
    image = torch.randn(3, 1, 24, 16)
    scores = judge(image)
    assert scores.shape == (3, 1, 6, 4)
    torch.testing.assert_close(scores[1:2], judge(image[1:2]))
    assert judge.valid(torch.tensor([24, 11, 3])).tolist() == [6, 2, 1]


def test_mels_of_other_bands_and_too_small_crops_are_told(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (change, part) in enumerate(
        (
            ("geometry={mel_bands: 64}", "have 128 bands where the geometry has 64"),
            ("judge={after: 0, layers: 6}", "A judge of 6 layers needs 64 frames"),
            ("sizes={channels: [4, 8], groups: 4}", "geometry.factor is 4"),
            ("sizes={channels: [6, 8, 8], groups: 4}", "do not divide by 4 groups"),
            ("base=nobody", "nobody"),
        )
    ):
        assert main(command(shards, tmp_path / str(number), "--set", change)) in (1, 2)
        said = capsys.readouterr().err.strip()
        assert part in said
        assert_sentence(said)
