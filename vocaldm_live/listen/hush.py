"""Hush: keeps ALSA and JACK from writing pages to stderr each time PortAudio looks for devices."""

from __future__ import annotations

import ctypes
import sys

# The libraries keep these for as long as the process lives, and so must we.
_KEPT: list[object] = []


def hush() -> None:
    """Give both libraries handlers that say nothing; does nothing where they are not, or when called again.

    What matters to people arrives as PortAudio's own errors. https://alsa-project.org: snd_lib_error_set_handler;
    https://jackaudio.org: jack_set_error_function, jack_set_info_function.
    """
    if _KEPT or not sys.platform.startswith("linux"):
        return
    text, number = ctypes.c_char_p, ctypes.c_int
    alsa_kind = ctypes.CFUNCTYPE(None, text, number, text, number, text)
    jack_kind = ctypes.CFUNCTYPE(None, text)
    alsa, jack = alsa_kind(lambda *what: None), jack_kind(lambda what: None)
    _KEPT.extend((alsa, jack))
    for library, functions, handler in (
        ("libasound.so.2", ("snd_lib_error_set_handler",), alsa),
        ("libjack.so.0", ("jack_set_error_function", "jack_set_info_function"), jack),
    ):
        try:
            loaded = ctypes.CDLL(library)
            for name in functions:
                getattr(loaded, name)(handler)
        except (OSError, AttributeError):
            continue
