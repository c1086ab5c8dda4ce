"""`vocaldm cluster`: a studio's machines generate for the laptops of its designers."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from vocaldm_live.commands import DeviceOption, JsonOption, large_imports, say, table

LOOK_SECONDS = 5.0  # between two looks at the gate
cluster = typer.Typer(help="Generate for several laptops on shared machines.", rich_markup_mode=None)


@cluster.command()
def serve(
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes that generate.")] = 1,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="This machine's address that laptops use.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="The port.")] = 10001,
    device: DeviceOption = "auto",
    gpus: Annotated[
        float, typer.Option(metavar="SHARE", min=0.0, help="GPUs that Ray keeps for each worker: 1, or 0.5.")
    ] = 0.0,
    threads: Annotated[
        int, typer.Option(metavar="N", min=0, help="Threads of each worker; 0: an equal share of the cores.")
    ] = 0,
    memory: Annotated[int, typer.Option(metavar="MB", min=80, help="Of Ray's object store.")] = 200,
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Ray that runs already; auto: the one here.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--presets", metavar="DIR", help="Where presets that are sent are kept.")
    ] = None,
) -> int:
    """Serve clips until Ctrl-C: laptops use `vocaldm live --engine ray://HOST:PORT`."""
    with large_imports():
        from vocaldm_live.cluster.pool import LOOPBACK, TOKEN_FILE, Plan, open_pool

    stop = threading.Event()

    def on_signal(number: int, frame: Any) -> None:
        stop.set()

    plan = Plan(workers, host, port, device, gpus, threads, memory, address, folder)
    with open_pool(plan) as opened:
        # After Ray, which sets handlers of its own.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, on_signal)
        if host not in LOOPBACK:
            say(f"Laptops need the token of this machine: copy {TOKEN_FILE} to each of them.")
        say(f"Laptops reach this cluster by `vocaldm live --engine {opened.address}`. Ctrl-C ends.")
        while not stop.wait(LOOK_SECONDS):
            opened.check()
        say("Stopping.")
    return 0


@cluster.command()
def show(
    where: Annotated[str, typer.Argument(metavar="ray://HOST:PORT", help="The cluster.")],
    as_json: JsonOption = False,
) -> int:
    """Show the workers of a cluster."""
    with large_imports():
        from vocaldm_live.cluster.engine import about_cluster

    found = about_cluster(where)
    if as_json:
        for worker in found:
            print(json.dumps(worker))
        return 0
    rows = [[str(worker.get(key, "-")) for key in ("state", "device", "pid", "rows")] for worker in found]
    print(table(("state", "device", "process", "clips"), rows))
    return 0
