"""Foreign: tensors out of other programs' files, by name, with nothing in them run.

torch's pickles are read by its unpickler for weights, which makes tensors, numbers, texts and containers and
refuses everything else. Zip files are mapped, not read: a tensor takes memory once somebody looks at it.
"""

from __future__ import annotations

import pickle
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path, PosixPath, WindowsPath
from typing import TYPE_CHECKING, Any

from vocaldm_live.checkpoints.header import one_line
from vocaldm_live.checkpoints.weights import is_safetensors
from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    from torch import Tensor

ADVICE = "download it again, or export its weights as safetensors"
# What training programs wrap a state dict in, and what they put between a module and its tensors' names.
_ROOTS = ("state_dict", "model_state_dict", "generator")
_WRAPPERS = {"module", "_orig_mod"}
# Kept beside the weights for going on with training.
_BESIDE = {"optimizer_states", "lr_schedulers", "callbacks", "loops", "hyper_parameters", "optimizer"}


class _Settings(dict):
    """Stands in for the containers in which training programs keep their settings."""


def read_foreign(path: Path) -> dict[str, Tensor]:
    """Every tensor of a torch or safetensors file, on the CPU, wrappers taken off the names.

    Raises PresetError with one sentence for a file that is missing, cut short, of another kind, holds more than
    weights, or no weights at all.
    """
    if path.is_dir():
        raise PresetError(
            f"{path} is a folder: name a checkpoint file, or a folder with unet/ and vae/ in it."
        )
    start = _start(path)
    if is_safetensors(start):
        found: Any = _read_safetensors(path)
    elif start[:4] == b"PK\x03\x04":
        found = _read_torch(path, mapped=True)
    elif start[:1] == b"\x80":
        found = _read_torch(path, mapped=False)
    elif start.startswith(b"version https://git-lfs"):
        raise PresetError(f"{path} is a Git LFS pointer and not the file itself: fetch it with git lfs pull.")
    else:
        raise PresetError(f"{path} is neither a torch nor a safetensors file: {ADVICE}.")
    tensors = dict(_unwrapped(_flat(found)))
    if not tensors:
        raise PresetError(f"{path} holds no weights: name a checkpoint.")
    return tensors


# Inside -------------------------------------------------------------------------------------------------


def _start(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            start = file.read(64)
    except FileNotFoundError:
        raise PresetError(f"There is no file {path}: check its name.") from None
    except OSError as error:
        raise PresetError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    if not start:
        raise PresetError(f"{path} is empty: download it again.")
    return start


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise PresetError(
            f"{path} is damaged or cut short ({one_line(error)}): download it again."
        ) from error


def _read_torch(path: Path, mapped: bool) -> Any:
    import torch

    try:
        with torch.serialization.safe_globals(_harmless()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        name = re.search(r"(?:GLOBAL|global:?|class) ([\w.]+)", str(error))
        if name and "." in name[1]:
            raise PresetError(
                f"{path} holds {name[1]} beside weights, which was not run because a pickle can do anything: "
                "export its state_dict as safetensors."
            ) from error
        raise PresetError(f"{path} is damaged or no checkpoint of torch: {ADVICE}.") from error
    except (
        RuntimeError,
        EOFError,
        OSError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
    ) as error:
        raise PresetError(f"{path} is damaged or cut short: download it again.") from error


def _harmless() -> list[Any]:
    """Containers of settings in Lightning's files, by the names of their time, none of which does anything."""
    names = [
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning_fabric.utilities.data.AttributeDict",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "lightning.pytorch.utilities.parsing.AttributeDict",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.nodes.AnyNode",
    ]
    stand_ins = [(type("_Settings", (_Settings,), {}), name) for name in names]
    return [Namespace, PosixPath, WindowsPath, *stand_ins]


def _flat(found: Any, prefix: str = "", top: bool = True) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of nested dicts, names joined by dots."""
    from torch import Tensor

    if isinstance(found, Tensor):
        yield prefix, found
    elif isinstance(found, Mapping):
        for key, value in found.items():
            if not (top and key in _BESIDE):
                yield from _flat(value, f"{prefix}.{key}" if prefix else str(key), top=False)


def _unwrapped(named: Iterator[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    for name, value in named:
        steps = [step for step in name.split(".") if step not in _WRAPPERS]
        if steps[0] in _ROOTS:
            steps = steps[1:]
        yield ".".join(steps).replace("_orig_mod", ""), value
