"""`vocaldm-train vocaldm`: it learns, whole and in parts, survives kills, and what comes out is a preset that plays."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import parts
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file  # noqa: E402
from stacked_sounds import KINDS, stacked_sounds  # noqa: E402
from tiny import assert_sentence, make_tiny_preset  # noqa: E402
from tiny_audioldm import make_tiny_audioldm  # noqa: E402
from train_denoisers import recipe_of, run_denoiser, trainer_of  # noqa: E402

from training.checkpoint import load  # noqa: E402
from training.conditions import Batch  # noqa: E402
from training.errors import DataError, RecipeError  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.listening import Sampling, make_latents  # noqa: E402
from training.loop import train  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.trainers.vocaldm import VocalDMTrainer  # noqa: E402
from training.trainers.vocaldm_recipe import VocalDMRecipe  # noqa: E402
from vocaldm_live.checkpoints.preset import load_part, read_preset, write_preset  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(__file__).resolve().parent / "train_denoisers.py"


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "tiny")
    make_tiny_audioldm(folder, "small", aligned=True, text=False, audio=False)
    return folder


@pytest.fixture(scope="module")
def taught(presets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, VocalDMTrainer]:
    """A run from weights drawn anew, its trainer, and the preset that came of it."""
    out = tmp_path_factory.mktemp("taught")
    changes = ["train=[all]", "weights=fresh", "budget.steps=120", "keeping.validate.steps=60"]
    _, trainer = run_denoiser(presets / "tiny", out, *changes, "optimiser.rates.peak=4e-3")
    preset = read_preset(presets / "tiny")
    header = preset.header.model_dump(mode="json", exclude_none=True) | {"name": "taught"}
    states = {
        name: load_file(
            out / f"{name}.safetensors" if name in ("unet", "adapter") else preset.folder / part.file
        )
        for name, part in preset.header.parts.with_weights().items()
    }
    return write_preset(presets / "taught", header, states, torch.float32).folder, out, trainer


def judged(folder: Path, name: str) -> list[float]:
    return [float(row[name]) for row in read_rows(folder / "validation.csv")]


def clips(trainer: VocalDMTrainer, networks: Mapping[str, nn.Module]) -> tuple[Tensor, Tensor]:
    """What comes out of one noise, guided, told of a sound of each kind, `[kinds, n]`, and those sounds."""
    batch = trainer.bank_batch
    found = []
    for row in range(KINDS):
        one = Batch(
            batch.latent[row : row + 1],
            batch.valid[row : row + 1],
            batch.vector[row : row + 1],
            batch.drop[row : row + 1],
            None if batch.image is None else torch.zeros_like(batch.image[:1]),
        )
        with torch.inference_mode():
            latent = make_latents(
                networks["unet"],
                trainer.schedule,
                trainer.prediction,
                trainer.condition(one, networks),
                trainer.null(1, networks),
                one.latent.shape,
                [5],
                Sampling(6, 3.0, 0.0, trainer.prediction == "eps"),
            )
        found.append(latent.flatten())
    return torch.stack(found), batch.latent[:KINDS].flatten(1)


def told_apart(made: Tensor, meant: Tensor) -> int:
    """How many clips lie nearest to what they were told, seen from the middle of all of them."""
    made, meant = made - made.mean(0), meant - meant.mean(0)
    return int((cosine_similarity(made[:, None], meant[None], dim=2).argmax(1) == torch.arange(KINDS)).sum())


def out_of(trainer: VocalDMTrainer, out: Path) -> dict[str, nn.Module]:
    """The base's networks with what a run has written."""
    networks: dict[str, nn.Module] = dict(trainer.base.networks)
    for part in trainer.networks:
        networks[part] = trainer.base.with_weights(part, out / f"{part}.safetensors").networks[part]
    return networks


