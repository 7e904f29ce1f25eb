"""The Hungarian method in its textbook form, choosing in the order of the library that [TB] and HigherHRNet use.

Which of several equally cheap assignments comes out depends on that order, and rounded costs make such ties common.
Everything else in Dyad uses `scipy.optimize.linear_sum_assignment`.
"""

import numpy as np
from numpy.typing import NDArray


def munkres(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """The column assigned to each row of cost (n, m), n and m at most equal after padding with zeros.

    Returns (n,) column indices; an index of m or more is a padding column: the row stays alone.
    """
    n = max(cost.shape)
    c = np.zeros((n, n))
    c[: cost.shape[0], : cost.shape[1]] = cost
    c -= c.min(1, keepdims=True)
    star = _first_stars(c == 0)
    while (star < 0).any():
        _improve(c, star)
    return star[: cost.shape[0]]


def _first_stars(zero: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Row by row the first zero whose column is still free; -1 where there is none."""
    star = np.full(len(zero), -1, dtype=np.int64)
    free = np.ones(len(zero), dtype=bool)
    for row, zeros in enumerate(zero):
        open_columns = zeros & free
        column = int(open_columns.argmax())
        if open_columns[column]:
            star[row] = column
            free[column] = False
    return star


def _improve(c: NDArray[np.float64], star: NDArray[np.int64]) -> None:
    """Star one zero more, in place, shifting costs as far as needed."""
    n = len(c)
    prime = np.full(n, -1, dtype=np.int64)
    row_covered = np.zeros(n, dtype=bool)
    column_covered = np.zeros(n, dtype=bool)
    column_covered[star[star >= 0]] = True
    row = column = 0
    while True:
        found = _open_zero(c, row_covered, column_covered, row, column)
        if found is None:
            _shift(c, row_covered, column_covered)
            row = column = 0
            continue
        row, column = found
        prime[row] = column
        if star[row] < 0:
            break
        column = int(star[row])
        row_covered[row] = True
        column_covered[column] = False
    while True:  # swap the stars along the path of primes and stars
        owner = np.flatnonzero(star == column)
        star[row] = column
        if not len(owner):
            return
        row = int(owner[0])
        column = int(prime[row])


def _open_zero(
    c: NDArray[np.float64], row_covered: NDArray[np.bool_], column_covered: NDArray[np.bool_], row: int, column: int
) -> tuple[int, int] | None:
    """The next row, from `row` round the end, with an uncovered zero, and its last such one, from `column`."""
    zeros = (c == 0) & ~row_covered[:, None] & ~column_covered
    rows = np.roll(zeros.any(1), -row)
    step = int(rows.argmax())
    if not rows[step]:
        return None
    row = (row + step) % len(c)
    last = len(c) - 1 - int(np.roll(zeros[row], -column)[::-1].argmax())
    return row, (column + last) % len(c)


def _shift(c: NDArray[np.float64], row_covered: NDArray[np.bool_], column_covered: NDArray[np.bool_]) -> None:
    """Take the smallest uncovered cost from what no line covers, and add it where two lines cross."""
    smallest = c[np.ix_(~row_covered, ~column_covered)].min()
    c[row_covered] += smallest
    c[:, ~column_covered] -= smallest
