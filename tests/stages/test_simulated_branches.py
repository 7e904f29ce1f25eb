from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17
from dyad.stages.simulated_branches import Branch, BranchErrors, Common, simulate_branch, simulate_view
from tests.stages.crowd import standing

ROOT = BODY17.index("pelvis")
NONE = BranchErrors(
    **{"level": (1.0, 1.0), "white": 0.0, "drift": 0.0, "offset": 0.0, "bones": 0.0, "size": 0.0, "placed": 0.0},
    **{"shrunk": (1.0, 1.0), "turned": 0.0, "tilt": 0.0, "flipped": 0.0, "lapse": 0.0, "depth": 0.0},
    **{"depth_drift": 0.0, "aside": 0.0, "taken": 0.0, "lost": 0.0, "missed": 0.0},
)


def crowd(people: int = 60, frames: int = 12, *, x: float = 0.0) -> Tensor:
    return standing(x, 4.0).float().expand(people, frames, 17, 3).clone()


def said(
    errors: BranchErrors, truth: Tensor, hidden: Tensor | None = None, beside: Tensor | None = None, seed: int = 0
) -> Branch:
    n, t, j = truth.shape[:3]
    hidden = torch.zeros(n, t, j, dtype=torch.bool) if hidden is None else hidden
    beside = torch.full_like(truth, torch.nan) if beside is None else beside
    random = torch.Generator().manual_seed(seed)
    return simulate_branch(truth, hidden, beside, torch.full((n,), 0.04), [errors] * n, random)


def relative(xyz: Tensor) -> Tensor:
    return xyz - xyz[:, :, ROOT, None]


def test_without_errors_it_is_the_truth() -> None:
    truth = crowd(x=1.0)
    assert torch.allclose(said(NONE, truth).xyz, truth, atol=1e-4)


def test_the_same_seed_says_the_same() -> None:
    truth = crowd()
    first, again, other = (said(BranchErrors.any(), truth, seed=s).xyz.nan_to_num() for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_sizes_and_distances() -> None:
    truth = crowd(400, 3)
    larger = said(replace(NONE, size=0.1), truth).xyz
    factor = relative(larger).norm(dim=-1)[:, 0, 1] / relative(truth).norm(dim=-1)[:, 0, 1]
    assert factor.std().item() == pytest.approx(0.1, rel=0.2)
    assert torch.allclose(larger[:, :, ROOT], truth[:, :, ROOT], atol=1e-4)
    placed = said(replace(NONE, size=0.1, placed=1.0), truth).xyz
    nearer = (placed / truth)[..., ROOT, 2][..., None, None]
    assert nearer.std() > 0.05
    assert torch.allclose(placed, truth * nearer, atol=1e-3)
    further = said(replace(NONE, depth=0.1), truth).xyz[:, :, ROOT, 2] / 4.0
    assert further.std().item() == pytest.approx(0.1, rel=0.2)
    assert torch.allclose(further[:, 0], further[:, -1])


def test_axes_of_a_camera_that_looks_at_the_person() -> None:
    truth = crowd(x=2.0)
    turned = said(replace(NONE, turned=1.0), truth).xyz
    assert torch.allclose(turned[:, :, ROOT], truth[:, :, ROOT], atol=1e-4)
    lengths = (relative(value).norm(dim=-1) for value in (turned, truth))
    assert torch.allclose(*lengths, atol=1e-4)
    assert (relative(turned) - relative(truth)).abs().max() > 0.05


def test_flipped_limbs_keep_their_picture_about() -> None:
    truth = crowd(200)
    truth[..., BODY17.index("left_wrist"), 2] -= 0.3
    wrong = said(replace(NONE, flipped=0.5), truth).xyz
    at = relative(wrong)[..., BODY17.index("left_wrist"), 2]
    flipped = at > 0.2
    assert 0.3 < flipped.float().mean() < 0.7
    assert torch.allclose(at[flipped], torch.tensor(0.3), atol=0.05)


def test_hidden_joints_err_more_and_land_on_the_neighbour() -> None:
    truth = crowd(200)
    hidden = torch.zeros(200, 12, 17, dtype=torch.bool)
    wrist = BODY17.index("right_wrist")
    hidden[..., wrist] = True
    noisy = said(replace(NONE, drift=0.02, hidden=4.0), truth, hidden).xyz
    error = (relative(noisy) - relative(truth)).norm(dim=-1).mean((0, 1))
    assert error[wrist] > 2.5 * error[BODY17.index("left_wrist")]
    beside = crowd(200, x=1.0)
    taken = said(replace(NONE, taken=0.5), truth, hidden, beside).xyz
    share = torch.isclose(taken[..., wrist, 0], beside[..., wrist, 0], atol=1e-3).float().mean()
    assert 0.3 < share < 0.7
    assert torch.allclose(
        taken[..., BODY17.index("left_wrist"), :], truth[..., BODY17.index("left_wrist"), :], atol=1e-4
    )


def test_people_go_missing_in_bursts_and_confidence_tells_of_errors() -> None:
    truth = crowd(300)
    gone = torch.isnan(said(replace(NONE, missed=0.2), truth).xyz[..., 0, 0])
    assert gone.float().mean().item() == pytest.approx(0.2, abs=0.06)
    assert (gone[:, 1:] == gone[:, :-1]).float().mean() > 0.75
    branch = said(replace(BranchErrors.any(), frank=1.0, missed=0.0, lost=0.0, lapse=0.0), truth)
    error = (relative(branch.xyz) - relative(truth)).norm(dim=-1)
    poor = error > error.median()
    assert branch.confidence[~poor].mean() > branch.confidence[poor].mean() + 0.1
    assert ((branch.confidence >= 0) & (branch.confidence <= 1)).all()


def test_rays_of_a_detector_lie_near_the_joints() -> None:
    truth = crowd(200, x=0.3)
    hidden = torch.zeros(200, 12, 17, dtype=torch.bool)
    hidden[..., 3] = True
    nobody = torch.full_like(truth, torch.nan)
    focal, step = torch.full((200,), 900.0), torch.full((200,), 0.04)
    seen = simulate_view(truth, hidden, nobody, focal, step, torch.Generator().manual_seed(0))
    off = 4.0 * (seen.rays - truth[..., :2] / truth[..., 2:]).norm(dim=-1)
    assert off.nanmedian() < 0.06
    assert off[..., 3].nanmedian() > 1.5 * off[..., 2].nanmedian()
    blind = torch.isnan(seen.rays).all((1, 2, 3)).float().mean()
    assert 0 < blind < 0.12


def test_shares_are_checked() -> None:
    with pytest.raises(BadUsage):
        BranchErrors(flipped=1.2)


def test_branches_share_as_much_luck_as_told() -> None:
    truth = crowd(300, 3)
    hidden = torch.zeros(300, 3, 17, dtype=torch.bool)
    for share in (0.0, 0.6, 1.0):
        common = Common(7, torch.full((300,), share))
        random = torch.Generator().manual_seed(3)
        first, second = (
            relative(
                simulate_branch(
                    truth, hidden, truth * torch.nan, torch.full((300,), 0.04), [errors] * 300, random, common=common
                ).xyz
                - truth
            )[:, 0, 1:].flatten()
            for errors in (replace(NONE, offset=0.02), replace(NONE, offset=0.04))
        )
        alike = torch.corrcoef(torch.stack((first, second)))[0, 1].item()
        assert alike == pytest.approx(share**2, abs=0.05)
