"""What every test may rely on: few threads, the shared recordings, a tiny preset, a microphone, a daemon and its client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# OpenMP reads these when torch is imported, so they are set before any test module is.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
# One number for both: torch takes MKL's where it has MKL, and so OpenMP's 1 would be of no use beside MKL's 2.
_wanted = os.environ.get("OMP_NUM_THREADS", "")
os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), _wanted if _wanted in ("1", "2") else "2")
# Ray reads these when it is imported. The token is made here and is nobody's.
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64, "RAY_USAGE_STATS_ENABLED": "0"}

import parts  # noqa: E402
import pytest  # noqa: E402

if TYPE_CHECKING:  # where they are used is soon enough: many tests need no torch
    from osc_peers import Peer
    from virtual_microphone import VirtualMicrophone

    from vocaldm_live.daemon.daemon import Daemon


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with `imitations/` and `sounds/` that VOCALDM_TEST_DATA names."""
    return parts.recordings()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny preset for all tests of a file."""
    from tiny import make_tiny_preset

    return make_tiny_preset(tmp_path_factory.mktemp("presets"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's own folder, which is the working folder; the tiny preset `one` lies there."""
    from tiny import make_tiny_preset

    monkeypatch.chdir(tmp_path)
    make_tiny_preset(tmp_path / "presets", "one")
    return tmp_path


@pytest.fixture
def cable(monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualMicrophone]:
    """A microphone made of software, to which this process and those that it starts are led."""
    from virtual_microphone import VirtualMicrophone

    with VirtualMicrophone() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def daemon(place: Path) -> Iterator[Daemon]:
    """A daemon in `place`, warm."""
    from daemons import started

    with started(place) as made:
        yield made


@pytest.fixture
def peer(daemon: Daemon) -> Iterator[Peer]:
    """A client of `daemon` that has heard the whole state."""
    from osc_peers import Peer

    with Peer(daemon.server.port) as made:
        made.subscribe(0, 600.0)
        yield made
