"""A microphone without hardware: a private PulseAudio whose null sink is recorded by PortAudio.

What is played into the sink is what the microphone hears, sample for sample. Linux only; needs the packages
pulseaudio, pulseaudio-utils, libasound2-plugins and libportaudio2. Runs as root too, without D-Bus.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from parts import needs

RATE = 44100
SINK, SOURCE = "cable", "vmic"
PROGRAMS = ("pulseaudio", "pactl", "pacat", "paplay")


class VirtualMicrophone:
    """A context: inside it `environment` leads PulseAudio's clients, PortAudio's "pulse" among them, to the sink."""

    def __init__(self) -> None:
        needs(*PROGRAMS)
        # A socket's path has to be short, so that pytest's own folders do not do.
        self.folder = Path(tempfile.mkdtemp(prefix="vmic"))
        self.socket = self.folder / "run" / "native"
        self.environment = {"PULSE_SERVER": f"unix:{self.socket}"}
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> VirtualMicrophone:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._processes):
            process.terminate()
        for process in self._processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def play(self, path: Path) -> subprocess.Popen[bytes]:
        """Begin to play a sound file into the microphone; wait() for the process to wait for its end."""
        return subprocess.Popen(
            ["paplay", f"--device={SINK}", str(path)], env=self._client(), stderr=subprocess.DEVNULL
        )

    def suspend(self, on: bool = True) -> None:
        """Stop the source without a word, as some drivers do, or let it go on."""
        self.control("suspend-source", SOURCE, "1" if on else "0")

    def unplug(self) -> None:
        """Take source and sink away."""
        loaded = subprocess.check_output(
            ["pactl", "list", "short", "modules"], env=self._client(), text=True
        ).splitlines()
        for line in reversed(loaded):
            if "module-remap-source" in line or "module-null-sink" in line:
                self.control("unload-module", line.split()[0])

    def plug(self) -> None:
        """Put sink and source back."""
        self.control(
            "load-module",
            "module-null-sink",
            f"sink_name={SINK}",
            f"rate={RATE}",
            "channels=2",
            "format=float32le",
        )
        self.control("load-module", "module-remap-source", f"source_name={SOURCE}", f"master={SINK}.monitor")
        self.control("set-default-sink", SINK)
        self.control("set-default-source", SOURCE)
        self._keep_awake()
        time.sleep(2)  # until the sink runs at the low latency that was asked for

    def control(self, *words: str) -> None:
        """One command of pactl."""
        subprocess.run(["pactl", *words], env=self._client(), check=True, capture_output=True, timeout=20)

    def _client(self) -> dict[str, str]:
        return {**os.environ, **self.environment, "HOME": str(self.folder)}

    def _start(self) -> None:
        for name in ("run", "state"):
            (self.folder / name).mkdir(mode=0o700)
        script = self.folder / "start.pa"
        script.write_text(f"load-module module-native-protocol-unix socket={self.socket} auth-anonymous=1\n")
        own = {
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PULSE_RUNTIME_PATH": str(self.folder / "run"),
            "PULSE_STATE_PATH": str(self.folder / "state"),
            "HOME": str(self.folder),
        }
        # With PULSE_SERVER set the daemon believes that another one is in charge.
        inherited = {name: value for name, value in os.environ.items() if name != "PULSE_SERVER"}
        self._run(
            *("pulseaudio", "-n", "-F", str(script), "--daemonize=no", "--exit-idle-time=-1"),
            *("--use-pid-file=no", "--disable-shm=yes", "--realtime=no", "--high-priority=no"),
            environment={**inherited, **own},
        )
        for _ in range(200):
            if self.socket.exists():
                break
            time.sleep(0.05)
        else:
            raise RuntimeError("PulseAudio did not start within ten seconds")
        self.plug()

    def _keep_awake(self) -> None:
        # An idle sink delivers nothing to its monitor, and swallows the beginning of what is played next.
        self._run(
            *(
                "pacat",
                "-p",
                "--raw",
                "-d",
                SINK,
                "--latency-msec=10",
                f"--rate={RATE}",
                "--format=float32le",
            ),
            *("--channels=2", "/dev/zero"),
            environment=self._client(),
        )

    def _run(self, *words: str, environment: dict[str, str]) -> None:
        self._processes.append(
            subprocess.Popen(
                words,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
