"""Why the first VocalDM never worked, fault by fault, and the test that would have told (A, B, E to H).

C and D, what an adapter needs before any diffusion loss, are in test_training_failures_hearing.py; I to K in
test_training_failures_judging.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import parts
import pytest
import tiny_audioldm
import torch
from torch import Tensor

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file, save_file  # noqa: E402
from stacked_sounds import stacked_sounds  # noqa: E402
from tiny import assert_sentence, make_tiny_preset  # noqa: E402
from train_denoisers import run_denoiser, trained_tensors, trainer_of  # noqa: E402

from training.base import open_base  # noqa: E402
from training.checkpoint import trained_weights  # noqa: E402
from training.cli import main  # noqa: E402
from training.data.features import Features  # noqa: E402
from training.delta import merged  # noqa: E402
from training.draws import Draws  # noqa: E402
from training.errors import RecipeError, RunError  # noqa: E402
from training.shards import StackedSounds  # noqa: E402
from training.turns import Turn, named_weights  # noqa: E402
from vocaldm_live.checkpoints.preset import load_modules, read_preset  # noqa: E402
from vocaldm_live.engine.engine import Engine  # noqa: E402
from vocaldm_live.engine.request import Request, resolve  # noqa: E402
from vocaldm_live.sound.audio import Sound  # noqa: E402

PARTS = "train=[adapter, film, attention]"
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    make_tiny_preset(folder, "house")
    make_tiny_preset(folder, "other", seed=1)
    tiny_audioldm.make_tiny_audioldm(folder, "small", aligned=True, text=False, audio=False)
    return folder


@pytest.fixture(scope="module", params=["house", "small"])
def run(request: pytest.FixtureRequest, presets: Path, tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """A base, and a run of a few steps that trained some of every part of it."""
    out = tmp_path_factory.mktemp("run")
    preset = presets / request.param
    _, trainer = run_denoiser(preset, out, PARTS, "budget.steps=3", "lengths=[8]", "batch=4")
    return preset, out, trainer


@pytest.mark.slow
def test_a_every_trained_tensor_reaches_the_preset_that_plays(run: Any, tmp_path: Path) -> None:
    """The original kept the tensors with "film" in their names alone, named them so that its player found none of
    them, and sampled under an average that had never seen them: what was heard was the model as it came.
    """
    preset, out, trainer = run
    command = [
        "export",
        "--base",
        str(preset),
        "--name",
        "tuned",
        "--to",
        str(tmp_path),
        "--dtype",
        "float32",
    ]
    assert main([*command, "--unet", str(out), "--adapter", str(out)]) == 0
    plays, before = load_modules(read_preset(tmp_path / "tuned")), load_modules(read_preset(preset))
    for part, network in trainer.networks.items():
        now = getattr(plays, "any_adapter" if part == "adapter" else part).state_dict()
        then = getattr(before, "any_adapter" if part == "adapter" else part).state_dict()
        own = dict(network.named_parameters())
        with torch.no_grad():
            for name, value in trained_weights(out, part).items():
                if name in own:
                    own[name].copy_(value)
        averaged = merged(network)
        assert now.keys() == averaged.keys()
        for name in now:
            assert torch.equal(now[name], averaged[name]), name
        unmoved = {name for name in trained_tensors(network) if torch.equal(now[name], then[name])}
        assert trained_tensors(network) and unmoved == set()
        touched = {name for name in now if not torch.equal(now[name], then[name])}
        assert touched == trained_tensors(network), "and nothing else has moved"


def test_a_renamed_tensor_is_refused(run: Any, tmp_path: Path) -> None:
    preset, out, trainer = run
    state = load_file(out / "unet.safetensors")
    name = next(iter(sorted(trained_tensors(trainer.unet))))
    state[f"audioldm.{name}"] = state.pop(name)
    save_file(state, tmp_path / "unet.safetensors")
    with pytest.raises(RecipeError, match=r"lack \S+") as caught:
        trainer.base.with_weights("unet", tmp_path / "unet.safetensors")
    assert_sentence(str(caught.value).replace("; ", ", "))
    more = ["--name", "tuned", "--to", str(tmp_path), "--unet", str(tmp_path / "unet.safetensors")]
    assert main(["export", "--base", str(preset), *more]) == 1
    assert not (tmp_path / "tuned").exists()


@pytest.mark.slow
def test_b_a_run_goes_on_with_the_base_it_began_with(
    run: Any,
    presets: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The original trained in front of the m model and played with the s model, without a word."""
    preset, out, trainer = run
    assert trainer.base.identity == read_preset(preset).sha256
    with pytest.raises(RunError, match="base was different|another recipe"):
        run_denoiser(presets / "other", out, PARTS, "budget.steps=4", "lengths=[8]", "batch=4")
    command = ["export", "--name", "x", "--to", str(tmp_path), "--adapter", str(out), "--unet", str(out)]
    assert main([*command, "--base", str(presets / "other")]) == 1
    assert not (tmp_path / "x").exists()
    monkeypatch.setattr(tiny_audioldm, "UNET", tiny_audioldm.UNET | {"channels": (64, 96)})
    larger = tiny_audioldm.make_tiny_audioldm(tmp_path, "larger", aligned=True, text=False, audio=False)
    with pytest.raises(RecipeError, match="no weights for the unet of larger"):
        open_base(str(larger), ("unet",)).with_weights("unet", out / "unet.safetensors")


