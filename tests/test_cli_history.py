"""`vocaldm history` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recipes import publish
from tiny import assert_sentence

from vocaldm_live.cli import main
from vocaldm_live.deliver.history import History


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    history = History(folder / "history.sqlite")
    for seed in (1, 2):
        history.add(*publish(tmp_path / "out", seed))
    history.close()
    return folder


def listed(state: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[dict[str, object]]:
    capsys.readouterr()
    assert main(["history", "list", "--json", "--state", str(state), *more]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_listing_starring_and_showing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = listed(state, capsys)[-1]
    assert main(["history", "star", str(first["id"]), "--state", str(state)]) == 0
    assert [one["seed"] for one in listed(state, capsys, "--starred")] == [1]
    assert main(["history", "unstar", str(first["id"])[:5], "--state", str(state)]) == 0
    assert listed(state, capsys, "--starred") == []
    assert main(["history", "show", str(first["path"]), "--state", str(state)]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == first["id"]
    assert main(["history", "list", "--state", str(state)]) == 0
    assert str(first["id"]) in capsys.readouterr().out


def test_export_overwrites_nothing(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = listed(state, capsys)[0]
    for _ in range(2):
        assert (
            main(["history", "export", str(clip["id"]), "--to", str(tmp_path / "to"), "--state", str(state)])
            == 0
        )
    found = sorted(path.name for path in (tmp_path / "to").iterdir())
    assert len(found) == 4 and len({name.rsplit(".", 1)[0] for name in found}) == 2
    assert np.all([path.stat().st_size > 0 for path in (tmp_path / "to").iterdir()])


def test_rebuild_and_errors(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history", "rebuild", "--outbox", str(tmp_path / "out"), "--state", str(state)]) == 0
    assert "0 clips entered" in capsys.readouterr().out
    assert main(["history", "show", "nothing", "--state", str(state)]) == 2
    assert_sentence(capsys.readouterr().err.strip())
