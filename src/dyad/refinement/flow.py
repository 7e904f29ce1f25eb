"""Flow networks that learn a video's own people: tuned towards the flow with everyone's sketch over it.

Arko, Little and Yi, "Bootstrapping Human Optical Flow and Pose", BMVC 2022, section 3.1. A `FlowTuner` is anything
that brings flow in line with poses; this one is the paper's, `flow_fusion.LimbFusion` costs a hundredth of it.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow, Flows
from dyad.core.pairs import pairs, part
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Chunk, Video
from dyad.refinement.moves import Moves
from dyad.refinement.target import Sketch
from dyad.refinement.target_paper import CrossSketch, ReleasedSketch

EPOCHS = 8
EPOCHS_FLAT = 50
"""Of the paper's 2D mode."""
RATE = 1e-5

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Stream:
    """Flows one after the other, made while they are asked for, anew each time."""

    make: Callable[[], Iterator[Flow]]

    def __iter__(self) -> Iterator[Flow]:
        return self.make()


@dataclass(frozen=True)
class Tuned:
    """What tuning gives.

    Attributes:
        flows: (2, H, W) px between consecutive frames, in order, made while iterated: keep what is needed twice. Where
            no limb is drawn, and across hard cuts, they are those that were given.
        estimator: the tuned copy; None where nothing was tuned.
        losses: px, of every step, in order.
    """

    flows: Iterable[Flow]
    estimator: FlowEstimator | None = None
    losses: tuple[float, ...] = ()


class FlowTuner(Protocol):
    """Brings flow in line with how people move.

    `moves` and `flows` have an entry for each pair of consecutive frames of the video. The estimator is left as it is.
    """

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned: ...


