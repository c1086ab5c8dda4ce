"""Outbox: the folder where finished clips appear, each a WAV with its recipe, complete or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePath

import numpy as np

from vocaldm_live.deliver import ucs
from vocaldm_live.deliver.leftovers import hold, sweep
from vocaldm_live.deliver.metadata import PROGRAM, ClipMetadata, metadata_chunks
from vocaldm_live.deliver.recipe import Recipe
from vocaldm_live.deliver.wave import (
    BIT_DEPTHS,
    Chunk,
    check_finite,
    check_layout,
    encode_wave,
    fade_ends,
    loop_chunk,
)
from vocaldm_live.errors import DeliveryError

LATEST = "latest.json"
FADE_MILLISECONDS = 5.0
GUARD_NOTE = "Clip guard:"
CLIP_GUARD_DB = -0.1  # a clip that would pass full scale is turned down to this peak, in dBFS


@dataclass(frozen=True)
class PublishedClip:
    """A clip that lies complete on disk.

    `peak` is the largest magnitude of the faded clip before anything was turned down (1.0 is full scale),
    `gain_db` what the clip guard did to it: 0 where it fits, else below 0 and told in the recipe's notes.
    """

    path: Path
    recipe_path: Path
    gain_db: float
    peak: float


class Outbox:
    """Publishes clips into one folder; several processes may publish into the same folder at once.

    `bits` is 16, 24 or 32 (floating point). `cat_id`, `creator_id` and `source_id` go into the UCS names.
    Nothing is touched on disk until `check` or `publish`. Raises DeliveryError for another bit depth and
    RequestError for something that cannot be a CatID.
    """

    def __init__(
        self,
        folder: str | Path,
        bits: int = 24,
        *,
        cat_id: str = ucs.DEFAULT_CAT_ID,
        creator_id: str = ucs.DEFAULT_CREATOR_ID,
        source_id: str = ucs.DEFAULT_SOURCE_ID,
    ) -> None:
        if bits not in BIT_DEPTHS:
            raise DeliveryError(
                f"A bit depth of {bits} is not possible: choose 16, 24 or 32 (32 is floating point)."
            )
        ucs.check_cat_id(cat_id)
        self.folder = Path(os.path.abspath(os.path.expanduser(folder)))
        self.bits = bits
        self._cat_id = cat_id
        self._creator_id = creator_id
        self._source_id = source_id
        self._next_number: dict[str, int] = {}

    def check(self) -> None:
        """Make the folder if need be and prove that a file can be written there; raises DeliveryError."""
        probe = self.folder / f".check.{os.getpid()}.part"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                _write_file(_create(probe, exclusive=False), b"0")
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise _delivery_error(self.folder, error) from error

    def sweep(self) -> list[Path]:
        """Remove hidden parts that processes which are gone left in the folder; the paths that were removed."""
        return sweep(self.folder)

    def publish(
        self, samples: np.ndarray, sample_rate: int, recipe: Recipe, title: str, credits: str = ""
    ) -> PublishedClip:
        """Write a clip, its recipe and `latest.json`, in this order, each of them complete when it appears.

        `samples` are floats `[frames]` or `[frames, channels]` with full scale 1.0 and stay as they are; a
        copy gets fades of 5 ms, but none where an edit keeps the sound's own ends or makes a loop, and, only
        where its peak passes full scale, the clip guard's gain. A loop's file says where it loops. All bytes are
        on disk before the first name appears, so that a full disk publishes nothing. Raises DeliveryError
        when the samples are not finite or the folder takes no file.
        """
        _, channels = check_layout(samples)
        check_finite(samples)
        edit = recipe.edit
        ends = (True, True) if edit is None else edit.fades(len(samples) / sample_rate)
        faded = fade_ends(samples, sample_rate, FADE_MILLISECONDS, ends)
        peak = float(np.abs(faded).max())
        sound, gain_db = guard_clipping(faded)
        recipe = _with_guard_note(recipe, gain_db)
        open_parts: dict[Path, int] = {}
        held: list[int] = []
        appeared: list[Path] = []
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = self._reserve(title, open_parts, held)
            clip_path, recipe_path = self._paths(name)
            text = recipe.to_json()
            chunks: tuple[Chunk, ...] = metadata_chunks(
                ClipMetadata(
                    title=title,
                    name=name,
                    created=recipe.created_time(),
                    program_version=recipe.program_version,
                    reference=hashlib.sha256(f"{name.stem}\n{text}".encode()).hexdigest()[:32],
                    sample_rate=sample_rate,
                    bits=self.bits,
                    channels=channels,
                    notes=_notes(recipe),
                    credits=credits,
                    recipe=text,
                )
            )
            if edit is not None and edit.kind == "loop":
                chunks = (*chunks, loop_chunk(len(samples), sample_rate))
            wave = encode_wave(sound, sample_rate, self.bits, chunks, dither_seed=recipe.seed)
            latest = json.dumps({"clip": str(clip_path), "recipe": str(recipe_path)}, indent=2) + "\n"
            targets = (
                (_part(clip_path), clip_path, wave),
                (_part(recipe_path), recipe_path, text.encode("ascii")),
                # The clip's name in it keeps two processes from sharing this file too.
                (self.folder / f".{name.stem}.{LATEST}.part", self.folder / LATEST, latest.encode("ascii")),
            )
            for part, _, data in targets:
                descriptor = open_parts.pop(part, None)
                if descriptor is None:
                    descriptor = _create(part, exclusive=False)
                open_parts[part] = -1
                _write_file(descriptor, data)
            for part, target, _ in targets:
                _replace(part, target)
                del open_parts[part]
                appeared.append(target)
        except OSError as error:
            raise _delivery_error(self.folder, error, appeared) from error
        finally:
            for part, descriptor in open_parts.items():
                with suppress(OSError):
                    if descriptor >= 0:
                        os.close(descriptor)
                with suppress(OSError):
                    part.unlink()
            for descriptor in held:
                with suppress(OSError):
                    os.close(descriptor)
        return PublishedClip(clip_path, recipe_path, gain_db, peak)

    def _reserve(self, title: str, open_parts: dict[Path, int], held: list[int]) -> ucs.UcsName:
        """A name that no file has and no other process holds, its empty `.part` opened into `open_parts`.

        `held` takes what keeps the part's lock (`deliver.leftovers`) until it is closed.

        Whoever creates the `.part` owns the name until the `.part` is renamed or removed; the check that
        no clip has the name comes after, so that two owners can never follow each other unseen.
        """
        name = ucs.make_name(title, self._cat_id, self._creator_id, self._source_id)
        for number in count(self._first_number(name)):
            candidate = replace(name, user_data=f"{number:04d}")
            clip_path, recipe_path = self._paths(candidate)
            part = _part(clip_path)
            try:
                descriptor = _create(part, exclusive=True)
            except FileExistsError:
                continue
            try:
                lock = hold(descriptor)
            except FileExistsError:
                os.close(descriptor)
                continue
            if lock is not None:
                held.append(lock)
            open_parts[part] = descriptor
            if not os.path.lexists(clip_path) and not os.path.lexists(recipe_path):
                self._next_number[name.stem] = number + 1
                return candidate
            os.close(open_parts.pop(part))
            part.unlink()
            if lock is not None:
                os.close(held.pop())
        raise AssertionError("count() does not end")

    def _first_number(self, name: ucs.UcsName) -> int:
        known = self._next_number.get(name.stem)
        if known is not None:
            return known
        numbers = [0]
        with os.scandir(self.folder) as entries:
            for entry in entries:
                tail = entry.name[len(name.stem) + 1 :].partition(".")[0]
                if (
                    entry.name.startswith(name.stem + "_")
                    and tail.isascii()
                    and tail.isdigit()
                    and len(tail) < 10
                ):
                    numbers.append(int(tail))
        return max(numbers) + 1

    def _paths(self, name: ucs.UcsName) -> tuple[Path, Path]:
        return self.folder / f"{name.stem}.wav", self.folder / f"{name.stem}.json"


def guard_clipping(samples: np.ndarray) -> tuple[np.ndarray, float]:
    """`samples` and 0 dB where no magnitude passes 1.0; else a copy peaking at -0.1 dBFS, and the gain."""
    peak = float(np.abs(samples).max())
    if peak <= 1.0:
        return samples, 0.0
    gain_db = CLIP_GUARD_DB - 20.0 * math.log10(peak)
    return (samples.astype(np.float64) * 10.0 ** (gain_db / 20.0)).astype(samples.dtype), gain_db


def _with_guard_note(recipe: Recipe, gain_db: float) -> Recipe:
    # A recipe that was read from a file may bring the note of the clip that it made before.
    notes = [note for note in recipe.notes if not note.startswith(GUARD_NOTE)]
    if gain_db:
        notes.append(f"{GUARD_NOTE} turned down by {-gain_db:.2f} dB to stay below full scale.")
    return replace(recipe, notes=tuple(notes))


def _notes(recipe: Recipe) -> str:
    maker = f"a generative model ({PROGRAM} {recipe.program_version})"
    names = " and ".join(PurePath(path).name for path in (recipe.source, recipe.other) if path)
    edit = recipe.edit
    begin = (
        f"Sound made by {maker} from {_origin(recipe)}"
        if edit is None
        else f"{edit.kind} of {names} by {maker}"
    )
    made = (
        f"{begin[0].upper()}{begin[1:]}: "
        f"preset {recipe.preset}, seed {recipe.seed}, steps {recipe.steps}, "
        f"guidance {recipe.guidance:g}, follow {recipe.follow:g}."
    )
    return " ".join((made, *recipe.notes))


def _origin(recipe: Recipe) -> str:
    if recipe.imitation is not None:
        return "a vocal imitation"
    return " and ".join(
        what for what, given in (("words", recipe.text), ("another sound", recipe.like)) if given
    )


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _create(path: Path, exclusive: bool) -> int:
    flags = os.O_WRONLY | os.O_CREAT | (os.O_EXCL if exclusive else os.O_TRUNC) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags, 0o666)


def _write_file(descriptor: int, data: bytes) -> None:
    """Write all of `data`, force it to disk and close the file, whatever happens."""
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(part: Path, target: Path) -> None:
    """Rename; on Windows a reader that has the target open is waited for, a fifth of a second at most."""
    for _ in range(10):
        try:
            os.replace(part, target)
            return
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.02)
    os.replace(part, target)


def _delivery_error(folder: Path, error: OSError, appeared: Sequence[Path] = ()) -> DeliveryError:
    reason = error.strerror or str(error)
    if appeared:
        return DeliveryError(
            f"{appeared[0]} was written but not all of what belongs to it ({reason}): "
            "see what holds the folder's JSON files and generate the clip again."
        )
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return DeliveryError(
            f"No clip can be written because {folder} is full: free some space or name another folder."
        )
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return DeliveryError(
            f"No clip can be written because {folder} is not a folder: name another output folder."
        )
    return DeliveryError(
        f"No clip can be written because {folder} takes no file ({reason}): "
        "mend its permissions or name another folder."
    )