def test_e_gradients_of_any_size_move_weights_alike(presets: Path) -> None:
    """The original's gradients were 1e-10 to 1e-8 an element, at or below AdamW's epsilon of 1e-8: nothing moved."""
    ways = {}
    for scale, epsilon in ((1.0, None), (1e-6, None), (1e-6, 1e-8)):
        changes = [] if epsilon is None else [f"optimiser.epsilon={epsilon}"]
        trainer = trainer_of(presets / "house", "train=[film]", "film_rank=null", *changes)
        weights = named_weights(trainer.networks)
        turn = Turn("main", trainer.groups("main"), weights, trainer.recipe.optimiser)
        draw = torch.Generator().manual_seed(0)
        before = torch.cat([weight.detach().flatten().clone() for weight in weights.values()])
        for _ in range(10):
            turn.begin(1e-3)
            for weight in weights.values():
                weight.grad = scale * 1e-3 * torch.randn(weight.shape, generator=draw)
            turn.optimiser.step()
        after = torch.cat([weight.detach().flatten() for weight in weights.values()])
        ways[scale, epsilon] = after - before
    usual, small, stalled = ways.values()
    assert float((small - usual).norm()) < 0.02 * float(usual.norm())
    assert float(stalled.norm()) < 0.2 * float(usual.norm())


class Noted(StackedSounds):
    """Sounds that note by which tower they are heard."""

    asked: list[str]

    def vector(self, index: int, tower: Any, which: int = 0) -> Tensor:
        self.asked.append(tower)
        return super().vector(index, tower, which)


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_f_both_towers_are_heard_in_the_stated_shares(presets: Path, share: float) -> None:
    """The original learned from references by the reference's tower and played imitations by the other one."""
    plain = stacked_sounds(16)
    sounds = Noted(plain.latents, plain.voices, plain.references, plain.sketches, plain.voice_sketches)
    object.__setattr__(sounds, "asked", [])
    trainer = trainer_of(presets / "house", f"imitations={share}", "batch=200", sounds=sounds)
    sounds.asked.clear()
    batch = trainer.batch(Draws(1, 0, tuple(range(200)), 200, CPU), 8)
    found = sounds.asked.count("imitation") / 200
    assert abs(found - share) < 0.1 and len(sounds.asked) == 200
    voices = sum(any(torch.equal(row, voice) for voice in plain.voices) for row in batch.vector)
    assert voices == sounds.asked.count("imitation"), "and it is these that reach the loss"


def test_f_a_short_voice_is_heard_in_training_as_at_play(presets: Path) -> None:
    """The original padded every voice to 10 s in training and to nothing at play: another average over time."""
    rng = np.random.default_rng(3)
    voice = Sound((0.1 * rng.standard_normal(32000 * 2)).astype(np.float32), 32000)
    base = open_base(str(presets / "house"), ("encoder",))
    trained = Features(base, ("imitation",)).of(voice, "imitation", "key", ("imitation",))["imitation"]
    played = Engine(read_preset(presets / "house"), "cpu").embedding(voice)
    assert np.array_equal(trained, played)
    padded = Sound(np.pad(voice.samples, (0, 32000 * 8)), 32000)
    other = Features(base, ("imitation",)).of(padded, "imitation", "key", ("imitation",))["imitation"]
    assert not np.allclose(trained, other, atol=1e-3), "ten seconds of it would be something else"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["house", "small"])
