"""What the tests of the command line share: running it, sounds on disk, and the preset it runs on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vocaldm_live.cli import main


@dataclass(frozen=True)
class Said:
    """An exit code and what was said."""

    code: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Every line of stdout as JSON; fails where there is anything else."""
        return [json.loads(line) for line in self.out.splitlines()]

    def is_one_sentence(self) -> bool:
        """Whether stderr is a single line ending in a full stop, and no traceback."""
        lines = self.err.splitlines()
        return len(lines) == 1 and lines[0].endswith(".") and "Traceback" not in self.err


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Said:
    """Run `vocaldm` in this process."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return Said(code, said.out, said.err)


def gesture(seconds: float = 0.4, rate: int = 48000, note: float = 220.0) -> np.ndarray:
    """A tone that swells and goes, float [n]."""
    times = np.arange(round(seconds * rate)) / rate
    return 0.3 * np.sin(2 * np.pi * note * times) * np.sin(np.pi * times / seconds) ** 2


def write_gesture(path: Path, seconds: float = 0.4, rate: int = 48000, note: float = 220.0) -> Path:
    """Write a gesture as a WAV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, gesture(seconds, rate, note), rate)
    return path


def visible(folder: Path) -> list[str]:
    """The names in a folder, hidden ones too; none where it does not exist."""
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
