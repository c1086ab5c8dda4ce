"""Recipes: read, changed, written, compared; every mistake is one sentence that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from tiny import assert_sentence

from training.data.spec import DataSpec
from training.errors import RecipeError
from training.recipe import Budget, Every, Keeping, Optimiser, Rates, Recipe
from training.recipe_file import differences, read_recipe, write_recipe


class Toy(Recipe):
    command: Literal["toy"] = "toy"
    budget: Budget = Budget(steps=10)
    optimiser: Optimiser = Optimiser(rates=Rates(peak=1e-3))
    data: DataSpec = DataSpec(source="sounds")


def test_a_recipe_survives_its_file(tmp_path: Path) -> None:
    recipe = Toy(seed=7, keeping=Keeping(validate=Every(steps=5)))
    assert read_recipe(write_recipe(recipe, tmp_path), Toy) == recipe


def test_changes_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("batch: 4\noptimiser:\n  rates: {peak: 1e-4}\n")
    recipe = read_recipe(path, Toy, ["optimiser.rates.peak=2e-4", "budget.minutes=3", "data.source=Vögel 1"])
    assert (recipe.batch, recipe.optimiser.rates.peak, recipe.data.source) == (4, 2e-4, "Vögel 1")
    assert (recipe.budget.steps, recipe.budget.minutes) == (None, 3.0)
    boxed = read_recipe(path, Toy, ["budget.max_hours=1", "optimiser.clip=2"])
    assert boxed.budget == Budget(steps=10, max_hours=1) and boxed.optimiser.rates.peak == 1e-4


@pytest.mark.parametrize(
    ("text", "changes", "part"),
    [
        ("batsh: 4\n", [], "there is no key batsh; known there: command, seed, batch"),
        (
            "optimiser: {rates: {peak: 1, peek: 1}}\n",
            [],
            "there is no key optimiser.rates.peek; known there: peak",
        ),
        ("data: {}\nbatch: null\n", [], "batch: Input should be a valid integer"),
        ("", ["batch=0"], "the command line: batch: 0 does not fit, input should be greater"),
        ("", ["batch"], "'batch' is no change of a recipe: write KEY=VALUE"),
        ("", ["batch=[1"], "has no readable value"),
        ("batch: 3\n", ["batch.more=1"], "goes below batch, which holds no keys"),
        ("", ["optimiser.rates.peak=.nan"], "should be a finite number"),
        ("", ["optimiser.betas=[0.9, 1.0]"], "less than 1"),
        ("command: vocoder\n", [], "command: 'vocoder' does not fit"),
        ("budget: {steps: null}\n", [], "needs steps or minutes"),
        ("optimiser: {rates: {peak: 1, schedule: plateau}}\n", [], "needs keeping.validate.steps"),
        ("- 1\n", [], "holds no keys"),
        ("a: [1\n", [], "line 2 is not readable YAML"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, text: str, changes: list[str], part: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, Toy, changes)
    assert part in str(caught.value)
    assert_sentence(str(caught.value))


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot be read"):
        read_recipe(tmp_path / "none.yaml", Toy)


def test_differences_leave_out_what_may_be_told_anew() -> None:
    one = Toy()
    other = read_recipe(
        None, Toy, ["batch=8", "optimiser.rates.peak=0.5", "budget.steps=90", "machine.threads=1"]
    )
    assert differences(one, other) == ["batch", "optimiser.rates.peak"]
    assert differences(one, one) == []
