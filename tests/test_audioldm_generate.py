"""An imported AudioLDM from the command line and through the engine: words, examples, candidates, recipes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from audioldm_files import networks, published, stirred, tokenizer_files, write_checkpoint
from tiny import assert_sentence, make_tiny_preset

from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.cli import main
from vocaldm_live.daemon.controls import Controls
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.remembered import Remembered
from vocaldm_live.engine.request import Request, resolve
from vocaldm_live.engine.words import Words
from vocaldm_live.errors import RequestError
from vocaldm_live.model.adapter import blend
from vocaldm_live.osc.table import OscError
from vocaldm_live.sound.audio import Sound


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `vocaldm` in this process; of fixtures that outlive a test too."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint, and the preset that the command made of it."""
    folder = tmp_path_factory.mktemp("audioldm")
    write_checkpoint(folder / "small.ckpt", published(stirred(networks()), average=False))
    tokenizer_files(folder / "tokenizer")
    (folder / "presets").mkdir()
    code, out, err = run(
        "presets", "import", folder / "small.ckpt", "--name", "small", "--out", folder / "presets",
        "--tokenizer", folder / "tokenizer",
    )  # fmt: skip
    assert code == 0, err
    assert "no commercial use" in err and "CC-BY-NC-SA-4.0" in out
    named = (folder / "presets" / "small" / "unused-tensors.txt").read_text().splitlines()
    assert f"{len(named)} tensors were not used" in out
    times = np.arange(24000) / 48000.0
    soundfile.write(folder / "voice.wav", 0.3 * np.sin(2 * np.pi * 300 * times * (1 + times)), 48000)
    noise = np.random.default_rng(1).standard_normal(24000)
    soundfile.write(folder / "example.wav", 0.1 * noise, 48000)
    return folder


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("VOCALDM_PRESETS", str(place / "presets"))


