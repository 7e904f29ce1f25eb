"""RAFT: optical flow by looking, again and again, where each pixel may have gone.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020. The parts are arguments;
`raft_basic` and `raft_small` put together the two networks of the paper, which load the checkpoints of
princeton-vl/RAFT and of torchvision by `RAFT_NAMINGS`.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dyad.models.correlation import AllPairs, Auto, Correlation, OnTheFly
from dyad.models.namings import Naming
from dyad.models.raft_encoder import Bottleneck, Encoder, Residual
from dyad.models.raft_update import FlowHead, GatedUnit, MotionEncoder, Unaggregated, Update
from dyad.models.upsampling import FACTOR, Bilinear, Convex

Policy = Literal["auto", "all_pairs", "on_the_fly"]


class Estimate(NamedTuple):
    """Flow from the first image to the second, in pixels, x to the right before y down.

    flow: (N, 2, H, W) after the last iteration. low: (N, 2, H/8, W/8), the same before upsampling, in pixels of that
    size; the next pair of a video may start from it (`warm_start`). every: the flow (N, 2, H, W) after each iteration
    where that was asked for, else the last one alone.
    """

    flow: Tensor
    low: Tensor
    every: tuple[Tensor, ...]


class RAFT(nn.Module):
    """Features of both images, context of the first, and an update that is repeated.

    Args:
        features: an image (N, 3, H, W), -1..1, to features (N, C, H/8, W/8).
        context: an image to (N, hidden + context, H/8, W/8), from which come the first state and what never changes.
        correlation: how the two images' features are compared.
        update: one iteration.
        upsampling: state and flow at an eighth of the size to the flow of every pixel.
        aggregator: an `Aggregator`: spreads motion over the image, as GMA does, or not.
        hidden: channels of the state.
        checkpoint: whether, with gradients, encoders and iterations are computed a second time on the way back rather
            than kept: a fraction of the memory, a third more time.
    """

    def __init__(
        self,
        *,
        features: nn.Module,
        context: nn.Module,
        correlation: Correlation,
        update: Update,
        upsampling: nn.Module,
        aggregator: nn.Module,
        hidden: int,
        checkpoint: bool = True,
    ) -> None:
        super().__init__()
        self.features = features
        self.context = context
        self.correlation = correlation
        self.update = update
        self.upsampling = upsampling
        self.aggregator = aggregator
        self.hidden = hidden
        self.checkpoint = checkpoint

    def forward(
        self, first: Tensor, second: Tensor, *, iterations: int = 20, start: Tensor | None = None, every: bool = False
    ) -> Estimate:
        """Flow between images (N, 3, H, W), RGB in 0..1, whose sides are multiples of 8 px (`Padding` makes them so).

        Args:
            iterations: how often the flow is updated; 12 while training, up to 32 for the published figures.
            start: flow (N, 2, H/8, W/8) to begin with; 0 without it.
            every: whether to upsample the flow of every iteration, as training wants it.

        Raises ValueError for images of unequal or other sizes.
        """
        _check(first, second, iterations)
        first, second = 2 * first - 1, 2 * second - 1
        look = self.correlation(self._again(self.features, first), self._again(self.features, second))
        hidden, context = self.split(self._again(self.context, first))
        fixed, aggregate = self.update.fixed(context), self.aggregator(context)
        grid = _grid(hidden)

        def step(hidden: Tensor, flow: Tensor, finer: bool) -> tuple[Tensor, Tensor, Tensor | None]:
            hidden, change = self.update(hidden, look(grid + flow), flow, fixed, aggregate)
            flow = flow + change
            return hidden, flow, self.upsampling(hidden, flow) if finer else None

        flow = torch.zeros_like(grid).repeat(len(first), 1, 1, 1) if start is None else start
        flows: list[Tensor] = []
        for i in range(iterations):
            # Each iteration learns to correct whatever flow it is given, not to give one that is easy to correct.
            hidden, flow, fine = self._again(step, hidden, flow.detach(), every or i == iterations - 1)
            if fine is not None:
                flows.append(fine)
        return Estimate(flows[-1], flow, tuple(flows))

    def split(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """The first state and the context, out of what the context encoder says."""
        return encoded[:, : self.hidden].tanh(), encoded[:, self.hidden :].relu()

    def _again(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if not (self.checkpoint and torch.is_grad_enabled()):
            return call(*arguments)

        def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
            return nullcontext(), _counted_already(self)

        return checkpoint(call, *arguments, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


@contextmanager
def _counted_already(network: nn.Module) -> Generator[None]:
    """While something is computed again, batch norms that train do not add the same batch to their statistics again."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.training and m.track_running_stats]
    # Momentum 0 rather than no statistics at all: what is kept for the way back has to be the same both times.
    before = [(norm, norm.momentum, norm.num_batches_tracked.clone()) for norm in norms]  # ty: ignore
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum, count in before:
            norm.momentum = momentum
            norm.num_batches_tracked.copy_(count)  # ty: ignore


