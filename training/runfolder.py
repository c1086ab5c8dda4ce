"""Run folder: what a run leaves on disk beside its checkpoint, and which run a folder belongs to."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml
from torch import Tensor, nn

from training.checkpoint import BEST_FILE, CHECKPOINT_FILE, newest, previous_of
from training.errors import RunError
from training.recipe import Recipe
from training.recipe_file import RECIPE_FILE, RUN_FILE, differences, write_recipe
from vocaldm_live import __version__

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".lock"
LOGS = ("train.csv", "validation.csv")
EVENTS = "events.out.tfevents.*"

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


def open_run(folder: Path, recipe: Recipe, fresh: bool) -> None:
    """Make or take up the folder of a run; `fresh` removes what an older run of the same command left.

    Raises RunError where the folder belongs to another command, holds a run of another recipe, or cannot be
    written.
    """
    kept = _kept_recipe(folder)
    if kept is not None and kept.get("command") != recipe.command:
        raise RunError(
            f"{folder} holds a run of {kept.get('command')!r}, not of {recipe.command!r}; name another --out."
        )
    if fresh:
        _clear(folder)
    if kept is not None and newest(folder) is not None:
        try:
            changed = differences(type(recipe).model_validate(kept), recipe)
        except ValueError:
            changed = ["recipe"]
        if changed:
            raise RunError(
                f"{folder} holds a run of another recipe ({', '.join(changed)} differ); go on with its own, name "
                "another --out, or start anew with --fresh."
            )
    write_recipe(recipe, folder)


def write_run(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write run.json: facts of the run beside the command line and the versions; RunError where the disk says no."""
    import lightning

    versions = {
        "vocaldm-live": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lightning": lightning.__version__,
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
    try:
        plain = yaml.safe_load((folder / RECIPE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise RunError(f"{folder / RECIPE_FILE} cannot be read; name another --out.") from error
    return plain if isinstance(plain, dict) else None


def _clear(folder: Path) -> None:
    """Remove what a run wrote, and nothing else."""
    names = (CHECKPOINT_FILE, BEST_FILE)
    paths = [folder / name for name in (*names, *LOGS, RUN_FILE)] + [
        previous_of(folder / name) for name in names
    ]
    for path in (*paths, *folder.glob(EVENTS)):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise RunError(f"{path} cannot be removed ({error.strerror}); name another --out.") from error
