"""Shelf: presets by the hash of all that they say, in this machine's places or as files that were sent."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vocaldm_live.checkpoints.audioldm_parts import ClapTextPart
from vocaldm_live.checkpoints.places import HEADER_FILE, find_presets
from vocaldm_live.checkpoints.preset import Preset, read_preset
from vocaldm_live.checkpoints.vocoders import GRIFFIN_LIM, resolve_vocoder
from vocaldm_live.errors import ClusterError, VocalDMError

PIECE = 4 << 20  # bytes of a file that travel at once
_FACTS, _VOCODER = "bundle.json", "vocoder"


@dataclass(frozen=True)
class Bundle:
    """All files of a preset by the names they travel under; `digest` covers every word of its header.

    A preset's own hash leaves out ranges, defaults and guidance's interval, which a clip depends on as well.
    """

    digest: str
    name: str
    vocoder: str
    files: Mapping[str, Path]


def bundle_of(preset: Preset) -> Bundle:
    """What has to be there to play a preset, with the vocoder that was chosen for it."""
    choice, header = preset.vocoder, preset.header
    said = [header.as_yaml(), choice.sha256 if choice is not None else ""]
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    files = {HEADER_FILE: preset.folder / HEADER_FILE}
    for name, part in header.parts.with_weights().items():
        if name == "vocoder" and choice is not None:
            continue
        texts = [part.vocabulary.file, part.merges.file] if isinstance(part, ClapTextPart) else []
        files |= {file: preset.folder / file for file in (part.file, *texts)}
    vocoder = "" if choice is None else GRIFFIN_LIM
    if choice is not None and choice.header is not None:
        vocoder = _VOCODER
        own: str = choice.part.file  # type: ignore[union-attr]
        files |= {f"{_VOCODER}/{file}": choice.header.parent / file for file in (choice.header.name, own)}
    return Bundle(digest, preset.name, vocoder, files)


class Shelf:
    """Presets that can be played on this machine. Any thread may ask."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._found: dict[str, Preset] = {}
        self._begun: dict[str, tuple[Path, str, str]] = {}

    def find(self, digest: str) -> Preset | None:
        """The preset of a digest, from the usual places or from what was sent before; None where it is not here."""
        with self._lock:
            known = self._found.get(digest)
            if known is not None and (known.folder / HEADER_FILE).is_file():
                return known
            for folder in find_presets().values():
                try:
                    preset = read_preset(folder)
                except VocalDMError:
                    continue  # a damaged preset in some place is not the one that is looked for
                if bundle_of(preset).digest == digest:
                    return self._found.setdefault(digest, preset)
            preset_or_none = self._sent(self.folder / digest) if _is_digest(digest) else None
            if preset_or_none is None or bundle_of(preset_or_none).digest != digest:
                return None
            self._found[digest] = preset_or_none
            return preset_or_none

    def begin(self, digest: str, name: str, vocoder: str) -> str:
        """Begin to take a preset's files; the key for `put` and `finish`. Raises ClusterError."""
        if not _is_digest(digest) or not _is_plain(name) or vocoder not in ("", GRIFFIN_LIM, _VOCODER):
            raise ClusterError("The preset that is sent has no legal name: use one version everywhere.")
        key = uuid.uuid4().hex
        place = self.folder / f".{key}.part"
        try:
            (place / name).mkdir(parents=True)
        except OSError as error:
            raise self._trouble(error) from error
        with self._lock:
            self._begun[key] = (place, name, vocoder)
        return key

    def put(self, key: str, file: str, data: bytes) -> None:
        """Append a piece to a file; raises ClusterError where the disk says no or the name leads elsewhere."""
        with self._lock:
            begun = self._begun.get(key)
        if begun is None:
            raise ClusterError("The preset's files come to nowhere: choose the preset once more.")
        parts = PurePosixPath(file).parts
        if len(parts) not in (1, 2) or not all(_is_plain(part) for part in parts):
            raise ClusterError(f"{file[:100]!r} is no file of a preset: use one version everywhere.")
        path = begun[0] / begun[1] / Path(*parts)
        try:
            path.parent.mkdir(exist_ok=True)
            with path.open("ab") as stream:
                stream.write(data)
        except OSError as error:
            raise self._trouble(error) from error

    def finish(self, key: str, digest: str) -> Preset:
        """Put what was sent on the shelf; raises ClusterError where it is not the preset of that digest."""
        with self._lock:
            place, name, vocoder = self._begun.pop(key, (Path(), "", ""))
        try:
            (place / _FACTS).write_text(json.dumps({"name": name, "vocoder": vocoder}), encoding="utf-8")
            preset = self._sent(place)
            if preset is None or bundle_of(preset).digest != digest:
                raise ClusterError(
                    f"The preset {name} arrived as another than it was sent: choose it once more."
                )
            try:
                os.rename(place, self.folder / digest)
            except OSError:
                if not (self.folder / digest / _FACTS).is_file():
                    raise
        except OSError as error:
            raise self._trouble(error) from error
        finally:
            if name:
                shutil.rmtree(place, ignore_errors=True)
        found = self.find(digest)
        assert found is not None
        return found

    def fetch(
        self, digest: str, facts: tuple[str, str, list[str]], piece: Callable[[str, int], bytes]
    ) -> Preset:
        """Take a preset from elsewhere: `piece(file, offset)` gives bytes, none at the end. Raises ClusterError."""
        name, vocoder, files = facts
        key = self.begin(digest, name, vocoder)
        for file in files:
            self.put(key, file, b"")
            offset = 0
            while data := piece(file, offset):
                self.put(key, file, data)
                offset += len(data)
        return self.finish(key, digest)

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


def _is_digest(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")


def _is_plain(name: str) -> bool:
    return bool(name) and not name.startswith(".") and not set(name) & set('/\\:\0"')
