"""Why nobody saw that the first VocalDM did not learn, and why it could not: faults I to K."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest
import torch
from data_sets import put
from torch import Tensor

parts.package("lightning_fabric")  # of the extra [training]

from tiny import assert_sentence, make_tiny_preset  # noqa: E402
from tiny_audioldm import make_tiny_audioldm  # noqa: E402
from train_denoisers import recipe_of, run_denoiser, trainer_of  # noqa: E402

from training.base import open_base  # noqa: E402
from training.data.features import Features  # noqa: E402
from training.dataset import ARRAYS  # noqa: E402
from training.errors import DataError  # noqa: E402
from training.examples import make_sound  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.lesson import open_lesson  # noqa: E402
from training.reconstruction import check_reconstruction  # noqa: E402
from training.shards import encode_shards  # noqa: E402
from training.trainers.vocaldm_recipe import VocalDMRecipe  # noqa: E402
from vocaldm_live.checkpoints.preset import read_preset  # noqa: E402
from vocaldm_live.engine.engine import Engine  # noqa: E402
from vocaldm_live.model.encoder_mel import EncoderMel  # noqa: E402
from vocaldm_live.model.vae import MelVAE  # noqa: E402
from vocaldm_live.sound.audio import Sound  # noqa: E402
from vocaldm_live.sound.geometry import HOUSE  # noqa: E402
from vocaldm_live.sound.mel import log_mel  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "house")
    make_tiny_audioldm(folder, "small", aligned=True, text=False, audio=False)
    return folder


@pytest.mark.slow
def test_i_the_same_weights_get_the_same_figures(presets: Path) -> None:
    """The original drew noise and timesteps anew at every validation; its best checkpoint was its luckiest."""
    trainer = trainer_of(presets / "house")
    networks = {**trainer.frozen, **trainer.networks}
    first = trainer.validate(networks)
    torch.manual_seed(99)
    np.random.seed(99)
    trainer.batch(_draws(), 8)
    assert trainer.validate(networks) == first
    torch.manual_seed(0)
    other = trainer_of(presets / "house", "seed=7", "batch=4")
    assert other.validate({**other.frozen, **other.networks}) == first
    spread = sorted((trainer.bank.timesteps * 8 // len(trainer.schedule)).tolist())
    assert spread == sorted([*range(8)] * 4), "every part of the schedule is judged as much as any other"


def _draws() -> Any:
    from training.draws import Draws

    return Draws(1, 0, tuple(range(8)), 8, CPU)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    for number in range(4):
        put(folder / f"{number}.wav", number, rate=16000)
    return folder


@pytest.mark.slow
def test_i_a_sound_on_both_sides_is_refused(presets: Path, sounds: Path, tmp_path: Path) -> None:
    """The original split pairs by chance, so that every reference was learned from and judged by."""
    other = tmp_path / "other"
    put(other / "new.wav", 90)
    shutil.copy(sounds / "2.wav", other / "another name.wav")
    told = [f"base={presets / 'house'}", "least_vae_db=null", "machine.workers=0"]
    recipe = recipe_of(*told, f"data.source={sounds}", f"held_out={other}", "data.held_out=0")
    with pytest.raises(DataError, match="1 sounds of .* are among those of") as caught:
        open_lesson(recipe, tmp_path / "cache", CPU)
    assert_sentence(str(caught.value).replace(": ", ", "))
    split = tmp_path / "split"
    for place, name in (("train", "a"), ("validation", "b")):
        (split / place).mkdir(parents=True)
        shutil.copy(sounds / "1.wav", split / place / f"{name}.wav")
    recipe = recipe_of(*told, f"data.source={split}", "data.split=given")
    with pytest.raises(DataError, match="lies in train and validation"):
        open_lesson(recipe, tmp_path / "cache", CPU)
    lesson = open_lesson(
        recipe_of(*told, f"data.source={sounds}", "data.held_out=0.3"), tmp_path / "cache", CPU
    )
    assert len(lesson.sounds) and len(lesson.held_out)
    keys = [{part.sounds.keys[at] for at in part.which} for part in (lesson.sounds, lesson.held_out)]  # type: ignore[attr-defined]
    assert not keys[0] & keys[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["house", "small"])
def test_i_all_that_encodes_is_on_the_runs_device(
    presets: Path, sounds: Path, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An AudioLDM's CLAP stayed where it was while its VAE moved, and a run on a GPU ended before its first step."""
    told: list[tuple[set[str], torch.device]] = []
    own = Features.to

    def to(self: Features, device: torch.device | str) -> None:
        told.append((set(self.networks), torch.device(device)))
        own(self, device)

    monkeypatch.setattr(Features, "to", to)
    base = presets / "house" if kind == "house" else make_tiny_audioldm(tmp_path, "hears", text=False)
    there = torch.device("cpu", 0)
    more = [f"base={base}", f"data.source={sounds}", "least_vae_db=null", "machine.workers=0"]
    open_lesson(recipe_of(*more, "data.held_out=0.3"), tmp_path / "cache", there)
    hears = "encoder" if kind == "house" else "clap_audio"
    assert ({"vae", hears}, there) in told and ({hears}, there) in told


