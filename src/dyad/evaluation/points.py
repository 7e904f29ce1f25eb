"""People as bare points: joints found in space, kind by kind, as JTA's F1 counts them. No alignment, no identity."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment

from dyad.core.errors import BadInput


class Found(NamedTuple):
    """Numbers of joints: right (with a partner), wrong (predicted without one), missed (true without one)."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """0..1, of the predicted joints those that are right; NaN if none is predicted."""
        return _ratio(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """0..1, of the true joints those that were found; NaN if there is none."""
        return _ratio(self.right, self.right + self.missed)

    @property
    def f1(self) -> float:
        """0..1, the harmonic mean of precision and recall; 0 if there is no pair, NaN if there is nothing at all."""
        return _ratio(2 * self.right, 2 * self.right + self.wrong + self.missed)


def joints_found(truth: ArrayLike, predicted: ArrayLike, *, within: float) -> Found:
    """Joints of one frame: for each kind of joint a one-to-one matching of true and predicted points.

    truth: (G,J,3) m, predicted: (P,J,3) m, either of nobody; NaN joints are not there, and BadInput for other shapes.
    Partners are nearer than `within` (m); LoCO (Fabbri et al., CVPR 2020) counts on JTA at 0.4, 0.8 and 1.2 m. There
    are as many pairs as there can be, and of those the ones with the smallest total distance;
    joints of one predicted person may be paired with several true people.
    """
    true, pred = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if true.ndim != 3 or pred.ndim != 3 or true.shape[1:] != pred.shape[1:]:
        raise BadInput(
            f"joints of one frame are (G,J,3) and (P,J,3) with the same J, got {true.shape} and {pred.shape}"
        )
    right = wrong = missed = 0
    for joint in range(true.shape[1]):
        t, p = (v[:, joint][np.isfinite(v[:, joint]).all(-1)] for v in (true, pred))
        pairs = _pairs(np.linalg.norm(t[:, None] - p[None], axis=-1), within)
        right, wrong, missed = right + pairs, wrong + len(p) - pairs, missed + len(t) - pairs
    return Found(right, wrong, missed)


def _pairs(distance: NDArray[np.float64], within: float) -> int:
    near = distance < within
    # one pair more must outweigh every saving of distance
    cost = np.where(near, distance - 2 * within * (min(distance.shape) + 1), 0.0)
    rows, columns = linear_sum_assignment(cost)
    return int(near[rows, columns].sum())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
