"""Run: what every training script shares: time box, resume, EMA, logs, one process or many."""

from __future__ import annotations

import argparse
import copy
import csv
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn


def add_run_arguments(parser: argparse.ArgumentParser, minutes: float) -> None:
    """The flags that every training command takes."""
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of this run: checkpoints, logs, weights"
    )
    parser.add_argument(
        "--minutes",
        type=float,
        default=minutes,
        help="training time in all, earlier parts of a resumed run included",
    )
    parser.add_argument("--batch", type=int, default=16, help="examples a step and process")
    parser.add_argument("--lr", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch's own choice")
    parser.add_argument("--accelerator", default="auto", help="auto, cpu, cuda or mps (Lightning Fabric)")
    parser.add_argument("--devices", default="auto", help="number of devices (Lightning Fabric)")
    parser.add_argument("--nodes", type=int, default=1, help="number of machines (Lightning Fabric)")
    parser.add_argument("--precision", default="32-true", help="32-true, bf16-mixed ... (Lightning Fabric)")
    parser.add_argument(
        "--validate-every", type=float, default=3.0, help="minutes between validations on the fixed bank"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start anew even where the folder holds a checkpoint"
    )


Module = TypeVar("Module", bound=nn.Module)


class ExponentialAverage:
    """Exponential moving average of a module's weights, warmed up as (1 + n) / (10 + n)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.count = 0
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    def update(self, module: nn.Module) -> None:
        """Move the average toward `module`; buffers are copied."""
        self.count += 1
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        with torch.no_grad():
            for weight, newer in zip(self.module.parameters(), module.parameters(), strict=True):
                weight.lerp_(newer.detach(), 1.0 - decay)
            for buffer, newer_buffer in zip(self.module.buffers(), module.buffers(), strict=True):
                buffer.copy_(newer_buffer)


class Stateful(Protocol):
    """What a checkpoint can hold beside the module: other networks, their optimisers."""

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs of it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Inverse of `state_dict`."""
        ...


def start(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the command line and seed torch, so that fresh weights depend on --seed as well."""
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    return arguments


class Run:
    """One training run in one folder.

    `loss(step) -> dict` returns tensors; the entry "loss" is minimised and all are logged.
    `validate(module) -> dict` judges the averaged weights on a fixed bank. A killed run goes on from its last
    checkpoint with the same command. `forward_methods` are methods of the module that `loss` calls beside
    forward; `others` are kept in the checkpoint too.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        module: nn.Module,
        ema: float = 0.999,
        betas: tuple[float, float] = (0.9, 0.99),
        forward_methods: Sequence[str] = (),
        others: Mapping[str, Stateful] | None = None,
    ) -> None:
        from lightning.fabric import Fabric

        if arguments.threads:
            torch.set_num_threads(arguments.threads)
        self.arguments = arguments
        self.folder = Path(arguments.out)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fabric = Fabric(
            accelerator=arguments.accelerator,
            devices=arguments.devices,
            num_nodes=arguments.nodes,
            precision=arguments.precision,
        )
        self.fabric.launch()
        weights = [parameter for parameter in module.parameters() if parameter.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=arguments.lr, betas=betas, weight_decay=1e-4)
        self.average = ExponentialAverage(module.to(self.fabric.device), ema)
        self.module, self.optimiser = self.fabric.setup(module, optimiser)
        for name in forward_methods:
            self.module.mark_forward_method(name)
        self.others = dict(others or {})
        self.step = 0
        self.spent = 0.0
        self._writer: Any = None
        if not arguments.fresh:
            self._resume()
        # Another stream for every process and for every part of a resumed run.
        torch.manual_seed((arguments.seed * 1_000_003 + self.step) * 1_009 + self.fabric.global_rank)

    @property
    def device(self) -> torch.device:
        """Where the module lies."""
        return self.fabric.device

    @property
    def checkpoint(self) -> Path:
        """The file that a resumed run starts from."""
        return self.folder / "checkpoint.pt"

    def train(
        self,
        loss: Callable[[int], dict[str, Tensor]],
        validate: Callable[[nn.Module], dict[str, float]] | None = None,
    ) -> nn.Module:
        """Train until the minutes are used up; returns the averaged module."""
        limit = self.arguments.minutes * 60.0
        last_check = self.spent
        begun = time.monotonic() - self.spent
        recent: dict[str, list[float]] = {}
        counted = 0
        while self.spent < limit:
            rate = self._rate(self.spent / limit)
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            parts = loss(self.step)
            self.optimiser.zero_grad(set_to_none=True)
            self.fabric.backward(parts["loss"])
            norm = self.fabric.clip_gradients(
                self.module, self.optimiser, max_norm=1.0, error_if_nonfinite=False
            )
            if norm is None or torch.isfinite(norm):
                self.optimiser.step()
                self.average.update(getattr(self.module, "module", self.module))
            self.step += 1
            self.spent = time.monotonic() - begun
            if self.fabric.world_size > 1:
                # One clock for all, or the processes would stop at different steps and wait for ever.
                self.spent = float(self.fabric.broadcast(self.spent, src=0))
            for name, value in parts.items():
                recent.setdefault(name, []).append(float(value.detach()))
            counted += 1
            if counted == 50:
                means = {name: sum(values) / len(values) for name, values in recent.items()}
                self._log("train", means | {"rate": rate})
                recent, counted = {}, 0
            if self.spent - last_check > self.arguments.validate_every * 60.0:
                last_check = self.spent
                self.save()
                if validate is not None:
                    self._log("validation", validate(self.average.module))
        self.save()
        if validate is not None:
            self._log("validation", validate(self.average.module))
        return self.average.module

    def save(self) -> None:
        """Write the checkpoint beside the old one and swap it in."""
        if not self.fabric.is_global_zero:
            return
        state = {
            "module": getattr(self.module, "module", self.module).state_dict(),
            "average": self.average.module.state_dict(),
            "average_count": self.average.count,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "spent": self.spent,
            "others": {name: other.state_dict() for name, other in self.others.items()},
        }
        unfinished = self.checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.replace(self.checkpoint)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        getattr(self.module, "module", self.module).load_state_dict(state["module"])
        self.average.module.load_state_dict(state["average"])
        self.average.count = state["average_count"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.spent = state["step"], state["spent"]
        for name, other in self.others.items():
            if name in state.get("others", {}):
                other.load_state_dict(state["others"][name])
        self.fabric.print(f"resumed at step {self.step}, {self.spent / 60:.1f} minutes in")

    def _rate(self, done: float) -> float:
        warm = min(1.0, (self.step + 1) / 100)
        return self.arguments.lr * warm * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done))))

    def _log(self, kind: str, values: dict[str, float]) -> None:
        if not self.fabric.is_global_zero:
            return
        row = {"step": self.step, "minutes": self.spent / 60.0, **values}
        text = "  ".join(f"{name} {value:.4g}" for name, value in row.items())
        print(f"{kind}: {text}", flush=True)
        _append(self.folder / f"{kind}.csv", row)
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self.folder))
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, self.step)
        self._writer.flush()


def _append(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV file; columns that it did not have so far are added to the file."""
    rows: list[dict[str, Any]] = []
    columns: list[str] = []
    if path.exists():
        with open(path, newline="") as file:
            reader = csv.DictReader(file)
            columns = list(reader.fieldnames or [])
            rows = list(reader) if set(row) - set(columns) else []
    missing = [name for name in row if name not in columns]
    with open(path, "w" if missing else "a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=columns + missing)
        if missing:
            writer.writeheader()
        writer.writerows([*rows, row])


def save_weights(
    module: nn.Module, path: Path, dtype: torch.dtype = torch.float32, skip: Iterable[str] = ()
) -> None:
    """Write a module's state as safetensors; `skip` leaves out keys that start so."""
    from safetensors.torch import save_file

    skipped = tuple(skip)
    state = {
        key: (value.to(dtype) if value.is_floating_point() else value).contiguous()
        for key, value in module.state_dict().items()
        if not (skipped and key.startswith(skipped))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path)


def channels_last(module: Module) -> Module:
    """The module with its four-dimensional weights in channels-last order, which convolutions on CPUs prefer."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return module
