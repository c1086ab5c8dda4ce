"""`vocaldm doctor`: whether clips can be made on this machine, and what to do where they cannot."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from vocaldm_live import __version__
from vocaldm_live.commands import DEFAULT_OUT, DEFAULT_PRESET, PresetOption
from vocaldm_live.commands.doctor_live import look_at_live
from vocaldm_live.commands.finding import NOTE, OK, PROBLEM, Finding
from vocaldm_live.errors import VocalDMError

OLDEST_PYTHON = (3, 10)
LITTLE_DISK, NO_DISK = 1e9, 5e7  # bytes; a clip of a minute is 9 MB
LIBRARIES = ("numpy", "soundfile", "soxr", "safetensors", "pydantic", "yaml", "swift_f0")


def doctor(
    preset: PresetOption = DEFAULT_PRESET,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The output folder to look at.")] = DEFAULT_OUT,
    settings: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings of `vocaldm live`, if not the usual ones.")
    ] = None,
) -> int:
    """Look at everything that making clips needs; exit code 1 only when something prevents it."""
    findings: list[Finding] = []
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        look_at_python,
        look_at_torch,
        look_at_processor,
        look_at_torchaudio,
        look_at_libraries,
        look_at_portaudio,
        lambda: look_at_presets(preset),
        lambda: look_at_output(out),
        lambda: look_at_live(settings),
    )
    for look in looks:
        for finding in look():
            print(f"{finding.state:<8} {finding.subject:<11} {finding.sentence}", flush=True)
            findings.append(finding)
    problems = sum(finding.state == PROBLEM for finding in findings)
    print("Clips can be made." if not problems else f"{problems} to mend before clips can be made.")
    return 1 if problems else 0


def look_at_python() -> Iterator[Finding]:
    """The interpreter's version."""
    here = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield Finding("Python", PROBLEM, f"{here} is too old: install Python 3.10 or later.")
    else:
        yield Finding("Python", OK, f"{here}, VocalDM Live {__version__}.")


def look_at_torch() -> Iterator[Finding]:
    """torch, and the devices that it can use."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("torch", PROBLEM, f"torch doesn't load ({_short(error)}): install torch 2.4 or later.")
        return
    yield Finding("torch", OK, f"torch {torch.__version__}.")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Finding("device", OK, f"cuda:{index}, {facts.name}, {facts.total_memory / 2**30:.0f} GB.")
    elif torch.backends.mps.is_available():
        yield Finding("device", OK, "mps, the GPU of this Mac.")
    else:
        yield Finding("device", OK, "cpu; there is no GPU that torch can use, and none is needed.")


def look_at_processor() -> Iterator[Finding]:
    """Vector instructions, bf16 and threads."""
    try:
        import torch
    except (ImportError, OSError):
        return
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    has_bf16 = bool(probe()) if probe is not None else False
    spins = os.environ.get("GOMP_SPINCOUNT", "")
    yield Finding(
        "processor",
        OK,
        f"{torch.backends.cpu.get_cpu_capability()}, bf16 {'yes' if has_bf16 else 'no'}, "
        f"{torch.get_num_threads()} threads on {os.cpu_count()} cores, OpenMP spins {spins or 'as long as it likes'}.",
    )
    if not spins.isdigit() or int(spins) > 20_000:
        yield Finding(
            "processor",
            NOTE,
            "Waiting threads that spin long starve the sound card: set GOMP_SPINCOUNT=2000.",
        )


def look_at_torchaudio() -> Iterator[Finding]:
    """The trap of a torchaudio that was built for CUDA beside a torch that was not."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("torchaudio")
    except PackageNotFoundError:
        yield Finding("torchaudio", OK, "torchaudio is not installed, and nothing here needs it.")
        return
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError) as error:
        yield Finding(
            "torchaudio",
            NOTE,
            f"torchaudio {installed} doesn't load beside this torch ({_short(error)}), and only tests need it: "
            "run `python3 vocaldm.py`, which repairs the pair, or `pip uninstall torchaudio`.",
        )
        return
    yield Finding("torchaudio", OK, f"torchaudio {installed} loads beside this torch.")


def look_at_libraries() -> Iterator[Finding]:
    """The other libraries that a clip goes through."""
    import importlib

    good = True
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            good = False
            yield Finding(
                "libraries",
                PROBLEM,
                f"{name} doesn't load ({_short(error)}): install the project again with `pip install .`.",
            )
    if good:
        yield Finding("libraries", OK, f"{', '.join(LIBRARIES)} load.")


def look_at_portaudio() -> Iterator[Finding]:
    """PortAudio, which only a microphone needs."""
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        remedy = "install PortAudio for a microphone"
        if sys.platform.startswith("linux"):
            remedy = "run `apt-get install libportaudio2` for a microphone"
        yield Finding("PortAudio", NOTE, f"{_short(error)}: {remedy}; files work without it.")
        return
    yield Finding("PortAudio", OK, f"{sounddevice.get_portaudio_version()[1].split(',')[0]}.")


def look_at_presets(wanted: str) -> Iterator[Finding]:
    """Every preset that is found; only a fault in the wanted one prevents making clips."""
    from vocaldm_live.checkpoints.places import find_presets, resolve_preset
    from vocaldm_live.checkpoints.preset import check_preset

    folders: dict[str, Path] = {}
    try:
        folders.update(find_presets())
        folders[wanted] = resolve_preset(wanted)
    except VocalDMError as error:
        yield Finding("preset", PROBLEM, str(error))
    for name, folder in sorted(folders.items()):
        problems = check_preset(folder)
        for problem in problems:
            yield Finding("preset", PROBLEM if name == wanted else NOTE, problem)
        if not problems:
            yield Finding("preset", OK, f"{name} in {folder} is whole.")


def look_at_output(out: Path) -> Iterator[Finding]:
    """Whether the output folder, or the one it would be made in, takes files, and how much room there is."""
    from vocaldm_live.deliver.outbox import Outbox

    place = Path(os.path.abspath(out.expanduser()))
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        Outbox(place).check()
    except VocalDMError as error:
        yield Finding("output", PROBLEM, str(error))
        return
    made = "" if place == Path(os.path.abspath(out.expanduser())) else f", where {out} will be made"
    yield Finding("output", OK, f"{place} takes files{made}.")
    free = shutil.disk_usage(place).free
    room = f"{free / 1e9:.1f} GB are free in {place}"
    if free < NO_DISK:
        yield Finding("disk", PROBLEM, f"{room}: free some space or give another folder with --out.")
    elif free < LITTLE_DISK:
        yield Finding("disk", NOTE, f"{room}: that is little, a minute of sound takes 9 MB.")
    else:
        yield Finding("disk", OK, f"{room}.")


def _short(error: BaseException) -> str:
    """The first line of an error's message, without its full stop."""
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
