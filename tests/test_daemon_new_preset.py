"""A preset that `vocaldm-train preset` makes while a daemon runs is there to be chosen at once."""

from __future__ import annotations

from pathlib import Path

import parts
import pytest
from daemons import started
from data_sets import burst, put
from osc_peers import Peer

parts.package("lightning_fabric")  # of the extra [training]

from preset_program import run  # noqa: E402

from vocaldm_live.checkpoints.places import own_place  # noqa: E402

pytestmark = pytest.mark.slow


def test_a_running_daemon_picks_the_preset_up(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "data"))
    put(place / "sounds" / "one.wav", burst(0, 0.4, 16000))
    base, folder = place / "presets" / "one", place / "run"
    assert run("nowhere", place / "sounds", base, folder, place / "to") == 0
    with started(place) as daemon, Peer(daemon.server.port) as peer:
        peer.subscribe(0, 600.0)
        assert run("nowhere", place / "sounds", base, folder, own_place()) == 0, "which only writes it there"
        assert peer.wait("preset/known") == ["mine"]
        peer.send("param/preset", "mine")
        while peer.wait("preset/is")[0] != "mine":
            pass