@pytest.mark.slow
def test_i_others_judge_and_all_that_is_learned_from_keeps_its_speakers(
    presets: Path, sounds: Path, tmp_path: Path
) -> None:
    """With a place of its own to judge by, a tenth was imitated by the speakers of what is held out, and learned from."""
    other = tmp_path / "other"
    put(other / "new.wav", 90)
    told = [f"base={presets / 'house'}", f"held_out={other}", "least_vae_db=null", "machine.workers=0"]
    lesson = open_lesson(recipe_of(*told, f"data.source={sounds}"), tmp_path / "cache", CPU)
    heard: Any = lesson.sounds
    assert {heard.sounds.items[at].split for at in heard.which} == {"train"} and len(heard) == 4
    assert {item.split for item in heard.heard.items} == {"train"}
    split = tmp_path / "split"
    for number, place in enumerate(("train", "train", "validation", "test")):
        (split / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(sounds / f"{number}.wav", split / place)
    given = [*told, f"data.source={split}", "data.split=given"]
    apart = open_lesson(recipe_of(*given), tmp_path / "cache", CPU)
    assert len(apart.sounds) == 2 and len(apart.held_out) == 1
    shutil.rmtree(split / "train")
    with pytest.raises(DataError, match="nothing to learn from") as caught:
        open_lesson(recipe_of(*given), tmp_path / "cache", CPU)
    assert_sentence(str(caught.value).replace(": ", ", "))


@pytest.mark.slow
def test_i_variations_of_one_recording_are_on_one_side(presets: Path, tmp_path: Path) -> None:
    """The last of the house's examples are made of what the first ones are made of, and are no judges of those."""
    draw = np.random.default_rng(0)
    arrays: dict[str, Any] = {
        name: draw.normal(-4.0, 1.0, (6, 128, 32)).astype(np.float16) for name in ARRAYS
    }
    arrays |= {name: np.zeros((6, 4, 32), np.float32) for name in ("sketch", "imitation_sketch")}

    def shards(name: str, sources: list[str]) -> Path:
        told = json.dumps(sources)
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / "shard-00000.npz", family=told, source=told, **arrays)
        return tmp_path / name

    first = shards("first", ["glide", "kept"] * 3)
    told = [f"base={presets / 'house'}", "least_vae_db=null"]
    lesson = open_lesson(recipe_of(*told, f"data.source={first}"), tmp_path / "cache", CPU)
    every = encode_shards(first, None, lesson.base, tmp_path / "cache", CPU)
    for sounds, begin in ((lesson.sounds, 0), (lesson.held_out, 1)):
        assert len(sounds) == 3
        assert all(torch.equal(sounds.latent(at), every.latent(begin + 2 * at)) for at in range(3))
    for name, others, said in (
        ("same", ["kept"] * 6, "holds kept, which"),
        ("one", [], "too few to judge by"),
    ):
        other = shards(name, others or ["glide"] * 6)
        more = [f"data.source={first}", f"held_out={other}"] if others else [f"data.source={other}"]
        with pytest.raises(DataError, match=said) as caught:
            open_lesson(recipe_of(*told, *more), tmp_path / "cache", CPU)
        assert_sentence(str(caught.value).replace(": ", ", "))


@pytest.mark.slow
def test_j_examples_are_made_with_the_steps_guidance_and_eta_that_were_told(
    presets: Path, tmp_path: Path
) -> None:
    heard: dict[str, list[bytes]] = {}
    calls: dict[str, list[int]] = {}
    for name, change in (
        ("plain", "steps=3"),
        ("eta", "eta=1.0"),
        ("alone", "guidance=1.0"),
        ("more", "steps=4"),
    ):
        told = ["listening.clips=2", "listening.steps=3", "listening.guidance=2.0", f"listening.{change}"]
        torch.manual_seed(0)
        trainer = trainer_of(presets / "house", *told)
        calls[name] = []
        note = lambda module, inputs, name=name: calls[name].append(len(inputs[0]))  # noqa: E731
        trainer.unet.register_forward_pre_hook(note)
        folder = tmp_path / name
        folder.mkdir()
        trainer.listen(trainer.networks, folder)
        heard[name] = [path.read_bytes() for path in sorted(folder.glob("clip-*.wav"))]
    assert calls == {"plain": [4] * 3, "eta": [4] * 3, "alone": [2] * 3, "more": [4] * 4}
    assert all(len(found) == 2 for found in heard.values())
    assert len({found[0] for found in heard.values()}) == 4


