"""Parts that are not the project's own: programs and packages that some tests talk to, recordings of voices."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest


def needs(*programs: str) -> None:
    """End the test where a program is not installed: a skip with its reason, a failure where VOCALDM_CI."""
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        missing(f"not installed on this system: {', '.join(absent)}")


def missing(reason: str) -> NoReturn:
    """End the test, or all tests of a file that is being imported, because a part is not here.

    A skip with its reason; where VOCALDM_CI, a failure, for there nothing may be missing unnoticed.
    """
    if os.environ.get("VOCALDM_CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def package(name: str) -> Any:
    """A Python package or module that only tests need; ends the test where it cannot be imported."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: a library that it links is not here
        missing(f"{name} cannot be imported in this environment: {error}")


def recordings() -> Path:
    """The folder with `imitations/` and `sounds/` that VOCALDM_TEST_DATA names; ends the test where it does not."""
    named = os.environ.get("VOCALDM_TEST_DATA")
    if not named:
        missing("VOCALDM_TEST_DATA is not set: it names a folder with imitations/ and sounds/")
    absent = [part for part in ("imitations", "sounds") if not (Path(named) / part).is_dir()]
    if absent:
        missing(f"VOCALDM_TEST_DATA={named} has no {' and no '.join(absent)}")
    return Path(named)
