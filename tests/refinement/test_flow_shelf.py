"""Flows on disk: what is put comes back to eleven bits, what is not put is unknown, and memory does not matter."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput
from dyad.core.flow import Flow
from dyad.refinement.flow_shelf import FlowShelf, grid_of, kept, tiles_of

SIZE = (70, 50)


def flow(seed: int, *, occluded: bool = False) -> Flow:
    chance = torch.Generator().manual_seed(seed)
    uv = 20 * torch.randn(2, 50, 70, generator=chance)
    uv[:, 3, 4] = torch.nan
    return Flow(uv, None, torch.rand(50, 70, generator=chance) < 0.3 if occluded else None)


@pytest.mark.parametrize("named", [True, False])
def test_what_is_put_comes_back(tmp_path: Path, named: bool) -> None:
    path = tmp_path / "some.flows" if named else None
    everything, corner = np.ones(grid_of(SIZE), bool), tiles_of(torch.tensor([[0.0, 0.0, 10.0, 40.0]]), SIZE)
    with kept(path, 4, SIZE) as shelf:
        shelf.put(2, flow(2, occluded=True), everything)
        shelf.put(0, flow(0), corner)
        shelf.cuts.append(9)
        assert shelf[2].size == SIZE
    found = [shelf, FlowShelf.open(path)] if path else [shelf]
    for other in found:
        assert len(other) == len(list(other)) == 4
        assert other.cuts == [9]
        assert torch.allclose(other[2].uv, flow(2).uv, rtol=1e-3, equal_nan=True)
        assert torch.equal(other[2].occluded, flow(2, occluded=True).occluded)
        assert other[0].occluded is None
        assert other[0].known[:, :32].sum() == 50 * 32 - 1
        assert not other[0].known[:, 32:].any()
        assert not other[1].known.any()
        assert torch.equal(other[-2].uv.nan_to_num(), other[2].uv.nan_to_num())
        with pytest.raises(IndexError):
            other[4]
    with pytest.raises(BadInput, match="images are of"), kept(None, 1, (60, 50)) as shelf:
        shelf.put(0, flow(0), everything)


def test_a_shelf_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), kept(tmp_path / "some.flows", 1, SIZE):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_tiles() -> None:
    boxes = torch.tensor(
        [[33.0, 33.0, 40.0, 40.0], [torch.nan] * 4, [-90.0, -90.0, -50.0, -50.0], [60.0, 0.0, 900.0, 5.0]]
    )
    assert tiles_of(boxes, SIZE).tolist() == [[False, True, True], [False, True, False]]