@pytest.mark.slow
def test_from_weights_drawn_anew_it_learns_what_v_is_and_what_it_is_told(
    taught: tuple[Path, Path, VocalDMTrainer],
) -> None:
    _, out, trainer = taught
    error = judged(out, "v")
    assert error[-1] < 0.8 * error[0]
    assert judged(out, "v_null")[-1] > error[-1] + 0.05, "what it is told helps"
    made, meant = clips(trainer, out_of(trainer, out))
    assert float(cosine_similarity(made[0], made[1], dim=0)) < 0.9 and told_apart(made, meant) == KINDS
    unet, adapter = load_file(out / "unet.safetensors"), load_file(out / "adapter.safetensors")
    assert unet["network.conv_in.sketch.weight"].abs().max() > 0, "the sketch has begun to count"
    assert adapter["mean"].abs().max() > 0, "the adapter knows the embeddings' mean"
    assert not torch.equal(adapter["null"], trainer.base.networks["adapter"].state_dict()["null"])


@pytest.mark.slow
def test_low_rank_and_film_learn_other_sounds(
    taught: tuple[Path, Path, VocalDMTrainer], tmp_path: Path
) -> None:
    preset, _, _ = taught
    others = {"sounds": stacked_sounds(16, 2, kinds=9), "held_out": stacked_sounds(8, 3, kinds=9)}
    changes = ["budget.steps=100", "keeping.validate.steps=50", "optimiser.rates.peak=1e-2"]
    _, trainer = run_denoiser(preset, tmp_path, *changes, **others)
    error = judged(tmp_path, "v")
    assert error[-1] < 0.8 * error[0]
    norms = read_rows(tmp_path / "train.csv")[-1]
    assert float(norms["gradient.main.film"]) > 0 and float(norms["gradient.main.attention"]) > 0
    assert not (tmp_path / "adapter.safetensors").exists()
    before, after = trainer.base.networks["unet"].state_dict(), load_file(tmp_path / "unet.safetensors")
    assert before.keys() == after.keys(), "names are plain again"


@pytest.mark.slow
def test_an_imported_audioldm_learns_what_eps_is_and_what_it_is_told(presets: Path, tmp_path: Path) -> None:
    changes = ["train=[all]", "budget.steps=80", "keeping.validate.steps=40", "optimiser.rates.peak=3e-3"]
    trainer = trainer_of(presets / "small", *changes, "lengths=[8]")
    with torch.no_grad():
        # A published model's vector comes in as strong as its timestep; a fresh one hardly hears unit vectors.
        trainer.unet.get_parameter("network.class_embedding.weight").mul_(512**0.5)
    assert told_apart(*clips(trainer, {**trainer.frozen, **trainer.networks})) < KINDS
    train(lambda fabric: trainer, trainer.recipe, tmp_path)
    error = judged(tmp_path, "eps")
    assert error[-1] < 0.8 * error[0]
    assert told_apart(*clips(trainer, out_of(trainer, tmp_path))) == KINDS
    unet = load_file(tmp_path / "unet.safetensors")
    assert torch.equal(unet["null"], trainer.base.networks["unet"].state_dict()["null"]), (
        "CLAP's empty text stays"
    )
    assert not torch.equal(
        unet["network.conv_in.weight"],
        load_part(read_preset(presets / "small"), "unet").state_dict()["network.conv_in.weight"],
    )


