"""The engine against AudioLDM's authors' own program, run on the same imported checkpoint."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import parts
import pytest
from audioldm_files import networks, published, stirred, tokenizer_files, write_checkpoint
from tiny import assert_sentence

from vocaldm_live.checkpoints.importing import import_audioldm
from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import Request
from vocaldm_live.engine.words import Words
from vocaldm_live.errors import RequestError
from vocaldm_live.reference.engine import ReferenceEngine
from vocaldm_live.reference.original import INSTALL, original
from vocaldm_live.sound.audio import Sound

PACKAGES = ("audioldm", "einops", "progressbar")


@pytest.fixture(scope="module")
def authors_program() -> None:
    """Ends the test where the authors' program is not installed."""
    if not all(importlib.util.find_spec(name) for name in PACKAGES):
        parts.missing(f"the package audioldm is not installed: {INSTALL}")


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    """An imported checkpoint of small width whose weights are such that the clip depends on all of them."""
    folder = tmp_path_factory.mktemp("reference")
    file = write_checkpoint(folder / "small.ckpt", published(stirred(networks())))
    return import_audioldm(file, folder / "small", tokenizer=tokenizer_files(folder / "tokenizer")).preset


def voice() -> Sound:
    times = np.arange(48000) / 48000.0
    return Sound((0.3 * np.sin(2 * np.pi * 200 * times * (1 + times))).astype(np.float32), 48000)


@pytest.mark.usefixtures("authors_program")
def test_clips_are_the_authors_programs_clips(preset: Preset) -> None:
    own, reference = Engine(preset, "cpu"), ReferenceEngine(preset, "cpu")
    for change in (
        {"eta": 0.0, "guidance": 1.0},
        {"eta": 1.0, "guidance": 3.0, "words": Words("a dog", 0.5, "rain")},
    ):
        request = Request(voice(), steps=5, seed=7, **change)  # type: ignore[arg-type]
        ours, theirs = own.generate(request).samples, reference.generate(request).samples
        other = own.generate(Request(voice(), steps=5, seed=8, **change)).samples  # type: ignore[arg-type]
        assert ours.shape == theirs.shape == (16000,)
        assert np.abs(ours - theirs).max() < 1e-4 * max(1.0, np.abs(theirs).max())
        assert np.abs(ours - other).max() > 1e-2, "nothing of the latent is heard"


@pytest.mark.usefixtures("authors_program")
def test_what_the_reference_cannot_do_is_said(preset: Preset) -> None:
    reference = ReferenceEngine(preset, "cpu")
    for change, said in (({"steps": 30}, "divides 1000"), ({"sampler": "deis"}, "ddim")):
        with pytest.raises(RequestError, match=said) as caught:
            reference.generate(Request(voice(), **change))  # type: ignore[arg-type]
        assert_sentence(str(caught.value))


@pytest.mark.slow
def test_without_the_package_one_sentence_says_how_to_get_it() -> None:
    code = (
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'audioldm' else find(name, *rest)\n"
        "from vocaldm_live.reference.original import original\noriginal('hifigan.models')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[1], capture_output=True, text=True
    )
    assert INSTALL in done.stderr and "RequestError" in done.stderr


@pytest.mark.usefixtures("authors_program")
def test_every_tensor_of_the_authors_networks_has_a_name_of_ours() -> None:
    from vocaldm_live.checkpoints.audioldm_keys import unet_key

    module = original("latent_diffusion.openaimodel")
    unet = module.UNetModel(
        image_size=64,
        extra_film_condition_dim=512,
        extra_film_use_concat=True,
        in_channels=8,
        out_channels=8,
        model_channels=32,
        attention_resolutions=[2, 4, 8],
        num_res_blocks=2,
        channel_mult=[1, 2, 3, 5],
        num_head_channels=32,
        use_spatial_transformer=True,
    )
    names = [unet_key(key, 1) for key in unet.state_dict()]
    assert len(names) == 690
    assert sorted(filter(None, names)) == sorted(networks()["unet"].state_dict())
