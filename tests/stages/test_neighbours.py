import torch

from dyad.core.skeleton import BODY17
from dyad.stages.neighbours import mean_estimate, neighbours
from tests.stages.crowd import standing

ROOT = BODY17.index("pelvis")


def test_the_nearest_other_and_nobody_far_away() -> None:
    people = torch.stack((standing(0, 4), standing(0.8, 4), standing(2.0, 4), standing(9.0, 4)))[None]
    sure = torch.rand(1, 4, 17, dtype=torch.float64)
    found = neighbours(people, sure, root=ROOT)
    assert found.index.tolist() == [[1, 0, 1, -1]]
    assert torch.equal(found.xyz[0, 0], people[0, 1])
    assert torch.equal(found.confidence[0, 2], sure[0, 1])
    assert torch.isnan(found.xyz[0, 3]).all()
    assert (found.confidence[0, 3] == 0).all()


def test_whoever_is_not_there_is_nobodys_neighbour() -> None:
    people = torch.stack((standing(0, 4), standing(0.8, 4)))[None]
    people[0, 1] = torch.nan
    assert neighbours(people, torch.ones(1, 2, 17), root=ROOT).index.tolist() == [[-1, -1]]


def test_depth_counts_half() -> None:
    people = torch.stack((standing(0, 4), standing(1.0, 4), standing(0.0, 5.5)))[None]
    assert neighbours(people, torch.ones(1, 3, 17), root=ROOT).index[0, 0] == 2


def test_means_by_confidence_leave_out_what_is_missing() -> None:
    poses = torch.stack((standing(0, 4), standing(1, 4), standing(7, 4)))
    poses[2] = torch.nan
    poses[:, 3] = torch.nan
    sure = torch.tensor((0.9, 0.3, 1.0))[:, None].expand(3, 17)
    mean, best = mean_estimate(poses, sure)
    assert torch.allclose(mean[0, 0], torch.tensor(0.25, dtype=torch.float64), atol=1e-3)
    assert torch.isnan(mean[3]).all()
    assert best[3] == 0
    assert torch.isclose(best[0], torch.tensor(0.9))
