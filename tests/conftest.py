"""What every test may rely on: few threads, the shared recordings."""

from __future__ import annotations

import os
from pathlib import Path

# OpenMP reads these when torch is imported, so they are set before any test module is.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    _wanted = os.environ.get(_name, "")
    os.environ[_name] = _wanted if _wanted in ("1", "2") else "2"

import parts  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with `imitations/` and `sounds/` that VOCALDM_TEST_DATA names."""
    return parts.recordings()
