"""Reference engine: requests answered by the authors' own UNet, DDIM, VAE and vocoder.

Hearing, seeds and noise are the engine's, so a clip of either differs from the other's by rounding alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vocaldm_live.checkpoints.preset import Preset
from vocaldm_live.engine.engine import Engine
from vocaldm_live.engine.request import ResolvedRequest
from vocaldm_live.errors import RequestError
from vocaldm_live.model.samplers import Cancelled, SeededNoise
from vocaldm_live.model.unet import Condition
from vocaldm_live.reference.original import Original, original


class ReferenceEngine(Engine):
    """An engine for imported AudioLDM presets of 16 kHz that computes with the PyPI package `audioldm`."""

    def __init__(self, preset: Preset, device: str = "auto") -> None:
        super().__init__(preset, device)
        self.original = Original(preset, self.modules, self.device)
        vae = OriginalVAE(self.original.vae, float(self.modules.vae.latent_scale[0]))
        self.modules = replace(self.modules, vae=vae)  # type: ignore[arg-type]

    def _sample(
        self,
        resolved: Sequence[ResolvedRequest],
        condition: Condition,
        null: Condition,
        frames: int,
        tell: Callable[[str, int, int], None],
        cancelled: Callable[[], bool] | None,
    ) -> Tensor:
        request, geometry = resolved[0], self.modules.geometry
        if request.sampler != "ddim":
            raise RequestError(
                f"sampler is {request.sampler!r}: the reference has ddim alone, so leave it out."
            )
        if 1000 % request.steps:
            raise RequestError(
                f"steps is {request.steps}: the reference would take another number, so give one that divides 1000."
            )
        noise = SeededNoise([one.seed for one in resolved], device=self.device)
        shape = (geometry.latent_channels, frames, geometry.latent_bins)
        drawn = iter(range(request.steps))
        original("latent_diffusion.ddim").noise_like = lambda size, *_: noise(next(drawn), size)  # type: ignore[attr-defined]

        def told(step: int) -> None:
            tell("sample", step + 1, request.steps)
            if cancelled is not None and cancelled():
                raise Cancelled(f"Sampling was cancelled after step {step + 1} of {request.steps}.")

        latent, _ = self.original.sampler().sample(
            request.steps,
            len(resolved),
            shape,
            conditioning=condition.vector,
            eta=request.eta,
            verbose=False,
            x_T=noise.initial(*shape),
            callback=told,
            unconditional_guidance_scale=request.guidance,
            unconditional_conditioning=null.vector,
        )
        return latent

    def _decode_steps(self, frames: int) -> int:
        return 2

    def _vocode(self, mel: Tensor, seeds: Sequence[int]) -> Iterator[Tensor]:
        yield self.original.vocoder(mel)[:, 0, : mel.shape[2] * self.modules.geometry.hop]


class OriginalVAE(nn.Module):
    """The package's VAE with the contract of `model.vae.MelVAE`."""

    def __init__(self, network: nn.Module, latent_scale: float) -> None:
        super().__init__()
        self.network = network
        self.latent_scale = latent_scale

    @torch.inference_mode()
    def encode(self, mel: Tensor) -> Tensor:
        """Log-mel `[batch, bands, frames]` to the latent's mean, scaled."""
        return self.network.encode(mel.transpose(1, 2)[:, None]).mode() / self.latent_scale  # type: ignore[operator]

    @torch.inference_mode()
    def decode(self, latent: Tensor) -> Tensor:
        """The latent to log-mel."""
        return self.network.decode(latent * self.latent_scale)[:, 0].transpose(1, 2)  # type: ignore[operator]
