"""Weights: safetensors files, checked by their header before a tensor is read.

The format is that of github.com/huggingface/safetensors: 8 bytes with the header's length, the header as
JSON, then the tensors without gaps. Kernels and matrices are stored in half precision; vectors (biases,
norms, statistics) stay float32, since they are a hundredth of the size and rounding them costs the most.
Pickles are recognised and never opened.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vocaldm_live.errors import PresetError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
FLOAT_TYPES = {"F16": 2, "BF16": 2, "F32": 4}  # bytes a value
WHOLE_TYPES = {"I64": 8}


@dataclass(frozen=True)
class Entry:
    """A tensor as a header describes it; `begin` and `end` in bytes from the file's start."""

    dtype: str
    shape: tuple[int, ...]
    begin: int = 0
    end: int = 0


def read_entries(path: Path) -> dict[str, Entry]:
    """What tensors a file holds, from its header alone.

    Raises PresetError where the file is missing, a pickle, something else, cut short or too long.
    """
    try:
        with open(path, "rb") as file:
            return _read_entries(file, path)
    except FileNotFoundError:
        raise PresetError(
            f"{path} is missing, though the header beside it names it; copy the folder again."
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def is_safetensors(start: bytes) -> bool:
    """Whether a file that begins so can be one: a length, then the header's brace."""
    return len(start) >= 9 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST_HEADER


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes in lower-case hexadecimal; raises PresetError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise _unreadable(path, error) from error
    return digest.hexdigest()


def read_tensors(path: Path, sha256: str, header: str = "preset.yaml") -> dict[str, Tensor]:
    """All tensors of a file, floats as float32, whole numbers as int64.

    The file is read once: what is hashed is what is returned. Raises PresetError as `read_entries` does, and
    where the hash is another one than that in the file named `header`.
    """
    import torch

    try:
        data = bytearray(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    problem = hash_problem(path, hashlib.sha256(data).hexdigest(), sha256, header)
    if problem:
        raise PresetError(problem)
    entries = _read_entries(BytesIO(data), path)
    types = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for key, entry in entries.items():
        if entry.begin == entry.end:
            flat = torch.empty(0, dtype=types[entry.dtype])
        else:
            count = math.prod(entry.shape)
            flat = torch.frombuffer(data, dtype=types[entry.dtype], count=count, offset=entry.begin)
        wanted = torch.float32 if entry.dtype in FLOAT_TYPES else torch.int64
        # A copy, since a view would keep the whole file's bytes in memory.
        tensors[key] = flat.to(wanted, copy=True).reshape(entry.shape)
    return tensors


def hash_problem(path: Path, found: str, wanted: str, header: str = "preset.yaml") -> str | None:
    """One sentence where the hashes differ."""
    if found == wanted:
        return None
    return (
        f"{path} is damaged or another file: its sha256 begins with {found[:12]} where {header} says "
        f"{wanted[:12]}; copy the {header.removesuffix('.yaml')} again."
    )


def mismatches(
    path: Path,
    entries: Mapping[str, Entry],
    expected: Mapping[str, Entry],
    header: str = "preset.yaml",
    advice: str = "export it again",
) -> list[str]:
    """One sentence for each way in which a file's tensors differ from those of the network that `header` tells of."""
    problems = []
    missing = [key for key in expected if key not in entries]
    unexpected = [key for key in entries if key not in expected]
    if missing:
        problems.append(f"{path} does not fit {header}: {_some(missing)} missing; {advice}.")
    if unexpected:
        problems.append(f"{path} does not fit {header}: {_some(unexpected)} unexpected; {advice}.")
    for key, wanted in expected.items():
        found = entries.get(key)
        if found is None:
            continue
        if found.shape != wanted.shape:
            problems.append(
                f"{path} does not fit {header}: {key} has shape {list(found.shape)} where "
                f"{list(wanted.shape)} belongs; {advice}."
            )
        elif (found.dtype in FLOAT_TYPES) != (wanted.dtype in FLOAT_TYPES):
            problems.append(
                f"{path} does not fit {header}: {key} is of type {found.dtype} where {wanted.dtype} "
                f"belongs; {advice}."
            )
    return problems


def entries_of(state: Mapping[str, Tensor]) -> dict[str, Entry]:
    """The entries of a state dict in memory; meta tensors are fine."""
    kinds = {True: "F32", False: "I64"}
    return {key: Entry(kinds[value.is_floating_point()], tuple(value.shape)) for key, value in state.items()}


def converted(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor as it is stored: kernels and matrices in `dtype`, vectors float32, whole numbers int64."""
    import torch

    if not value.is_floating_point():
        return value.detach().to("cpu", torch.int64).contiguous()
    return value.detach().to("cpu", dtype if value.ndim > 1 else torch.float32).contiguous()


def write_tensors(path: Path, state: Mapping[str, Tensor], dtype: torch.dtype) -> str:
    """Write a state dict and return the file's SHA-256; the same state gives the same bytes.

    Raises PresetError where a value is not finite, or no longer is in `dtype`, and OSError where the disk says no.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    stored, seen = {}, set()
    for key, value in state.items():
        ready = converted(value, dtype)
        storage = ready.untyped_storage()
        # Cloned where storage is shared or larger than the tensor, which safetensors refuses.
        if storage.data_ptr() in seen or storage.nbytes() != ready.numel() * ready.element_size():
            ready = ready.clone()
        seen.add(storage.data_ptr())
        stored[key] = ready
        if not bool(value.isfinite().all()):
            raise PresetError(f"{path.name} cannot be written: {key} is not finite; train it again.")
        if not bool(ready.isfinite().all()):
            name = str(dtype).removeprefix("torch.")
            raise PresetError(f"{path.name} cannot be written: {key} overflows {name}; choose a wider type.")
    try:
        save_file(stored, path, metadata={"format": "pt"})
    except SafetensorError as error:
        # It wraps what the system said in an error of its own.
        number = errno.ENOSPC if "os error 28" in str(error) else errno.EIO
        raise OSError(number, os.strerror(number), str(path)) from error
    return file_sha256(path)


# Inside -------------------------------------------------------------------------------------------------


def _unreadable(path: Path, error: OSError) -> PresetError:
    return PresetError(f"{path} cannot be read ({error.strerror}); check the file and its permissions.")


def _read_entries(file: BinaryIO, path: Path) -> dict[str, Entry]:
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(9)
    if not start:
        raise PresetError(f"{path} is empty; copy the preset again.")
    length = int.from_bytes(start[:8], "little")
    # The header's brace before the pickle's mark: a length can begin with the same two bytes.
    if len(start) < 9 or start[8:] != b"{" or length > LONGEST_HEADER:
        raise PresetError(f"{path} {_other_format(start)}.")
    if 8 + length > size:
        raise PresetError(f"{path} was cut short inside its header; copy the preset again.")
    file.seek(8)
    try:
        plain = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_no_pair_twice)
        plain.pop("__metadata__", None)
        entries = {key: _entry(value, 8 + length) for key, value in plain.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise PresetError(f"{path} has a damaged safetensors header; copy the preset again.") from None
    strange = [key for key, entry in entries.items() if entry.dtype not in FLOAT_TYPES | WHOLE_TYPES]
    if strange:
        raise PresetError(
            f"{path} holds {strange[0]} as {entries[strange[0]].dtype} where only F16, BF16, F32 and I64 are "
            "taken; export it again."
        )
    _check_extent(path, entries.values(), 8 + length, size)
    return entries


def _entry(value: Mapping[str, object], start: int) -> Entry:
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise ValueError("not an entry")
    begin, end = offsets
    for number in (*shape, begin, end):
        if type(number) is not int or number < 0:
            raise ValueError("not a count")
    return Entry(dtype, tuple(shape), start + begin, start + end)


def _check_extent(path: Path, entries: Iterable[Entry], start: int, size: int) -> None:
    reached = start
    for entry in sorted(entries, key=lambda entry: (entry.begin, entry.end)):
        wide = (FLOAT_TYPES | WHOLE_TYPES)[entry.dtype]
        if entry.begin != reached or entry.end - entry.begin != math.prod(entry.shape) * wide:
            raise PresetError(f"{path} has a damaged safetensors header; copy the preset again.")
        reached = entry.end
    if reached > size:
        raise PresetError(f"{path} was cut short: {size} of {reached} bytes are there; copy it again.")
    if reached < size:
        raise PresetError(f"{path} has {size - reached} bytes too many; copy the preset again.")


def _other_format(start: bytes) -> str:
    if start[:4] == b"PK\x03\x04":
        return "is a zip file with a pickle, as torch.save writes, and was not opened; export safetensors"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "is a pickle, which can run code, and was not opened; export safetensors"
    return "is not a safetensors file; replace it"


def _no_pair_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _some(names: list[str]) -> str:
    """`the key a is`, `3 keys (a, b, ...) are`."""
    if len(names) == 1:
        return f"the key {names[0]} is"
    shown = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
    return f"{len(names)} keys ({shown}) are"
