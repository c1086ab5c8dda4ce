"""`vocaldm bench live`: from the voice's end to `ready` in a running daemon, and how soon OSC answers meanwhile."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live.commands import (
    DEFAULT_PRESET,
    DeviceOption,
    JsonOption,
    PresetOption,
    VocoderOption,
    results_only,
    table,
)
from vocaldm_live.errors import RequestError, VocalDMError

if TYPE_CHECKING:
    from vocaldm_live.daemon.daemon import Daemon

PINGS_A_SECOND = 50
PATIENCE = 120.0
ROWS = {
    "engine": "the engine's own time",
    "write": "file, history, ready",
    "beside": "all else (queue, threads)",
    "total": "voice stops -> ready",
    "idle": "OSC round trip, idle",
    "busy": "OSC round trip, generating",
}


def bench_live(
    preset: PresetOption = DEFAULT_PRESET,
    vocoder: VocoderOption = None,
    device: DeviceOption = "auto",
    seconds: Annotated[float, typer.Option(metavar="SEC", help="Length of each gesture.")] = 2.0,
    gestures: Annotated[int, typer.Option(metavar="N", help="How many gestures.")] = 50,
    json_lines: JsonOption = False,
) -> int:
    """Measure the daemon: voice stops to `ready` without the gate's hangover, and OSC's round trip."""
    import tempfile

    if gestures < 1 or not 0.05 <= seconds <= 60:
        raise RequestError(
            f"{gestures} gestures of {seconds:g} s can't be measured: give 1 or more of 0.05 to 60 s."
        )
    with results_only(json_lines) as results:
        with tempfile.TemporaryDirectory(prefix="vocaldm-bench-") as folder:
            report = _measure(Path(folder), preset, vocoder, device, seconds, gestures)
        if json_lines:
            print(json.dumps(report), file=results, flush=True)
        else:
            print(_text(report), file=results, flush=True)
    return 0


def ping(port: int, seconds: float) -> list[float]:
    """Round trips in ms of PINGS_A_SECOND pings a second for so long, one at a time; inf where none came in 1 s."""

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(1.0)
        packet = b"/vocaldm/ping\0\0\0,s\0\0here\0\0\0\0"
        end = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < end:
            one.sendto(packet, ("127.0.0.1", port))
            try:
                one.recv(2048)
                found.append(1000.0 * (time.perf_counter() - begun))
            except TimeoutError:
                found.append(float("inf"))
            time.sleep(max(0.0, begun + 1.0 / PINGS_A_SECOND - time.perf_counter()))
    return found


# Inside -------------------------------------------------------------------------------------------------


def _measure(
    folder: Path, preset: str, vocoder: str | None, device: str, seconds: float, gestures: int
) -> dict[str, Any]:
    from vocaldm_live.daemon.daemon import Daemon
    from vocaldm_live.settings import read_settings

    empty = folder / "settings.yaml"
    empty.write_text("")
    changes: dict[str, Any] = {f"folders.{name}": str(folder / name) for name in ("outbox", "inbox", "state")}
    changes |= {
        "preset": preset,
        "vocoder": vocoder,
        "device": device,
        "microphone.enabled": False,
        "osc.port": 0,
        "osc.query": False,
    }
    daemon = Daemon(read_settings(empty, changes))
    daemon.start()
    try:
        daemon.warm.wait(PATIENCE)
        if daemon.failed is not None:
            raise VocalDMError(daemon.failed)
        idle = _pinging(daemon.server.port, 3.0)()
        busy = _pinging(daemon.server.port, 1.0 + 0.2 * gestures)
        for _ in range(gestures):
            _one(daemon, seconds)
        return _report(daemon, idle, busy(), seconds, gestures)
    finally:
        daemon.close()


def _one(daemon: Daemon, seconds: float) -> None:
    """A gesture as the microphone hands it on, and its clip awaited."""
    import numpy as np

    from vocaldm_live.listen.imitation import Imitation
    from vocaldm_live.sound.audio import Sound

    times = np.arange(int(seconds * 48000)) / 48000.0
    tone = 0.3 * np.sin(2 * np.pi * 220.0 * times * (1 + 0.2 * times)) * np.exp(-times)
    sound = Sound(tone.astype(np.float32), 48000)
    daemon.session.heard(Imitation(sound, "bench", "microphone", time.time(), time.monotonic()))
    if not daemon.session.jobs.wait_idle(PATIENCE):
        raise VocalDMError(f"A clip took longer than {PATIENCE:.0f} s: choose a shorter gesture.")


def _pinging(port: int, seconds: float) -> Any:
    """Begin to ping from a process of its own; the result waits for it."""
    code = f"import json; from vocaldm_live.commands.bench_live import ping; print(json.dumps(ping({port}, {seconds})))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(process.communicate()[0]))
    reader.start()

    def result() -> list[float]:
        reader.join()
        return [float(value) for value in json.loads(said[0])]

    return result


def _report(
    daemon: Daemon, idle: list[float], busy: list[float], seconds: float, gestures: int
) -> dict[str, Any]:
    import numpy as np

    rows = daemon.session.latencies[-gestures:]
    columns = {name: [row[name] for row in rows] for name in ("engine", "write", "total")}
    columns["beside"] = [row["total"] - row["engine"] - row["write"] for row in rows]
    columns |= {"idle": idle, "busy": busy}
    found = {
        name: {
            "p50": round(float(np.median(columns[name])), 3),
            "p95": round(float(np.percentile(columns[name], 95)), 3),
            "p99": round(float(np.percentile(columns[name], 99)), 3),
        }
        for name in ROWS
    }
    playing = daemon.loader.playing
    return {
        "preset": playing.name if playing else "",
        "vocoder": playing.vocoder.name if playing and playing.vocoder else None,
        "seconds": seconds,
        "gestures": gestures,
        "pings": {"idle": len(idle), "busy": len(busy)},
        "ms": found,
    }


def _text(report: dict[str, Any]) -> str:
    rows = [
        (words, *(f"{report['ms'][name][part]:.1f}" for part in ("p50", "p95", "p99")))
        for name, words in ROWS.items()
    ]
    played = report["preset"] + (f" and {report['vocoder']}" if report["vocoder"] else "")
    head = f"{report['gestures']} gestures of {report['seconds']:g} s with {played}; milliseconds."
    return f"{head}\n\n{table(('', 'p50', 'p95', 'p99'), rows)}"
