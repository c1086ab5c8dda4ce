"""Hub: a data set by its name there, or a folder of Parquet or sounds, through `datasets` with nothing decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.data.collection import Collection
from training.data.rows import from_tables
from training.errors import DataError

PREFIX = "hub:"


def looks(place: Path) -> bool:
    """Never by its looks: a name on the Hub is written hub:OWNER/NAME, or with the format `hub`."""
    return str(place).startswith(PREFIX)


def read(source: str) -> Collection:
    """hub:OWNER/NAME or hub:OWNER/NAME:CONFIGURATION, downloaded once by `datasets`; raises DataError.

    No code of the set is run, and sounds stay the files that they are until they are read. Where there is no
    network, what has been downloaded before is found by `datasets` itself.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError("Sets of the Hub need the package datasets: install the extra `training`.") from error

    name, _, configuration = source.removeprefix(PREFIX).partition(":")
    if not name:
        raise DataError(f"{source} names no data set: write hub:OWNER/NAME.")
    try:
        loaded = datasets.load_dataset(name, configuration or None)
    except Exception as error:  # what it raises depends on the network, the set and the version
        what = " ".join(str(error).split()).rstrip(".")[:200]
        raise DataError(
            f"The data set {name} cannot be loaded ({what}): check its name and the network."
        ) from error
    splits = loaded if isinstance(loaded, dict) else {"train": loaded}
    return from_tables(name.rpartition("/")[2], {str(split): _table(part) for split, part in splits.items()})


def _table(part: Any) -> Any:
    import datasets

    for column, feature in part.features.items():
        if isinstance(feature, (datasets.Audio, datasets.Image)):
            part = part.cast_column(column, type(feature)(decode=False))
    return part.with_format("arrow")[:]
