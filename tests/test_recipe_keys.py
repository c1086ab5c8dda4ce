"""Every key of every recipe is read by what its command runs: a setting that nobody reads promises what it does not do."""

from __future__ import annotations

from pathlib import Path

import parts
import pytest
import yaml

parts.package("lightning_fabric")  # of the extra [training]

from pydantic import create_model  # noqa: E402
from recipe_keys import unread  # noqa: E402

from training.preset.recipe import PresetRecipe  # noqa: E402
from training.recipe import Recipe  # noqa: E402
from training.recipe_file import read_recipe  # noqa: E402
from training.trainers.align_recipe import AlignRecipe  # noqa: E402
from training.trainers.distill_recipe import DistillRecipe  # noqa: E402
from training.trainers.ldm_recipe import LDMRecipe  # noqa: E402
from training.trainers.qvim import QVIMRecipe  # noqa: E402
from training.trainers.vae import VAERecipe  # noqa: E402
from training.trainers.vocaldm_recipe import Listening, VocalDMRecipe  # noqa: E402
from training.trainers.vocoder import VocoderRecipe  # noqa: E402

RECIPES = Path(__file__).resolve().parent.parent / "training" / "recipes"
EXCUSED = {
    # Their sounds are prepared by the first process alone; the section is that of every run.
    VAERecipe: {"machine.workers"},
    VocoderRecipe: {"machine.workers"},
    LDMRecipe: set[str](),
    VocalDMRecipe: set[str](),
    DistillRecipe: set[str](),
    AlignRecipe: set[str](),
    QVIMRecipe: set[str](),
    PresetRecipe: set[str](),
}


def command(recipe: type[Recipe]) -> str:
    return str(recipe.model_fields["command"].default)


def test_every_recipe_that_comes_with_the_project_is_read() -> None:
    kinds = {command(kind): kind for kind in EXCUSED}
    told = {
        path: yaml.safe_load(path.read_text(encoding="utf-8"))["command"] for path in RECIPES.glob("*.yaml")
    }
    assert {"qvim", "align", "vocaldm", "vae", "vocoder", "ldm", "distill"} == set(told.values())
    for path, kind in told.items():
        assert read_recipe(path, kinds[kind], ["data.source=here"]).command == kind


@pytest.mark.slow
@pytest.mark.parametrize("recipe", EXCUSED, ids=command)
def test_every_key_is_read_by_somebody(recipe: type[Recipe]) -> None:
    """The original's guidance schedule hung on a hook that was never called; its eta was reset before it counted."""
    assert unread(recipe, command(recipe)) <= EXCUSED[recipe]


@pytest.mark.slow
def test_a_key_of_a_common_name_that_nobody_reads_is_found() -> None:
    """In the recipe and in a section of it; what only a validator looks at is read by nobody."""
    more = create_model("Listening", __base__=Listening, seconds=(int, 1))
    dead = create_model("VocalDMRecipe", __base__=VocalDMRecipe, steps=(int, 1), listening=(more, more()))
    assert unread(dead, "vocaldm") == {"steps", "listening.seconds"}