@pytest.mark.slow
def test_a_killed_run_goes_on_as_an_unbroken_one(presets: Path, tmp_path: Path) -> None:
    """Every kind of trained tensor at once, and one step a checkpoint."""
    told = [
        "train=[adapter, film, attention]",
        "batch=4",
        "budget.steps=5",
        "keeping.save_seconds=0",
        "toward_base=0.01",
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_denoiser(presets / "tiny", whole, *told)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(PROGRAM), str(presets / "tiny"), str(broken), "3", *told]
    assert subprocess.run(command, env=environment, capture_output=True).returncode == -9
    assert load(broken / "checkpoint.safetensors")[1]["step"] == 3
    run_denoiser(presets / "tiny", broken, *told)
    for name in ("unet.safetensors", "adapter.safetensors"):
        one, other = load_file(whole / name), load_file(broken / name)
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_micro_batches_are_the_same_run(presets: Path, tmp_path: Path) -> None:
    found = []
    told = ["budget.steps=3", "lengths=[8]", "batch=4", "toward_base=0.1"]
    for size in ("4", "3"):
        out = tmp_path / size
        run_denoiser(presets / "tiny", out, *told, f"machine.micro_batch={size}")
        found.append(load(out / "checkpoint.safetensors")[0])
    for name, value in found[0].items():
        if name.startswith("network."):
            torch.testing.assert_close(value, found[1][name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_it_stays_close_to_the_base_where_it_is_told_to(presets: Path, tmp_path: Path) -> None:
    moved = []
    for weight in ("0", "10"):
        out = tmp_path / weight
        _, trainer = run_denoiser(
            presets / "tiny",
            out,
            "train=[film]",
            "lengths=[8]",
            "batch=4",
            "budget.steps=20",
            f"toward_base={weight}",
            "film_rank=null",
        )
        before = trainer.base.networks["unet"].state_dict()
        after = load_file(out / "unet.safetensors")
        moved.append(sum(float((after[key] - before[key]).square().sum()) for key in after))
    assert 0 < moved[1] < 0.3 * moved[0]


def test_half_of_the_way_lies_between(presets: Path) -> None:
    trainer = trainer_of(presets / "tiny", "train=[adapter, film, attention]")
    with torch.no_grad():
        for network in trainer.networks.values():
            for weight in network.parameters():
                if weight.requires_grad:
                    weight += 0.1
    whole, half, none = (trainer.weights(trainer.networks, share) for share in (1.0, 0.5, 0.0))
    for part in whole:
        before = trainer.base.networks[part].state_dict()
        for name, value in whole[part].items():
            torch.testing.assert_close(half[part][name], (before[name] + value) / 2)
            torch.testing.assert_close(none[part][name], before[name])


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (["train=[all, film]"], "all stands alone"),
        (["weights=fresh"], "weights fresh needs train"),
        (["lengths=[12]"], "lengths must divide by 8"),
        (["gestures.shake=1"], "there is no key gestures.shake"),
    ],
)
def test_impossible_recipes_are_sentences(changes: list[str], part: str) -> None:
    with pytest.raises(RecipeError, match=part) as caught:
        recipe_of(*changes)
    assert_sentence(str(caught.value).replace("; ", ", "))


def test_what_a_base_lacks_is_a_sentence(presets: Path, tmp_path: Path) -> None:
    bare = make_tiny_audioldm(tmp_path, "bare", text=False, vocaldm=False)
    from training.base import open_base

    base = open_base(str(bare), ("unet",))
    sounds = stacked_sounds(4, width=512)
    with pytest.raises(RecipeError, match="has no adapter to train"):
        VocalDMTrainer(recipe_of("train=[adapter]"), base, sounds, sounds, torch.device("cpu"))
    told = VocalDMTrainer(recipe_of(), base, sounds, sounds, torch.device("cpu"))
    condition = told.condition(told.bank_batch, {**told.frozen, **told.networks})
    torch.testing.assert_close(condition.vector.norm(dim=1), torch.ones(32))
    nothing = sounds.part(slice(0))
    with pytest.raises(DataError, match="no sound to learn from"):
        VocalDMTrainer(recipe_of(), base, nothing, sounds, torch.device("cpu"))


def test_the_houses_recipe_is_one() -> None:
    recipe = read_recipe(ROOT / "training" / "recipes" / "house-diffusion.yaml", VocalDMRecipe)
    assert recipe.budget.minutes == 160 and recipe.optimiser.rates.peak == 1e-3 and recipe.average == 0.998
    assert (recipe.drop, recipe.imitations, recipe.lengths) == (0.15, 0.5, (32, 48, 64))
    assert (recipe.train, recipe.weights, recipe.bank) == (("all",), "fresh", 128)
