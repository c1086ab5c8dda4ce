"""Backend: where samples come from. PortAudio in earnest; tests bring their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from vocaldm_live.listen.devices import Device, MicrophoneError, list_devices, sounddevice_module

# float32 [n, channels] that is only valid during the call, and whether samples were lost before it.
OnBlock = Callable[[np.ndarray, bool], None]


class Stream(Protocol):
    """An open input."""

    @property
    def active(self) -> bool:
        """Whether the stream still believes that it is running."""

    def close(self) -> None:
        """End it; no callback comes after this. Never raises."""


class Backend(Protocol):
    """Lists inputs and opens them."""

    def devices(self, refresh: bool) -> list[Device]:
        """The inputs there are, looked for again where `refresh`; raises MicrophoneError."""

    def open(self, device: Device, channels: int, on_block: OnBlock) -> Stream:
        """Open an input at its own sample rate; raises MicrophoneError."""


class PortAudio:
    """The backend for real devices, by sounddevice."""

    def devices(self, refresh: bool) -> list[Device]:
        """As in Backend; with `refresh` every stream of this process ends."""
        return list_devices(refresh)

    def open(self, device: Device, channels: int, on_block: OnBlock) -> Stream:
        """As in Backend; PortAudio chooses the block length, latency is the robust one: nothing is monitored."""
        sounddevice = sounddevice_module()

        def callback(data: np.ndarray, frames: int, times: Any, status: Any) -> None:
            on_block(data, bool(status.input_overflow))

        stream = None
        try:
            stream = sounddevice.InputStream(
                device=device.index,
                channels=channels,
                samplerate=device.sample_rate,
                dtype="float32",
                blocksize=0,
                latency="high",
                callback=callback,
            )
            stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            if stream is not None:
                _PortAudioStream(stream, sounddevice).close()
            reason = str(error).split(" [", 1)[0].rstrip(".")
            raise MicrophoneError(
                f"The microphone {device.name} does not open ({reason}): close what else uses it, or choose another."
            ) from error
        return _PortAudioStream(stream, sounddevice)


class _PortAudioStream:
    def __init__(self, stream: Any, sounddevice: Any) -> None:
        self._stream = stream
        self._sounddevice = sounddevice

    @property
    def active(self) -> bool:
        try:
            return bool(self._stream.active)
        except self._sounddevice.PortAudioError:
            return False

    def close(self) -> None:
        # A stream whose device is gone complains on both calls, and is closed all the same.
        for step in (self._stream.abort, self._stream.close):
            try:
                step()
            except self._sounddevice.PortAudioError:
                continue
