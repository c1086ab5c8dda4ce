"""Loop: what every training run goes through, from its recipe to its weights: steps, judging, saving, ending."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor

from training.best import Best
from training.budget import PLATEAU, Clock, rate_at
from training.checkpoint import CHECKPOINT_FILE, load, newest, save
from training.draws import Draws
from training.errors import RunError
from training.journal import Journal
from training.launch import disconnect, in_first_process, launched
from training.moving_average import MovingAverage
from training.recipe import Every, Recipe
from training.runfolder import ENDED, LISTENING, begin_run, check_run, held, state_of, write_run
from training.state import State
from training.step import Step, add_up, rows_of
from training.stopping import asked_to_stop
from training.trainer import Outcome, Trainer
from training.turns import Turn, named_weights
from vocaldm_live.commands import say

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ROW_STEPS = 20
"""Steps that a row of train.csv is the mean of."""

BAD_STEPS = 20
"""Steps in a row without a finite gradient before a run gives up."""


def train(make: Callable[[Fabric], Trainer], recipe: Recipe, folder: Path, fresh: bool = False) -> Outcome:
    """Train what `make` makes, or go on with the run in `folder`, until the recipe's budget is spent.

    Raises RunError where the folder holds another run, other processes were started than the recipe says or more than
    a batch has rows, the disk takes nothing at the start or the end, or gradients stay without finite numbers. What the
    folder held before stays until `make` has returned.
    """
    clock = Clock(recipe.budget)
    if recipe.machine.threads:
        torch.set_num_threads(recipe.machine.threads)
    fabric = launched(recipe.machine)
    folder = Path(folder)
    with ExitStack() as ending:
        ending.callback(disconnect, fabric)
        if recipe.batch < fabric.world_size:
            raise RunError(
                f"A batch of {recipe.batch} has no row for each of {fabric.world_size} processes; set batch to "
                f"{fabric.world_size} or more, or start fewer processes."
            )

        def take() -> None:
            ending.enter_context(held(folder))
            check_run(folder, recipe, fresh)

        in_first_process(fabric, take)
        # Fresh weights come from the recipe's seed, in every process alike.
        torch.manual_seed(recipe.seed)
        trainer = make(fabric)
        in_first_process(fabric, lambda: begin_run(folder, recipe, fresh))
        run = _Run(trainer, recipe, folder, fabric, clock)
        with asked_to_stop() as asked:
            return run.train(asked)


class _Run:
    """A run under way in one process."""

    def __init__(self, trainer: Trainer, recipe: Recipe, folder: Path, fabric: Fabric, clock: Clock) -> None:
        self.trainer, self.recipe, self.folder, self.fabric, self.clock = (
            trainer,
            recipe,
            folder,
            fabric,
            clock,
        )
        self.asked: Sequence[int] = ()
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
        self.clock.begin()
        self.index = self.bad = self.stale = self.halvings = 0
        self.best = Best(folder, recipe.keeping.best, trainer.criterion)
        self.state = State(
            trainer.networks, trainer.judges, trainer.frozen, self.weights, self.turns, self.average
        )
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()
        self._norms: dict[str, list[float]] = {}
        self._saved = self._validated = self._listened = 0.0
        resumed = self._resume()
        self.ended = self._ended_before() if resumed else None
        self.journal = Journal(folder, self.index if resumed else -1) if fabric.is_global_zero else None
        if self.ended is None:
            self._note("running")
            if not resumed and recipe.keeping.validate_every != Every():
                self._validate()

    def train(self, asked: Sequence[int]) -> Outcome:
        """Steps until something ends them, or someone has `asked`; a run that has ended before is left as it is."""
        self.asked = asked
        ended: Literal["done", "paused", "patience"] | None = self.ended
        if ended is None:
            ended = self._steps()
            judging = self.recipe.keeping.validate_every != Every()
            if ended != "paused" and judging and self.best.judged.get("step") != self.index:
                self._validate()
            in_first_process(self.fabric, lambda: self._save(must=True))
            if ended != "paused":
                in_first_process(self.fabric, self._finish)
            self._note(ended)
        if self.journal is not None:
            self.journal.close()
        self.fabric.barrier()
        return Outcome(self.index, ended, dict(self.best.figures), self.folder, self.fabric.is_global_zero)

    def _ended_before(self) -> Literal["done", "patience"] | None:
        """How a run that is taken up again has ended: nothing is left to do, and its weights lie there."""
        if not (self.clock.over(self.index) or self._out_of_patience()):
            return None
        said: str | None = None
        if self.fabric.is_global_zero:
            trained = {name.partition(".")[0] for name in self.weights} & set(self.trainer.networks)
            if all((self.folder / f"{name}.safetensors").is_file() for name in trained):
                said = state_of(self.folder)
        said = self.fabric.broadcast(said, src=0)
        return cast('Literal["done", "patience"]', said) if said in ENDED else None

    def _out_of_patience(self) -> bool:
        patience = self.recipe.keeping.patience
        return patience is not None and self.stale >= patience

    def _steps(self) -> Literal["done", "paused", "patience"]:
        keeping = self.recipe.keeping
        while not self.clock.over(self.index):
            if self._out_of_patience():
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
            if stop:
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
                values = self.trainer.step(name, step)
            add_up(self._sums, values)
            self._counts.update(values.keys())
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
        """One clock and one will: whether any process was asked to stop, or has sat for long enough."""
        spent, stop = self.clock.read(), bool(self.asked) or self.clock.sat_enough()
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
            values = torch.stack([self._sums[name].float() / self._counts[name] for name in names])
            if self.fabric.world_size > 1:
                values = self.fabric.all_reduce(values, reduce_op="sum")  # type: ignore[assignment]
            row = dict(zip(names, values.tolist(), strict=True))
            row |= {name: sum(found) / len(found) for name, found in self._norms.items()}
            if self.journal is not None:
                self.journal.minutes, self.journal.steps = self.clock.spent / 60.0, self.clock.planned
                self.journal.left = self.clock.left(self.index)
                self.journal.train(self.index, row)
        self._sums, self._norms = {}, {}
        self._counts.clear()

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
        self.best.judged = {**found, "step": float(self.index)}
        if self.best.surpassed():
            self.stale = 0
            if self._kept():
                self.best.figures = self.best.judged
            return
        self.stale += 1
        if self.recipe.optimiser.rates.schedule == "plateau" and self.stale % PLATEAU == 0:
            self.halvings += 1

    def _kept(self) -> bool:
        """Keep the averages that were judged, where the recipe says so; False where the disk said no."""
        if not self.best.kept:
            return True
        kept = self.journal is None or self._written(lambda: self.best.write(self.state.averaged()))
        return self.fabric.broadcast(kept, src=0)

    def _listen(self) -> None:
        folder = self.folder / LISTENING / f"step-{self.index:07d}"

        def listen() -> None:
            folder.mkdir(parents=True, exist_ok=True)
            self.trainer.listen(self.average.networks, folder)

        self._written(listen)

    def _finish(self) -> None:
        """Write the weights: the best ones where they are kept, else the last."""
        if self.best.kept and self.best.figures:
            found = self.best.read(self.index)
            if found is not None and found[1]["step"] == self.best.figures["step"]:
                self.state.restore_average(found[0], self.best.path)
            else:
                say(f"{self.best.path} holds the best weights no more; the last ones come out.")
                self.best.figures = self.best.judged
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
            "stale": self.stale,
            "halvings": self.halvings,
            "frozen": self.state.hashes,
            "identity": self.identity,
            **self.best.facts(),
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
        self.stale, self.halvings = facts["stale"], facts["halvings"]
        if self.best.resume(facts, self.index, self.fabric):
            self.stale = 0
        self.clock.resume(facts)
        self._saved = self._validated = self._listened = self.clock.spent
        self.fabric.print(f"The run goes on after step {self.index}.")
        return True

    def _written(self, write: Callable[[], None]) -> bool:
        """Write something that the run can do without for now; a disk that says no is told, once, and makes it False."""
        assert self.journal is not None
        try:
            write()
            return True
        except OSError as error:
            self.journal.trouble(f"{self.folder} cannot be written ({error.strerror}); free space there.")
        except RunError as error:
            self.journal.trouble(str(error))
        return False

    def _note(self, state: str) -> None:
        if self.journal is None:
            return
        facts: dict[str, Any] = {
            "state": state,
            "steps": self.index,
            "seconds": round(self.clock.spent, 1),
            "best": self.best.figures,
            "frozen": self.state.hashes,
            "identity": self.identity,
            "about": dict(getattr(self.trainer, "about", {})),
        }
        self._written(lambda: write_run(self.folder, facts))
