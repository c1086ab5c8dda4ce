"""Run folder: what a run leaves on disk beside its checkpoint, and which run a folder belongs to."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import Tensor, nn

from training.checkpoint import BEST_FILE, CHECKPOINT_FILE, newest, previous_of
from training.errors import RunError
from training.recipe import Recipe
from training.recipe_file import RECIPE_FILE, RUN_FILE, differences, recipe_of_run, write_recipe
from vocaldm_live import __version__
from vocaldm_live.checkpoints.header import HOUSE_PARTS
from vocaldm_live.checkpoints.places import HEADER_FILE
from vocaldm_live.checkpoints.vocoders import VOCODER_FILE

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
LISTENING = "listening"
"""Folder with one for each step after which something was written for ears and eyes."""

HEARD = (".wav", ".tsv")
LOGS = ("train.csv", "validation.csv")
ENDED = ("done", "patience")
"""States of a run with nothing left to do."""

EVENTS = "events.out.tfevents.*"
WEIGHTS = ".safetensors"

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have a run's folder to oneself; the system lets go of it when the process ends, however it ends.

    Raises RunError where another process trains in it. Where there are no locks (Windows, some network mounts)
    nothing is held.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise RunError(
            f"{folder} cannot be written ({error.strerror}); free space or name another folder."
        ) from error
    try:
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"Another process trains in {folder}; wait for its end or name another --out."
                ) from None
            except OSError:
                pass
        yield
    finally:
        os.close(descriptor)


def check_run(folder: Path, recipe: Recipe, fresh: bool) -> None:
    """See that a run may be begun or taken up in a folder; nothing is changed. A run whose start failed is none.

    Raises RunError where the folder holds a run of another command, or of another recipe and it is not to be `fresh`.
    """
    kept = _kept_recipe(folder)
    if kept is None:
        return
    if kept.get("command") != recipe.command:
        raise RunError(
            f"{folder} holds a run of {kept.get('command')!r}, not of {recipe.command!r}; name another --out."
        )
    if fresh or newest(folder) is None:
        return
    try:
        changed = differences(type(recipe).model_validate(kept), recipe)
    except ValueError:
        changed = ["recipe"]
    if changed:
        raise RunError(
            f"{folder} holds a run of another recipe ({', '.join(changed)} differ); go on with its own, name "
            "another --out, or start anew with --fresh."
        )


def begin_run(folder: Path, recipe: Recipe, fresh: bool) -> None:
    """Make a folder that of a run whose networks stand; `fresh` removes what an older run wrote, its weights too.

    Of a folder in which no run was begun nothing is removed, whatever it holds. Raises RunError where the disk says no.
    """
    if fresh and _kept_recipe(folder) is not None:
        _clear(folder)
    elif newest(folder) is None:
        # Nothing says what the best of a run without a checkpoint would be the best of.
        _remove(_and_previous(folder, BEST_FILE))
    write_recipe(recipe, folder)


def state_of(folder: Path) -> str | None:
    """What run.json says of a run's state; None where it says nothing."""
    try:
        found = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))["state"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return found if isinstance(found, str) else None


def write_run(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write run.json: facts of the run beside the command line and the versions; RunError where the disk says no."""
    import lightning_fabric

    versions = {
        "vocaldm-live": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning-fabric": lightning_fabric.__version__,
    }
    # The program's name only: where it lies is nobody's concern.
    line = [Path(sys.argv[0]).name, *sys.argv[1:]]
    path, part = folder / RUN_FILE, folder / f".{RUN_FILE}.part"
    try:
        part.write_text(
            json.dumps({"command": line, "versions": versions, **facts}, indent=1), encoding="utf-8"
        )
        part.replace(path)
    except OSError as error:
        raise RunError(f"{path} cannot be written ({error.strerror}); free space there.") from error


def save_weights(
    module: nn.Module, path: Path, dtype: torch.dtype = torch.float32, skip: Iterable[str] = ()
) -> None:
    """Write a module's state as safetensors, whole or not at all; `skip` leaves out keys that start so.

    Raises RunError where the disk says no.
    """
    skipped = tuple(skip)
    state = module.state_dict()
    save_state(
        {key: value for key, value in state.items() if not (skipped and key.startswith(skipped))}, path, dtype
    )


def save_state(state: Mapping[str, Tensor], path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write named tensors as safetensors, whole or not at all; raises RunError where the disk says no."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    plain = {
        key: (value.to(dtype) if value.is_floating_point() else value).detach().contiguous()
        for key, value in state.items()
    }
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(plain, part)
        part.replace(path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path} cannot be written (is the disk full?); free space there and give the same command again."
        ) from error


def channels_last(module: Module) -> Module:
    """The module with its four-dimensional weights in channels-last order, which convolutions on CPUs prefer."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module


def _kept_recipe(folder: Path) -> dict[str, Any] | None:
    """The recipe of the run that was begun in a folder, if one was."""
    path = folder / RECIPE_FILE
    if recipe_of_run(folder) is None and (newest(folder) is None or not path.exists()):
        return None
    try:
        plain = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{path} cannot be read; name another --out.") from error
    return plain if isinstance(plain, dict) else None


def _clear(folder: Path) -> None:
    """Remove what a run wrote, and nothing else; last what says that there was one."""
    paths = [folder / f"{part}{WEIGHTS}" for part in HOUSE_PARTS] + [folder / VOCODER_FILE]
    kept = _kept_recipe(folder) or {}
    if kept.get("command") == "ldm":
        preset = folder / str(kept.get("preset"))
        if (preset / HEADER_FILE).is_file():
            paths += [*sorted(preset.glob(f"*{WEIGHTS}")), preset / HEADER_FILE]
    for name in (CHECKPOINT_FILE, BEST_FILE):
        paths += _and_previous(folder, name)
    heard = [path for path in folder.glob(f"{LISTENING}/step-*") if path.is_dir()]
    paths += [path for step in heard for path in step.iterdir() if path.suffix in HEARD]
    _remove([*paths, *(folder / name for name in LOGS), *folder.glob(EVENTS), folder / RUN_FILE])
    for step in heard:
        with suppress(OSError):  # something else lies there too
            step.rmdir()


def _and_previous(folder: Path, name: str) -> list[Path]:
    return [folder / name, previous_of(folder / name)]


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path} cannot be removed ({error.strerror}); name another --out.") from error
