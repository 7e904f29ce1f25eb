"""Rivals of the tuners in `refinement`, kept for the comparison alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow, Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Video
from dyad.models.raft import RAFT
from dyad.refinement.flow import Stream, Tuned, check_lengths, networks_of, numbered
from dyad.refinement.moves import Moves
from dyad.refinement.target import LimbSketch, Sketch, Target


@dataclass(frozen=True, kw_only=True)
class DrawnOver:
    """The sketch over the flow, whatever the images say: what the paper tunes its network to."""

    sketch: Sketch = field(default_factory=LimbSketch)

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        check_lengths(moves, flows)

        def over() -> Iterator[Flow]:
            for at in range(len(moves)):
                target = self.sketch(moves[at : at + 1], video.size)
                yield Target(target.flow[0], target.weight[0]).over(flows[at])

        return Tuned(Stream(over))


@dataclass(frozen=True, kw_only=True)
class EnlargedCrops:
    """The network again on people, twice as large, from the flow with the sketch over it; the result where limbs are.

    Attributes:
        sketch: what the flow starts from, and where it counts. factor: of the enlargement. iterations: of the network.
        margin: px around the drawn limbs.
    """

    sketch: Sketch = field(default_factory=lambda: LimbSketch(thickness=2.0))
    factor: int = 2
    iterations: int = 4
    margin: int = 24

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        check_lengths(moves, flows)
        networks = [network for network in networks_of(estimator) if isinstance(network, RAFT)]
        if len(networks) != 1:
            raise BadUsage(f"enlarged crops need one RAFT or GMA, {type(estimator).__name__} has {len(networks)}")

        def again() -> Iterator[Flow]:
            for at, first, second in numbered(video, 4, len(moves)):
                target = self.sketch(moves[at : at + len(first)], video.size)
                for k in range(len(first)):
                    one, given = Target(target.flow[k], target.weight[k]), flows[at + k]
                    images = [torch.from_numpy(c.images[k]).movedim(-1, 0).float() / 255 for c in (first, second)]
                    drawn = bool(one.drawn.any()) and not second.cut[k]
                    yield self._refined(networks[0], given, one, *images) if drawn else given

        return Tuned(Stream(again))

    @torch.no_grad()
    def _refined(self, network: RAFT, given: Flow, target: Target, first: Tensor, second: Tensor) -> Flow:
        rows, columns = (torch.nonzero(target.drawn.any(k))[:, 0] for k in (1, 0))
        (y0, y1), (x0, x1) = (_side(r, self.margin, n) for r, n in ((rows, given.size[1]), (columns, given.size[0])))
        start = target.over(given).uv[None, :, y0:y1, x0:x1].nan_to_num()
        size = [-(-n * self.factor // 8) * 8 for n in start.shape[-2:]]
        ratio = start.new_tensor((size[1] / start.shape[-1], size[0] / start.shape[-2]))[:, None, None]
        a, b = (
            F.interpolate(image[None, :, y0:y1, x0:x1], size, mode="bilinear", align_corners=False)
            for image in (first, second)
        )
        low = F.interpolate(start * ratio, [n // 8 for n in size], mode="area") / 8
        found = network(a, b, iterations=self.iterations, start=low).flow
        found = F.interpolate(found, start.shape[-2:], mode="area")[0] / ratio
        uv = given.uv.clone()
        weight = target.weight[y0:y1, x0:x1]
        uv[:, y0:y1, x0:x1] += weight * (found - uv[:, y0:y1, x0:x1])
        return replace(given, uv=uv)


def _side(place: Tensor, margin: int, length: int) -> tuple[int, int]:
    """From where to where a crop goes along one side, at least 128 px where there are as many."""
    low, high = int(place[0]) - margin, int(place[-1]) + margin + 1
    more = max(0, 128 - (high - low)) // 2 + 1
    low = max(0, min(low - more, length - 128))
    return low, min(length, max(high + more, low + 128))
