"""`vocaldm-train vocoder`: kinds learn, with judges and without; a run's folder plays; bases go on where they stand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import parts
import pytest
import torch
import yaml
from tiny import assert_sentence, make_tiny_preset

parts.package("lightning_fabric")  # of the extra [training]

from safetensors.torch import load_file, save_file  # noqa: E402
from sound_runs import BIGVGAN, HIFI_GAN, MEL, command, tones  # noqa: E402

from training.cli import main  # noqa: E402
from training.data.spec import DataSpec  # noqa: E402
from training.data.split import held_out  # noqa: E402
from training.drawn import drawn_once  # noqa: E402
from training.journal import read_rows  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.sounds import Sounds, held_out_of, read_sounds, segment  # noqa: E402
from training.trainers.vocoder import VocoderRecipe  # noqa: E402
from training.vocoder_part import BigVGANSizes, HiFiGANSizes, make_vocoder, plain_state  # noqa: E402
from vocaldm_live.checkpoints.vocoders import load_vocoder, resolve_vocoder, vocoder_network  # noqa: E402
from vocaldm_live.sound.geometry import HOUSE, Geometry  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
OFF = "judges={after: 1}"
ONE = "judges={after: 0.3, channels: 2, periods: [2], period_channels: 1, resolutions: [256]}"
SMALL = {
    "rates": (8, 8),
    "kernels": (16, 16),
    "channels": 8,
    "block_kernels": (3,),
    "block_dilations": ((1, 3),),
}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tones(tmp_path_factory.mktemp("sounds"))


def judged(folder: Path, figure: str = "stft_distance") -> list[float]:
    return [float(row[figure]) for row in read_rows(folder / "validation.csv")]


@pytest.fixture(scope="module", params=["alone", "judged"])
def trained(request: pytest.FixtureRequest, sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp(request.param)
    more = ["--steps", "100", "--set", OFF] if request.param == "alone" else ["--steps", "40", "--set", ONE]
    fixed = {"geometry__mel_bands": 8, "optimiser__rates__peak": 1e-2, "keeping__validate__steps": 100}
    assert main(command("vocoder", sounds, out, *more, **fixed)) == 0
    return out


@pytest.mark.slow
def test_it_learns_and_its_folder_plays(trained: Path) -> None:
    distances = judged(trained)
    # Measured: 0.66 after 100 steps alone, 0.79 after 40 against judges.
    assert distances[-1] < (0.7 if trained.name.startswith("alone") else 0.9) * distances[0]
    losses = read_rows(trained / "train.csv")[-1]
    assert ("fooled" in losses) == ("judge" in losses) == trained.name.startswith("judged")
    choice = resolve_vocoder(str(trained))
    network = load_vocoder(choice)
    assert network is not None and "licence" not in choice.credits[0] and "sounds" in choice.credits[0]
    with torch.inference_mode():
        assert network(torch.full((1, 8, 10), -5.0)).shape == (1, 640)
    told = json.loads((trained / "run.json").read_text())
    assert told["about"]["parts"]["vocoder"]["kind"] == "istft"
    assert told["about"]["data"]["items"] in range(8, 16) and set(told["identity"]) == {"data"}


@pytest.mark.slow
def test_it_is_judged_by_what_the_run_held_out(
    trained: Path,
    sounds: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = read_sounds(DataSpec(source=str(sounds), held_out=0.2), 16000, tmp_path / "cache", print)[1]
    heard = []

    def counted(*arguments: object) -> Sounds:
        heard.append(held_out_of(*arguments))  # type: ignore[arg-type]
        return heard[-1]

    monkeypatch.setattr("training.sounds.held_out_of", counted)
    given = ["judge-vocoder", str(trained), "--json"]
    content = ["--sounds", str(sounds), "--held-out", "content"]
    for more in ([], content, [*content, "--share", "0.2"]):
        assert main([*given, *more]) == 0
        assert json.loads(capsys.readouterr().out)["sounds"] == len(kept)
        assert heard[-1].names == kept.names
    assert main([*given, *content, "--share", "0.6"]) == 0 and len(heard[-1]) > len(kept)
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    recipe = yaml.safe_load((other / "recipe.yaml").read_text())
    recipe["data"]["held_out"] = 0.5
    (other / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (other / "run.json").rename(tmp_path / "run.json")
    for names, more in (
        ([other], []),
        ([trained], ["--sounds", str(sounds), "--split", "halves"]),
        ([trained], ["--held-out", "mine"]),
    ):
        assert main(["judge-vocoder", *map(str, names), *more]) == 2
        assert_sentence(capsys.readouterr().err.strip())
    (tmp_path / "run.json").rename(other / "run.json")
    assert main(["judge-vocoder", str(trained), str(other)]) == 2
    assert "did not hold out the same" in capsys.readouterr().err


@pytest.mark.slow
def test_it_goes_on_where_its_base_stands(trained: Path, sounds: Path, tmp_path: Path) -> None:
    more = ["--steps", "1", "--set", f"base={trained}", "--set", "keeping.listen.steps=1"]
    assert main(command("vocoder", sounds, tmp_path, *more)) == 0
    assert judged(tmp_path)[0] == pytest.approx(judged(trained)[-1], abs=1e-3)
    header = yaml.safe_load((tmp_path / "vocoder.yaml").read_text())
    assert header["mel"]["mel_bands"] == 8, "the base's own mel, whatever the recipe's geometry says"
    assert trained.name in header["source"]
    heard = sorted(path.name for path in (tmp_path / "listening" / "step-0000001").iterdir())
    assert heard[:2] == ["0-made.wav", "0-sound.wav"]


@pytest.mark.slow
def test_what_went_on_from_a_presets_vocoder_becomes_part_of_that_preset(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the preset itself, and from the folder of the run that did: a vocoder belongs to its mel alone."""
    preset = make_tiny_preset(tmp_path)
    sounds = tones(tmp_path / "sounds")
    once, again = tmp_path / "once", tmp_path / "again"
    for base, out in ((preset, once), (once, again)):
        told = ["--steps", "1", "--set", OFF, "--set", f"base={base}"]
        assert main(command("vocoder", sounds, out, *told, batch=2, crop=8, bank=2)) == 0
        given = ["export", "--base", str(preset), "--name", out.name, "--to", str(tmp_path / "made")]
        assert main([*given, "--vocoder", str(out)]) == 0
        made = load_file(tmp_path / "made" / out.name / "vocoder.safetensors")
        wanted = load_file(out / "vocoder.safetensors")
        for name, value in wanted.items():
            torch.testing.assert_close(made[name].float(), value, atol=1e-3, rtol=1e-3)
    small = ["--steps", "1", "--set", OFF]
    assert main(command("vocoder", sounds, tmp_path / "small", *small, batch=2, bank=2)) == 0
    capsys.readouterr()
    other = ["export", "--base", str(preset), "--name", "other", "--to", str(tmp_path / "made")]
    assert main([*other, "--vocoder", str(tmp_path / "small")]) == 1
    said = capsys.readouterr().err.strip()
    assert "another mel than that of tiny (sample_rate, n_fft, hop, mel_bands" in said
    assert_sentence(said)


