"""Checkpoint: named tensors and plain facts in one safetensors file, swapped in whole; nothing is pickled."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.errors import RunError
from vocaldm_live.commands import say

CHECKPOINT_FILE = "checkpoint.safetensors"
BEST_FILE = "best.safetensors"
FACTS = "facts"


def previous_of(path: Path) -> Path:
    """Where the checkpoint before waits until the new one is known to be whole."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def lies(path: Path) -> bool:
    """Whether a checkpoint lies there, or the one before it."""
    return path.exists() or previous_of(path).exists()


def save(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the old one, read its header back, and swap it in.

    Raises RunError where the disk says no; the old checkpoint then stays.
    """
    part = path.with_name(f".{path.name}.part")
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(state, part, metadata={FACTS: json.dumps(dict(facts))})
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        read_facts(part)
        if path.exists():
            os.replace(path, previous_of(path))
        os.replace(part, path)
        _flush(path.parent)
        read_facts(path)
        previous_of(path).unlink(missing_ok=True)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise RunError(
            f"{path} cannot be written ({_reason(error)}); free space there: what was saved before stays."
        ) from error


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, on the CPU, and facts of a checkpoint; of the one before, with a word on it, where this is damaged.

    Raises RunError where neither can be read.
    """
    problem = "it is missing"
    for found in (path, previous_of(path)):
        if not found.is_file():
            continue
        try:
            facts = read_facts(found)
            tensors = load_file(found)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            problem = f"it is damaged: {_reason(error)}"
            continue
        if found != path:
            say(f"{path} cannot be used ({problem}); the run goes on from {found.name}.")
        return tensors, facts
    raise RunError(f"{path} cannot be read ({problem}); start anew with --fresh.")


def read_facts(path: Path) -> dict[str, Any]:
    """The facts of a checkpoint from its header alone; raises SafetensorError or OSError where it is damaged."""
    with safe_open(path, framework="pt") as file:
        facts = json.loads((file.metadata() or {})[FACTS])
    assert isinstance(facts, dict)
    return facts


def newest(folder: Path) -> Path | None:
    """The checkpoint that a run in this folder would go on from, or None where there is none."""
    path = folder / CHECKPOINT_FILE
    return path if lies(path) else None


def trained_weights(folder: Path, network: str) -> dict[str, Tensor]:
    """Averaged tensors of one network of a run, by name: what was trained and its buffers, the best where it is kept.

    Raises RunError where the run has none of that network.
    """
    best = folder / BEST_FILE
    path = best if lies(best) else folder / CHECKPOINT_FILE
    beginning = f"average.{network}."
    tensors, _ = load(path)
    found = {
        name.removeprefix(beginning): tensor for name, tensor in tensors.items() if name.startswith(beginning)
    }
    if not found:
        raise RunError(f"{path} holds no trained network {network}; name a run that trained it.")
    return found


def taken(tensors: Mapping[str, Tensor], beginning: str, into: Mapping[str, Tensor], path: Path) -> None:
    """Copy the tensors whose names begin so into others of the rest of their names, every one on both sides.

    Raises RunError naming the first that is missing, unexpected or of another shape; nothing is copied then.
    """
    saved = {
        name.removeprefix(beginning): tensor for name, tensor in tensors.items() if name.startswith(beginning)
    }
    advice = "start anew with --fresh"
    for name in into:
        if name not in saved:
            raise RunError(f"{path} lacks {beginning}{name}, which this run trains; {advice}.")
        if saved[name].shape != into[name].shape:
            shapes = f"{list(saved[name].shape)} there and {list(into[name].shape)} in this run"
            raise RunError(f"{path} has another {beginning}{name}: {shapes}; {advice}.")
    for name in saved:
        if name not in into:
            raise RunError(f"{path} holds {beginning}{name}, which this run does not train; {advice}.")
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(saved[name])


def _flush(folder: Path) -> None:
    """Have the renames reach the disk; systems whose folders can't be opened do it by themselves."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(said.split()).rstrip(".").replace(". ", ", ")
