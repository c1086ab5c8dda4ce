"""Mels that a preset's denoiser draws for known sounds, for a vocoder to learn from."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import assert_sentence, make_tiny_preset

from training import drawn
from training.drawn import draw_mels
from training.errors import RunError
from training.examples import make_sound
from training.library import LibrarySound
from training.sounds import Sounds
from vocaldm_live.checkpoints.places import resolve_preset
from vocaldm_live.checkpoints.preset import load_modules, read_preset
from vocaldm_live.sound.geometry import HOUSE
from vocaldm_live.sound.mel import log_mel


@pytest.mark.slow
def test_a_drawn_mel_keeps_the_sound_it_set_out_from() -> None:
    modules = load_modules(read_preset(resolve_preset("house")))
    samples, _, _ = make_sound(0, 5, [], 0.0, False)
    mel = log_mel(torch.from_numpy(samples)[None], HOUSE).numpy()
    drawn = draw_mels(samples[None], modules, "v", 1)
    assert drawn.shape == mel.shape
    assert np.corrcoef(drawn.ravel(), mel.ravel())[0, 1] > 0.9


def test_clips_are_drawn_anew_for_other_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same preset and count: the sounds, or the seed by which they are cut, may still be others."""
    preset = make_tiny_preset(tmp_path)
    asked: list[tuple[int, str]] = []

    def drawn_before(path: Path, count: int, seed: int, library: list[LibrarySound], *more: object) -> None:
        if not path.exists():
            asked.append((seed, library[0].name))
            path.touch()

    monkeypatch.setattr(drawn, "drawn_once", drawn_before)
    for name, seed in (("a", 1), ("a", 1), ("b", 1), ("a", 2)):
        sounds = Sounds((name,), (np.zeros(4800, np.float32),), 48000, (f"key of {name}",))
        drawn.drawn_by(str(preset), tmp_path, 2, seed, sounds, HOUSE, 16)
    assert asked == [(1, "a"), (1, "b"), (2, "a")]


def test_what_was_drawn_for_other_sounds_goes_and_a_full_disk_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drawn-old-2.npz").touch()
    monkeypatch.setattr(drawn, "draw_mels", lambda samples, *more: np.zeros((len(samples), 128, 256)))

    def full(*more: object, **arrays: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "drawn-new-1.npz"
    with monkeypatch.context() as patch:
        patch.setattr(drawn.np, "savez", full)
        with pytest.raises(RunError, match="free space") as caught:
            drawn.drawn_once(path, 1, 0, [], object(), "v", 0.0)  # type: ignore[arg-type]
    assert_sentence(str(caught.value).replace("; ", ", "))
    drawn.drawn_once(path, 1, 0, [], object(), "v", 0.0)  # type: ignore[arg-type]
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
