"""Devices: a name, or a part of one, means an input or says why not."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from vocaldm_live.listen.devices import Device, MicrophoneError, choose_device, list_devices

DEVICES = [
    Device(0, "Built-in Microphone", "Core Audio", 2, 48000, default=True),
    Device(2, "Scarlett 2i2 USB", "ALSA", 2, 44100),
    Device(3, "Scarlett 18i20 USB", "ALSA", 18, 48000),
    Device(5, "Zoom H4", "MME", 2, 44100),
    Device(6, "Zoom H4", "Windows WASAPI", 2, 48000),
    Device(7, "pulse", "ALSA", 32, 44100),
    Device(8, "pulse monitor", "ALSA", 32, 44100),
]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (None, 0),
        ("", 0),
        (3, 3),
        ("3", 3),
        ("2I2", 2),
        ("scarlett 18", 3),
        ("pulse", 7),  # a whole name goes before a part of another
        ("zoom h4", 5),
        ("Zoom H4, windows wasapi", 6),
    ],
)
def test_a_device_is_found(wanted: str | int | None, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


def test_an_ambiguous_name_lists_the_candidates() -> None:
    with pytest.raises(MicrophoneError) as raised:
        choose_device(DEVICES, "scarlett")
    assert "2 Scarlett 2i2 USB" in str(raised.value) and "3 Scarlett 18i20 USB" in str(raised.value)
    assert "Zoom" not in str(raised.value)


@pytest.mark.parametrize("wanted", ["Neumann", 1, "99"])
def test_an_unknown_device_lists_what_there_is(wanted: str | int) -> None:
    with pytest.raises(MicrophoneError, match="Built-in Microphone.*Zoom H4"):
        choose_device(DEVICES, wanted)


def test_no_devices_at_all() -> None:
    with pytest.raises(MicrophoneError, match="plug in"):
        choose_device([], None)


def test_without_portaudio_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MicrophoneError, match=r"PortAudio library not found\).*install"):
        list_devices()
