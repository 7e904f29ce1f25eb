"""Local maxima against a sliding maximum, and the quarter-pixel step."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from dyad.models.peaks import find_peaks, quarter_steps


@pytest.mark.parametrize("floor", [0.0, 0.5, 0.97])
@pytest.mark.parametrize("levels", [7, 10**6])
def test_they_are_where_a_sliding_maximum_is_reached(floor, levels) -> None:
    random = np.random.default_rng(int(100 * floor))
    maps = (random.integers(0, levels, (3, 20, 31)) / levels).astype(np.float32)
    peaks = find_peaks(maps, floor=floor, count=10**6)
    highest = F.max_pool2d(torch.from_numpy(maps)[None], 5, 1, 2)[0].numpy() == maps
    expected = {tuple(p) for p in np.argwhere(highest & (maps > floor)).tolist()}
    assert {*zip(peaks.joint.tolist(), peaks.y.tolist(), peaks.x.tolist(), strict=True)} == expected
    assert np.array_equal(peaks.value, maps[peaks.joint, peaks.y, peaks.x])
    for joint in range(3):
        mine = peaks.value[peaks.joint == joint]
        assert (np.diff(mine) <= 0).all()
        few = find_peaks(maps, floor=floor, count=2)
        assert np.array_equal(few.value[few.joint == joint], mine[:2])


def test_steps_lead_to_the_higher_neighbour() -> None:
    maps = np.zeros((1, 5, 5), np.float32)
    maps[0, 2, 3] = maps[0, 1, 2] = 0.5
    zero, two = np.zeros(1, np.int64), np.full(1, 2)
    assert quarter_steps(maps, zero, two, two).tolist() == [[0.25, -0.25]]
    assert quarter_steps(maps, zero, np.full(1, 4), zero).tolist() == [[-0.25, -0.25]]