@pytest.mark.slow
def test_j_the_parts_share_the_rate_as_told(presets: Path, tmp_path: Path) -> None:
    told = ["train=[adapter, film, attention]", "factors.film=0.5", "factors.adapter=0.125"]
    trainer = trainer_of(presets / "house", *told)
    assert {group.title: group.factor for group in trainer.groups("main")} == {
        "adapter": 0.125,
        "film": 0.5,
        "attention": 1.0,
    }
    run_denoiser(presets / "house", tmp_path, *told, "budget.steps=20", "lengths=[8]", "batch=2")
    row = read_rows(tmp_path / "train.csv")[-1]
    assert all(float(row[f"gradient.main.{part}"]) > 0 for part in ("adapter", "film", "attention"))


FLAGS = """project run_name seed debug_autograd save_autograd_graph audioldm_model disable_checkpointing audioldm_checkpoint
qvim_checkpoint dataset_path checkpoint_dir resume_from qvim_dim audioldm_dim max_epochs batch_size
gradient_accumulation_steps adapter_lr film_lr min_lr adapter_weight_decay film_weight_decay lr_scheduler
lr_rampdown_epochs patience val_split val_check_interval gradient_clip_val param_names_contain sample_rate
audioldm_sample_rate duration num_workers pin_memory ddim_steps guidance_scale initial_guidance_scale
use_guidance_scale_scheduler guidance_warmup_percent guidance_rampup_percent generate_every_n_epochs log_audio max_items
wandb_log_model num_gpus track_gradients normalize_gradients"""


def test_j_every_flag_of_the_original_has_a_counterpart_or_a_reason() -> None:
    text = (ROOT / "docs" / "from-vocaldm.md").read_text(encoding="utf-8")
    table = text.partition("## VocalDM: `train_vocaldm.py`")[2].partition("\n## ")[0]
    told = " ".join(line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `"))
    assert [flag for flag in FLAGS.split() if f"`--{flag}`" not in told and f"`--{flag} " not in told] == []
    # What stands on the other side is there.
    from training.trainers.vocaldm_recipe import Listening

    keys = {*VocalDMRecipe.model_fields, *(f"listening.{name}" for name in Listening.model_fields)}
    for key in (
        "toward_base",
        "lengths",
        "encoder",
        "batch",
        "listening.steps",
        "listening.guidance",
        "listening.eta",
    ):
        assert key in keys and f"`{key}`" in table


@pytest.mark.slow
@pytest.mark.parametrize("name", ["house", "small"])
def test_k_the_mel_of_training_is_the_mel_of_play(
    presets: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original's targets were the encoder's mels: power, another scale, another floor; the VAE knew none of it."""
    geometry = read_preset(presets / name).geometry
    rng = np.random.default_rng(5)
    sound = Sound((0.2 * rng.standard_normal(geometry.sample_rate)).astype(np.float32), geometry.sample_rate)
    features = Features(open_base(str(presets / name), ("vae",)), ("latent",))
    learned: list[Tensor] = []
    encode = MelVAE.encode

    def noting(vae: MelVAE, mel: Tensor) -> Tensor:
        learned.append(mel.clone())
        return encode(vae, mel)

    monkeypatch.setattr(MelVAE, "encode", noting)
    features.of(sound, "sound", "key", ("latent",))
    level = features._scale(sound.samples, "sound", "key").there(sound.samples)
    Engine(read_preset(presets / name), "cpu").resynthesise(Sound(level, geometry.sample_rate))
    assert len(learned) == 2 and torch.equal(learned[0], learned[1])
    assert torch.equal(features.mel(sound, "sound", "key"), learned[0])
    peak = float(np.abs(level).max())
    assert peak == pytest.approx(0.5) if name == "small" else 10 ** (-16 / 20) <= peak <= 1.0


@pytest.mark.slow
def test_k_a_base_that_does_not_know_such_mels_is_refused() -> None:
    vae = open_base("house", ("vae",)).networks["vae"]
    assert isinstance(vae, MelVAE)
    made = [make_sound(index, 3, [], 0.0, False)[0] for index in range(4)]
    least = VocalDMRecipe.model_fields["least_vae_db"].default
    own = [log_mel(torch.from_numpy(samples)[None], HOUSE) for samples in made]
    assert check_reconstruction(vae, own, least, "house") > 10.0
    front_end = EncoderMel()
    with torch.inference_mode():
        wrong = [
            front_end(torch.from_numpy(Sound(samples, 48000).at(32000).samples)[None])[0] for samples in made
        ]
    for mels in (wrong, [2.0 * mel for mel in own]):
        with pytest.raises(DataError, match="are of another kind than its mels") as caught:
            check_reconstruction(vae, mels, least, "house")
        assert_sentence(str(caught.value).replace(": ", ", "))
