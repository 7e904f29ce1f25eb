"""The floor that everyone stands on, the direction of gravity, and what both say about people's sizes."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from dyad.core.columns import rest
from dyad.core.tracks import World

# How far above the floor an ankle joint lies when its foot is flat, as a share of the person's height (7 to 8 cm).
ANKLE_HEIGHT = 0.045


@dataclass(frozen=True)
class Footing:
    """What one person tells about the floor, in the person's own scale.

    Attributes:
        feet: (K, 3) m ankles that carry weight, camera frame.
        upright: (M, 3) vectors in m from between the ankles to the neck while standing.
        height: m, stature that the bones give.
    """

    feet: Tensor
    upright: Tensor
    height: float


# So many people, those with the most steps, give the floor; all others get their scale from it. What a fit takes grows
# with the square of their number, and an hour in a street holds thousands.
_TOGETHER = 24
# Feet and upright bodies (n, 3) m, heights, and priors of people.
_Known = tuple[list[np.ndarray], list[np.ndarray], list[float], list[tuple[float, float]]]


class FloorEstimator:
    """Fits one plane to everyone's feet together with one scale a person.

    Seen from one camera, a person twice as tall and twice as far away looks the same. A shared floor breaks the tie
    between people, a prior on human height the tie for all. Both act once a track, on constant bones.

    Args:
        height: mean and relative standard deviation of human stature (adults of Europe and North America, as many
            women as men: 1.72 m, 6 %).
        scale_error: relative standard deviation of the estimator's own scale. BlazePose answers 1.58 to 1.65 m for
            people of 1.5 to 1.85 m, a learned average, so its answer counts for next to nothing.
        foot_error: m, scatter of a standing ankle about its height above the floor.
        minimum: fewest planted feet with which a person helps to find the floor.
    """

    def __init__(
        self,
        *,
        height: tuple[float, float] = (1.72, 0.06),
        scale_error: float = 0.3,
        foot_error: float = 0.06,
        minimum: int = 12,
    ) -> None:
        self.height = height
        self.scale_error = scale_error
        self.foot_error = foot_error
        self.minimum = minimum

    def __call__(self, people: list[Footing], fixed_height: float | None = None) -> tuple[list[float], World | None]:
        """Scale of each person (to multiply every length with) and the world, or None where feet tell too little."""
        prior = [self._prior(person, fixed_height) for person in people]
        usable = [index for index, person in enumerate(people) if len(person.feet) >= self.minimum]
        if not usable:
            return [math.exp(mean) for mean, _ in prior], None
        together = sorted(sorted(usable, key=lambda i: -len(people[i].feet))[:_TOGETHER])
        feet, upright, sizes, _ = known = self._known(people, prior, together)
        cost, best = math.inf, np.zeros(0)
        for start in _starts(upright):
            first = np.concatenate((start, [1.4], [prior[i][0] for i in together]))
            fit = least_squares(self._residuals, first, args=known, max_nfev=60)
            # A fit holds on to megabytes of derivatives.
            cost, best = (fit.cost, fit.x) if fit.cost < cost or not len(best) else (cost, best)
            del fit
        scales = [math.exp(mean) for mean, _ in prior]
        for index, value in zip(together, best[3:], strict=True):
            scales[index] = math.exp(value)
        for index in sorted({*usable} - {*together}):
            own, mean = self._known(people, prior, [index]), prior[index][0]
            alone = least_squares(self._residuals_on, [mean], args=(best[:3], *own), max_nfev=60)
            scales[index] = math.exp(alone.x[0])
        return scales, self._world(best, feet, sizes)

    def _known(self, people: list[Footing], prior: list[tuple[float, float]], chosen: list[int]) -> _Known:
        feet = [_thin(people[i].feet, 200) for i in chosen]
        upright = [_thin(people[i].upright, 100) for i in chosen]
        return feet, upright, [people[i].height for i in chosen], [prior[i] for i in chosen]

    def _residuals_on(self, size: np.ndarray, floor: np.ndarray, *known: Any) -> np.ndarray:
        """Those of one person's scale, on a floor that others gave."""
        return self._residuals(np.concatenate((floor, size)), *known)

    def _prior(self, person: Footing, fixed: float | None) -> tuple[float, float]:
        """Mean and standard deviation of the logarithm of a person's scale before feet are looked at."""
        if fixed is not None:
            return math.log(fixed / person.height), 1e-3
        stature, spread = self.height
        own, population = 1 / self.scale_error**2, 1 / spread**2
        return population * math.log(stature / person.height) / (own + population), (own + population) ** -0.5

    def _residuals(
        self,
        x: np.ndarray,
        feet: list[np.ndarray],
        upright: list[np.ndarray],
        heights: list[float],
        prior: list[tuple[float, float]],
    ) -> np.ndarray:
        up, above = _up(x[0], x[1]), x[2]
        # Most cameras look within 20 degrees of level and lean sideways by less than 4; they hang at 0.3 to 4 m.
        robust = [np.array([x[0] / 0.35, x[1] / 0.07, math.log(max(above, 0.05) / 1.4) / 0.6])]
        parts = []
        for points, bodies, height, size, (mean, spread) in zip(feet, upright, heights, x[3:], prior, strict=True):
            scale = math.exp(size)
            parts.append(np.array([(size - mean) / spread]))
            # Neighbouring frames repeat one another's errors: a hundred of them count as about ten.
            share = 1 / math.sqrt(max(1.0, len(points) / 10))
            off = (scale * (points @ up - ANKLE_HEIGHT * height) + above) / (self.foot_error * _distance(points, scale))
            robust.append(share * off)
            if len(bodies):
                lean = np.linalg.norm(bodies / np.linalg.norm(bodies, axis=1, keepdims=True) - up, axis=1)
                robust.append(np.asarray(lean / 0.2 / math.sqrt(max(1.0, len(bodies) / 3))))
        # Cameras lie on their side and feet leave the floor, but nobody is a third of his size: scales count in full.
        return np.concatenate((*parts, _soft(np.concatenate(robust))))

    def _world(self, x: np.ndarray, feet: list[np.ndarray], heights: list[float]) -> World | None:
        up, above = _up(x[0], x[1]), float(x[2])
        off = np.concatenate(
            [math.exp(s) * (f @ up - ANKLE_HEIGHT * h) + above for f, h, s in zip(feet, heights, x[3:], strict=True)]
        )
        if np.median(np.abs(off)) > 0.25:
            return None
        return World(torch.from_numpy(-up), torch.from_numpy(np.append(up, above)))


