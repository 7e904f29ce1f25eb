import numpy as np
import pytest
import torch

from dyad.viewer.packing import pack, unpack


@pytest.mark.parametrize(("most", "kind"), [(32.0, "i2"), (33.0, "i4"), (900_000.0, "i4")])
def test_numbers_survive_to_their_rounding(most, kind):
    values = np.linspace(-most, most, 1001).reshape(7, 143)
    packed = pack(values, 1000)
    assert packed["type"] == kind
    assert unpack(packed, 1000) == pytest.approx(values.reshape(-1), abs=0.00051)


def test_what_is_missing_stays_missing_and_the_least_number_is_not_taken_for_it():
    values = torch.tensor([0.0, torch.nan, -32.767, torch.inf, -torch.inf, 1e30, 32.767])
    back = unpack(pack(values, 1000), 1000)
    assert np.flatnonzero(np.isnan(back)).tolist() == [1, 3, 4, 5]
    assert back[[0, 2, 6]] == pytest.approx([0, -32.767, 32.767])
    low = unpack(pack(torch.tensor([-32.768]), 1000), 1000)
    assert low.tolist() == [-32.768]


def test_nothing():
    assert len(unpack(pack(torch.zeros(0, 17, 3), 1000), 1000)) == 0
