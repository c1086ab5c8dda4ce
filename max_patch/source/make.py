"""Make: writes every generated file of this folder. `python -m max_patch.source.make` from the repository's root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from max_patch.source.pd_client import client
from max_patch.source.pd_instrument import instrument

PACKAGE = Path(__file__).resolve().parent.parent


def generated() -> Iterator[tuple[str, bytes]]:
    """(path inside the package, content) of every generated file."""
    yield "pd/vocaldm.client.pd", client().encode()
    yield "pd/vocaldm.pd", instrument().encode()


def main() -> None:
    """Write them."""
    for path, content in generated():
        (PACKAGE / path).parent.mkdir(parents=True, exist_ok=True)
        (PACKAGE / path).write_bytes(content)


if __name__ == "__main__":
    main()
