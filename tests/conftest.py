"""What every test may rely on: few threads, the shared recordings, the programs of the system."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

# OpenMP reads these when torch is imported, so they are set before any test module is.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    _wanted = os.environ.get(_name, "")
    os.environ[_name] = _wanted if _wanted in ("1", "2") else "2"

import pytest  # noqa: E402


def _not_here(reason: str) -> NoReturn:
    """Skip for a stated reason; in CI, where nothing may be missing unnoticed, fail instead."""
    if os.environ.get("VOCALDM_CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with `imitations/` and `sounds/` that VOCALDM_TEST_DATA names."""
    named = os.environ.get("VOCALDM_TEST_DATA")
    if not named:
        pytest.skip("VOCALDM_TEST_DATA is not set: it names a folder with imitations/ and sounds/")
    folder = Path(named)
    missing = [part for part in ("imitations", "sounds") if not (folder / part).is_dir()]
    if missing:
        _not_here(f"VOCALDM_TEST_DATA={named} has no {' and no '.join(missing)}")
    return folder


@pytest.fixture(scope="session")
def need_program() -> Callable[[str], str]:
    """A function that gives the path of a system program, or ends the test when it is not installed."""

    def need(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            _not_here(f"the program {name} is not installed on this system")
        return path

    return need
