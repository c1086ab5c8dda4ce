"""The QVIM encoder: two MobileNetV3 `mn10` towers that turn a sound's mel picture into 960 numbers.

Module names follow EfficientAT, so the state dicts of its AudioSet checkpoints and of QVIM training runs load
strictly: `features.N.block.J...`, `conc_se_layers.0.fc1`, `classifier.2`, `classifier.5`.

Architecture: Howard et al. 2019 (MobileNetV3-Large, table 1), with the audio changes of Schmid et al. 2023
(EfficientAT). Two towers: Greif et al. 2024 (0.635 against 0.575 MRR for a shared one).
"""

from __future__ import annotations

from collections import OrderedDict
from copy import deepcopy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

EMBEDDING_SIZE = 960
CLASSES = 527
MEL_BANDS = 128
# Shorter pictures shrink to one frame long before the last stage: 0.16 s at 100 frames a second.
MINIMUM_FRAMES = 16
# Frames of mel that one column of the last map sees through its convolutions.
RECEPTIVE_FRAMES = 595


class Bottleneck(NamedTuple):
    """One row of the architecture table: an inverted residual block."""

    inputs: int
    kernel: int
    expanded: int
    outputs: int
    squeezed: int  # 0: no squeeze-and-excitation
    hardswish: bool
    stride: int


STEM_CHANNELS = 16
BOTTLENECKS = (
    Bottleneck(16, 3, 16, 16, 0, False, 1),
    Bottleneck(16, 3, 64, 24, 0, False, 2),
    Bottleneck(24, 3, 72, 24, 0, False, 1),
    Bottleneck(24, 5, 72, 40, 24, False, 2),
    Bottleneck(40, 5, 120, 40, 32, False, 1),
    Bottleneck(40, 5, 120, 40, 32, False, 1),
    Bottleneck(40, 3, 240, 80, 0, True, 2),
    Bottleneck(80, 3, 200, 80, 0, True, 1),
    Bottleneck(80, 3, 184, 80, 0, True, 1),
    Bottleneck(80, 3, 184, 80, 0, True, 1),
    Bottleneck(80, 3, 480, 112, 120, True, 1),
    Bottleneck(112, 3, 672, 112, 168, True, 1),
    Bottleneck(112, 5, 672, 160, 168, True, 2),
    Bottleneck(160, 5, 960, 160, 240, True, 1),
    Bottleneck(160, 5, 960, 160, 240, True, 1),
)


def normalise(embedding: Tensor) -> Tensor:
    """Embeddings `[..., 960]` at unit length, as retrieval compares them; a zero vector stays zero."""
    return functional.normalize(embedding, dim=-1)


