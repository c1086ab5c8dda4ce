"""What an engine loads before it is warm: a daemon is waited for, so nothing that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import make_tiny_preset, tiny_networks

from vocaldm_live.model.adapter import Adapter
from vocaldm_live.model.encoder import Encoder
from vocaldm_live.model.skeleton import skeletons
from vocaldm_live.model.unet import SketchUNet
from vocaldm_live.sound.geometry import HOUSE

ROOT = Path(__file__).resolve().parents[1]
SLOW = {
    "diffusers",
    "lightning_fabric",
    "matplotlib",
    "scipy",
    "sympy",
    "torch._dynamo",
    "torch._inductor",
    "torchaudio",
    "transformers",
}
WARM = """
import json, sys
from vocaldm_live.checkpoints.preset import read_preset
from vocaldm_live.engine.engine import Engine
Engine(read_preset(sys.argv[1]), "cpu").warm(0.5)
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.slow
def test_a_warm_engine_has_loaded_nothing_slow(tmp_path: Path) -> None:
    folder = make_tiny_preset(tmp_path)
    command = [sys.executable, "-c", WARM, str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "torch" in loaded and SLOW & loaded == set()


def test_a_skeleton_has_shapes_alone_and_draws_nothing() -> None:
    before = torch.get_rng_state()
    with skeletons():
        made = {"encoder": Encoder(classifier=True), "adapter": Adapter(), "unet": SketchUNet(HOUSE)}
    assert torch.equal(torch.get_rng_state(), before)
    assert all(value.is_meta for network in made.values() for value in network.state_dict().values())
    real = tiny_networks()["adapter"].state_dict()
    assert {key: value.shape for key, value in made["adapter"].state_dict().items()} == {
        key: value.shape for key, value in real.items()
    }


def test_outside_of_skeletons_weights_are_drawn() -> None:
    with skeletons():
        Adapter()
    assert float(Adapter().null.detach().norm()) > 0.5
