"""A flow estimator that knows the true flow and errs as told."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import ndtri

from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow, Flows
from dyad.core.video import Chunk


@dataclass(frozen=True, kw_only=True)
class FlowNoise:
    """How an oracle's flow errs; every error is a smooth field unless said otherwise.

    Attributes:
        smear: px, the true flow is blurred by a Gaussian of this width, as networks smear the edges of what moves.
        error: px, standard deviation of u and of v. motion: the same as a share of the motion's length at the pixel.
        reach: px, width over which errors are alike (of the Gaussian that makes them from white noise).
        lasting: frames over which errors fade into others; 1 has new ones in every frame.
        grain: px, standard deviation of an error of each pixel alone.
        outliers: share of pixels, in patches, that go elsewhere. wild: px, standard deviation of u and v there.
    """

    smear: float = 0.0
    error: float = 0.3
    motion: float = 0.05
    reach: float = 20.0
    lasting: int = 3
    grain: float = 0.0
    outliers: float = 0.0
    wild: float = 10.0

    def __post_init__(self) -> None:
        amounts = (self.smear, self.error, self.motion, self.grain, self.wild)
        if min(amounts) < 0 or self.reach <= 0 or self.lasting < 1 or not 0 <= self.outliers < 1:
            raise BadUsage(
                f"noise of flow is not negative, reach is positive, lasting at least 1, outliers a share, got {self}"
            )

    @classmethod
    def network(cls) -> "FlowNoise":
        """What RAFT-small with its authors' weights does on rendered people of 512 px: off by 0.4 px in the median and
        1 px in the mean, over wide patches; 3 % are lost, and edges are blurred."""
        return cls(smear=2.5, error=0.25, motion=0.04, reach=30.0, outliers=0.03, wild=6.0)

    @classmethod
    def poor(cls) -> "FlowNoise":
        """In the order of a weak one's: 8 px of smear, 1 px and 15 % of error, 5 % outliers."""
        return cls(smear=8.0, error=1.0, motion=0.15, outliers=0.05)


@dataclass(frozen=True)
class OracleFlow:
    """True flows, `noise=None`, or the same with errors that depend on seed and frame only, not on who asks when.

    Args:
        flow: between consecutive frames, and `backward` from each to the one before (as a clip has them).
        frames: indices in the source of the frames between which `flow` leads; 0, 1, 2 … if None.

    Raises (when called): BadInput for frames between which no flow is known, or images of another size.
    """

    flow: Flows
    frames: Sequence[int] | None = None
    backward: Flows | None = None
    noise: FlowNoise | None = None
    seed: int = 0

    @classmethod
    def of(cls, clip: Clip, noise: FlowNoise | None = None, seed: int = 0) -> Self:
        """Of all the flow that a clip knows. BadInput where it knows none."""
        if clip.flow is None:
            raise BadInput(f"the clip {clip.name!r} has no true flow")
        if clip.video is not None:
            frames = clip.video.indices.tolist()
        else:
            frames = None if clip.truth is None else clip.truth.frames.tolist()
        return cls(clip.flow, frames, clip.backward, noise, seed)

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        known = range(len(self.flow) + 1) if self.frames is None else self.frames
        position = {int(frame): at for at, frame in enumerate(known)}
        flows = []
        for a, b in zip(first.indices.tolist(), second.indices.tolist(), strict=True):
            at, to = position.get(a), position.get(b)
            if at is not None and to == at + 1:
                found, back = self.flow[at], False
            elif self.backward is not None and to is not None and at == to + 1:
                found, back = self.backward[to], True
            else:
                raise BadInput(f"no true flow leads from frame {a} to frame {b}")
            size = first.images.shape[2], first.images.shape[1]
            if found.size != size:
                raise BadInput(f"the true flow is of {found.size} px, the images are of {size} px")
            flows.append(found if self.noise is None else self._disturbed(found, a, back, self.noise))
        return Flow.stack(flows)

    def copy(self) -> Self:
        return self

    def _disturbed(self, flow: Flow, frame: int, back: bool, noise: FlowNoise) -> Flow:
        known = flow.known.numpy()
        uv = flow.filled(0.0).detach().numpy().astype(np.float64)
        if noise.smear:
            # Averages over what is known only.
            share = gaussian_filter(known.astype(np.float64), noise.smear)
            blurred = np.stack([gaussian_filter(one, noise.smear) for one in uv])
            uv = np.where(known, blurred / np.where(known, share, 1.0), 0.0)
        shape = known.shape
        spread = noise.error + noise.motion * np.linalg.norm(uv, axis=0)
        error = np.stack([self._field(shape, frame, 2 * back + k, noise) for k in (0, 1)]) * spread
        if noise.outliers:
            wild = np.stack([self._field(shape, frame, 4 + 2 * back + k, noise) for k in (0, 1)]) * noise.wild
            error = np.where(self._field(shape, frame, 8 + back, noise) > ndtri(1 - noise.outliers), wild, error)
        if noise.grain:
            grain = np.random.default_rng((self.seed, frame, 10 + back)).standard_normal(uv.shape)
            error = error + noise.grain * grain
        return replace(flow, uv=torch.where(flow.known, torch.from_numpy(uv + error).float(), torch.nan))

    def _field(self, shape: tuple[int, int], frame: int, kind: int, noise: FlowNoise) -> NDArray[np.float64]:
        """Smooth normal numbers (H, W) of mean 0 and deviation 1 that resemble those of the frames around."""
        white = np.zeros(shape)
        for ahead in range(noise.lasting):
            white += np.random.default_rng((self.seed, frame + ahead, kind)).standard_normal(shape)
        # Blurring makes the deviation that of a weighted sum: the root of the sum of squared weights, side by side.
        smooth = gaussian_filter(white / np.sqrt(noise.lasting), noise.reach, mode="wrap")
        for side in shape:
            smooth /= np.linalg.norm(gaussian_filter1d(np.eye(1, side)[0], noise.reach, mode="wrap"))
        return smooth
