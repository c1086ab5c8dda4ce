"""Torch files: what torch.save wrote, read without running what a pickle may ask for; safetensors too."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

from vocaldm_live.checkpoints.weights import file_sha256, read_tensors
from vocaldm_live.errors import PresetError

_ASKED_FOR = re.compile(r"GLOBAL ([\w.]+)|[Gg]lobal[: ]+([\w.]+\.[\w.]+)|Unsupported class ([\w.]+)")


def read_torch_file(path: Path) -> Any:
    """What a file holds: for safetensors a dict of tensors, else whatever was saved, on the CPU.

    Only tensors and plain containers are taken from a pickle. Raises PresetError in one sentence where the file
    is missing, cut short, of another format, or asks for anything that could run code.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(9)
    except OSError as error:
        raise PresetError(
            f"{path} cannot be read ({error.strerror}); check its name and permissions."
        ) from error
    if start[8:9] == b"{":
        return read_tensors(path, file_sha256(path))
    zipped, pickled = start[:4] == b"PK\x03\x04", start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"
    if not zipped and not pickled:
        raise PresetError(f"{path} is neither a PyTorch nor a safetensors file; give the weights themselves.")
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = _ASKED_FOR.search(str(error))
        what = next(filter(None, asked.groups())) if asked else "what torch.save never writes"
        raise PresetError(
            f"{path} was not opened, for its pickle asks for {what}, and what is not a tensor can run code; "
            "save its tensors alone."
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise PresetError(f"{path} was cut short or is damaged; download it again.") from None
