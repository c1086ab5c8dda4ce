"""`vocaldm history`: clips listed, shown, starred and copied out, never overwriting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_deliver_history import History, fill
from typer.testing import CliRunner

from vocaldm_live.commands.history import history as app
from vocaldm_live.deliver.history import Entry
from vocaldm_live.errors import RequestError


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    index = History(tmp_path / "h.sqlite")
    made = fill(index, tmp_path / "out")
    index.close()
    return made


def run(folder: Path, *arguments: object, code: int = 0) -> str:
    name, *others = (str(argument) for argument in arguments)
    done = CliRunner().invoke(
        app, [name, "--history", str(folder / "h.sqlite"), *others], standalone_mode=False
    )
    if done.exception is not None:
        raise done.exception
    assert done.return_value == code
    return done.stdout


def test_the_list_has_every_clip_and_its_json_one_object_a_line(tmp_path: Path, entries: list[Entry]) -> None:
    shown = run(tmp_path, "list").splitlines()
    assert [line.split()[0] for line in shown[-3:]] == [entry.id for entry in reversed(entries)]
    objects = [json.loads(line) for line in run(tmp_path, "list", "--json", "--limit", 2).splitlines()]
    assert [one["id"] for one in objects] == [entries[2].id, entries[1].id]
    assert objects[0]["path"] == str(entries[2].path) and objects[0]["missing"] is False
    assert run(tmp_path, "list", "nothing like it", "--json") == ""


def test_a_star_is_set_and_taken(tmp_path: Path, entries: list[Entry]) -> None:
    run(tmp_path, "star", entries[0].id)
    assert json.loads(run(tmp_path, "list", "--starred", "--json"))["id"] == entries[0].id
    run(tmp_path, "unstar", entries[0].path)
    assert run(tmp_path, "list", "--starred", "--json") == ""
    with pytest.raises(RequestError, match="no clip"):
        run(tmp_path, "star", "nobody")


def test_show_tells_all(tmp_path: Path, entries: list[Entry]) -> None:
    assert json.loads(run(tmp_path, "show", entries[1].id[:7], "--json"))["seed"] == 1
    assert f"path: {entries[1].path}" in run(tmp_path, "show", entries[1].id)


def test_export_copies_clip_and_recipe_and_never_overwrites(tmp_path: Path, entries: list[Entry]) -> None:
    to, (first, second, _) = tmp_path / "to", entries
    to.mkdir()
    (to / second.recipe_path.name).write_text("mine")
    run(tmp_path, "export", second.id, first.id, "nobody", "--to", to, code=1)
    assert (to / first.path.name).read_bytes() == first.path.read_bytes()
    assert (to / first.recipe_path.name).read_bytes() == first.recipe_path.read_bytes()
    assert (to / second.recipe_path.name).read_text() == "mine" and not (to / second.path.name).exists()


def test_rebuild_keeps_stars(tmp_path: Path, entries: list[Entry]) -> None:
    run(tmp_path, "star", entries[2].id)
    (tmp_path / "h.sqlite").unlink()
    assert run(tmp_path, "rebuild", tmp_path / "out").startswith("3 entered")
    assert json.loads(run(tmp_path, "list", "--starred", "--json"))["id"] == entries[2].id
    with pytest.raises(RequestError, match="not a folder"):
        run(tmp_path, "rebuild", tmp_path / "nowhere")