@dataclass(frozen=True, kw_only=True)
class PaperTuning:
    """The paper's recipe: Adam on a copy, one pair a step in the order of time, the last iteration's smooth-ℓ1.

    The target is the copy's flow at the beginning with the sketch over it, the same in all epochs. Pairs without a
    drawn limb teach nothing. Iterations are the estimator's: the paper's are 20.

    Attributes:
        mode: "3d" takes 8 epochs, "2d" 50, where `epochs` is None.
        rate: of Adam, which starts anew at every call, while weights carry over if the tuned estimator is given again.
        sketch: what is drawn over the target.
        statistics: "released" has batch norms in train mode all along, so that targets are predicted with each pair's
            own statistics and the running ones move, as in the published code; "frozen" leaves them.
        batch: most pairs a step.
        parts: only weights whose names begin so are tuned, such as ("update.",); all if None.
        iterations: of the network while it is tuned; its own if None.
        progress: told of "tuning", steps done and steps in all.
    """

    mode: Literal["3d", "2d"] = "3d"
    epochs: int | None = None
    rate: float = RATE
    sketch: Sketch = field(default_factory=CrossSketch)
    statistics: Literal["released", "frozen"] = "released"
    batch: int = 1
    parts: tuple[str, ...] | None = None
    iterations: int | None = None
    progress: Progress = lambda *_: None

    def __post_init__(self) -> None:
        if self.batch < 1 or not self.rate > 0 or (self.epochs is not None and self.epochs < 0):
            raise BadUsage(
                f"tuning takes a pair a step or more, a rate above 0 and no negative number of epochs, got "
                f"{self.batch}, {self.rate} and {self.epochs}"
            )
        if self.mode not in ("3d", "2d") or self.statistics not in ("released", "frozen"):
            raise BadUsage(
                f"the mode is 3d or 2d and statistics are released or frozen, got {self.mode!r}, {self.statistics!r}"
            )

    @classmethod
    def released(cls, *, mode: Literal["3d", "2d"] = "3d", **changes: Any) -> "PaperTuning":
        """As the published code has it: squares for crosses."""
        sketch = ReleasedSketch() if mode == "3d" else ReleasedSketch.of_detections()
        return replace(cls(mode=mode, sketch=sketch), **changes)

    @property
    def rounds(self) -> int:
        """How often every pair is gone through."""
        return self.epochs if self.epochs is not None else EPOCHS_FLAT if self.mode == "2d" else EPOCHS

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        """Tunes at once, and then gives flows as they are asked for. Targets lie in a temporary file meanwhile.

        Raises BadInput where moves, flows and frames are not of one number, BadUsage for an estimator without network.
        """
        check_lengths(moves, flows)
        tuned = estimator.copy()
        networks = networks_of(tuned)
        if not networks:
            raise BadUsage(
                f"{type(estimator).__name__} has no network to tune: take the flow of RAFT or GMA, or LimbFusion"
            )
        for network in networks:
            network.train()
            if self.statistics == "frozen":
                _freeze_norms(network)
        with _Iterations(tuned, self.iterations), tempfile.TemporaryFile() as file:
            targets, drawn = self._targets(tuned, video, moves, file)
            losses = self._tune(tuned, networks, video, targets, drawn)
            del targets
        for network in networks:
            network.eval()
            network.requires_grad_(True)
        return Tuned(Stream(lambda: _flows(tuned, video, flows, drawn, self.batch)), tuned, losses)

    def _targets(
        self, tuned: FlowEstimator, video: Video, moves: Moves, file: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Targets (n, 2, H, W) of the pairs with anything drawn, and which (N,) those are."""
        width, height = video.size
        drawn = np.zeros(len(moves), bool)
        for at, first, second in numbered(video, self.batch, len(moves)):
            found = self.sketch(moves[at : at + len(first)], video.size)
            usable = found.drawn.flatten(1).any(1).cpu().numpy() & ~second.cut
            drawn[at : at + len(first)] = usable
            if not usable.any():
                continue
            with torch.no_grad():
                estimate = tuned(part(first, usable), part(second, usable))
            chosen = torch.from_numpy(usable)
            target = replace(found, flow=found.flow[chosen], weight=found.weight[chosen]).over(
                estimate.to(found.weight.device)
            )
            target.uv.cpu().numpy().astype(np.float32).tofile(file)
        file.flush()
        shape = (int(drawn.sum()), 2, height, width)
        empty = np.empty(shape, np.float32)
        return (np.memmap(file, np.float32, "r", shape=shape) if drawn.any() else empty), drawn

    def _tune(
        self,
        tuned: FlowEstimator,
        networks: list[nn.Module],
        video: Video,
        targets: NDArray[np.float32],
        drawn: NDArray[np.bool_],
    ) -> tuple[float, ...]:
        chosen = [p for network in networks for p in self._parameters(network)]
        optimiser = torch.optim.Adam(chosen, lr=self.rate)
        steps = self.rounds * -(-len(targets) // self.batch)
        losses: list[float] = []
        for _ in range(self.rounds if len(targets) else 0):
            done = 0
            for at, first, second in numbered(video, self.batch, len(drawn)):
                usable = drawn[at : at + len(first)]
                if not usable.any():
                    continue
                target = torch.from_numpy(np.array(targets[done : done + int(usable.sum())]))
                done += len(target)
                optimiser.zero_grad(set_to_none=True)
                with torch.enable_grad():
                    found = tuned(part(first, usable), part(second, usable)).uv
                    loss = F.smooth_l1_loss(found, target.to(found.device))
                    loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()))
                self.progress("tuning", len(losses), steps)
        return tuple(losses)

    def _parameters(self, network: nn.Module) -> list[nn.Parameter]:
        if self.parts is None:
            return list(network.parameters())
        chosen = []
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(name.startswith(self.parts))
            if parameter.requires_grad:
                chosen.append(parameter)
        if not chosen:
            raise BadUsage(f"{type(network).__name__} has no weights whose names begin with {', '.join(self.parts)}")
        return chosen


class _Iterations:
    """A network's number of iterations for a while; None leaves it."""

    def __init__(self, estimator: Any, count: int | None) -> None:
        self._estimator, self._count = estimator, count
        if count is not None and not hasattr(estimator, "iterations"):
            raise BadUsage(f"{type(estimator).__name__} has no iterations to set")

    def __enter__(self) -> None:
        if self._count is not None:
            self._before, self._estimator.iterations = self._estimator.iterations, self._count

    def __exit__(self, *_: object) -> None:
        if self._count is not None:
            self._estimator.iterations = self._before


def networks_of(estimator: Any) -> list[nn.Module]:
    """The networks of an estimator, and of those that it asks in turn (as checked and averaged flow do)."""
    network = getattr(estimator, "network", None)
    if isinstance(network, nn.Module):
        return [network]
    inner = [*getattr(estimator, "estimators", ()), *filter(None, [getattr(estimator, "estimator", None)])]
    return [network for each in inner for network in networks_of(each)]


def check_lengths(moves: Moves, flows: Flows) -> None:
    """BadInput where moves and flows are not of the same pairs."""
    if len(moves) != len(flows):
        raise BadInput(
            f"moves and flows have an entry for each pair of frames, got {len(moves)} moves and {len(flows)} flows"
        )


def numbered(video: Video, n: int, count: int) -> Iterator[tuple[int, Chunk, Chunk]]:
    """All pairs of consecutive frames, up to n at once, with the position of the first of them.

    Raises BadInput where the video has more or fewer than `count`.
    """
    at = 0
    for first, second in pairs(video, n, across_cuts=True):
        # The first chunk has a pair less than it has frames.
        if at + len(first) > count:
            break
        yield at, first, second
        at += len(first)
    else:
        if at == count:
            return
    raise BadInput(f"{video.name} does not have the {count} pairs of frames that moves and flows are about")


def _flows(
    estimator: FlowEstimator, video: Video, given: Flows, drawn: NDArray[np.bool_], batch: int
) -> Iterator[Flow]:
    for at, first, second in numbered(video, max(batch, 4), len(drawn)):
        usable = drawn[at : at + len(first)]
        found: Iterator[Flow] = iter(())
        if usable.any():
            with torch.no_grad():
                several = estimator(part(first, usable), part(second, usable))
            found = (several[k] for k in range(len(several)))
        for k, use in enumerate(usable.tolist()):
            yield next(found) if use else given[at + k]


def _freeze_norms(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            module.eval()