def _check(first: Tensor, second: Tensor, iterations: int) -> None:
    if first.shape != second.shape or first.dim() != 4 or first.shape[1] != 3:
        raise ValueError(f"two images (N, 3, H, W) are needed, got {tuple(first.shape)} and {tuple(second.shape)}")
    if first.shape[-1] % FACTOR or first.shape[-2] % FACTOR:
        raise ValueError(
            f"sides should be multiples of {FACTOR} px, got {first.shape[-1]}x{first.shape[-2]}: pad them with Padding"
        )
    if iterations < 1:
        raise ValueError(f"one iteration or more is needed, got {iterations}")


def _grid(features: Tensor) -> Tensor:
    """Coordinates (1, 2, H, W) of the pixels of a map."""
    x, y = (torch.arange(n, device=features.device, dtype=torch.float32) for n in features.shape[:-3:-1])
    return torch.stack(torch.meshgrid(x, y, indexing="xy"))[None]


def correlation_of(policy: Policy, *, radius: int, levels: int = 4) -> Correlation:
    """The policy of this name; ValueError for none."""
    policies: dict[str, Callable[..., Correlation]] = {"auto": Auto, "all_pairs": AllPairs, "on_the_fly": OnTheFly}
    if policy not in policies:
        raise ValueError(f"correlation is one of {', '.join(policies)}, got {policy!r}")
    return policies[policy](levels=levels, radius=radius)


def raft_basic(*, correlation: Policy = "auto", checkpoint: bool = True) -> RAFT:
    """The paper's network, 5.3 million parameters.

    Args:
        correlation: `all_pairs`, `on_the_fly`, or `auto`, which chooses by the size of the images.
        checkpoint: see `RAFT`.
    """
    return basic(correlation=correlation, checkpoint=checkpoint, aggregator=Unaggregated(), aggregated=128)


def basic(*, correlation: Policy, checkpoint: bool, aggregator: nn.Module, aggregated: int) -> RAFT:
    """The paper's network around an aggregator that makes `aggregated` channels of 128 of motion."""
    look = correlation_of(correlation, radius=4)
    return RAFT(
        features=Encoder(block=Residual, widths=(64, 64, 96, 128), outputs=256, norm="instance"),
        context=Encoder(block=Residual, widths=(64, 64, 96, 128), outputs=256, norm="batch"),
        correlation=look,
        update=Update(
            motion=MotionEncoder(
                correlation=look.channels, correlation_widths=(256, 192), flow_widths=(128, 64), outputs=128
            ),
            # Along the lines, then along the columns.
            units=[GatedUnit(hidden=128, context=128, inputs=aggregated, kernel=k) for k in ((1, 5), (5, 1))],
            head=FlowHead(hidden=128, width=256),
        ),
        upsampling=Convex(hidden=128),
        aggregator=aggregator,
        hidden=128,
        checkpoint=checkpoint,
    )


