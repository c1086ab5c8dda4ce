"""Recipe: everything that a run is told, as models that take no key nobody knows; commands add their own sections."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Decay = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """What all sections have in common: unknown keys are refused, values stay, numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Every(Strict):
    """How often something is done: every so many steps, or minutes where no steps are named; neither: never."""

    steps: Count | None = None
    minutes: Positive | None = None


class Budget(Strict):
    """When a run ends: after exactly so many steps, or after so many minutes, earlier parts of it included.

    Minutes beside steps are a box around them; data are prepared before they count. max_hours is for one sitting, what
    is prepared in it included: after the step that spends it (the first at the least) the run is saved and can go on.
    """

    steps: Count | None = None
    minutes: Positive | None = None
    max_hours: Positive | None = None

    @model_validator(mode="after")
    def _ends(self) -> Budget:
        if self.steps is None and self.minutes is None:
            raise ValueError("needs steps or minutes, or the run would never end")
        return self


class Rates(Strict):
    """The learning rate: up to `peak` in `warmup` steps, down to `floor` times that by the end.

    plateau: halved after every third validation in a row that was not the best; needs validations counted in steps.
    """

    peak: Positive
    floor: Share = 0.02
    warmup: Annotated[int, Field(ge=0)] = 100
    schedule: Literal["cosine", "constant", "plateau"] = "cosine"


class Optimiser(Strict):
    """AdamW (arXiv 1711.05101). epsilon fits small gradients: torch's 1e-8 stalls what sits behind a zero layer.

    clip: the longest gradient of a turn, all its tensors together.
    """

    rates: Rates
    betas: tuple[Decay, Decay] = (0.9, 0.99)
    epsilon: Positive = 1e-12
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    clip: Positive = 1.0


class Machine(Strict):
    """Where a run runs (Lightning Fabric); nothing here changes what comes out, beyond rounding.

    micro_batch: most rows of a process at once; fewer need less memory. threads 0: torch's own choice.
    """

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Count | Literal["auto"] = "auto"
    nodes: Count = 1
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    threads: Annotated[int, Field(ge=0)] = 0
    micro_batch: Count | None = None
    workers: Annotated[int, Field(ge=0)] = 2


class Keeping(Strict):
    """How often a run is saved, judged and listened to; patience: validations without a new best before it ends."""

    save_seconds: Annotated[float, Field(ge=0)] = 60.0
    validate_every: Every = Field(default=Every(minutes=3.0), alias="validate")
    listen: Every = Every()
    patience: Count | None = None
    best: bool = True


class Recipe(Strict):
    """One run. `batch` is that of all processes together; `average` the decay of the weights' moving average."""

    command: str
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    batch: Count = 16
    average: Decay = 0.999
    budget: Budget
    optimiser: Optimiser
    machine: Machine = Machine()
    keeping: Keeping = Keeping()

    @model_validator(mode="after")
    def _plateaus_are_counted(self) -> Recipe:
        if self.optimiser.rates.schedule == "plateau" and self.keeping.validate_every.steps is None:
            raise ValueError("optimiser.rates.schedule plateau needs keeping.validate.steps")
        return self
