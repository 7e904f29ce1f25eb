"""The textbook assignment: as cheap as scipy's, whatever the shape and however many ties."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from dyad.models.munkres import munkres


@pytest.mark.parametrize("seed", range(40))
def test_it_is_as_cheap_as_can_be(seed) -> None:
    random = np.random.default_rng(seed)
    rows, columns = random.integers(1, 12, 2)
    cost = random.integers(0, 4, (rows, columns)).astype(float) if seed % 2 else random.random((rows, columns))
    side = max(rows, columns)
    padded = np.zeros((side, side))
    padded[:rows, :columns] = cost
    chosen = munkres(cost)
    assert len(set(chosen.tolist())) == rows
    best = padded[linear_sum_assignment(padded)].sum()
    assert padded[np.arange(rows), chosen].sum() == pytest.approx(best, abs=1e-9)


def test_the_first_zeros_are_taken() -> None:
    assert munkres(np.zeros((3, 3))).tolist() == [0, 1, 2]
