import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.geometry.alignment import Similarity, fit_similarity, place


def rotation(generator: torch.Generator) -> torch.Tensor:
    q, r = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.float64))
    q = q * torch.sign(torch.diagonal(r))
    return q * torch.sign(torch.linalg.det(q))


def points(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=generator, dtype=torch.float64)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.floats(0.01, 100))
def test_a_known_similarity_is_recovered(seed: int, size: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    source, turn, shift = points(generator, 17), rotation(generator), points(generator) * 10
    target = Similarity(torch.tensor(size, dtype=torch.float64), turn, shift)(source)
    fit = fit_similarity(source, target)
    assert torch.allclose(fit.rotation, turn, atol=1e-8)
    assert float(fit.scale) == pytest.approx(size)
    assert torch.allclose(fit.translation, shift, atol=1e-6)
    assert torch.allclose(fit(source), target, atol=1e-6)


def test_it_is_the_best_of_all_similarities() -> None:
    """No small change of the fit comes nearer to a target that no similarity meets."""
    generator = torch.Generator().manual_seed(1)
    source, target, weights = points(generator, 12), points(generator, 12), torch.rand(12, generator=generator).double()

    def cost(fit: Similarity) -> float:
        return float((weights * (fit(source) - target).square().sum(-1)).sum())

    fit = fit_similarity(source, target, weights)
    for _ in range(50):
        turn = points(generator, 3)
        bend = torch.linalg.matrix_exp(1e-3 * (turn - turn.T))
        other = Similarity(
            fit.scale * (1 + 1e-3 * torch.randn((), generator=generator)),
            bend @ fit.rotation,
            fit.translation + 1e-3 * points(generator),
        )
        assert cost(other) > cost(fit)


def test_a_mirror_image_is_met_by_a_rotation() -> None:
    source = points(torch.Generator().manual_seed(2), 40, 17)
    fit = fit_similarity(source, source * torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.allclose(torch.linalg.det(fit.rotation), torch.ones(40, dtype=torch.float64))
    assert float((fit(source) - source * torch.tensor([-1.0, 1.0, 1.0])).abs().amax((1, 2)).min()) > 0.1


def test_points_without_weight_or_value_do_not_count() -> None:
    generator = torch.Generator().manual_seed(4)
    source, turn = points(generator, 17), rotation(generator)
    target = 2 * source @ turn.T + 1
    weights = torch.ones(17, dtype=torch.float64)
    target[3], weights[3] = 1e3, 0
    target[5] = math.nan
    source[6, 0] = math.nan
    fit = fit_similarity(source, target, weights)
    assert float(fit.scale) == pytest.approx(2)
    assert torch.allclose(fit.rotation, turn)


def test_a_rigid_fit_keeps_the_size() -> None:
    generator = torch.Generator().manual_seed(5)
    source, turn = points(generator, 17), rotation(generator)
    fit = fit_similarity(source, 3 * source @ turn.T, scale=False)
    assert float(fit.scale) == 1
    assert torch.allclose(fit.rotation, turn)


def test_a_batch_may_hold_someone_without_points() -> None:
    source = points(torch.Generator().manual_seed(6), 2, 17)
    target = source + 1
    target[0] = math.nan
    fit = fit_similarity(source, target)
    assert torch.isnan(fit(source[:])[0]).all()
    assert torch.allclose(fit(source)[1], target[1])
    assert fit_similarity(source[:0], target[:0]).rotation.shape == (0, 3, 3)


# --- place ---------------------------------------------------------------------------------------------------------


def people(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Root-relative poses of about 1.7 m, 2.5 to 8 m away; their places and rays."""
    generator = torch.Generator().manual_seed(seed)
    relative = points(generator, count, 17) * torch.tensor([0.2, 0.45, 0.15])
    relative = relative - relative[:, :1]
    low, span = torch.tensor([-1.0, -0.5, 2.5]), torch.tensor([2.0, 1.0, 5.5])
    where = (low + span * torch.rand(count, 3, generator=generator)).double()
    xyz = relative + where[:, None]
    return relative, where, xyz / xyz[..., 2:]


def noisy(rays: torch.Tensor, size: float, generator: torch.Generator) -> torch.Tensor:
    shake = size * points(generator, *rays.shape[:-1])
    shake[..., 2] = 0
    return rays + shake


def test_without_noise_the_place_is_exact() -> None:
    relative, where, rays = people(200)
    found = place(relative, rays, torch.ones(200, 17), noise=0.003)
    assert torch.allclose(found.translation, where, atol=1e-9)


def test_two_wild_joints_of_seventeen_hardly_matter() -> None:
    relative, where, rays = people(500)
    generator = torch.Generator().manual_seed(7)
    clean = noisy(rays, 0.003, generator)
    wild = clean.clone()
    for person in range(500):
        joints = torch.randperm(17, generator=generator)[:2]
        wild[person, joints, :2] += 2 * torch.rand(2, 2, generator=generator) - 1
    ones = torch.ones(500, 17)
    calm, shaken = (place(relative, seen, ones, noise=0.003, pose_noise=0.02).translation for seen in (clean, wild))
    before, after = ((t - where).norm(dim=-1) for t in (calm, shaken))
    assert float(after.median()) < 1.3 * float(before.median())
    assert float(after.max()) < 1.0


def test_wild_joints_without_noise_leave_the_place_exact() -> None:
    relative, where, rays = people(100)
    rays[:, 3, 0] += 0.7
    rays[:, 11, 1] -= 1.2
    found = place(relative, rays, torch.ones(100, 17), noise=1e-4, pose_noise=1e-4)
    assert torch.allclose(found.translation, where, atol=1e-4)


@pytest.mark.parametrize(("noise", "pose_noise"), [(0.004, 0.001), (0.001, 0.04), (0.004, 0.04)])
def test_the_information_tells_the_spread(noise: float, pose_noise: float) -> None:
    relative, where, rays = people(1, seed=3)
    trials = 2000
    generator = torch.Generator().manual_seed(8)
    seen = noisy(rays.expand(trials, -1, -1), noise, generator)
    shaken = relative + pose_noise * points(generator, trials, 17)
    found = place(shaken, seen, torch.ones(trials, 17), noise=noise, pose_noise=pose_noise)
    spread = (found.translation - where).square().mean(0).sqrt()
    told = torch.diagonal(torch.linalg.inv(found.information), dim1=-2, dim2=-1).mean(0).sqrt()
    ratio = told / spread
    assert (ratio > 1 / 1.5).all()
    assert (ratio < 1.5).all()


def test_joints_without_weight_or_value_do_not_count() -> None:
    relative, where, rays = people(3)
    weights = torch.ones(3, 17)
    weights[:, 4] = 0
    rays[:, 4] = 5.0
    rays[:, 5] = math.nan
    relative[:, 6, 2] = math.nan
    weights[:, 7] = math.nan
    found = place(relative, rays, weights, noise=0.003)
    assert torch.allclose(found.translation, where, atol=1e-9)


def test_who_cannot_be_placed_is_missing() -> None:
    relative, where, rays = people(3)
    weights = torch.ones(3, 17)
    weights[0] = 0
    weights[1, 1:] = 0
    found = place(relative, rays, weights, noise=0.003)
    assert torch.isnan(found.translation[:2]).all()
    assert float(found.information[:2].abs().max()) == 0
    assert torch.allclose(found.translation[2], where[2], atol=1e-9)
    assert place(relative[:0], rays[:0], weights[:0], noise=torch.zeros(0)).translation.shape == (0, 3)


def test_people_are_placed_each_for_themselves() -> None:
    relative, _, rays = people(6)
    rays = noisy(rays, 0.004, torch.Generator().manual_seed(9))
    noise, pose = torch.linspace(0.001, 0.01, 6), torch.rand(6, 17) * 0.03 + 0.02
    together = place(relative, rays, torch.ones(6, 17), noise=noise, pose_noise=pose)
    folded = place(
        relative.reshape(2, 3, 17, 3), rays.reshape(2, 3, 17, 3), torch.ones(2, 3, 17), noise=noise.reshape(2, 3),
        pose_noise=pose.reshape(2, 3, 17),
    )  # fmt: skip
    assert torch.allclose(folded.translation.reshape(6, 3), together.translation)
    for i in range(6):
        alone = place(relative[i], rays[i], torch.ones(17), noise=noise[i], pose_noise=pose[i])
        assert torch.allclose(alone.translation, together.translation[i])
        assert torch.allclose(alone.information, together.information[i])


def test_placing_commutes_with_a_turn_about_the_axis_of_view() -> None:
    relative, _, rays = people(5)
    rays = noisy(rays, 0.004, torch.Generator().manual_seed(10))
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
    plain = place(relative, rays, torch.ones(5, 17), noise=0.004).translation
    turned = place(relative @ turn.T, rays @ turn.T, torch.ones(5, 17), noise=0.004).translation
    assert torch.allclose(turned, plain @ turn.T, atol=1e-6)
