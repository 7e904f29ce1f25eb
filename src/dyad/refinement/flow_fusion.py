"""Flow and the limbs' motion, each where it is right: a correction in closed form, without touching the network.

A pose refined by flow and detections knows the motion of fast thin limbs better than a network that sees an eighth of
the resolution; where the network is right it is far more exact than any pose. Which is which, the images tell: the
second one, moved back by either, looks like the first or does not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow, Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.video import Video
from dyad.refinement.flow import Stream, Tuned, check_lengths, numbered
from dyad.refinement.moves import Moves
from dyad.refinement.target import LimbSketch, Sketch, Target

_PAIRS_AT_ONCE = 4
_TOLD = 1e-3
_LOCAL = (0.01, 0.9)


@dataclass(frozen=True, kw_only=True)
class LimbFusion:
    """The share of the limb's motion at a drawn pixel is a logistic function of how much better it explains the images.

    With F the flow, S the sketch, and e(·) the mean difference between the first image and the second one, read where
    they lead, over the drawn pixels nearby: share = weight · σ(log(p / (1 - p)) + (e(F) - e(S)) / n), with
    n = noise + doubt · min(e(F), e(S)). p is `prior` to begin with, then the mean share around: one even colour follows
    what was right beside it. Before that, S is moved to where the images agree best, by Gauss-Newton steps that weigh
    the images against the pose's own noise. Lengths in px are for images of 480 px along the
    longer side, and in proportion for others. Runs on the CPU.

    Attributes:
        sketch: draws the limbs.
        prior: the limb's share where the images say nothing.
        noise: grey levels, 0..1, by which two images of the same differ.
        reach: px, half the side of the window of e. around: px, of the window of p, found in so many `rounds`.
        most: grey levels; differences above count as this: whatever was hidden is not to outvote the rest.
        steps: how often the sketch is moved. spread: px, standard deviation of the error of a limb's motion.
        doubt: how much less the images tell where neither motion explains them.
    """

    sketch: Sketch = field(default_factory=lambda: LimbSketch(thickness=1.35))
    prior: float = 0.05
    noise: float = 0.01
    reach: float = 3.0
    most: float = 0.25
    steps: int = 2
    spread: float = 1.0
    doubt: float = 0.3
    around: float = 16.0
    rounds: int = 4

    def __post_init__(self) -> None:
        if not 0 < self.prior < 1 or min(self.noise, self.most, self.spread) <= 0:
            raise BadUsage(f"prior is a share within 0..1, noise, most and spread are above 0, got {self}")
        if min(self.reach, self.around, self.steps, self.rounds, self.doubt) < 0:
            raise BadUsage(f"reach, around, steps, rounds and doubt are not negative, got {self}")

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        """`flows` are the estimator's own. Raises BadInput where moves, flows and frames are not of one number."""
        check_lengths(moves, flows)
        return Tuned(Stream(lambda: self._flows(video, moves, flows)))

    def _flows(self, video: Video, moves: Moves, flows: Flows) -> Iterator[Flow]:
        for at, first, second in numbered(video, _PAIRS_AT_ONCE, len(moves)):
            target = self.sketch(moves[at : at + len(first)], video.size)
            for k in range(len(first)):
                found = flows[at + k]
                if second.cut[k]:
                    yield found
                    continue
                one = Target(target.flow[k], target.weight[k])
                yield self.fused(found, one, torch.from_numpy(first.images[k]), torch.from_numpy(second.images[k]))

    @torch.no_grad()
    def fused(self, flow: Flow, target: Target, first: Tensor, second: Tensor) -> Flow:
        """One flow (2, H, W), what is drawn over it, and both images (H, W, 3) of 0..255."""
        rows, columns = (torch.nonzero(target.drawn.any(k))[:, 0] for k in (1, 0))
        if not len(rows):
            return flow
        top, left = int(rows[0]), int(columns[0])
        box = (slice(top, int(rows[-1]) + 1), slice(left, int(columns[-1]) + 1))
        drawn = target.drawn[box]
        y, x = torch.nonzero(drawn, as_tuple=True)
        place = y * drawn.shape[1] + x
        weight = target.weight[box].flatten()[place]
        at = torch.stack((x + left, y + top), -1).float()
        limb = target.flow.uv[:, *box].flatten(1)[:, place].T
        own = flow.uv[:, *box].flatten(1)[:, place].T
        known = flow.known[box].flatten()[place]
        own = torch.where(known[:, None], own, limb)
        before = first[box].flatten(0, 1)[place].float() / 255
        scale = max(flow.size) / 480
        window = _Window(tuple(drawn.shape), place, max(0, round(self.reach * scale)))
        for _ in range(self.steps):
            limb = self._moved(limb, at, before, second, weight, window, scale)
        worse, seen = self._difference(own, at, before, second)
        better, also = self._difference(limb, at, before, second)
        counted = weight * (seen & also)
        sums = window(torch.stack((worse * counted, better * counted, counted), -1))
        worse, better = (sums[:, :2] / sums[:, 2:].clamp(min=_TOLD)).unbind(-1)
        # As on what the second image hides.
        evidence = (worse - better) / (self.noise + self.doubt * torch.minimum(worse, better))
        share = self._share(evidence, counted, _Window(window.shape, place, round(self.around * scale)))
        # Who leaves the image is not seen again: nothing tells, and the sketch is as good as the pose.
        share = torch.where(known, share * weight, 1.0)
        uv = flow.uv.clone()
        uv[:, y + top, x + left] = (own + share[:, None] * (limb - own)).T
        valid = flow.valid if flow.valid is None else flow.valid | target.drawn
        return Flow(uv, valid, flow.occluded)

    def _share(self, evidence: Tensor, counted: Tensor, window: "_Window") -> Tensor:
        """The limb's share (M,): whoever is right nearby is more likely to be right here, too."""
        prior = evidence.new_tensor(self.prior)
        share = torch.sigmoid(prior.logit() + evidence)
        for _ in range(self.rounds):
            sums = window(torch.stack((share * counted, counted), -1))
            # As much is known beforehand as a sixteenth of a window tells.
            known = window.area / 16
            local = (sums[:, 0] + known * prior) / (sums[:, 1] + known)
            share = torch.sigmoid(local.clamp(*_LOCAL).logit() + evidence)
        return share

    def _difference(self, moved: Tensor, at: Tensor, before: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """How unlike (M,) the second image is where pixels lead, and whether they stay in it."""
        value, there = _read(second, at + moved)
        return (value - before).abs().mean(-1).clamp_(max=self.most), there

    def _moved(
        self, limb: Tensor, at: Tensor, before: Tensor, second: Tensor, weight: Tensor, window: "_Window", scale: float
    ) -> Tensor:
        value, there = _read(second, at + limb)
        slope = (
            torch.stack(
                [
                    _read(second, at + limb + step)[0] - _read(second, at + limb - step)[0]
                    for step in (at.new_tensor((1.0, 0.0)), at.new_tensor((0.0, 1.0)))
                ],
                -1,
            ).mean(1)
            / 2
        )
        error = (value - before).mean(-1)
        trust = weight * there / (1 + (error / (3 * self.noise)).square())
        gx, gy = slope.unbind(-1)
        sums = window(torch.stack((gx * gx, gx * gy, gy * gy, gx * error, gy * error), -1) * trust[:, None])
        # Of pixels side by side not all tell anew.
        information = sums / (4 * self.noise) ** 2
        a, b, c, p, q = information.unbind(-1)
        prior = 1 / (self.spread * scale) ** 2
        a, c = a + prior, c + prior
        determinant = a * c - b * b
        return limb - torch.stack((c * p - b * q, a * q - b * p), -1) / determinant[:, None]


class _Window:
    """Sums over squares of 2 reach + 1 px around pixels `place` (M,) of an image of `shape`."""

    def __init__(self, shape: tuple[int, ...], place: Tensor, reach: int) -> None:
        self.shape, self._place, self._reach = shape, place, reach
        self.area = (2 * reach + 1) ** 2

    def __call__(self, values: Tensor) -> Tensor:
        """(M, C) of values (M, C)."""
        if not self._reach:
            return values
        image = values.new_zeros(values.shape[1], self.shape[0] * self.shape[1])
        image[:, self._place] = values.T
        image = F.pad(image.view(-1, *self.shape), (self._reach + 1, self._reach, self._reach + 1, self._reach))
        # Differences of running sums: they cost the same for windows of any size.
        side = 2 * self._reach + 1
        for axis in (1, 2):
            total = image.cumsum(axis)
            count = image.shape[axis] - side
            image = total.narrow(axis, side, count) - total.narrow(axis, 0, count)
        return image.flatten(1)[:, self._place].T


def _read(image: Tensor, xy: Tensor) -> tuple[Tensor, Tensor]:
    """Grey levels (M, 3), 0..1, of an image (H, W, 3) of bytes at points (M, 2) px, and which of them lie in it."""
    height, width = image.shape[:2]
    limit = xy.new_tensor((width - 1, height - 1))
    there = ((xy >= 0) & (xy <= limit)).all(-1)
    xy = torch.minimum(xy.clamp(min=0), limit)
    low = torch.minimum(xy.floor(), (limit - 1).clamp(min=0))
    share = (xy - low)[..., None]
    x, y = low.long().unbind(-1)
    flat = image.flatten(0, 1)
    place = y * width + x
    right, down = int(width > 1), width * int(height > 1)
    taps = (flat.index_select(0, place + more).float() for more in (0, right, down, right + down))
    a, b, c, d = taps
    top, bottom = torch.lerp(a, b, share[:, 0]), torch.lerp(c, d, share[:, 0])
    return torch.lerp(top, bottom, share[:, 1]) / 255, there
