"""Smoothing of signals over time, exact for uneven frame times and blind to missing values."""

import torch
from torch import Tensor


def gaussian_smooth(values: Tensor, times: Tensor, weights: Tensor, width: float) -> Tensor:
    """Local-linear weighted mean over time with a Gaussian of standard deviation `width` seconds.

    Args:
        values: (T, …); NaN counts as missing.
        times: (T,) s.
        weights: (T,) or (T, …) trust in each value, ≥ 0.
        width: s; 0 returns the values.

    Local-linear means that a constant velocity passes unchanged, also at the ends of the signal. A missing value is
    filled where others lie within four widths, else it stays NaN.
    """
    if width <= 0 or len(times) < 2:
        return values
    flat = values.reshape(len(times), -1).double()
    weights = weights.reshape(len(times), -1).double().expand_as(flat)
    weights = torch.where(torch.isfinite(flat), weights, torch.zeros_like(weights))
    flat = torch.nan_to_num(flat)
    out = torch.empty_like(flat)
    times = times.double()
    # Blocks keep memory linear in the length: only frames within four widths matter.
    for start in range(0, len(times), 256):
        here = times[start : start + 256]
        near = torch.nonzero((times >= here[0] - 4 * width) & (times <= here[-1] + 4 * width))[:, 0]
        lag = times[near][None] - here[:, None]
        kernel = torch.exp(-0.5 * (lag / width) ** 2) * (lag.abs() <= 4 * width)
        w = weights[near]
        s0, s1, s2 = kernel @ w, (kernel * lag) @ w, (kernel * lag**2) @ w
        m0, m1 = kernel @ (w * flat[near]), (kernel * lag) @ (w * flat[near])
        determinant = s0 * s2 - s1 * s1
        line = (s2 * m0 - s1 * m1) / torch.where(determinant.abs() > 1e-12 * s0**2, determinant, torch.ones_like(s0))
        mean = m0 / torch.where(s0 > 0, s0, torch.full_like(s0, torch.nan))
        out[start : start + 256] = torch.where(determinant > 1e-6 * width**2 * s0**2, line, mean)
    return out.reshape(values.shape).to(values.dtype)


def weighted_median(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted median over the first dimension (T, …), the lower of two middle ones; weights (T,) or (T, …).

    NaN values are ignored; the result is NaN where nothing has weight.
    """
    if len(values) == 0:
        return values.new_full(values.shape[1:], torch.nan)
    weights = weights.reshape(*weights.shape, *[1] * (values.dim() - weights.dim()))
    weights = torch.where(torch.isfinite(values), weights.expand_as(values), torch.zeros_like(values))
    order = torch.nan_to_num(values, nan=torch.inf).argsort(0)
    total = weights.sum(0)
    reached = weights.gather(0, order).cumsum(0) >= 0.5 * total
    first = reached.int().argmax(0, keepdim=True)
    median = torch.nan_to_num(values, nan=torch.inf).gather(0, order.gather(0, first))[0]
    return torch.where(total > 0, median, torch.full_like(median, torch.nan))


def to_nearest(times: Tensor, seen: Tensor) -> Tensor:
    """Seconds (T,) from each of the times (T,), which rise, to the nearest that `seen` (T,) marks; infinite if none."""
    marked = times[seen]
    if not len(marked):
        return torch.full_like(times, torch.inf)
    after = torch.searchsorted(marked, times).clamp(max=len(marked) - 1)
    before = (after - 1).clamp(min=0)
    return torch.minimum((times - marked[before]).abs(), (marked[after] - times).abs())
