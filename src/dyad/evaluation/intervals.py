"""Whether `sigma` tells the truth: how often true positions lie in the intervals that a prediction claims."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from dyad.core.errors import BadInput

SHARES = (0.5, 0.8, 0.9)


class IntervalCoverage(NamedTuple):
    """Of `counted` positions the share 0..1 along x, y and z that lies in the central interval that should hold
    `share` of them. Less than `share`: sigma is too small."""

    share: float
    counted: int
    x: float
    y: float
    z: float


def interval_coverage(
    truth: ArrayLike, predicted: ArrayLike, sigma: ArrayLike, *, shares: Sequence[float] = SHARES
) -> tuple[IntervalCoverage, ...]:
    """Coverage of the central intervals predicted ± q sigma, where q is the normal quantile of each share.

    truth, predicted, sigma: (…,3) m, sigma one standard deviation along each axis. Positions for which one of the three
    is NaN do not count: a missing joint claims nothing. Raises BadInput for a negative sigma or a share outside 0..1.
    """
    true, pred, spread = (np.asarray(v, dtype=np.float64) for v in (truth, predicted, sigma))
    if not true.shape == pred.shape == spread.shape or true.shape[-1:] != (3,):
        raise BadInput(f"truth, prediction and sigma are all (…,3), got {true.shape}, {pred.shape} and {spread.shape}")
    if (spread < 0).any():
        raise BadInput("sigma is a standard deviation in m, got a negative one")
    known = (np.isfinite(true) & np.isfinite(pred) & np.isfinite(spread)).all(-1)
    off, claimed = np.abs(pred - true)[known], spread[known]
    return tuple(IntervalCoverage(share, len(off), *_inside(off, claimed, share)) for share in shares)


def _inside(off: NDArray[np.float64], sigma: NDArray[np.float64], share: float) -> list[float]:
    if not 0 < share < 1:
        raise BadInput(f"a central interval holds a share between 0 and 1, got {share}")
    if not len(off):
        return [float("nan")] * 3
    return (off <= ndtri(0.5 + share / 2) * sigma).mean(0).tolist()
