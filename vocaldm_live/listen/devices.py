"""Devices: the inputs that PortAudio offers, and which of them is meant by a name."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vocaldm_live.errors import VocalDMError
from vocaldm_live.listen.hush import hush


class MicrophoneError(VocalDMError):
    """There is no microphone to listen to: no PortAudio, no such device, device busy or gone."""


@dataclass(frozen=True)
class Device:
    """An input device: PortAudio's number and names, channels, its own sample rate in Hz."""

    index: int
    name: str
    host_api: str
    channels: int
    sample_rate: int
    default: bool = False


def sounddevice_module() -> Any:
    """The sounddevice module; raises MicrophoneError with what to install when PortAudio is missing."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        remedy = "install PortAudio"
        if sys.platform.startswith("linux"):
            remedy = "run `apt-get install libportaudio2`"
        reason = (str(error).strip().splitlines() or ["not found"])[0].rstrip(".")
        raise MicrophoneError(
            f"PortAudio does not load ({reason}): {remedy} to use a microphone; files work without it."
        ) from error
    hush()
    return sounddevice


def list_devices(refresh: bool = False) -> list[Device]:
    """All input devices; raises MicrophoneError without PortAudio.

    `refresh` makes PortAudio look again, which is the only way to see what was plugged in since; it ends every
    stream of this process.
    """
    sounddevice = sounddevice_module()
    try:
        if refresh:
            sounddevice._terminate()
            sounddevice._initialize()
        apis = sounddevice.query_hostapis()
        rows = sounddevice.query_devices()
        chosen = sounddevice.default.device[0]
    except sounddevice.PortAudioError as error:
        raise MicrophoneError(
            f"PortAudio cannot list devices ({error}): restart the sound system."
        ) from error
    if not isinstance(chosen, int) or chosen < 0:
        chosen = next((api["default_input_device"] for api in apis if api["default_input_device"] >= 0), -1)
    return [
        Device(
            index=int(row["index"]),
            name=str(row["name"]).strip(),
            host_api=str(apis[row["hostapi"]]["name"]),
            channels=int(row["max_input_channels"]),
            sample_rate=round(row["default_samplerate"]),
            default=row["index"] == chosen,
        )
        for row in rows
        if row["max_input_channels"] > 0
    ]


def choose_device(devices: Sequence[Device], wanted: str | int | None) -> Device:
    """The input that `wanted` means: None the system's default, a number, a name or a part of one.

    Upper and lower case are the same; a whole name goes before a part; "name, host API" tells namesakes apart.
    Raises MicrophoneError naming the candidates when there is none, or more than one.
    """
    if not devices:
        raise MicrophoneError("No input device was found: plug in a microphone or an interface.")
    if wanted is None or wanted == "":
        return next((device for device in devices if device.default), devices[0])
    if isinstance(wanted, int) or wanted.strip().isdecimal():
        number = int(wanted)
        for device in devices:
            if device.index == number:
                return device
        raise MicrophoneError(f"There is no input device {number}: choose one of {_names(devices)}.")
    text = wanted.strip().casefold()
    whole = [d for d in devices if text in (d.name.casefold(), f"{d.name}, {d.host_api}".casefold())]
    found = whole or [d for d in devices if text in f"{d.name}, {d.host_api}".casefold()]
    if not found:
        raise MicrophoneError(f"No input device is called {wanted!r}: choose one of {_names(devices)}.")
    if len({device.name for device in found}) > 1:
        raise MicrophoneError(f"{wanted!r} fits several input devices: say which of {_names(found)}.")
    # One device under several host APIs: the system's default one, else PortAudio's first.
    return next((device for device in found if device.default), found[0])


def _names(devices: Sequence[Device]) -> str:
    return "; ".join(f"{device.index} {device.name} ({device.host_api})" for device in devices)
