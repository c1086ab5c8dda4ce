"""`vocaldm devices`: a table for people, one JSON object a device for programs."""

from __future__ import annotations

import json

import pytest

from vocaldm_live.commands.devices import devices
from vocaldm_live.listen import devices as room
from vocaldm_live.listen.devices import Device

INPUTS = [
    Device(1, "Mikrofon (Röde)", "Core Audio", 1, 48000, default=True),
    Device(4, "Scarlett", "Core Audio", 2, 44100),
]


def test_devices_as_table_and_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(room, "list_devices", lambda refresh=False: list(INPUTS))
    assert devices() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 Mikrofon (Röde) (default)" in lines[2] and "48000" in lines[2]
    assert "4 Scarlett" in lines[3] and "default" not in lines[3]
    assert devices(as_json=True) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Device(**row) for row in rows] == INPUTS


def test_no_devices_is_no_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(room, "list_devices", lambda refresh=False: [])
    assert devices() == 0
    assert "plug in" in capsys.readouterr().out
    assert devices(as_json=True) == 0
    assert capsys.readouterr().out == ""
