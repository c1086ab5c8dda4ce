"""Nothing phones home, and nothing is written where nobody asked for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from daemons import ROOT

CODE = """
import numpy as np
from vocaldm_live.sound.sketch import measure_sketch
times = np.arange(48000) / 48000
print(len(measure_sketch((0.3 * np.sin(2 * np.pi * 220 * times)).astype(np.float32), 48000).pitch))
"""


def test_a_sketch_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    """The pitch tracker's engine would write a device id and a queue of reports there."""
    home = tmp_path / "home"
    home.mkdir()
    # In CI and in its makers' own tests the engine is silent by itself: that must not hide what users would get.
    quiet = (
        "CI",
        "ORT_RUNNING_UNIT_TESTS",
        "ORT_DISABLE_TELEMETRY",
        "ORT_TELEMETRY_DISABLED",
        "XDG_CACHE_HOME",
    )
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    for name in ("GITHUB_ACTIONS", "TF_BUILD", "BUILD_BUILDID"):
        environment.pop(name, None)
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and int(done.stdout) > 90, done.stderr
    assert [str(path.relative_to(home)) for path in home.rglob("*")] == []
