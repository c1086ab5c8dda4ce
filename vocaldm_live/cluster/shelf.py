"""Shelf: presets by the hash of all that they say, in this machine's places or as files that were sent."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vocaldm_live.checkpoints.places import HEADER_FILE, find_presets
from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.checkpoints.strict import TextFile
from vocaldm_live.checkpoints.vocoder_parts import GriffinLimPart
from vocaldm_live.checkpoints.vocoders import GRIFFIN_LIM, resolve_vocoder
from vocaldm_live.checkpoints.weights import file_sha256
from vocaldm_live.errors import ClusterError, PresetError, VocalDMError

log = logging.getLogger("vocaldm.cluster")
KEPT_PRESETS = 2  # that a worker holds loaded
PIECE = 4 << 20  # bytes of a file that travel at once
STALE_SECONDS = 3600.0  # after which a preset that nothing more comes of is given up
_NOWHERE = "The preset's files come to nowhere: choose the preset once more."
_FACTS, _VOCODER = "bundle.json", "vocoder"


@dataclass(frozen=True)
class Bundle:
    """All files of a preset by the names they travel under; `digest` covers every word of its header.

    A preset's own hash leaves out ranges, defaults and guidance's interval, which a clip depends on as well.
    hashes: the SHA-256 that the headers give of weights and texts.
    """

    digest: str
    name: str
    vocoder: str
    files: Mapping[str, Path]
    hashes: Mapping[str, str]

    def damaged(self) -> str | None:
        """The first file that is not what its header says, or that cannot be read; None where all are whole."""
        for file, sha256 in self.hashes.items():
            try:
                if file_sha256(self.files[file]) != sha256:
                    return file
            except PresetError:
                return file
        return None


def bundle_of(preset: Preset) -> Bundle:
    """What has to be there to play a preset, with the vocoder that was chosen for it."""
    choice, header = preset.vocoder, preset.header
    said = [header.as_yaml(), choice.sha256 if choice is not None else ""]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    files = {HEADER_FILE: preset.folder / HEADER_FILE}
    hashes: dict[str, str] = {}
    for name, part in header.parts.with_weights().items():
        if name == "vocoder" and choice is not None:
            continue
        texts = {value.file: value.sha256 for _, value in part if isinstance(value, TextFile)}
        own = {part.file: part.sha256, **texts}
        files |= {file: preset.folder / file for file in own}
        hashes |= own
    vocoder = "" if choice is None else GRIFFIN_LIM
    if choice is not None and choice.header is not None and not isinstance(choice.part, GriffinLimPart):
        vocoder = _VOCODER
        weights = choice.part.file
        files |= {f"{_VOCODER}/{file}": choice.header.parent / file for file in (choice.header.name, weights)}
        hashes[f"{_VOCODER}/{weights}"] = choice.part.sha256
    return Bundle(digest, preset.name, vocoder, files, hashes)


class Shelf:
    """Presets that can be played on this machine. Any thread may ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._found: dict[str, tuple[Preset, tuple[int, ...]]] = {}
        self._begun: dict[str, tuple[Path, str, str]] = {}

    def find(self, digest: str) -> Preset | None:
        """The preset of a digest, from the usual places or from what was sent before; None where it is not here."""
        with self._lock:
            known = self._found.pop(digest, None)
            if known is None or _stamp(known[0].folder) != known[1]:  # another may have taken its folder
                known = next((one for one in self._all(digest) if bundle_of(one[0]).digest == digest), None)
            if known is None:
                return None
            self._found[digest] = known
            return known[0]

    def sweep(self) -> None:
        """Remove what was begun to be sent and never became whole: nothing came of it for an hour."""
        for place in self.folder.glob(".*.part"):
            if _newest(place) < time.time() - STALE_SECONDS:
                self._drop(place.name[1 : -len(".part")])

    def begin(self, digest: str, name: str, vocoder: str) -> str:
        """Begin to take a preset's files; the key for `put` and `finish`. Raises ClusterError."""
        if not _is_digest(digest) or not _is_plain(name) or vocoder not in ("", GRIFFIN_LIM, _VOCODER):
            raise ClusterError("The preset that is sent has no legal name: use one version everywhere.")
        self.sweep()
        key = uuid.uuid4().hex
        place = self._place(key)
        try:
            (place / name).mkdir(parents=True)
        except OSError as error:
            self._drop(key)
            raise self._trouble(error) from error
        with self._lock:
            self._begun[key] = (place, name, vocoder)
        return key

    def put(self, key: str, file: str, data: bytes) -> None:
        """Append a piece to a file; raises ClusterError where the disk says no or the name leads elsewhere."""
        with self._lock:
            begun = self._begun.get(key)
        if begun is None:
            raise ClusterError(_NOWHERE)
        parts = PurePosixPath(file).parts
        if len(parts) not in (1, 2) or not all(_is_plain(part) for part in parts):
            raise ClusterError(f"{file[:100]!r} is no file of a preset: use one version everywhere.")
        path = begun[0] / begun[1] / Path(*parts)
        try:
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as stream:
                stream.write(data)
        except OSError as error:
            self._drop(key)
            raise self._trouble(error) from error

    def finish(self, key: str, digest: str) -> Preset:
        """Put what was sent on the shelf; raises ClusterError where it is not the preset of that digest."""
        with self._lock:
            begun = self._begun.pop(key, None)
        if begun is None:
            raise ClusterError(_NOWHERE)
        place, name, vocoder = begun
        try:
            (place / _FACTS).write_text(json.dumps({"name": name, "vocoder": vocoder}), encoding="utf-8")
            preset = self._sent(place)
            bundle = None if preset is None else bundle_of(preset)
            if bundle is None or bundle.digest != digest:
                raise ClusterError(
                    f"The preset {name} arrived as another than it was sent: choose it once more."
                )
            damaged = bundle.damaged()
            if damaged is not None:
                raise ClusterError(
                    f"{damaged} of the preset {name} is not what its header says: check it with `vocaldm presets "
                    "check`, then choose it once more."
                )
            try:
                os.rename(place, self.folder / digest)
            except OSError:
                if not (self.folder / digest / _FACTS).is_file():
                    raise
        except OSError as error:
            raise self._trouble(error) from error
        finally:
            shutil.rmtree(place, ignore_errors=True)
        found = self.find(digest)
        if found is None:
            raise ClusterError(f"The preset {name} was removed from {self.folder}: choose it once more.")
        return found

    def fetch(
        self, digest: str, facts: tuple[str, str, list[str]], piece: Callable[[str, int], bytes]
    ) -> Preset:
        """Take a preset from elsewhere: `piece(file, offset)` gives bytes, none at the end. Raises ClusterError."""
        name, vocoder, files = facts
        key = self.begin(digest, name, vocoder)
        try:
            for file in files:
                self.put(key, file, b"")
                offset = 0
                while data := piece(file, offset):
                    self.put(key, file, data)
                    offset += len(data)
            return self.finish(key, digest)
        finally:
            self._drop(key)

    def facts(self, digest: str) -> tuple[str, str, list[str]]:
        """Name, vocoder and file names of a preset here, for `fetch` elsewhere; raises ClusterError."""
        bundle = self._bundle(digest)
        return bundle.name, bundle.vocoder, list(bundle.files)

    def piece(self, digest: str, file: str, offset: int) -> bytes:
        """Up to 4 MiB of a file of a preset here; raises ClusterError."""
        path = self._bundle(digest).files.get(file)
        if path is None:
            raise ClusterError(f"The preset has no file {file[:100]!r}: use one version everywhere.")
        return read_piece(path, offset)

    def _bundle(self, digest: str) -> Bundle:
        preset = self.find(digest)
        if preset is None:
            raise ClusterError("The preset is no longer in the cluster: choose it once more.")
        return bundle_of(preset)

    def _all(self, digest: str) -> Iterator[tuple[Preset, tuple[int, ...]]]:
        """Every preset of the usual places that can be read, what was sent as that digest, and their stamps."""
        try:
            folders = list(find_presets().values())
        except VocalDMError as error:
            log.warning("%s", error)
            folders = []
        for folder in folders:
            stamp = _stamp(folder)
            try:
                yield read_preset(folder), stamp
            except VocalDMError:
                continue  # a damaged preset in some place is not the one that is looked for
        sent = self._sent(self.folder / digest) if _is_digest(digest) else None
        if sent is not None:
            yield sent, _stamp(sent.folder)

    def _place(self, key: str) -> Path:
        return self.folder / f".{key}.part"

    def _drop(self, key: str) -> None:
        with self._lock:
            self._begun.pop(key, None)
        shutil.rmtree(self._place(key), ignore_errors=True)

    @staticmethod
    def _sent(place: Path) -> Preset | None:
        try:
            facts = json.loads((place / _FACTS).read_text(encoding="utf-8"))
            folder = place / facts["name"]
            preset = read_preset(folder)
            if not facts["vocoder"]:
                return preset
            named = GRIFFIN_LIM if facts["vocoder"] == GRIFFIN_LIM else str(folder / _VOCODER)
            return preset.with_vocoder(resolve_vocoder(named))
        except (OSError, ValueError, KeyError, VocalDMError):
            return None

    def _trouble(self, error: OSError) -> ClusterError:
        return ClusterError(
            f"The preset cannot be kept in the cluster's folder {self.folder} ({error.strerror}): free space there."
        )


def read_piece(path: Path, offset: int) -> bytes:
    """Up to 4 MiB of a file from `offset` bytes on; raises ClusterError where it can't be read."""
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            return stream.read(PIECE)
    except OSError as error:
        raise ClusterError(f"{path} cannot be read ({error.strerror}): copy the preset again.") from error


def _stamp(folder: Path) -> tuple[int, ...]:
    """By what a header that was written anew is told from the one that was read; empty where it is gone."""
    try:
        now = (folder / HEADER_FILE).stat()
    except OSError:
        return ()
    return now.st_ino, now.st_size, now.st_mtime_ns


def _newest(place: Path) -> float:
    """When something below a folder was written last."""
    times = [0.0]
    for folder, _, files in os.walk(place):
        for name in ("", *files):
            with suppress(OSError):  # gone meanwhile
                times.append(os.stat(os.path.join(folder, name)).st_mtime)
    return max(times)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set(name) & set('/\\:\0"')
