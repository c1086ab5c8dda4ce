"""Tiny runs of vae and vocoder with their judges on; a program that kills or doubles them: FOLDER WHAT [ARGUMENTS]."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import soundfile

from training.cli import main
from training.step import Step

RATE = 16000
MEL = {"sample_rate": RATE, "n_fft": 256, "hop": 64, "mel_bands": 16, "fmin": 0, "fmax": 8000, "fold": 1}
ISTFT = "{kind: istft, channels: 16, hidden: 32, blocks: 1}"
HIFI_GAN = "{kind: hifi-gan, channels: 16, rates: [8, 8], kernels: [16, 16], block_kernels: [3], block_dilations: [[1, 3]]}"
BIGVGAN = HIFI_GAN.replace("hifi-gan", "bigvgan")
SAME = {
    "machine.accelerator": "cpu",
    "machine.devices": 1,
    "machine.threads": 1,
    "optimiser.rates.warmup": 5,
    # A bias before a norm has no gradient but rounding, which the recipes' own epsilon would make steps of.
    "optimiser.epsilon": 1e-4,
    "data.held_out": 0.2,
    "batch": 4,
    "average": 0.8,
}
KINDS = {
    "vocoder": {
        "network": ISTFT,
        "crop": 20,
        "judges": "{after: 0.3, channels: 2, periods: [2, 3], period_channels: 1, resolutions: [256]}",
    },
    "vae": {
        "sizes": "{channels: [4, 8, 8], groups: 4}",
        "crop": 16,
        "bank_frames": 32,
        "losses.resolutions": 0.5,
        "judge": "{after: 0.3, channels: 4, layers: 2}",
    },
}


def tones(folder: Path, count: int = 16, seconds: float = 0.64, hiss: float = 3e-4) -> Path:
    """Steady tones at four pitches over a hiss, their partials where a mel of few bands blurs them."""
    folder.mkdir(parents=True, exist_ok=True)
    times = np.arange(int(seconds * RATE)) / RATE
    for index in range(count):
        rng = np.random.default_rng(index)
        tone = np.sin(2 * np.pi * (500, 1000, 2000, 3000)[index % 4] * times + rng.uniform(0, 6))
        samples = 0.3 * rng.uniform(0.5, 1.0) * tone + hiss * rng.standard_normal(len(times))
        soundfile.write(folder / f"tone-{index:02d}.wav", samples, RATE, "FLOAT")
    return folder


def command(noun: str, data: Path, out: Path, *more: str, **changes: object) -> list[str]:
    """A command line of `vocaldm-train`; `changes` are keys of the recipe, `__` for dots."""
    told: dict[str, object] = {**SAME, **{f"geometry.{key}": value for key, value in MEL.items()}}
    told |= KINDS[noun] | {key.replace("__", "."): value for key, value in changes.items()}
    sets = [part for key, value in told.items() for part in ("--set", f"{key}={value}")]
    return [noun, "--data", str(data), "--out", str(out), *sets, *more]


def killed(arguments: list[str], at: int) -> int:
    """Run a command in a process that is forked off and killed in the main turn of a step; what it ended with."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    real = Step.backward

    def backward(self: Step, loss: object) -> None:
        real(self, loss)  # type: ignore[arg-type]
        if self.index == at and calls.append(at) is None and len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    calls: list[int] = []
    Step.backward = backward  # type: ignore[method-assign, assignment]
    main(arguments)
    os._exit(0)


def twofold(arguments: list[str]) -> int:
    """Run a command in two processes that are forked off, as Fabric's own children; the worse of what they ended with."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        told = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(one.getsockname()[1])}
    children = []
    for rank in ("0", "1"):
        children.append(os.fork())
        if not children[-1]:
            os.environ |= {**told, "NODE_RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": rank}
            os._exit(main(arguments))
    return max(abs(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])) for child in children)


if __name__ == "__main__":
    import lightning_fabric  # noqa: F401

    place, what = Path(sys.argv[1]), sys.argv[2]
    more = {"machine__devices": 2} if what == "twofold" else {}
    runs = [command(noun, place / "tones", place / noun, *sys.argv[3:], **more) for noun in KINDS]
    print(*(twofold(arguments) if what == "twofold" else killed(arguments, 4) for arguments in runs))