class MobileNetV3(nn.Module):
    """One tower, EfficientAT's `mn10`: 4.88 million parameters, 2.97 million without the classifier."""

    def __init__(self, classifier: bool = True) -> None:
        super().__init__()
        layers: list[nn.Module] = [ConvNormActivation(1, STEM_CHANNELS, 3, 2, activation=nn.Hardswish)]
        layers += [InvertedResidual(row) for row in BOTTLENECKS]
        layers.append(ConvNormActivation(BOTTLENECKS[-1].outputs, EMBEDDING_SIZE, 1, activation=nn.Hardswish))
        self.features = nn.ModuleList(layers)
        self.classifier: nn.Sequential | None = _classifier() if classifier else None
        self.apply(_initialise)

    def forward(self, mel: Tensor, frames: Tensor | None = None) -> tuple[Tensor | None, Tensor]:
        """AudioSet logits `[batch, 527]` (None without a classifier) and embedding `[batch, 960]`.

        Arguments and errors as in `embed`.
        """
        embedding = self.embed(mel, frames)
        return (None if self.classifier is None else self.classifier(embedding)), embedding

    def embed(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embedding `[batch, 960]`, not normalised, of `mel` `[batch, 1, 128, 16 or more]` from `EncoderMel`.

        The embedding is the mean of the last feature map over bands and time. `frames`, an integer tensor
        `[batch]`, says how many leading frames of each clip are sound; the rest is padding of any content.
        The padding is cleared before every convolution and left out of every mean (squeeze-and-excitation
        too), so in eval mode a padded clip's embedding is that of the clip alone, but for rounding. In
        training mode batch normalisation still counts the padded columns in its statistics. Two limits lie
        outside: the mel's own last frame or two differ between a sound that ends (reflected by the STFT) and
        one followed by zeros, and a clip alone must have 16 frames where a padded one may have fewer.
        Raises ValueError for a wrong shape, for fewer than 16 frames, and for lengths outside 1 .. frames.
        """
        if mel.ndim != 4 or mel.shape[1] != 1 or mel.shape[2] != MEL_BANDS or mel.shape[3] < MINIMUM_FRAMES:
            raise ValueError(
                f"the encoder needs a mel shaped [batch, 1, {MEL_BANDS}, {MINIMUM_FRAMES} or more frames], "
                f"got {list(mel.shape)}."
            )
        if frames is not None:
            frames = _checked_lengths(frames, mel)
        maps = mel
        for layer in self.features:
            maps, frames = layer(maps, frames)
        return _mean_over_map(maps, frames)


class Encoder(nn.Module):
    """Two towers, one for imitations and one for reference sounds, and `tau`, their training temperature.

    The towers start equal and train apart. `shared=True` makes both attributes the same module; its state
    dict then holds the tower once, as `imitation_encoder.*`. With classifiers and two towers the state dict
    has exactly the keys of a QVIM Lightning checkpoint.
    """

    imitation_encoder: MobileNetV3
    reference_encoder: MobileNetV3

    def __init__(self, classifier: bool = True, shared: bool = False) -> None:
        super().__init__()
        self.shared = shared
        self.imitation_encoder = MobileNetV3(classifier)
        if shared:
            # Past nn.Module's registration: a registered alias would put every tensor into the state dict
            # twice, and loading two different towers would silently keep only the last.
            self.__dict__["reference_encoder"] = self.imitation_encoder
        else:
            self.reference_encoder = deepcopy(self.imitation_encoder)
        self.tau = nn.Parameter(torch.full((1,), 0.07))

    def forward(
        self,
        imitation_mel: Tensor,
        reference_mel: Tensor,
        imitation_frames: Tensor | None = None,
        reference_frames: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Embeddings of a training pair, each `[batch, 960]` and not normalised."""
        return (
            self.embed_imitation(imitation_mel, imitation_frames),
            self.embed_reference(reference_mel, reference_frames),
        )

    def embed_imitation(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embedding `[batch, 960]`, not normalised, of an imitation's mel; see `MobileNetV3.embed`."""
        return self.imitation_encoder.embed(mel, frames)

    def embed_reference(self, mel: Tensor, frames: Tensor | None = None) -> Tensor:
        """Embedding `[batch, 960]`, not normalised, of a reference sound's mel; see `MobileNetV3.embed`."""
        return self.reference_encoder.embed(mel, frames)


# The layers below pass (maps, frames) along: maps [batch, channels, bands, time] and, where a batch is
# padded, the valid length [batch] on the current time grid.


class ConvNormActivation(nn.ModuleList):
    """Convolution without bias (`0`), batch normalisation (`1`) and, unless None, an activation (`2`)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.ReLU] | type[nn.Hardswish] | None = None,
    ) -> None:
        convolution = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        layers: list[nn.Module] = [convolution, nn.BatchNorm2d(outputs, eps=0.001, momentum=0.01)]
        if activation is not None:
            layers.append(activation(inplace=True))
        super().__init__(layers)
        self.looks_around = kernel > 1
        self.stride = stride

    def forward(self, maps: Tensor, frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if frames is not None:
            if self.looks_around:
                maps = _without_padding(maps, frames)
            frames = (frames + self.stride - 1) // self.stride
        for layer in self:
            maps = layer(maps)
        return maps, frames


class SqueezeLayer(nn.Module):
    """Squeeze-and-excitation's two linear layers: channel means `[batch, c]` to gates 0..1 `[batch, c]`."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, squeezed)
        self.fc2 = nn.Linear(squeezed, channels)

    def forward(self, means: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(functional.relu(self.fc1(means))))


class SqueezeExcitation(nn.Module):
    """Channel gates from the mean over bands and valid time (Hu et al. 2018), with a plain sigmoid.

    EfficientAT can run several of these side by side; mn10 has one, and the list keeps its key names.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.conc_se_layers = nn.ModuleList([SqueezeLayer(channels, squeezed)])

    def forward(self, maps: Tensor, frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        gates = self.conc_se_layers[0](_mean_over_map(maps, frames))
        return maps * gates[:, :, None, None], frames


class InvertedResidual(nn.Module):
    """Expand, depthwise convolution, squeeze-and-excitation, project; added to its input where it fits."""

    def __init__(self, row: Bottleneck) -> None:
        super().__init__()
        activation = nn.Hardswish if row.hardswish else nn.ReLU
        layers: list[nn.Module] = []
        if row.expanded != row.inputs:
            layers.append(ConvNormActivation(row.inputs, row.expanded, 1, activation=activation))
        layers.append(
            ConvNormActivation(
                row.expanded, row.expanded, row.kernel, row.stride, groups=row.expanded, activation=activation
            )
        )
        if row.squeezed:
            layers.append(SqueezeExcitation(row.expanded, row.squeezed))
        layers.append(ConvNormActivation(row.expanded, row.outputs, 1))
        self.block = nn.ModuleList(layers)
        self.residual = row.stride == 1 and row.inputs == row.outputs

    def forward(self, maps: Tensor, frames: Tensor | None) -> tuple[Tensor, Tensor | None]:
        result = maps
        for layer in self.block:
            result, frames = layer(result, frames)
        return (maps + result if self.residual else result), frames


def _classifier() -> nn.Sequential:
    """AudioSet head; the numbers leave room for EfficientAT's pooling (0) and flattening (1)."""
    return nn.Sequential(
        OrderedDict(
            [
                ("2", nn.Linear(EMBEDDING_SIZE, 1280)),
                ("3", nn.Hardswish(inplace=True)),
                ("4", nn.Dropout(0.2)),
                ("5", nn.Linear(1280, CLASSES)),
            ]
        )
    )


def _initialise(module: nn.Module) -> None:
    """Starting weights of torchvision's MobileNetV3."""
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.01)
        nn.init.zeros_(module.bias)


def _checked_lengths(frames: Tensor, mel: Tensor) -> Tensor:
    batch, longest = mel.shape[0], mel.shape[3]
    if frames.shape != (batch,) or frames.is_floating_point():
        raise ValueError(
            f"frames must be {batch} whole numbers, one a clip, got {frames.dtype} {list(frames.shape)}."
        )
    if bool((frames < 1).any()) or bool((frames > longest).any()):
        raise ValueError(f"frames must lie in 1 .. {longest}, the mel's length, got {frames.tolist()}.")
    return frames.to(mel.device)


def _without_padding(maps: Tensor, frames: Tensor) -> Tensor:
    """Maps with zeros, whatever was there, in the columns past each clip's length."""
    columns = torch.arange(maps.shape[3], device=maps.device)
    return maps.masked_fill((columns >= frames[:, None])[:, None, None], 0.0)


def _mean_over_map(maps: Tensor, frames: Tensor | None) -> Tensor:
    """Mean over bands and valid time: `[batch, channels, bands, time]` to `[batch, channels]`."""
    if frames is None:
        return maps.mean((2, 3))
    # In float32, because the sum of a long map overflows half precision where its mean does not.
    total = _without_padding(maps, frames).sum((2, 3), dtype=torch.float32)
    return (total / (maps.shape[2] * frames)[:, None]).to(maps.dtype)
