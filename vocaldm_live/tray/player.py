"""Player: a clip through the speakers, in a thread of its own; one clip at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile


class Player:
    """Plays clips. `changed(path, sentence)` is called from its threads when playing begins (path), ends ("")
    or cannot be (a sentence)."""

    def __init__(self, changed: Callable[[str, str], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._current: _Playing | None = None

    def play(self, path: str) -> None:
        """Play this clip from its beginning; what plays now stops."""
        self.stop()
        playing = _Playing(path, self._changed)
        with self._lock:
            self._current = playing
        playing.thread.start()

    def stop(self) -> None:
        """Stop what plays; back when it is silent, or when a slow device has had its time."""
        with self._lock:
            playing, self._current = self._current, None
        if playing is not None:
            playing.ended.set()
            playing.thread.join(0.5)

    @property
    def now(self) -> tuple[str, float]:
        """The clip that plays and how far it is (0 to 1); "" and 0 where none does."""
        with self._lock:
            playing = self._current
        if playing is None or not playing.begun or playing.ended.is_set():
            return "", 0.0
        return playing.path, min(1.0, (time.monotonic() - playing.begun) / max(playing.seconds, 1e-3))


class _Playing:
    def __init__(self, path: str, changed: Callable[[str, str], None]) -> None:
        self.path = path
        self.seconds = 0.0
        self.begun = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, name="tray-player", daemon=True)
        self._changed = changed

    def _run(self) -> None:
        sentence = ""
        try:
            samples, rate = soundfile.read(self.path, dtype="float32", always_2d=True)
            self.seconds = len(samples) / rate
            sentence = self._play(samples, rate)
        except (OSError, soundfile.SoundFileError) as error:
            # PortAudio that is not installed is an OSError too; its own text says so.
            missing = "PortAudio" in str(error)
            sentence = (
                "PortAudio is missing, so nothing can be heard here: install it (`apt-get install libportaudio2`)."
                if missing
                else f"{self.path} cannot be played ({error}): look for the file."
            )
        self.ended.set()
        self._changed("", sentence)

    def _play(self, samples: np.ndarray, rate: int) -> str:
        import sounddevice

        stream: Any = None
        try:
            stream, samples = self._open(sounddevice, samples, rate)
            with stream:
                self.begun = time.monotonic()
                self._changed(self.path, "")
                block = 1024
                for begin in range(0, len(samples), block):
                    if self.ended.is_set():
                        stream.abort()
                        return ""
                    stream.write(samples[begin : begin + block])
        except sounddevice.PortAudioError as error:
            why = str(error).split("[")[0].strip()
            return f"No output device plays clips here ({why}): dragging works all the same."
        return ""

    @staticmethod
    def _open(sounddevice: Any, samples: np.ndarray, rate: int) -> tuple[Any, np.ndarray]:
        """An output stream and the samples at its rate and with its channels."""
        try:
            device = sounddevice.query_devices(kind="output")
        except ValueError as error:
            raise sounddevice.PortAudioError(str(error)) from error
        if samples.shape[1] == 1 and device["max_output_channels"] > 1:
            samples = np.repeat(samples, 2, axis=1)
        try:
            stream = sounddevice.OutputStream(rate, channels=samples.shape[1], dtype="float32")
        except sounddevice.PortAudioError:
            # Some drivers take their own rate only.
            import soxr

            own = int(device["default_samplerate"])
            samples = soxr.resample(samples, rate, own).astype(np.float32)
            stream = sounddevice.OutputStream(own, channels=samples.shape[1], dtype="float32")
        return stream, np.ascontiguousarray(samples)