def test_g_what_is_dropped_is_what_guidance_leans_from(presets: Path, name: str, tmp_path: Path) -> None:
    """The original dropped nothing in training and leaned from a vector of zeros, which no network had ever seen."""
    trainer = trainer_of(presets / name, "drop=0.5", "batch=40")
    networks = {**trainer.frozen, **trainer.networks}
    batch = trainer.batch(Draws(1, 0, tuple(range(40)), 40, CPU), 8)
    dropped = int(batch.drop.sum())
    assert 8 < dropped < 32
    vector = trainer.condition(batch, networks).vector
    engine = Engine(read_preset(presets / name), "cpu")
    voice = Sound(np.sin(np.arange(24000) / 20).astype(np.float32), 48000)
    with torch.no_grad():
        _, played = engine.condition(resolve(Request(voice, "voice"), engine.preset.header))
    assert torch.equal(vector[batch.drop], trainer.base.null(dropped))
    assert torch.equal(vector[batch.drop], played.expand(dropped, -1))
    assert float(vector.norm(dim=1).min()) > 0.9, "zeros are nowhere"
    assert not any(torch.equal(row, played[0]) for row in vector[~batch.drop])
    _, trainer = run_denoiser(
        presets / name, tmp_path, "train=[film]", "budget.steps=2", "lengths=[8]", "batch=4"
    )
    null = trainer.base.with_networks(trainer.networks).null(1)
    assert torch.equal(null, played), "training the denoiser moves it not"


def padded_sounds(beyond: float) -> StackedSounds:
    """Sounds whose last half is padding, filled with a number."""

    class Padded(StackedSounds):
        def valid(self, index: int) -> int:
            return 5

    plain = stacked_sounds(8)
    latents = plain.latents.clone()
    latents[:, :, 5:] = beyond
    return Padded(latents, plain.voices, plain.references, plain.sketches, plain.voice_sketches)


@pytest.mark.parametrize("name", ["house", "small"])
def test_h_padding_is_no_target(presets: Path, name: str) -> None:
    """More than half of the original's targets was digital silence; to predict that was the quickest way down."""
    found = []
    for beyond in (0.0, 50.0):
        torch.manual_seed(0)  # of the fresh deltas
        trainer = trainer_of(presets / name, sounds=padded_sounds(beyond))
        batch = trainer.batch(Draws(1, 0, tuple(range(8)), 8, CPU), 16)
        assert batch.valid.tolist() == [5] * 8
        other = replace(batch, latent=batch.latent.clone())
        other.latent[:, :, 5:] = beyond
        t, noise = (
            torch.arange(8) * 120,
            torch.randn(batch.latent.shape, generator=torch.Generator().manual_seed(1)),
        )
        # What the network itself sees of padding may change what it says of sound; the target may not.
        seen = trainer.schedule.add_noise(batch.latent, noise, t)
        trainer.schedule = _Blind(trainer.schedule, seen)  # type: ignore[assignment]
        errors = trainer.errors(other, t, noise, {**trainer.frozen, **trainer.networks})
        errors.sum().backward()
        gradients = [
            weight.grad for weight in named_weights(trainer.networks).values() if weight.grad is not None
        ]
        found.append((errors.detach(), gradients))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1] and all(torch.equal(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


class _Blind:
    """A schedule that shows the network the same noisy latent whatever the target is."""

    def __init__(self, schedule: Any, seen: Tensor) -> None:
        self.schedule, self.seen = schedule, seen

    def add_noise(self, *arguments: Any) -> Tensor:
        return self.seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.schedule, name)


def test_h_what_timesteps_do_stays_as_it_was(run: Any) -> None:
    """The original opened the layers that take timestep and vector together, and unlearned the timestep."""
    _, out, trainer = run
    before, after = trainer.base.networks["unet"].state_dict(), load_file(out / "unet.safetensors")
    projections = [name for name in before if name.endswith("time_emb_proj.weight")]
    width = before["network.class_embedding.weight"].shape[0]
    assert projections
    for name in projections:
        kept = before[name].shape[1] - width
        assert torch.equal(after[name][:, :kept], before[name][:, :kept]), name
        assert not torch.equal(after[name][:, kept:], before[name][:, kept:]), name
    assert all(torch.equal(after[name], before[name]) for name in before if ".time_embedding." in name)
