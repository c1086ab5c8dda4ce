"""`vocaldm bench`: how long a clip takes from file to file in a warm process, and where the time goes."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vocaldm_live import __version__
from vocaldm_live.commands import (
    DEFAULT_PRESET,
    DeviceOption,
    JsonOption,
    PresetOption,
    VocoderOption,
    open_preset,
    results_only,
    table,
)
from vocaldm_live.commands.bench_audioldm import bench_audioldm
from vocaldm_live.commands.bench_live import bench_live
from vocaldm_live.commands.maker import Made, Maker, check_options, open_outbox, read_voice
from vocaldm_live.errors import RequestError

if TYPE_CHECKING:
    from vocaldm_live.engine.request import Request

RATE = 48000
SWEEP = (2, 4, 6, 8)
# The engine gives vae + vocode = decode; sketch and embedding run beside each other and are one stage.
STAGES = {
    "read": "read the file",
    "encode": "sketch and embedding",
    "sample": "sample the latent",
    "vae": "decode the latent (VAE)",
    "vocode": "vocode the mel",
    "decode": "decode (VAE, vocoder)",
    "write": "write the file",
    "rest": "all between",
    "total": "total, file to file",
}
FINER = {"decode": ("vae", "vocode")}


benches = typer.Typer(help="Measure how long clips take on this machine.", rich_markup_mode=None)
benches.command("live")(bench_live)
benches.command("audioldm")(bench_audioldm)


@benches.callback(invoke_without_command=True)
def bench(
    context: typer.Context,
    preset: PresetOption = DEFAULT_PRESET,
    vocoder: VocoderOption = None,
    device: DeviceOption = "auto",
    seconds: Annotated[float, typer.Option(metavar="SEC", help="Length of the clip.")] = 5.12,
    runs: Annotated[int, typer.Option(metavar="N", help="How often each clip is made.")] = 7,
    sweep: Annotated[bool, typer.Option("--sweep", help="Also 2, 4, 6 and 8 steps.")] = False,
    json_lines: JsonOption = False,
) -> int:
    """Measure how long a clip takes, stage by stage, and how much memory; `bench live`: the daemon."""
    if context.invoked_subcommand is not None:
        return 0
    import tempfile

    from vocaldm_live.engine.request import Request

    if runs < 1:
        raise RequestError(f"runs is {runs}: give a whole number of 1 or more.")
    with results_only(json_lines) as results:
        chosen = open_preset(preset, vocoder)
        with tempfile.TemporaryDirectory(prefix="vocaldm-bench-") as folder:
            source = Path(folder) / "gesture.wav"
            voice = _gesture(source, seconds)
            request = Request(voice, name="the gesture", tail=0.0)
            check_options(request, chosen, device, 1)
            maker = Maker(chosen, device, open_outbox(Path(folder) / "clips", 24))
            low, high = chosen.header.parameters.steps.low, chosen.header.parameters.steps.high
            steps = [number for number in SWEEP if low <= number <= high] if sweep else []
            warm = 1000.0 * maker.engine.warm(seconds)
            made = _runs(maker, source, request, runs)
            report: dict[str, Any] = _report(maker, made, warm)
            report["sweep"] = {
                str(number): statistics(_runs(maker, source, _with_steps(request, number), runs))
                for number in steps
            }
            report["peak_memory_mb"] = peak_memory_mb()
        if json_lines:
            print(json.dumps(report), file=results, flush=True)
        else:
            print(_text(report), file=results, flush=True)
    return 0


def statistics(made: Sequence[Made]) -> dict[str, dict[str, float]]:
    """Median and 95th percentile in ms of each stage over several clips, and the median's share of the total.

    `rest` is what no stage accounts for.
    """
    import numpy as np

    parts = _parts(made[0].timings_ms)
    columns = {name: [one.timings_ms[name] for one in made] for name in (*parts, "total")}
    columns["rest"] = [one.timings_ms["total"] - sum(one.timings_ms[name] for name in parts) for one in made]
    whole = float(np.median(columns["total"]))
    return {
        name: {
            "median": round(float(np.median(columns[name])), 3),
            "p95": round(float(np.percentile(columns[name], 95)), 3),
            "share": round(float(np.median(columns[name])) / whole, 4),
        }
        for name in STAGES
        if name in columns
    }


def peak_memory_mb() -> float | None:
    """The largest resident size of this process in MB; None where the system doesn't tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(largest / (1e6 if sys.platform == "darwin" else 1e3), 1)


