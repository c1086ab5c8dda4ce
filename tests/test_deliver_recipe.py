"""Recipes: what is written reads back the same, and what is wrong is said in one sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recipes import RECIPE

from vocaldm_live.deliver.recipe import Recipe, current_time, pack_vector, parse_time, read_recipe
from vocaldm_live.errors import RequestError


def recipe(**changes: Any) -> Recipe:
    return dataclasses.replace(RECIPE, **changes)


def changed_json(**changes: Any) -> str:
    return json.dumps({**json.loads(recipe().to_json()), **changes})


@given(
    seed=st.integers(0, 2**63 - 1),
    guidance=st.floats(0, 1e6),
    follow=st.floats(0, 1),
    duration=st.none() | st.floats(1e-3, 600),
    imitation=st.text(min_size=1),
    notes=st.lists(st.text()).map(tuple),
)
@settings(max_examples=50, deadline=None)
def test_a_recipe_reads_back_the_same(seed: int, guidance: float, follow: float, **rest: Any) -> None:
    written = recipe(seed=seed, guidance=guidance, follow=follow, like="a.wav", like_sha256="c" * 64, **rest)
    text = written.to_json()
    assert text.isascii()
    assert Recipe.from_json(text) == written


def test_numpy_numbers_become_plain_ones() -> None:
    written = recipe(seed=np.int64(3), guidance=np.float32(2.5), steps=np.int32(4), follow=1)
    assert (written.seed, written.guidance, written.steps, written.follow) == (3, 2.5, 4, 1.0)
    assert type(written.seed) is int and type(written.guidance) is float and type(written.follow) is float
    assert Recipe.from_json(written.to_json()) == written


def test_a_recipe_without_a_voice_reads_back() -> None:
    written = recipe(imitation=None, imitation_sha256=None, duration=2.0, text="a bell")
    assert json.loads(written.to_json())["imitation"] is None
    assert Recipe.from_json(written.to_json()) == written
    for wrong in ({"imitation": None}, {"imitation": None, "imitation_sha256": None, "duration": None}):
        with pytest.raises(RequestError, match="imitation"):
            recipe(**{"duration": 2.0, **wrong})


OF_LIBRARIES = ("library", "nearest", "anchor")
EDIT_FIELDS = {"edit", "source", "source_sha256", "other", "other_sha256"}


def test_only_the_recipes_of_anchored_clips_speak_of_libraries() -> None:
    assert not set(OF_LIBRARIES) & set(json.loads(recipe().to_json()))
    vector = np.linspace(-2, 2, 960, dtype=np.float32)
    packed = pack_vector(vector)
    written = recipe(library="/sounds", nearest=("a.wav", "b.wav from 20 s"), anchor=packed)
    read = Recipe.from_json(written.to_json())
    assert read == written and set(OF_LIBRARIES) <= set(json.loads(written.to_json()))
    unpacked = read.anchor_vector()
    assert unpacked is not None and pack_vector(unpacked) == packed
    assert np.abs(unpacked - vector).max() < 1e-3 and recipe().anchor_vector() is None


@pytest.mark.parametrize(
    "name",
    [field.name for field in dataclasses.fields(Recipe) if field.name not in {*OF_LIBRARIES, *EDIT_FIELDS}],
)
def test_a_missing_field_is_named(name: str) -> None:
    whole = recipe(vocoder="griffin-lim", vocoder_sha256="1" * 64, text="a bell")
    values = json.loads(whole.to_json())
    del values[name]
    with pytest.raises(RequestError, match=name) as caught:
        Recipe.from_json(json.dumps(values), "clip.json")
    assert "clip.json" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", "seven"),
        ("seed", 1.5),
        ("seed", True),
        ("seed", -1),
        ("seed", 2**63),
        ("steps", 0),
        ("steps", None),
        ("guidance", -3),
        ("guidance", "2"),
        ("guidance", 10**400),
        ("follow", 1.01),
        ("follow", False),
        ("eta", -0.1),
        ("duration", 0),
        ("duration", "5"),
        ("tail", -1),
        ("sampler", ""),
        ("preset", 5),
        ("preset_sha256", "abc"),
        ("imitation_sha256", "B" * 64),
        ("imitation", None),
        ("like", "a.wav"),
        ("like_sha256", "c" * 64),
        ("device", None),
        ("created", "yesterday"),
        ("notes", "loud"),
        ("notes", [1]),
        ("library", "/sounds"),
        ("nearest", "a.wav"),
        ("anchor", "AAAA"),
        ("anchor", "no base64"),
        ("program_version", None),
    ],
)
def test_a_wrong_field_is_named_in_one_sentence(name: str, value: Any) -> None:
    with pytest.raises(RequestError) as caught:
        Recipe.from_json(changed_json(**{name: value}), "clip.json")
    message = str(caught.value)
    assert name in message and message.startswith("clip.json") and "\n" not in message and len(message) < 250
    with pytest.raises(RequestError, match=name):
        recipe(**{name: value})


@pytest.mark.parametrize("version", [0, 2, "1", None, True, 99, [1]])
def test_another_format_is_refused(version: Any) -> None:
    with pytest.raises(RequestError, match="format"):
        Recipe.from_json(changed_json(format=version))


def test_an_unknown_field_is_named() -> None:
    with pytest.raises(RequestError, match="strenght"):
        Recipe.from_json(changed_json(strenght=1.0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "clip",
        "[]",
        "null",
        "3",
        '{"format": 1',
        "[" * 100_000,
        '{"format": 1, "seed": NaN}',
        '{"a": 1, "a": 2}',
    ],
)
def test_what_is_no_recipe_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        Recipe.from_json(text, "clip.json")
    assert "clip.json" in str(caught.value) and "\n" not in str(caught.value)


def test_a_recipe_file_is_read_and_bad_ones_are_named(tmp_path: Path) -> None:
    path = tmp_path / "clip.json"
    path.write_text(recipe().to_json(), encoding="utf-8")
    assert read_recipe(path) == recipe()
    path.write_text(recipe().to_json(), encoding="utf-8-sig")
    assert read_recipe(path) == recipe()
    path.write_bytes(b"RIFF\xff\xfe\x00\x80WAVE")
    for bad in (path, tmp_path / "none.json", tmp_path):
        with pytest.raises(RequestError, match=str(bad)):
            read_recipe(bad)


def test_times_are_utc_and_take_a_z() -> None:
    assert recipe(created=current_time()).created_time().utcoffset() is not None
    assert parse_time("2026-01-31T12:00:00Z") == parse_time("2026-01-31T13:00:00+01:00")
