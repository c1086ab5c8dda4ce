"""Parts that nobody here wrote: programs and packages that some tests talk to."""

from __future__ import annotations

import importlib
import os
import shutil
from typing import Any, NoReturn

import pytest


def needs(*programs: str) -> None:
    """End the test where a program is not installed: a skip with its reason, a failure where VOCALDM_CI."""
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        missing(f"not installed on this system: {', '.join(absent)}")


def missing(reason: str) -> NoReturn:
    """End the test because a part is not here; where VOCALDM_CI, nothing may be missing unnoticed."""
    if os.environ.get("VOCALDM_CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def package(name: str) -> Any:
    """A Python package that only tests need; ends the test where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(f"not installed in this environment: {name}")
