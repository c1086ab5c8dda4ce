"""Loop: what every training run goes through, from its recipe to its weights: steps, judging, saving, ending."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from training.budget import PLATEAU, Clock, rate_at
from training.checkpoint import BEST_FILE, CHECKPOINT_FILE, load, newest, save
from training.draws import Draws
from training.errors import RunError
from training.journal import Journal
from training.launch import launched
from training.moving_average import MovingAverage
from training.recipe import Every, Recipe
from training.runfolder import held, open_run, write_run
from training.state import State
from training.step import Step, add_up, rows_of
from training.stopping import asked_to_stop
from training.trainer import Outcome, Trainer
from training.turns import Turn, named_weights

if TYPE_CHECKING:
    from lightning.fabric import Fabric

ROW_STEPS = 20
"""Steps that a row of train.csv is the mean of."""

BAD_STEPS = 20
"""Steps in a row without a finite gradient before a run gives up."""


def train(make: Callable[[Fabric], Trainer], recipe: Recipe, folder: Path, fresh: bool = False) -> Outcome:
    """Train what `make` makes, or go on with the run in `folder`, until the recipe's budget is spent.

    Raises RunError where the folder holds another run, other processes were started than the recipe says, the disk
    takes nothing at the start or the end, or gradients stay without finite numbers.
    """
    if recipe.machine.threads:
        torch.set_num_threads(recipe.machine.threads)
    fabric = launched(recipe.machine)
    folder = Path(folder)
    with held(folder) if fabric.is_global_zero else nullcontext():
        if fabric.is_global_zero:
            open_run(folder, recipe, fresh)
        fabric.barrier()
        # Fresh weights come from the recipe's seed, in every process alike.
        torch.manual_seed(recipe.seed)
        with asked_to_stop() as ended:
            return _Run(make(fabric), recipe, folder, fabric, ended).train()


class _Run:
    """A run under way in one process."""

    def __init__(
        self, trainer: Trainer, recipe: Recipe, folder: Path, fabric: Fabric, ended: list[int]
    ) -> None:
        self.trainer, self.recipe, self.folder, self.fabric, self.ended = (
            trainer,
            recipe,
            folder,
            fabric,
            ended,
        )
        for network in (*trainer.networks.values(), *trainer.frozen.values(), *trainer.judges.values()):
            network.to(fabric.device)
        for network in trainer.frozen.values():
            network.eval().requires_grad_(False)
        self.weights = named_weights({**trainer.networks, **trainer.judges})
        self.turns = {
            name: Turn(name, trainer.groups(name), self.weights, recipe.optimiser)
            for name in trainer.turns(1.0)
        }
        for name in self.weights:
            if not any(name in turn.weights for turn in self.turns.values()):
                raise RunError(
                    f"No turn trains {name}, though it requires gradients; correct the trainer's groups."
                )
        self.identity = dict(getattr(trainer, "identity", {}))
        self.average = MovingAverage(trainer.networks, recipe.average)
        self.clock = Clock(recipe.budget)
        self.index = self.bad = self.stale = self.halvings = 0
        self.best: dict[str, float] = {}
        self.state = State(
            trainer.networks, trainer.judges, trainer.frozen, self.weights, self.turns, self.average
        )
        self._sums: dict[str, Tensor] = {}
        self._norms: dict[str, list[float]] = {}
        self._saved = self._validated = self._listened = 0.0
        resumed = self._resume()
        self.journal = Journal(folder, self.index if resumed else -1) if fabric.is_global_zero else None
        self._note("running")
        if not resumed and recipe.keeping.validate_every != Every():
            self._validate()

    def train(self) -> Outcome:
        """Steps until something ends them."""
        ended = self._steps()
        if self.journal is not None:
            self._save(must=True)
        if ended == "paused":
            self._note("paused")
        else:
            self._finish()
            self._note(ended)
        if self.journal is not None:
            self.journal.close()
        self.fabric.barrier()
        return Outcome(self.index, ended, dict(self.best), self.folder)

    def _steps(self) -> Literal["done", "paused", "patience"]:
        keeping = self.recipe.keeping
        while not self.clock.over(self.index):
            if keeping.patience is not None and self.stale >= keeping.patience:
                return "patience"
            self._step()
            self.index += 1
            stop = self._agree()
            if self.index % ROW_STEPS == 0:
                self._row()
            if self._due(keeping.validate_every, "_validated") and not self.clock.over(self.index):
                self._validate()
            if self._due(keeping.listen, "_listened") and self.journal is not None:
                self._listen()
            if stop or self.clock.sat_enough():
                return "done" if self.clock.over(self.index) else "paused"
            if self.clock.spent - self._saved >= keeping.save_seconds:
                self._save()
        return "done"

    def _step(self) -> None:
        recipe, fabric = self.recipe, self.fabric
        done = self.clock.done(self.index)
        rank, world = fabric.global_rank, fabric.world_size
        # Layers that draw for themselves draw anew every step, in a resumed run too.
        torch.manual_seed(((recipe.seed * 1_000_003 + self.index) * 1_009 + rank) % 2**63)
        draws = Draws(
            recipe.seed, self.index, rows_of(recipe.batch, rank, world), recipe.batch, fabric.device
        )
        step = Step(self.index, done, recipe.batch, draws, fabric.device, fabric, recipe.machine.micro_batch)
        rate = rate_at(recipe.optimiser.rates, self.index, done, self.halvings)
        for network in self.trainer.networks.values():
            network.train()
        buffers = [(buffer, buffer.clone()) for buffer in self.state.buffers()]
        good = True
        for name in self.trainer.turns(done):
            turn = self.turns[name]
            for one, weight in self.weights.items():
                weight.requires_grad_(one in turn.weights)
            turn.begin(rate)
            with fabric.autocast():
                add_up(self._sums, self.trainer.step(name, step))
            taken_, norms = turn.finish(fabric)
            good = good and taken_
            for key, value in norms.items():
                self._norms.setdefault(key, []).append(value)
        self._norms.setdefault("rate", []).append(rate)
        if good:
            self.bad = 0
            self.average.update()
            return
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        self.bad += 1
        if self.journal is not None:
            self.journal.trouble("A step had no finite gradient and was left out; the run goes on.")
        if self.bad >= BAD_STEPS:
            raise RunError(
                f"{BAD_STEPS} steps in a row had no finite gradient: lower optimiser.rates.peak or look at the data."
            )

    def _agree(self) -> bool:
        """One clock and one will: whether any process was asked to stop."""
        spent, stop = self.clock.read(), bool(self.ended)
        if self.fabric.world_size > 1:
            mine = [float(stop), spent if self.fabric.is_global_zero else 0.0]
            summed = self.fabric.all_reduce(torch.tensor(mine, device=self.fabric.device), reduce_op="sum")
            assert isinstance(summed, Tensor)
            stop, spent = bool(summed[0] > 0), float(summed[1])
        self.clock.tick(self.index, spent)
        return stop

    def _due(self, every: Every, mark: str) -> bool:
        if every.steps is not None:
            return self.index % every.steps == 0
        if every.minutes is None or self.clock.spent - getattr(self, mark) < every.minutes * 60.0:
            return False
        setattr(self, mark, self.clock.spent)
        return True

    def _row(self) -> None:
        names = sorted(self._sums)
        if names:
            values = torch.stack([self._sums[name].float() for name in names]) / ROW_STEPS
            if self.fabric.world_size > 1:
                values = self.fabric.all_reduce(values, reduce_op="sum")  # type: ignore[assignment]
            row = dict(zip(names, values.tolist(), strict=True))
            row |= {name: sum(found) / len(found) for name, found in self._norms.items()}
            if self.journal is not None:
                self.journal.minutes, self.journal.steps = self.clock.spent / 60.0, self.clock.planned
                self.journal.left = self.clock.left(self.index)
                self.journal.train(self.index, row)
        self._sums, self._norms = {}, {}

    def _validate(self) -> None:
        """Judge the average; keep it where it is the best so far."""
        found: dict[str, float] = {}
        if self.journal is not None:
            found = {
                name: float(value) for name, value in self.trainer.validate(self.average.networks).items()
            }
            self.journal.minutes = self.clock.spent / 60.0
            self.journal.validation(self.index, found)
        found = self.fabric.broadcast(found, src=0)
        criterion = self.trainer.criterion
        if criterion.name not in found:
            raise RunError(
                f"The validation gave no {criterion.name}, by which the best is chosen; correct it."
            )
        value, before = found[criterion.name], self.best.get(criterion.name)
        better = before is None or (value < before if criterion.better == "lower" else value > before)
        if math.isfinite(value) and better:
            self.stale = 0
            self.best = {**found, "step": float(self.index)}
            if self.journal is not None and self.recipe.keeping.best:
                self._written(
                    lambda: save(self.folder / BEST_FILE, self.state.averaged(), {"best": self.best})
                )
            return
        self.stale += 1
        if self.recipe.optimiser.rates.schedule == "plateau" and self.stale % PLATEAU == 0:
            self.halvings += 1

    def _listen(self) -> None:
        folder = self.folder / "listening" / f"step-{self.index:07d}"

        def listen() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            self.trainer.listen(self.average.networks, folder)

        self._written(listen)

    def _finish(self) -> None:
        """Judge once more and write the weights: the best ones where they are kept."""
        if self.recipe.keeping.validate_every != Every() and self.best.get("step") != self.index:
            self._validate()
        if self.journal is None:
            return
        path = self.folder / BEST_FILE
        if self.recipe.keeping.best and path.exists():
            tensors, _ = load(path)
            self.state.restore_average(tensors, path)
        try:
            self.trainer.finish(self.average.networks, self.folder)
        except OSError as error:
            raise RunError(
                f"The weights cannot be written into {self.folder} ({error.strerror}); free space there and give "
                "the same command again."
            ) from error

    # Checkpoints ----------------------------------------------------------------------------------------

    def _save(self, must: bool = False) -> None:
        self._saved = self.clock.spent
        if self.journal is None:
            return
        facts = {
            "step": self.index,
            "average_count": self.average.count,
            "best": self.best,
            "stale": self.stale,
            "halvings": self.halvings,
            "frozen": self.state.hashes,
            "identity": self.identity,
            **self.clock.facts(),
        }
        path = self.folder / CHECKPOINT_FILE
        if must:
            save(path, self.state.tensors(), facts)
        else:
            self._written(lambda: save(path, self.state.tensors(), facts))

    def _resume(self) -> bool:
        path = newest(self.folder)
        if path is None:
            return False
        tensors, facts = load(path)
        before = facts.get("identity", self.identity)
        for name in (*self.identity, *before):
            if before.get(name) != self.identity.get(name):
                raise RunError(
                    f"{path} is of a run whose {name} was different; give it that again or name another --out."
                )
        self.state.restore(tensors, facts["frozen"], path)
        self.index, self.average.count = facts["step"], facts["average_count"]
        self.best, self.stale, self.halvings = facts["best"], facts["stale"], facts["halvings"]
        self.clock.resume(facts)
        self._saved = self._validated = self._listened = self.clock.spent
        self.fabric.print(f"The run goes on after step {self.index}.")
        return True

    def _written(self, write: Callable[[], None]) -> None:
        """Write something that the run can do without for now; a disk that says no is told, once."""
        assert self.journal is not None
        try:
            write()
        except OSError as error:
            self.journal.trouble(f"{self.folder} cannot be written ({error.strerror}); free space there.")
        except RunError as error:
            self.journal.trouble(str(error))

    def _note(self, state: str) -> None:
        if self.journal is None:
            return
        facts: dict[str, Any] = {
            "state": state,
            "steps": self.index,
            "seconds": round(self.clock.spent, 1),
            "best": self.best,
            "frozen": self.state.hashes,
            "identity": self.identity,
            "about": dict(getattr(self.trainer, "about", {})),
        }
        self._written(lambda: write_run(self.folder, facts))