def raft_small(*, correlation: Policy = "auto", checkpoint: bool = True) -> RAFT:
    """The paper's small network, 1.0 million parameters; arguments as for `raft_basic`."""
    look = correlation_of(correlation, radius=3)
    return RAFT(
        features=Encoder(block=Bottleneck, widths=(32, 32, 64, 96), outputs=128, norm="instance"),
        context=Encoder(block=Bottleneck, widths=(32, 32, 64, 96), outputs=160, norm="none"),
        correlation=look,
        update=Update(
            motion=MotionEncoder(correlation=look.channels, correlation_widths=(96,), flow_widths=(64, 32), outputs=82),
            units=[GatedUnit(hidden=96, context=64, inputs=82, kernel=(3, 3))],
            head=FlowHead(hidden=96, width=128),
        ),
        upsampling=Bilinear(),
        aggregator=Unaggregated(),
        hidden=96,
        checkpoint=checkpoint,
    )


PRINCETON_RULES = (
    (r"^module\.", ""),
    (r"^fnet\.", "features."),
    (r"^cnet\.", "context."),
    (r"^update_block\.mask\.", "upsampling.mask."),
    (r"^update_block\.encoder\.conv\.", "update.motion.join."),
    (r"^update_block\.encoder\.convc1\.", "update.motion.correlation.0."),
    (r"^update_block\.encoder\.convc2\.", "update.motion.correlation.2."),
    (r"^update_block\.encoder\.convf1\.", "update.motion.flow.0."),
    (r"^update_block\.encoder\.convf2\.", "update.motion.flow.2."),
    (r"^update_block\.gru\.conv([zrq])1?\.", r"update.units.0.\1."),
    (r"^update_block\.gru\.conv([zrq])2\.", r"update.units.1.\1."),
    (r"^update_block\.flow_head\.", "update.head."),
)
TWICE_NAMED = (r"(module\.)?cnet\.layer[23]\.0\.norm3\..*",)
"""The norm of a shortcut, which the original's state dict holds a second time as `downsample.1`."""

_TORCHVISION_RULES = (
    (r"^module\.", ""),
    (r"^feature_encoder\.", "features."),
    (r"^context_encoder\.", "context."),
    (r"^(features|context)\.conv\.", r"\1.conv2."),
    (r"^(features|context)\.convnormrelu\.0\.", r"\1.conv1."),
    (r"^(features|context)\.convnormrelu\.1\.", r"\1.norm1."),
    (r"\.convnormrelu([123])\.0\.", r".conv\1."),
    (r"\.convnormrelu([123])\.1\.", r".norm\1."),
    (r"^mask_predictor\.convrelu\.0\.", "upsampling.mask.0."),
    (r"^mask_predictor\.conv\.", "upsampling.mask.2."),
    (r"^update_block\.motion_encoder\.conv\.0\.", "update.motion.join."),
    (r"^update_block\.motion_encoder\.convcorr1\.0\.", "update.motion.correlation.0."),
    (r"^update_block\.motion_encoder\.convcorr2\.0\.", "update.motion.correlation.2."),
    (r"^update_block\.motion_encoder\.convflow1\.0\.", "update.motion.flow.0."),
    (r"^update_block\.motion_encoder\.convflow2\.0\.", "update.motion.flow.2."),
    (r"^update_block\.recurrent_block\.convgru1?\.conv([zrq])\.", r"update.units.0.\1."),
    (r"^update_block\.recurrent_block\.convgru2\.conv([zrq])\.", r"update.units.1.\1."),
    (r"^update_block\.flow_head\.", "update.head."),
)
RAFT_NAMINGS = (
    Naming("princeton-vl/RAFT", PRINCETON_RULES, TWICE_NAMED),
    Naming("torchvision", _TORCHVISION_RULES),
)