@pytest.mark.slow
@pytest.mark.parametrize(("network", "steps", "bar"), [(HIFI_GAN, 40, 0.6), (BIGVGAN, 10, 0.9)])
def test_networks_of_upsampling_learn(
    sounds: Path, tmp_path: Path, network: str, steps: int, bar: float
) -> None:
    losses = "{logarithmic: 0, linear: 0, mel: 1, fooled: 0.02, features: 0.02}"
    judges = "{after: 0.5, kind: squares, channels: 2, periods: [2], period_channels: 1, resolutions: [256]}"
    told = {"network": network, "losses": losses, "judges": judges, "optimiser__rates__peak": 5e-3}
    assert main(command("vocoder", sounds, tmp_path, "--steps", str(steps), **told)) == 0
    errors = judged(tmp_path, "mel_db")
    assert errors[-1] < bar * errors[0]
    assert not any("parametrizations" in name for name in load_file(tmp_path / "vocoder.safetensors"))
    made = load_vocoder(resolve_vocoder(str(tmp_path)))
    assert made is not None
    with torch.inference_mode():
        assert made(torch.full((1, 16, 10), -5.0)).isfinite().all()


@pytest.mark.parametrize(
    "sizes", [HiFiGANSizes(kind="hifi-gan", **SMALL), BigVGANSizes(kind="bigvgan", **SMALL)]
)
def test_weights_in_length_and_direction_are_written_as_one(sizes: HiFiGANSizes | BigVGANSizes) -> None:
    geometry = Geometry(**{**MEL, "mel_bands": 16})  # type: ignore[arg-type]
    made = make_vocoder(sizes, geometry, None, None)
    with torch.no_grad():
        for weight in made.network.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    plain = vocoder_network(made.geometry, made.part)
    plain.load_state_dict(plain_state(made.network), strict=True)
    mel = torch.randn(2, 16, 6)
    torch.testing.assert_close(plain(mel), made.network(mel), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_lower_precision_trains_too(sounds: Path, tmp_path: Path) -> None:
    more = ["--steps", "4", "--precision", "bf16-mixed"]
    assert main(command("vocoder", sounds, tmp_path, *more)) == 0
    assert judged(tmp_path)[-1] < 1.02 * judged(tmp_path)[0]
    hifi_gan = {"network": HIFI_GAN, "judges__after": 0.0}
    assert main(command("vocoder", sounds, tmp_path / "other", *more, **hifi_gan)) == 0
    assert np.isfinite(judged(tmp_path / "other")[-1])


@pytest.mark.slow
def test_a_preset_gives_its_vocoder_and_draws_mels(tmp_path: Path) -> None:
    """The house's kind: real, procedural and drawn rows, held out by name as the house holds out."""
    import soundfile

    preset = make_tiny_preset(tmp_path)
    folder = tmp_path / "sounds"
    folder.mkdir()
    names = [f"hit-{index}.wav" for index in range(40)]
    chosen = [name for name in names if not held_out(name)][:2]
    kept = next(name for name in names if held_out(name))
    for index, name in enumerate([*chosen, kept]):
        hit = np.random.default_rng(index).standard_normal(24000) * np.exp(-np.arange(24000) / 6000)
        soundfile.write(folder / name, 0.2 * hit, 48000)
    told = {"base": preset, "drawn_by": preset, "drawn": 2, "procedural": 2, "held_out_by": "name", "crop": 8}
    out = tmp_path / "run"
    assert main(command("vocoder", folder, out, "--steps", "2", "--set", OFF, **told)) == 0
    first, second = (load_file(path / "vocoder.safetensors") for path in (preset, out))
    assert first.keys() == second.keys()
    assert any((first[name].float() != second[name]).any() for name in first)
    assert json.loads((out / "run.json").read_text())["about"]["data"]["items"] == 2
    drawn = drawn_once(next(out.glob("drawn-*-2.npz")), 2, 0, [], None, "v")
    assert drawn.samples.shape == (2, 256 * HOUSE.hop) and drawn.mel.shape == (2, 128, 256)
    samples, mel = drawn.segment(16, np.random.default_rng(0))
    assert samples.shape == (16 * HOUSE.hop,) and mel.shape == (128, 16)


def test_segments_keep_their_peak_below_one_and_know_silence() -> None:
    loud = np.ones(1000, dtype=np.float32)
    made = [segment([loud], 400, (-24.0, 6.0), np.random.default_rng(seed)) for seed in range(40)]
    assert all(0.05 < piece.max() <= 0.98 for piece in made)
    assert 4 <= sum(piece[0] == 0.0 for piece in made) <= 20
    short = segment([loud[:100]], 400, (0.0, 0.0), np.random.default_rng(0))
    assert np.count_nonzero(short) == 100 and short[-1] == 0.0


@pytest.mark.parametrize(
    ("more", "code", "part"),
    [
        (["crop=2"], 2, "A crop of 2 frames has fewer samples"),
        (["network={kind: hifi-gan, channels: 64}"], 2, "network has rates for a hop of 160 where geometry.hop is 64"),
        (["network={kind: hifi-gan, channels: 65, rates: [64], kernels: [64]}"], 2, "1 stages cannot halve"),
        (["network={kind: wavenet}"], 2, "wavenet"),
        (["base=griffin-lim"], 2, "decodes by Griffin-Lim, which learns nothing"),
        (["base=nobody"], 1, "There is no vocoder 'nobody'"),
        (["weights_of=nowhere.safetensors"], 1, "nowhere.safetensors cannot be read"),
        (["data.source=nowhere"], 1, "nowhere does not exist"),
        (["losses={logarithmic: 0, linear: 0, mel: 0}"], 2, "No distance has a weight in losses"),
        (["drawn_by=house"], 2, "drawn_by needs a preset of the house's kind"),
        (["geometry.fmax=9000"], 2, "fmax within half the sample rate"),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], code: int, part: str
) -> None:
    sets = [word for change in more for word in ("--set", change)]
    data = Path("nowhere") if "data.source=nowhere" in more else sounds
    assert main(command("vocoder", data, tmp_path, *sets, "--steps", "1")) == code
    said = capsys.readouterr().err.strip()
    assert part in said
    assert_sentence(said)


def test_weights_of_another_network_are_refused(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"embed.weight": torch.zeros(3, 3, 7)}, other)
    assert main(command("vocoder", sounds, tmp_path / "run", "--set", f"weights_of={other}")) == 1
    assert_sentence(capsys.readouterr().err.strip())


def test_too_few_sounds_and_broken_ones_are_told(
    sounds: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "one.wav").write_bytes((sounds / "tone-00.wav").read_bytes())
    (tmp_path / "some" / "bad.wav").write_bytes(b"RIFF")
    assert main(command("vocoder", tmp_path / "some", tmp_path / "run")) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert "bad.wav" in said[0] and "holds 1 sounds to train on and 0 held out" in said[-1]


def test_the_recipes_are_some() -> None:
    """The files say what they mean."""
    house = read_recipe(ROOT / "training" / "recipes" / "house-vocoder.yaml", VocoderRecipe)
    assert (house.budget.minutes, house.procedural, house.batch, house.held_out_by) == (78, 340, 8, "name")
    gan = read_recipe(ROOT / "training" / "recipes" / "hifi-gan.yaml", VocoderRecipe)
    made = make_vocoder(gan.network, gan.geometry.build(), None, None)
    # What the fact sheet counts, and weight norm's lengths.
    assert sum(value.numel() for value in plain_state(made.network).values()) == 55_264_897 + 2 * 64