@pytest.fixture(scope="module")
def engine(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    made = Engine(read_preset(place / "presets" / "small"), "cpu")
    for remembered in (made._hearing._texts, made._hearing._sounds):  # type: ignore[attr-defined]
        remembered._folder = tmp_path_factory.mktemp("remembered")
    return made


def sound(path: Path) -> Sound:
    samples, rate = soundfile.read(path, dtype="float32")
    return Sound(samples, rate)


def condition(engine: Engine, request: Request) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.inference_mode():
        return engine.condition(resolve(request, engine.preset.header))


@pytest.mark.slow
def test_the_condition_is_a_blend_of_voice_example_and_words(place: Path, engine: Engine) -> None:
    voice, example = sound(place / "voice.wav"), sound(place / "example.wav")
    heard, null = condition(engine, Request(voice))
    shown, _ = condition(engine, Request(voice, like=example))
    said, _ = condition(engine, Request(voice, words=Words("a dog")))
    assert min(float((a - b).norm()) for a, b in ((heard, shown), (heard, said), (shown, said))) > 1e-3
    both, _ = condition(engine, Request(voice, like=example, like_weight=0.3))
    assert torch.allclose(both, blend(heard, shown, 0.3), atol=1e-6)
    all_three, _ = condition(engine, Request(voice, like=example, like_weight=0.3, words=Words("a dog", 0.6)))
    assert torch.allclose(all_three, blend(both, said, 0.6), atol=1e-6)
    same, against = condition(engine, Request(voice, words=Words(negative="a dog")))
    assert torch.equal(same, heard) and torch.allclose(against, said)
    assert torch.equal(null[0], engine.modules.unet.null) and float((null - against).norm()) > 1e-3  # type: ignore[union-attr]
    assert float(said.norm()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.slow
def test_guidance_leans_from_the_empty_text_or_from_what_it_is_not(place: Path, engine: Engine) -> None:
    def clip(**change: object) -> np.ndarray:
        return engine.generate(Request(sound(place / "voice.wav"), steps=2, **change)).samples  # type: ignore[arg-type]

    plain = clip(guidance=1.0)
    assert np.abs(clip(guidance=6.0) - plain).max() > 1e-4
    assert np.abs(clip(guidance=6.0, words=Words(negative="rain")) - clip(guidance=6.0)).max() > 1e-5
    assert np.array_equal(clip(guidance=1.0, words=Words(negative="rain")), plain)
    assert len(plain) == 8000


@pytest.mark.slow
def test_generate_with_words_and_its_recipe(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "clips"
    code, printed, err = run(
        "generate", place / "voice.wav", "--preset", "small", "--steps", "2", "--guidance", "3", "--eta", "1",
        "--text", "a dog", "--text-weight", "0.5", "--negative", "rain", "--like", place / "example.wav",
        "--candidates", "3", "--out", out, "--json",
    )  # fmt: skip
    assert code == 0, err
    made = json.loads(printed)
    samples, rate = soundfile.read(made["clip"])
    assert (rate, len(samples), made["sample_rate"]) == (48000, 24000, 48000)
    recipe_path = Path(made["clip"]).with_suffix(".json")
    recipe = json.loads(recipe_path.read_text())
    assert (recipe["text"], recipe["text_weight"], recipe["negative"]) == ("a dog", 0.5, "rain")
    assert 0 <= recipe["seed"] <= 2 and recipe["eta"] == 1.0
    assert any("Best of 3" in note for note in recipe["notes"])
    assert any("16000 Hz" in note for note in recipe["notes"])
    code, again, err = run("generate", "--recipe", recipe_path, "--out", tmp_path / "again", "--json")
    assert code == 0, err
    assert np.array_equal(soundfile.read(json.loads(again)["clip"])[0], samples)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--preset", "small", "--follow", "0.5"), "follows no gesture"),
        (("--preset", "house", "--text", "a dog"), "no words"),
        (("--preset", "small", "--text-weight", "0.5"), "--text"),
        (("--preset", "small", "--text", "a", "--text-weight", "2"), "text weight"),
        (("--preset", "small", "--text", "a" * 3000), "3000 characters"),
        (("--preset", "small", "--candidates", "0"), "candidates"),
        (("--preset", "small", "--backend", "theirs"), "own, reference"),
        (("--preset", "small", "--steps", "1000"), "999"),
    ],
)
def test_what_is_not_possible_is_said_in_one_sentence(
    place: Path, options: tuple[str, ...], said: str
) -> None:
    code, out, err = run("generate", place / "voice.wav", *options)
    assert (code, out) == (2, "")
    assert said in err
    assert_sentence(err.strip())


@pytest.mark.slow
def test_candidates_by_the_encoder_where_there_is_no_clap(tmp_path: Path, place: Path) -> None:
    engine = Engine(read_preset(make_tiny_preset(tmp_path)), "cpu")
    clip = engine.generate(Request(sound(place / "voice.wav")))
    assert -1.0 <= engine.likeness(clip) <= 1.0
    with torch.inference_mode():
        itself = engine._hearing.likeness(clip.request, clip.request.imitation)
    assert itself > 0.99  # one tower for both


def test_the_text_slider_works_where_the_preset_understands(place: Path, tmp_path: Path) -> None:
    controls = Controls()
    with pytest.raises(OscError):
        controls.touch("text", "a dog")
    controls.use(read_preset(place / "presets" / "small").header)
    controls.touch("text", "a dog")
    controls.parameters.set("text", "a dog")
    voice = sound(place / "voice.wav")
    (request,) = controls.snapshot().requests(voice, "v", "r", None)
    assert request.words == Words("a dog", 1.0) and request.follow == 0.0
    # Beside an example they count half, until somebody weighs them; a voice's strength has no say in that.
    controls.parameters.set("strength", 0.3)
    assert controls.snapshot().requests(voice, "v", "r", voice)[0].words == Words("a dog", 0.5)
    assert controls.snapshot().words(voiceless=True, beside=False) == Words("a dog", 1.0)
    controls.parameters.set("negative", "rain")
    controls.parameters.set("text_weight", 0.2)
    controls.touch("text_weight", 0.2)
    for like in (None, voice):
        assert controls.snapshot().requests(voice, "v", "r", like)[0].words == Words("a dog", 0.2, "rain")
    assert controls.snapshot().words(voiceless=True, beside=False) == Words("a dog", 1.0, "rain")
    controls.parameters.set("text", "")
    assert controls.snapshot().words(voiceless=False, beside=False) == Words("", 0.2, "rain")
    controls.use(read_preset(make_tiny_preset(tmp_path)).header)
    for name in ("text", "negative"):
        with pytest.raises(OscError):
            controls.touch(name, "a dog")
    assert controls.snapshot().requests(voice, "v", "r", None)[0].words is None


def test_vectors_are_remembered_on_disk_and_told_apart(tmp_path: Path) -> None:
    asked: list[str] = []

    def compute(name: str) -> Callable[[], np.ndarray]:
        def answer() -> np.ndarray:
            asked.append(name)
            return np.full(4, float(len(asked)), np.float32)

        return answer

    first = Remembered("one", tmp_path)
    assert first.get("a", compute("a"))[0] == 1.0 and first.get("a", compute("a"))[0] == 1.0
    assert Remembered("one", tmp_path).get("a", compute("a"))[0] == 1.0
    assert Remembered("other", tmp_path).get("a", compute("a"))[0] == 2.0
    for path in tmp_path.glob("*.npy"):
        path.write_bytes(b"broken")
    assert Remembered("one", tmp_path).get("a", compute("a"))[0] == 3.0
    (tmp_path / "file").write_text("")
    assert Remembered("one", tmp_path / "file").get("a", compute("a"))[0] == 4.0
    assert asked == ["a"] * 4


def test_a_preset_of_words_alone_says_so(place: Path) -> None:
    header = read_preset(place / "presets" / "small").header
    parts = header.parts.model_copy(update={"clap_audio": None})
    deaf = header.model_copy(update={"parts": parts})
    voice = sound(place / "voice.wav")
    assert resolve(Request(voice, words=Words("a dog")), deaf).words == Words("a dog")
    for change in ({}, {"words": Words("a dog", 0.5)}, {"words": Words(negative="a")}):
        with pytest.raises(RequestError, match="words alone") as caught:
            resolve(Request(voice, **change), deaf)  # type: ignore[arg-type]
        assert_sentence(str(caught.value))
