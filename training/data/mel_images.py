"""Mel images: audio-diffusion's Arrow sets, folders of `save_to_disk` with images or mels of slices of sounds."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from training.data.collection import TRAINING, Collection, Item
from training.data.copying import Copies, whole_file, write_whole
from training.data.rows import TOP_DB, from_tables
from training.data.segments import slices
from training.errors import DataError

DICTIONARY, STATE, INFORMATION = "dataset_dict.json", "state.json", "dataset_info.json"
DATA = "data-00000-of-00001.arrow"
VERSION = 1  # of what is written: another one writes anew
# audio-diffusion's own numbers: audio_to_images.py's defaults.
SAMPLE_RATE, N_FFT, HOP, RESOLUTION = 22050, 2048, 512, 256
FEATURES = {
    "image": {"_type": "Image"},
    "audio_file": {"dtype": "string", "_type": "Value"},
    "slice": {"dtype": "int16", "_type": "Value"},
}


def looks(place: Path) -> bool:
    """A folder that `save_to_disk` wrote."""
    return (place / DICTIONARY).is_file() or (place / STATE).is_file()


def read(source: str) -> Collection:
    """A set of `save_to_disk`: mel images, mels, or sounds; slices of one file are one group; raises DataError."""
    place = Path(source)
    if (place / DICTIONARY).is_file():
        splits = _json(place / DICTIONARY).get("splits")
        if not isinstance(splits, list) or not splits:
            raise DataError(f"{place / DICTIONARY} names no splits: save the set again.")
        return from_tables(
            place.name, {str(split): _table(place / Path(str(split)).name) for split in splits}
        )
    if not (place / STATE).is_file():
        raise DataError(f"{place} is no folder of `save_to_disk`: it holds neither {DICTIONARY} nor {STATE}.")
    name = _json(place / STATE).get("_split")
    return from_tables(place.name, {name if isinstance(name, str) else place.name: _table(place)})


def _table(folder: Path) -> Any:
    pyarrow = arrow()
    files = _json(folder / STATE).get("_data_files")
    try:
        names = [Path(str(file["filename"])).name for file in files or ()]
        tables = [
            pyarrow.ipc.open_stream(pyarrow.memory_map(str(folder / name))).read_all() for name in names
        ]
        if not tables:
            raise DataError(f"{folder / STATE} names no files: save the set again.")
        return pyarrow.concat_tables(tables)
    except (pyarrow.ArrowException, OSError, KeyError, TypeError) as error:
        what = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise DataError(
            f"The Arrow files of {folder} cannot be read ({what}): save the set again."
        ) from error


def arrow() -> Any:
    """pyarrow, with the parts used here; raises DataError where it is not installed."""
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError as error:
        raise DataError("Arrow sets need pyarrow: install the extra `training`.") from error
    return pyarrow


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read: save the set again.") from error
    return content if isinstance(content, dict) else {}


def mel_image(samples: np.ndarray) -> np.ndarray:
    """audio-diffusion's image of samples `[n]` at 22,050 Hz: uint8 `[256, frames]`, lowest band first.

    Mel power in dB below its own maximum, 80 dB on 0 to 255, so that loudness is lost (teticio/audio-diffusion).
    """
    import torch

    from vocaldm_live.sound.geometry import Geometry
    from vocaldm_live.sound.mel import mel_filters

    geometry = Geometry(SAMPLE_RATE, N_FFT, HOP, RESOLUTION, 0.0, SAMPLE_RATE / 2)
    spectrum = torch.stft(
        torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)),
        N_FFT,
        HOP,
        window=torch.hann_window(N_FFT),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = np.maximum(mel_filters(geometry) @ spectrum.abs().square().numpy(), 1e-10)
    decibels = np.maximum(10.0 * np.log10(power / power.max()), -TOP_DB)
    return ((decibels + TOP_DB) * 255.0 / TOP_DB + 0.5).clip(0, 255).astype(np.uint8)


def write(collection: Collection, copies: Copies) -> None:
    """One PNG a slice of 131,071 samples at 22,050 Hz, silent slices left out, in Arrow files by split.

    A split that is there and was made of the same sounds is kept.
    """
    pyarrow = arrow()
    columns = {"bytes": pyarrow.binary(), "path": pyarrow.string()}
    image = pyarrow.struct(list(columns.items()))
    fields = [("image", image), ("audio_file", pyarrow.string()), ("slice", pyarrow.int16())]
    features = json.dumps({"info": {"features": FEATURES}})
    schema = pyarrow.schema(fields, metadata={"huggingface": features})
    splits = sorted({item.split or TRAINING for item in collection.items})
    folders: dict[str, str] = {}
    for split in splits:
        name = _plain(split)
        while name in folders.values():
            name += "_"
        folders[split] = name
    for split in splits:
        _write_split(collection, split, copies, copies.folder / folders[split], schema)
    copies.text(DICTIONARY, json.dumps({"splits": list(folders.values())}))


def _write_split(collection: Collection, split: str, copies: Copies, folder: Path, schema: Any) -> None:
    """The Arrow file of a split, unless it is there and was made of the same sounds."""
    pyarrow = arrow()
    items, fingerprint = _contents(collection, split, copies)
    there = _kept(folder, fingerprint)
    if there is not None:
        for item in items:
            if _named(item) in there:
                copies.took(item, f"{folder.name}/{item.key}")
            else:
                copies.skip(
                    f"{_named(item)} was silent or unreadable when {folder} was made: it is left out."
                )
        return
    with suppress(OSError):  # of another set; what is wrong with the disk is told by what is written next
        (folder / STATE).unlink(missing_ok=True)
    with whole_file(folder / DATA) as sink, pyarrow.ipc.new_stream(sink, schema) as stream:
        for item in items:
            found = _images(collection, item, copies)
            if found:
                data = [{"bytes": data, "path": None} for _, data in found]
                columns = [
                    pyarrow.array(data, schema.field("image").type),
                    [_named(item)] * len(found),
                    pyarrow.array([number for number, _ in found], pyarrow.int16()),
                ]
                stream.write_batch(pyarrow.record_batch(columns, schema=schema))
                copies.took(item, f"{folder.name}/{item.key}")
    write_whole(folder / INFORMATION, json.dumps({"features": FEATURES}, indent=2).encode())
    state: dict[str, object] = {
        "_data_files": [{"filename": DATA}],
        "_fingerprint": fingerprint,
        "_split": folder.name,
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
    }
    write_whole(folder / STATE, json.dumps(state, indent=2).encode())


def _contents(collection: Collection, split: str, copies: Copies) -> tuple[list[Item], str]:
    """A split's items that can be read, and 16 digits that tell what is made of them from anything else.

    `datasets` names what it computes of a set by these digits, so other content must never have the same.
    """
    state = hashlib.sha256(f"{VERSION} {SAMPLE_RATE} {N_FFT} {HOP} {RESOLUTION} {split}".encode())
    items = []
    for item in collection.items:
        if (item.split or TRAINING) == split:
            try:
                state.update(f"\n{_named(item)} {collection.content_key(item)}".encode())
            except DataError as error:
                copies.skip(str(error))
                continue
            items.append(item)
    return items, state.hexdigest()[:16]


def _kept(folder: Path, fingerprint: str) -> set[str] | None:
    """The sounds that a split on disk holds images of; None where it is not there or was made of others."""
    try:
        if _json(folder / STATE).get("_fingerprint") != fingerprint:
            return None
        return set(_table(folder).column("audio_file").to_pylist())
    except (DataError, KeyError):
        return None


def _named(item: Item) -> str:
    return item.key.encode("utf-8", "backslashreplace").decode()


def _plain(split: str) -> str:
    """What `datasets` takes as a split's name."""
    return "".join(letter if letter.isalnum() else "_" for letter in split)


def _images(collection: Collection, item: Item, copies: Copies) -> list[tuple[int, bytes]]:
    """The slices of a sound that are not silent: their numbers and PNG files."""
    from PIL import Image

    try:
        samples = collection.read(item).at(SAMPLE_RATE).samples
    except DataError as error:
        copies.skip(str(error))
        return []
    found = []
    for number, part in slices(samples, RESOLUTION * HOP - 1):
        file = io.BytesIO()
        Image.fromarray(mel_image(part)).save(file, format="PNG")
        found.append((number, file.getvalue()))
    if not found:
        copies.skip(f"{item.key} is silent: it is left out.")
    return found
