import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.geometry.segments import segment_distance


def points(*rows: tuple[float, float, float]) -> list[torch.Tensor]:
    return [torch.tensor(row, dtype=torch.float64) for row in rows]


def test_crossing_beside_and_behind() -> None:
    assert segment_distance(*points((-1, 0, 0), (1, 0, 0), (0, -1, 0.3), (0, 1, 0.3))).item() == 0.3
    assert segment_distance(*points((0, 0, 0), (1, 0, 0), (0, 2, 0), (1, 2, 0))).item() == 2
    assert segment_distance(*points((0, 0, 0), (1, 0, 0), (4, 4, 0), (9, 4, 0))).item() == 5
    assert segment_distance(*points((0, 0, 0), (0, 0, 0), (3, 0, 4), (3, 0, 4))).item() == 5


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6))
def test_as_near_as_the_nearest_of_many_points(seed: int) -> None:
    ends = torch.randn(4, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    share = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None]
    first, second = (ends[k] + share * (ends[k + 1] - ends[k]) for k in (0, 2))
    tried = torch.cdist(first, second).min()
    found = segment_distance(*ends)
    assert found <= tried + 1e-9
    assert found >= tried - 0.03
    assert torch.allclose(found, segment_distance(*ends[[2, 3, 0, 1]]))
