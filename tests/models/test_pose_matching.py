"""Matching of the two branches: equations 5 and 6, one to one; and what the released matching allows."""

import math

import pytest
import torch

from dyad.models.pose_matching import match_poses, pose_similarity, released_match


def poses(people: int, seed: int = 0) -> torch.Tensor:
    """Poses (P, 17, 3), a metre and a half apart."""
    torch.manual_seed(seed)
    return 0.3 * torch.randn(people, 17, 3) + torch.arange(people)[:, None, None] * torch.tensor([1.5, 0.0, 0.5])


def test_similarity_is_equations_5_and_6() -> None:
    pose = poses(1)
    moved = pose + torch.tensor([0.2, 0.0, 0.0])
    sure, doubt = torch.full((1, 17), 0.9), torch.full((1, 17), 0.4)
    assert pose_similarity(pose, pose, sure, doubt).item() == pytest.approx(0.4)
    alike = pose_similarity(pose, moved, sure, doubt, size=2.0, sigma=0.1).item()
    assert alike == pytest.approx(0.4 * math.exp(-(0.2**2) / (2 * 4 * 0.01)))
    moved[0, :4] = torch.nan
    assert pose_similarity(pose, moved, sure, doubt, size=2.0, sigma=0.1).item() == pytest.approx(alike * 13 / 17)


def test_people_find_themselves_in_any_order_and_strangers_stay_apart() -> None:
    top = poses(5)
    order = torch.tensor([3, 0, 4, 1])
    bottom = torch.cat((top[order] + 0.05 * torch.randn(4, 17, 3), poses(1, seed=7) + 30))
    pairs = match_poses(pose_similarity(top, bottom, torch.ones(5, 17), torch.ones(5, 17)))
    assert dict(zip(pairs.second.tolist(), pairs.first.tolist(), strict=True)) == dict(enumerate(order.tolist()))
    assert (pairs.similarity > 0.8).all()
    nobody = match_poses(pose_similarity(top, bottom[:0], torch.ones(5, 17), torch.ones(0, 17)))
    assert len(nobody.first) == 0


def test_the_sum_decides_not_who_comes_first() -> None:
    pairs = match_poses(torch.tensor([[0.9, 0.8], [0.8, 0.1]]))
    assert pairs.first.tolist() == [0, 1]
    assert pairs.second.tolist() == [1, 0]
    with pytest.raises(ValueError, match="positive"):
        match_poses(torch.ones(1, 1), at_least=0)


def test_as_released_one_candidate_serves_two_and_place_means_nothing() -> None:
    pose = poses(1)
    top = torch.cat((pose, pose + torch.tensor([9.0, 0.0, 0.0])))[None]
    candidates = torch.cat((poses(1, seed=5), 2 * pose - 4))[None]
    matched = released_match(top, candidates)
    assert matched.index.tolist() == [[1, 1]]
    assert torch.allclose(matched.pose, top, atol=1e-4)
