"""`vocaldm tray` where it cannot be: without PySide6, without a screen, with wrong settings; one sentence each."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import Said, run
from trays import application

import vocaldm_live


@pytest.fixture
def tray(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """A function that runs `vocaldm tray` with settings of the test's own, which say nothing."""
    settings = tmp_path / "mine.yaml"
    settings.touch()
    return lambda *more: run(capsys, "tray", "--settings", settings, *more)


def test_without_pyside6_it_says_how_to_install_it(
    tray: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "PySide6":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    # The package keeps its module as an attribute too, and both must be what they were afterwards.
    if hasattr(vocaldm_live, "tray"):
        monkeypatch.setattr(vocaldm_live, "tray", vocaldm_live.tray)
    for name in [name for name in sys.modules if name.startswith("vocaldm_live.tray")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", absent)
    said = tray()
    assert said.code == 2 and said.is_one_sentence() and 'pip install "PySide6-Essentials' in said.err


def test_without_a_screen_it_says_so(tray: Callable[..., Said], monkeypatch: pytest.MonkeyPatch) -> None:
    application()
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    said = tray()
    assert said.code == 2 and said.is_one_sentence() and "screen" in said.err


def test_a_pyside6_that_would_crash_is_turned_away(
    tray: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    application()
    from vocaldm_live.tray import app

    assert not app.loses_none()
    monkeypatch.setattr(app, "loses_none", lambda: True)
    said = tray()
    assert said.code == 2 and said.is_one_sentence() and "install another with" in said.err


def test_it_goes_where_the_daemons_settings_say(
    tmp_path: Path, tray: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    application()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    asked: list[tuple[Any, ...]] = []
    from vocaldm_live.tray import app

    monkeypatch.setattr(app, "run", lambda *given: asked.append(given) or 0)
    (tmp_path / "mine.yaml").write_text("osc:\n  host: 0.0.0.0\n  port: 9876\n  token: secret\n")
    assert tray().code == 0
    assert tray("--host", "studio.local", "--port", 9000).code == 0
    assert [one[:3] for one in asked] == [("127.0.0.1", 9876, "secret"), ("studio.local", 9000, "secret")]
