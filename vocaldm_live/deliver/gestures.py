"""Gestures: imitations kept as WAV files named by their hash, so that `again` and `refine` find them later."""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from pathlib import Path

import numpy as np

from vocaldm_live.deliver.wave import encode_wave
from vocaldm_live.errors import DeliveryError, RequestError
from vocaldm_live.sound.audio import Sound, read_sound

_HASH = re.compile(r"[0-9a-f]{64}")


class Gestures:
    """A folder of imitations, each a 32-bit floating-point WAV at its own rate: read back, the same samples."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.abspath(os.path.expanduser(folder)))

    def path_of(self, sha256: str) -> Path:
        """Where the imitation of that hash (`Sound.digest`) lies or would lie; RequestError for no hash."""
        if not _HASH.fullmatch(sha256):
            raise RequestError(f"{sha256[:80]!r} is no hash of an imitation: give its 64 hexadecimal digits.")
        return self.folder / f"{sha256}.wav"

    def save(self, sound: Sound) -> Path:
        """Keep an imitation, once; complete when its name appears. DeliveryError when it can't be written."""
        digest = sound.digest()
        path = self.path_of(digest)
        part = path.with_name(f".{digest}.{os.getpid()}.{id(sound)}.part")
        try:
            if path.is_file():
                return path
            self.folder.mkdir(parents=True, exist_ok=True)
            samples = np.ascontiguousarray(sound.samples, dtype=np.float32)
            with open(part, "wb") as file:
                file.write(encode_wave(samples, sound.sample_rate, 32, ()))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
            advice = "free some space" if full else "mend its permissions or name another folder"
            reason = error.strerror or error
            raise DeliveryError(
                f"The imitation cannot be kept in {self.folder} ({reason}): {advice}."
            ) from error
        finally:
            with suppress(OSError):
                part.unlink()
        return path

    def load(self, sha256: str, path: str | Path | None = None) -> Sound:
        """The imitation of that hash: the kept one, else the file `path` when it still is the same sound.

        Raises RequestError when neither is.
        """
        for candidate in (self.path_of(sha256), *([Path(path)] if path else [])):
            if candidate.is_file():
                sound = read_sound(candidate)
                if sound.digest() == sha256:
                    return sound
        where = f" and {path} is another sound now or gone" if path else ""
        raise RequestError(f"The imitation of this clip was not kept{where}: record the gesture again.")