def _up(pitch: float, roll: float) -> np.ndarray:
    """Unit vector that points up, for a camera turned down by `pitch` and sideways by `roll` (rad)."""
    return np.array([math.sin(roll), -math.cos(roll) * math.cos(pitch), -math.cos(roll) * math.sin(pitch)])


def _soft(residual: np.ndarray) -> np.ndarray:
    """Residuals whose squares grow like the residual, not its square, where it is beyond 1."""
    return np.sqrt(2 * (np.sqrt(1 + residual**2) - 1))


def _starts(upright: list[np.ndarray]) -> list[np.ndarray]:
    """Pitch and roll (2,) from which to look for the floor: a level camera, and one that people stand upright in."""
    bodies = np.concatenate(upright)
    if not len(bodies):
        return [np.zeros(2)]
    mean = np.median(bodies / np.linalg.norm(bodies, axis=1, keepdims=True), axis=0)
    x, y, z = mean / max(1e-9, float(np.linalg.norm(mean)))
    return [np.zeros(2), np.array([math.atan2(-z, -y), math.asin(np.clip(x, -0.99, 0.99))])]


def _distance(points: np.ndarray, scale: float) -> np.ndarray:
    """Errors of the feet grow with distance, since depth is the weak direction."""
    return np.maximum(1.0, scale * points[:, 2] / 4)


def _thin(points: Tensor, most: int) -> np.ndarray:
    step = max(1, len(points) // most)
    found = points[::step].double().numpy()
    rest(points)
    return found
