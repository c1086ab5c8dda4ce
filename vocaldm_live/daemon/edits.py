"""Edits: the OSC commands that change a sound; files are named within the daemon's folders only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vocaldm_live.errors import RequestError
from vocaldm_live.osc.table import OscError
from vocaldm_live.sound.edit import Edit, read_spans

if TYPE_CHECKING:
    from vocaldm_live.daemon.daemon import Daemon
    from vocaldm_live.osc.client import Client


class Slowly(Protocol):
    """Does a call in the worker thread and tells the client of its errors."""

    def __call__(self, client: Client, address: str, request_id: str, call: Callable[[], Any]) -> None: ...


class Edits:
    """One function for each edit command of the table."""

    def __init__(self, daemon: Daemon, slowly: Slowly) -> None:
        self._daemon = daemon
        self._slowly = slowly

    def calls(self) -> dict[str, Callable[..., None]]:
        """What to call for each command, by its name; arguments: client, address, those of the table."""
        return {
            "edit/inpaint": self._inpaint,
            "edit/restyle": self._restyle,
            "edit/vary": self._vary,
            "edit/extend": self._extend,
            "edit/band": self._band,
            "edit/loop": self._loop,
            "edit/morph": self._morph,
        }

    def _inpaint(
        self,
        client: Client,
        address: str,
        request_id: str,
        sound: str,
        begin: float,
        end: float,
        strength: float,
        voice: str,
        more: str,
    ) -> None:
        edit = _legal(lambda: Edit("inpaint", ((begin, end), *read_spans(more.split())), strength=strength))
        self._ask(client, address, request_id, edit, sound, voice=voice)

    def _restyle(
        self, client: Client, address: str, request_id: str, sound: str, strength: float, voice: str
    ) -> None:
        edit = _legal(lambda: Edit("restyle", strength=strength))
        self._ask(client, address, request_id, edit, sound, voice=voice)

    def _vary(self, client: Client, address: str, request_id: str, sound: str, strength: float) -> None:
        self._ask(client, address, request_id, _legal(lambda: Edit("vary", strength=strength)), sound)

    def _extend(
        self,
        client: Client,
        address: str,
        request_id: str,
        sound: str,
        before: float,
        after: float,
        voice: str,
    ) -> None:
        edit = _legal(lambda: Edit("extend", before=before, after=after))
        self._ask(client, address, request_id, edit, sound, voice=voice)

    def _band(
        self,
        client: Client,
        address: str,
        request_id: str,
        sound: str,
        low: float,
        high: float,
        strength: float,
    ) -> None:
        edit = _legal(lambda: Edit("band", low=low or None, high=high or None, strength=strength))
        self._ask(client, address, request_id, edit, sound)

    def _loop(self, client: Client, address: str, request_id: str, sound: str, seam: float) -> None:
        edit = _legal(lambda: Edit("loop", seam=seam) if seam else Edit("loop"))
        self._ask(client, address, request_id, edit, sound, fit_seam=not seam)

    def _morph(
        self,
        client: Client,
        address: str,
        request_id: str,
        sound: str,
        other: str,
        weight: float,
        voices: int,
    ) -> None:
        edit = _legal(lambda: Edit("morph", weight=weight, voice=bool(voices)))
        self._ask(client, address, request_id, edit, sound, other)

    def _ask(
        self,
        client: Client,
        address: str,
        request_id: str,
        edit: Edit,
        *sounds: str,
        voice: str = "",
        fit_seam: bool = False,
    ) -> None:
        daemon = self._daemon
        snapshot = daemon.session.controls.snapshot()

        def ask() -> None:
            from vocaldm_live.sound.audio import check_imitation, read_sound

            found = [find_sound(daemon, text) for text in sounds]
            read = [read_sound(path) for path, _ in found]
            wanted = edit.with_fitting_seam(read[0].seconds) if fit_seam else edit
            heard, voice_path = None, None
            if voice:
                voice_path = daemon.roots.check(voice)
                heard = check_imitation(read_sound(voice_path), voice_path.name)
                wanted = replace(wanted, voice=True)
            preset = daemon.loader.playing
            for sound in read:
                # Told at once, not when its turn comes; without a preset yet, the house's rate stands in.
                rate = preset.header.geometry.sample_rate if preset is not None else 48000
                wanted.check_sound(sound.seconds, rate)
            daemon.session.edit(
                request_id,
                wanted,
                read,
                [path for path, _ in found],
                snapshot,
                heard,
                voice_path,
                found[0][1],
            )

        self._slowly(client, address, request_id, ask)


def find_sound(daemon: Daemon, text: str) -> tuple[Path, str]:
    """The real path of a sound named by its absolute path or as a clip of the history, and the clip's id or nothing.

    Raises OscError where it may not be read, RequestError where the history has no such clip.
    """
    if "/" in text or "\\" in text:
        return daemon.roots.check(text), ""
    entry = daemon.session.history.get(text)
    return daemon.roots.check(str(entry.path)), entry.id


def _legal(make: Callable[[], Edit]) -> Edit:
    try:
        return make()
    except RequestError as error:
        raise OscError("range", str(error)) from error
