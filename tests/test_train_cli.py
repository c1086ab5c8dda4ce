"""`vocaldm-train`: the same rules as `vocaldm`."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from training.cli import main
from training.commands import changes_of
from vocaldm_live import __version__


def test_help_loads_nothing_that_takes_time() -> None:
    code = (
        "import sys\nfrom training.cli import main\nassert main(['--help']) == 0\n"
        "print(sorted({'torch', 'lightning', 'matplotlib', 'numpy'} & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "vocaldm-train" in said
    assert said.splitlines()[-1] == "[]"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "training", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"vocaldm-train {__version__}\n"


def test_an_unknown_command_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert capsys.readouterr().err == "No such command 'nonsense' (see `vocaldm-train --help`).\n"


def test_data_may_be_called_anything() -> None:
    """A folder's name is text, whatever YAML would make of it."""
    for name in ("2024", "a: b #c", "null", "\udcff.d"):
        (change,) = changes_of(None, None, None, None, None, None, None, name)
        key, _, text = change.partition("=")
        assert (key, yaml.safe_load(text)) == ("data.source", name)
