"""Launch: a run's processes, started by Fabric or joined where torchrun or srun have started them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from training.errors import RunError
from training.recipe import Machine
from vocaldm_live.errors import VocalDMError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def launched(machine: Machine) -> Fabric:
    """Fabric on the machine of a recipe, its processes under way.

    Raises RunError where torchrun or srun have started another number of processes than the recipe says: each of them
    would train by itself, in the same folder.
    """
    from lightning_fabric import Fabric

    fabric = Fabric(
        accelerator=machine.accelerator,
        devices=machine.devices,
        num_nodes=machine.nodes,
        precision=machine.precision,
    )
    found = started()
    devices = getattr(fabric.strategy, "num_processes", 1)
    if found is not None and found[1] != devices * machine.nodes:
        who, count = found
        raise RunError(
            f"{who} has started {count} processes and the run has {devices} on {machine.nodes} machine(s): let "
            "--devices be the processes a machine and --nodes the machines."
        )
    fabric.launch()
    return fabric


def disconnect(fabric: Fabric) -> None:
    """Close what connects the processes of a run, which are several or one.

    Fabric leaves gloo's open, and a process that ends with its threads under way may be aborted by them, all done or not.
    """
    import torch.distributed as distributed

    if fabric.world_size > 1 and distributed.is_initialized():
        distributed.destroy_process_group()


def in_first_process(fabric: Fabric, action: Callable[[], None]) -> None:
    """Do something in the first process while the others wait; where it raises a sentence there, all of them do.

    Raises what `action` raises, and RunError with its sentence in the other processes.
    """
    said: str | None = None
    if fabric.is_global_zero:
        try:
            action()
        except VocalDMError as error:
            if fabric.world_size > 1:
                fabric.broadcast(str(error), src=0)
            raise
    if fabric.world_size > 1:
        said = fabric.broadcast(said, src=0)
    if said is not None:
        raise RunError(said)


def started() -> tuple[str, int] | None:
    """Who has started this process as one of so many; None where nobody has.

    torchrun sets TORCHELASTIC_RUN_ID and WORLD_SIZE, srun SLURM_STEP_NUM_TASKS. In jobs called bash or interactive
    Fabric passes over SLURM, and so does this.
    """
    told = os.environ
    if "TORCHELASTIC_RUN_ID" in told:
        return "torchrun", int(told["WORLD_SIZE"])
    if "SLURM_STEP_NUM_TASKS" in told and told.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        return "srun", int(told["SLURM_STEP_NUM_TASKS"])
    return None
