"""Make: writes every generated file of this folder. `python -m max_patch.source.make` from the repository's root."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from max_patch.source import max_client, max_instrument, max_pages
from max_patch.source.addresses import LEASE, MADE_FOR, PORT, PROGRAMS, ROWS
from max_patch.source.max_device import container
from max_patch.source.pd_client import client
from max_patch.source.pd_instrument import instrument

PACKAGE = Path(__file__).resolve().parent.parent
SCRIPTS = Path(__file__).resolve().parent / "javascript"
FILLED = {"MADE_FOR": MADE_FOR, "PROGRAMS": json.dumps(PROGRAMS), "LEASE": LEASE, "PORT": PORT, "ROWS": ROWS}


def generated() -> Iterator[tuple[str, bytes]]:
    """(path inside the package, content) of every generated file."""
    yield "pd/vocaldm.client.pd", client().encode()
    yield "pd/vocaldm.pd", instrument().encode()
    yield "patchers/vocaldm.maxpat", max_instrument.instrument().file()
    yield "patchers/vocaldm.client.maxpat", max_client.client().file()
    yield "patchers/vocaldm.clip.maxpat", max_client.clip().file()
    yield "patchers/vocaldm.voice.maxpat", max_client.voice().file()
    yield "devices/VocalDM Live.amxd", container(max_instrument.device(), "VocalDM Live.maxpat")
    for name, patcher in max_pages.helps().items():
        yield f"help/{name}.maxhelp", patcher.file()
    for page in max_pages.PAGES:
        yield f"docs/{page.name}.maxref.xml", max_pages.reference(page)
    yield "extras/VocalDM Live.maxpat", max_pages.overview().file()
    yield "examples/step-sequencer.maxpat", max_pages.sequencer().file()
    yield "init/vocaldm.txt", b"max definesubstitution vdm vocaldm;\n"
    yield "package-info.json", max_pages.package_info()
    yield "icon.png", max_pages.icon()
    for path in sorted(SCRIPTS.glob("*.js")):
        text = path.read_text(encoding="utf-8")
        for key, value in FILLED.items():
            text = text.replace(f"@{key}@", str(value))
        yield f"javascript/{path.name}", text.encode()


def main() -> None:
    """Write them."""
    for path, content in generated():
        (PACKAGE / path).parent.mkdir(parents=True, exist_ok=True)
        (PACKAGE / path).write_bytes(content)


if __name__ == "__main__":
    main()
