"""Remembered: vectors that were slow to compute, the last ones in memory and all of them on disk."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np

log = logging.getLogger("vocaldm.engine")
IN_MEMORY = 256


class Remembered:
    """Vectors by a name; `space` tells apart what different networks say of the same name.

    A folder that cannot be read or written is gone without: nothing depends on it but time.
    """

    def __init__(self, space: str, folder: Path | None = None) -> None:
        if folder is None:
            import platformdirs

            folder = platformdirs.user_cache_path("vocaldm-live") / "clap"
        self._space = space
        self._folder = folder
        self._recent: OrderedDict[str, np.ndarray] = OrderedDict()

    def get(self, name: str, compute: Callable[[], np.ndarray]) -> np.ndarray:
        """The vector of that name, float32 `[n]`, computed where nobody remembers it."""
        if name not in self._recent:
            path = self._folder / f"{hashlib.sha256(f'{self._space}|{name}'.encode()).hexdigest()[:40]}.npy"
            vector = self._read(path)
            if vector is None:
                vector = np.asarray(compute(), np.float32)
                self._write(path, vector)
            self._recent[name] = vector
            while len(self._recent) > IN_MEMORY:
                self._recent.popitem(last=False)
        self._recent.move_to_end(name)
        return self._recent[name]

    @staticmethod
    def _read(path: Path) -> np.ndarray | None:
        try:
            vector = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        good = vector.dtype == np.float32 and vector.ndim == 1 and vector.size and np.isfinite(vector).all()
        return vector if good else None

    def _write(self, path: Path, vector: np.ndarray) -> None:
        part = path.with_name(f".{path.stem}-{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                np.save(file, vector)
            os.replace(part, path)
        except OSError as error:
            log.info("a vector was not kept (%s)", error)
