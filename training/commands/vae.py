"""`vocaldm-train vae`: the VAE between log-mels and latents."""

from __future__ import annotations

from training.commands import say_outcome
from training.commands.run_options import RunOptions, with_run_options
from vocaldm_live.commands import say


@with_run_options()
def vae(run: RunOptions) -> None:
    """Train a VAE between log-mels and latents, new or a preset's, all of it or its decoder alone."""
    from training.loop import train
    from training.trainers.vae import VAERecipe, VAETrainer

    told = run.read(VAERecipe)
    say_outcome(train(lambda fabric: VAETrainer(told, fabric, run.out, say), told, run.out, run.fresh))
