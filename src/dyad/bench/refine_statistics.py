"""What changed from before to after over many clips, and how sure that is: bootstrap over worlds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dyad.core.errors import BadInput

REPEATS = 2000
SHARE = 0.95


@dataclass(frozen=True)
class Interval:
    """A value and the percentile interval of its bootstrap; NaN where there is nothing to take a mean of."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Change:
    """One metric of N clips before and after.

    Attributes:
        before, after: plain means over the clips in which both are known; clips: how many these are.
        difference: mean of after - before. relative: of the means, after / before - 1; infinite ends of intervals and
        ratios to 0 are NaN.
        improved, worsened: share 0..1 of the clips that are better and worse; what stays the same is neither.
        worst: the largest relative step to the worse of any clip (0 where none got worse), and its name.
    """

    before: Interval
    after: Interval
    difference: Interval
    relative: Interval
    improved: float
    worsened: float
    worst: float
    worst_clip: str
    clips: int


def interval(values: ArrayLike, groups: Sequence[str] | None = None, *, seed: int = 0) -> Interval:
    """The mean of values (N,) that are not NaN, with its interval; groups as in `change`."""
    numbers = np.asarray(values, dtype=np.float64)
    known = np.isfinite(numbers)
    weights = _weights(_kept(groups, known, len(numbers)), seed)
    return _interval(numbers[known].mean() if known.any() else np.nan, _means(weights, numbers[known]))


def change(
    before: ArrayLike,
    after: ArrayLike,
    *,
    lower_is_better: bool,
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> Change:
    """How a metric of clips `names` (N,) changed.

    Clips of one group (a world with two kinds of noise) are drawn together, since they are not independent; each is
    a group of its own by default. Raises BadInput for lists of different lengths.
    """
    first, second = (np.asarray(v, dtype=np.float64) for v in (before, after))
    if not len(first) == len(second) == len(names) or (groups is not None and len(groups) != len(names)):
        raise BadInput(f"values before and after are of the same clips, got {len(first)}, {len(second)}, {len(names)}")
    known = np.isfinite(first) & np.isfinite(second)
    weights = _weights(_kept(groups, known, len(names)), seed)
    called = [name for name, keep in zip(names, known, strict=True) if keep]
    first, second = first[known], second[known]
    if not len(first):
        nothing = Interval(np.nan, np.nan, np.nan)
        return Change(nothing, nothing, nothing, nothing, np.nan, np.nan, np.nan, "", 0)
    to_the_worse = (second - first) * (1 if lower_is_better else -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        step = np.where(to_the_worse == 0, 0.0, to_the_worse / np.abs(first))
        means = [_means(weights, v) for v in (first, second)]
        relative = means[1] / means[0] - 1
        ratio = float(second.mean() / first.mean() - 1) if first.mean() else np.nan
    at = int(np.argmax(step))
    return Change(
        before=_interval(first.mean(), means[0]),
        after=_interval(second.mean(), means[1]),
        difference=_interval((second - first).mean(), _means(weights, second - first)),
        relative=_interval(ratio, relative),
        improved=float((to_the_worse < 0).mean()),
        worsened=float((to_the_worse > 0).mean()),
        worst=float(max(step[at], 0.0)),
        worst_clip=called[at] if step[at] > 0 else "",
        clips=len(first),
    )


def ratio(first: ArrayLike, second: ArrayLike, *, groups: Sequence[str] | None = None, seed: int = 0) -> Interval:
    """The sum of `first` (N,) over the sum of `second`, with its interval; NaN of nothing."""
    over, under = (np.asarray(v, dtype=np.float64) for v in (first, second))
    known = np.isfinite(over) & np.isfinite(under)
    weights = _weights(_kept(groups, known, len(over)), seed)
    over, under = over[known], under[known]
    if not under.sum():
        return Interval(np.nan, np.nan, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _interval(over.sum() / under.sum(), (weights @ over) / (weights @ under))


def _kept(groups: Sequence[str] | None, known: NDArray[np.bool_], count: int) -> NDArray:
    """The group of each known value, as whole numbers from 0."""
    labels = np.arange(count) if groups is None else np.asarray(groups)
    return np.unique(labels[known], return_inverse=True)[1] if known.any() else np.zeros(0, dtype=np.int64)


def _weights(group: NDArray, seed: int) -> NDArray[np.float64]:
    """How often (R, N) each value is drawn in each of the repetitions: whole groups, with replacement."""
    if not len(group):
        return np.zeros((REPEATS, 0))
    number = int(group.max()) + 1
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=REPEATS)
    return drawn[:, group].astype(np.float64)


def _means(weights: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return weights @ values / weights.sum(-1) if len(values) else np.full(len(weights), np.nan)


def _interval(value: float, means: NDArray[np.float64]) -> Interval:
    good = means[np.isfinite(means)]
    if not len(good):
        return Interval(float(value), np.nan, np.nan)
    low, high = np.quantile(good, ((1 - SHARE) / 2, (1 + SHARE) / 2))
    return Interval(float(value), float(low), float(high))
