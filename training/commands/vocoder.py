"""`vocaldm-train vocoder`: the vocoder between log-mels and samples."""

from __future__ import annotations

from training.commands import say_outcome
from training.commands.run_options import RunOptions, with_run_options
from vocaldm_live.commands import say


@with_run_options()
def vocoder(run: RunOptions) -> None:
    """Train a vocoder, new or a preset's, with judges or without; the run's folder is one that --vocoder takes."""
    from training.loop import train
    from training.trainers.vocoder import VocoderRecipe, VocoderTrainer

    told = run.read(VocoderRecipe)
    say_outcome(train(lambda fabric: VocoderTrainer(told, fabric, run.out, say), told, run.out, run.fresh))