def _parts(timings: dict[str, float]) -> list[str]:
    """The stages that add up to a clip: finer ones in place of a coarse one where they were measured."""
    parts = ["read"]
    for coarse in ("encode", "sample", "decode"):
        finer = FINER.get(coarse, ())
        parts.extend(finer if finer and all(name in timings for name in finer) else [coarse])
    return [*parts, "write"]


def _gesture(path: Path, seconds: float) -> Any:
    """Write a made-up gesture of a voice to `path`, 48 kHz and 24 bit, and return it as a Sound."""
    import numpy as np

    from vocaldm_live.deliver.wave import encode_wave
    from vocaldm_live.sound.audio import Sound

    if not 0.05 <= seconds <= 60.0:
        raise RequestError(f"seconds is {seconds}: give a number from 0.05 to 60.")
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = 140.0 + 60.0 * np.sin(2 * np.pi * 0.4 * times)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = sum(np.sin(number * phase) / number for number in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(len(times))
    shape = (0.55 + 0.45 * np.sin(2 * np.pi * 1.3 * times)) ** 2
    samples = (0.15 * shape * (voice + 0.1 * noise)).astype(np.float32)
    path.write_bytes(encode_wave(samples, RATE))
    return Sound(samples, RATE)


def _with_steps(request: Request, steps: int) -> Request:
    return replace(request, steps=steps)


def _runs(maker: Maker, source: Path, request: Request, runs: int) -> list[Made]:
    """Make the clip `runs` times after one that doesn't count, reading the file each time."""
    made = []
    for number in range(runs + 1):
        voice = read_voice(source)
        made.append(maker.make(voice, replace(request, imitation=voice.sound, seed=number), bar="bench"))
    return made[1:]


def _report(maker: Maker, made: Sequence[Made], warm_ms: float) -> dict[str, Any]:
    import torch

    request = made[0].clip.request
    return {
        "version": __version__,
        "preset": maker.preset.name,
        "vocoder": (maker.preset.vocoder or maker.preset.own_vocoder).name,
        "device": maker.engine.device.type,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "machine": f"{platform.system()} {platform.machine()}",
        "seconds": made[0].clip.seconds,
        "steps": request.steps,
        "sampler": request.sampler,
        "guidance": request.guidance,
        "runs": len(made),
        "warm_ms": round(warm_ms, 1),
        "stages_ms": statistics(made),
    }


def _text(report: dict[str, Any]) -> str:
    stages = report["stages_ms"]
    rows = [
        (STAGES[name], f"{one['median']:.1f}", f"{one['p95']:.1f}", f"{100 * one['share']:.1f} %")
        for name, one in stages.items()
    ]
    memory = "unknown" if report["peak_memory_mb"] is None else f"{report['peak_memory_mb']:.0f} MB"
    lines = [
        f"Preset {report['preset']} on {report['device']} ({report['threads']} threads, "
        f"torch {report['torch']}): a clip of {report['seconds']:.2f} s, "
        f"{report['steps']} steps of {report['sampler']}, guidance {report['guidance']:g}, "
        f"{report['runs']} runs.",
        "",
        table(("stage", "median ms", "p95 ms", "share"), rows),
        "",
        f"First run {report['warm_ms']:.0f} ms; peak memory {memory}.",
    ]
    if report["sweep"]:
        rows = [
            (steps, *(f"{value:.1f}" for value in (one["sample"]["median"], *_total(one))))
            for steps, one in report["sweep"].items()
        ]
        lines += ["", table(("steps", "sample ms", "total ms", "p95 ms"), rows)]
    return "\n".join(lines)


def _total(stages: dict[str, dict[str, float]]) -> tuple[float, float]:
    return stages["total"]["median"], stages["total"]["p95"]
