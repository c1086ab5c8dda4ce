"""What a test may skip for: a part that is not here, which CI does not let pass, or a fact of the machine."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import parts
import pytest

TESTS = Path(__file__).parent
SKIPS = ("pytest.skip", "pytest.importorskip", "pytest.mark.skip", "pytest.mark.skipif")
# No installation changes these: they belong to the system, to its user, or to what was asked for.
FACTS = {
    ("test_cli_input.py", "root may write everywhere"),
    ("test_cluster.py", "who listens is told in /proc"),
    ("test_daemon_kills.py", "the daemons are forked from one process"),
    ("test_daemon_soak.py", "memory and file handles are counted in /proc"),
    ("test_deliver_history.py", "mounting a small disk needs root"),
    ("test_engine_soak.py", "memory and file handles are counted in /proc"),
    ("test_launcher.py", "a script can't stand in for Scripts/vocaldm.exe"),
    ("test_library_build.py", "names there are always Unicode"),
    ("test_tray_drag.py", "VOCALDM_TEST_DAWS is not set: it asks for drops onto DAWs"),
    ("test_tray_player.py", "this machine has an output device"),
}


def reasons(text: str) -> Iterator[str]:
    """The reason of every skip in a test file; of one that gives none in plain words, its source."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and (how := ast.unparse(node.func)) in SKIPS:
            reason = next((one.value for one in node.keywords if one.arg == "reason"), None)
            if reason is None and how == "pytest.skip" and node.args:
                reason = node.args[0]
            yield str(reason.value) if isinstance(reason, ast.Constant) else ast.unparse(node)


@pytest.mark.slow
def test_only_facts_of_the_machine_are_skipped_for() -> None:
    """Whatever can be installed goes through `parts`, so that CI fails where it is missing."""
    files = (path for path in TESTS.glob("*.py") if path.name != "parts.py")
    found = {(path.name, reason) for path in files for reason in reasons(path.read_text(encoding="utf-8"))}
    assert found == FACTS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("pytest.skip('not here')", "not here"),
        ("@pytest.mark.skipif(x, reason='not here')\ndef test(): ...", "not here"),
        ("lib = pytest.importorskip('lib', reason='too old')", "too old"),
        ("lib = pytest.importorskip('lib')", "pytest.importorskip('lib')"),
        ("pytest.skip(f'{x}')", "pytest.skip(f'{x}')"),
        ("pytest.mark.skip()", "pytest.mark.skip()"),
    ],
)
def test_a_skip_is_seen(text: str, reason: str) -> None:
    assert list(reasons(text)) == [reason]


@pytest.mark.parametrize(
    ("look", "told"),
    [
        (lambda: parts.needs("sh", "no-such-program"), "no-such-program"),
        (lambda: parts.package("no_such_package"), "no_such_package"),
        (lambda: parts.recordings(), "VOCALDM_TEST_DATA=nowhere has no imitations and no sounds"),
    ],
)
def test_a_missing_part_is_skipped_for_and_fails_in_ci(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], object], told: str
) -> None:
    monkeypatch.setenv("VOCALDM_TEST_DATA", "nowhere")
    monkeypatch.delenv("VOCALDM_CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=told):
        look()
    monkeypatch.setenv("VOCALDM_CI", "1")
    with pytest.raises(pytest.fail.Exception, match=told):
        look()


def test_recordings_that_nobody_named_are_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOCALDM_CI", "1")
    monkeypatch.delenv("VOCALDM_TEST_DATA", raising=False)
    with pytest.raises(pytest.fail.Exception, match="VOCALDM_TEST_DATA is not set"):
        parts.recordings()
