"""Gathering: what a listener hears in the sounds of a folder, each sound heard once whatever it is called."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.errors import DataError, RunError
from training.listeners import Listener
from vocaldm_live.errors import SoundError, VocalDMError
from vocaldm_live.sound.audio import SILENCE_PEAK, SOUND_SUFFIXES, Sound, read_sound

VERSION = 1  # of what is cached: another program must not take the old numbers for its own
LONGEST = 60.0  # s of a sound that are heard


@dataclass(frozen=True)
class Heard:
    """A sound file by its path and the SHA-256 of its bytes."""

    path: Path
    sha256: str


@dataclass(frozen=True, eq=False)
class Gathered:
    """What one listener heard in `n` sounds, in their order."""

    vectors: np.ndarray  # float32 [n, width], one a sound
    windows: np.ndarray  # float32 [all windows, width]
    classes: np.ndarray | None  # float32 [n, classes]


def find_sounds(folder: Path, deep: bool = True) -> list[Path]:
    """The sound files in a folder, by path, in the folders inside too where `deep`; hidden ones are left out.

    Raises DataError where there is none.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder: give one with sound files.")
    found = []
    for where, inside, names in os.walk(folder):
        inside[:] = sorted(name for name in inside if deep and not name.startswith("."))
        found += [Path(where) / name for name in names if not name.startswith(".")]
    sounds = sorted(path for path in found if path.suffix.lower() in SOUND_SUFFIXES)
    if not sounds:
        raise DataError(f"{folder} holds no sound files: give one that does.")
    return sounds


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes; raises DataError where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error


def digests(paths: Sequence[Path], problem: Callable[[str], None]) -> list[Heard]:
    """Each file's SHA-256; what cannot be read or is no sound is told once and left out."""
    found = []
    for path in paths:
        try:
            digest = file_digest(path)
            read_sound(path)
        except (DataError, SoundError) as error:
            problem(str(error))
        else:
            found.append(Heard(path, digest))
    return found


def is_silent(sound: Sound) -> bool:
    """Whether nothing of a sound is louder than -80 dBFS."""
    return bool(np.abs(sound.samples).max() < SILENCE_PEAK)


def gather(
    sounds: Sequence[Heard],
    listener: Listener,
    cache: Path,
    progress: Callable[[str, int, int], None] | None = None,
) -> Gathered:
    """Hear each sound or take what was heard from `cache`, where it lies by the sound's and the listener's hashes.

    So a file that was changed under its old name is heard anew, a copy under another name is not, and nothing that
    can run lies in the cache. Raises DataError of no sounds or where one changed its kind meanwhile, RunError where
    the cache takes no file.
    """
    if not sounds:
        raise DataError(f"There is no sound for {listener.name} to hear: see what was said before.")
    folder = cache / f"{listener.name.replace(':', '-')}-{listener.sha256[:16]}-{VERSION}"
    vectors, windows, classes = [], [], []
    for number, heard in enumerate(sounds):
        if progress is not None:
            progress(f"{listener.name} hears {heard.path.name}", number, len(sounds))
        place = folder / heard.sha256[:2] / f"{heard.sha256}.npz"
        found = _cached(place, listener.width)
        if found is None:
            found = _hear(heard, listener)
            _keep(place, found)
        vectors.append(found["vector"])
        windows.append(found["windows"])
        if "classes" in found:
            classes.append(found["classes"])
    return Gathered(
        np.stack(vectors),
        np.concatenate(windows),
        np.stack(classes) if len(classes) == len(sounds) else None,
    )


# Inside -------------------------------------------------------------------------------------------------


def _hear(heard: Heard, listener: Listener) -> dict[str, np.ndarray]:
    try:
        samples = read_sound(heard.path, LONGEST).at(listener.rate).samples
    except VocalDMError as error:
        raise DataError(f"{heard.path} changed while it was measured: {error}") from error
    windows = listener.windows(samples)
    found = {"vector": windows.mean(axis=0), "windows": windows}
    answers = listener.classes(samples)
    if answers is not None:
        found["classes"] = answers
    return {name: np.asarray(value, dtype=np.float32) for name, value in found.items()}


def _cached(place: Path, width: int) -> dict[str, np.ndarray] | None:
    """What lies in the cache; None where nothing does, or nothing whole."""
    try:
        with np.load(place, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None
    if found.get("vector", np.empty(0)).shape != (width,):
        return None
    windows = found.get("windows", np.empty(0))
    return found if windows.ndim == 2 and windows.shape[1] == width else None


def _keep(place: Path, found: dict[str, np.ndarray]) -> None:
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            np.savez(file, allow_pickle=False, **found)
        os.replace(part, place)
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise RunError(
            f"{place.parent} takes no file ({reason}): name another place with --cache."
        ) from error
