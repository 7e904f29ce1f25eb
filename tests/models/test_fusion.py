import torch
from torch import Tensor

from dyad.models.fusion import Fused, FusionNetwork
from dyad.models.joints import BODY17
from dyad.models.zoo import make

J = len(BODY17)


def small(**options: object) -> FusionNetwork:
    torch.manual_seed(0)
    return FusionNetwork(width=16, dilations=(1, 2), **options).eval()  # ty: ignore[invalid-argument-type]


def inputs(n: int = 3, t: int = 10, k: int = 2) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(1)
    pose = 0.3 * torch.randn(n, t, 1, J, 3, generator=random) + torch.tensor((0.3, 0.1, 4.0))
    poses = pose + 0.05 * torch.randn(n, t, k, J, 3, generator=random)
    return {
        "poses": poses,
        "confidence": 0.2 + 0.8 * torch.rand(n, t, k, J, generator=random),
        "rays": pose[:, :, 0, :, :2] / pose[:, :, 0, :, 2:],
        "ray_confidence": torch.rand(n, t, J, generator=random),
        "other": torch.full((n, t, J, 3), torch.nan),
        "other_confidence": torch.zeros(n, t, J),
        "step": torch.full((n,), 0.04),
        "roles": torch.zeros(n, k, dtype=torch.int64),
    }


def test_missing_estimates_leave_numbers_and_nobody_leaves_none() -> None:
    given = inputs()
    given["poses"][0, 2:5, 0] = torch.nan
    given["poses"][1, 4] = torch.nan
    given["poses"][2, :, :, 5] = torch.nan
    given["rays"][2] = torch.nan
    found: Fused = small()(**given)
    assert torch.isnan(found.xyz[1, 4]).all()
    rest = torch.ones(3, 10, dtype=torch.bool)
    rest[1, 4] = False
    assert torch.isfinite(found.xyz[rest]).all()
    assert (found.sigma[rest] > 0).all()


def test_estimates_of_one_role_may_come_in_any_order_and_number() -> None:
    given = inputs(k=3)
    network = small()
    turned = {**given, "poses": given["poses"].flip(2), "confidence": given["confidence"].flip(2)}
    assert torch.allclose(network(**given).xyz, network(**turned).xyz, atol=1e-4)
    one = {**given, "poses": given["poses"][:, :, :1], "confidence": given["confidence"][:, :, :1]}
    one["roles"] = given["roles"][:, :1]
    assert torch.isfinite(network(**one).xyz).all()
    # One that is never there is as good as none.
    empty = {**given, "poses": given["poses"].clone()}
    empty["poses"][:, :, 1:] = torch.nan
    assert torch.allclose(network(**one).xyz, network(**empty).xyz, atol=1e-4)


def test_what_an_unseen_joint_holds_is_of_no_matter() -> None:
    given = inputs()
    given["confidence"][:, :, 0, 4] = 0
    given["poses"][:, :, 0, 4] = torch.nan
    given["rays"][:, :, 2] = torch.nan
    loud = {**given, "ray_confidence": given["ray_confidence"].clone()}
    loud["ray_confidence"][:, :, 2] = 1.0
    assert torch.allclose(small()(**given).xyz, small()(**loud).xyz, atol=1e-5)


def test_neighbours_and_rays_are_looked_at_unless_told_not_to() -> None:
    given = inputs()
    beside = {**given, "other": given["poses"][:, :, 0] + torch.tensor((0.5, 0.0, 0.0))}
    beside["other_confidence"] = torch.ones(3, 10, J)
    blind = {**given, "rays": torch.full_like(given["rays"], torch.nan)}
    for options, changed, same in (({}, True, False), ({"rays": False, "pairs": False}, False, True)):
        network = small(**options)
        plain = network(**given).xyz
        for other in (beside, blind):
            assert torch.allclose(plain, network(**other).xyz, atol=1e-7) == same
            assert (plain != network(**other).xyz).any() == changed


def test_frames_far_away_in_time_have_no_say() -> None:
    given = inputs(t=30)
    network = small()
    plain = network(**given).xyz
    late = {**given, "poses": given["poses"].clone()}
    late["poses"][:, 25:] += 0.5
    changed = (network(**late).xyz - plain).abs().amax((0, 2, 3)) > 1e-6
    assert not changed[:22].any()
    assert changed[25:].all()


def test_it_learns() -> None:
    given = inputs(n=2, t=3)
    truth = given["poses"].mean(2) * torch.tensor((1.0, 1.0, 1.15))
    network = make("fusion", width=16, dilations=(1,))
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-2)
    losses = []
    for _ in range(12):
        loss = (network(**given).xyz - truth).norm(dim=-1).mean()
        optimiser.zero_grad()
        loss.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
