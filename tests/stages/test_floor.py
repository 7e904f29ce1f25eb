import math

import pytest
import torch
from torch import Tensor

from dyad.stages.floor import ANKLE_HEIGHT, FloorEstimator, Footing


def up_vector(pitch: float, roll: float = 0.0) -> Tensor:
    """Up in the axes of a camera that looks down by `pitch` and is turned about its axis by `roll`, rad."""
    up = torch.tensor([0.0, -math.cos(pitch), -math.sin(pitch)], dtype=torch.float64)
    c, s = math.cos(roll), math.sin(roll)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64) @ up


def someone(
    up: Tensor, above: float, *, height: float, reads: float = 1.0, spread: float = 0.02, seed: int = 0, n: int = 120
) -> Footing:
    """Someone who walks about on the floor `above` m under the camera, read `reads` times as large as he is."""
    generator = torch.Generator().manual_seed(seed)
    depth = 3 + 3 * torch.rand(n, generator=generator, dtype=torch.float64)
    side = torch.linalg.cross(torch.tensor([0.0, 0.0, 1.0]).double(), up)
    side = side / torch.linalg.vector_norm(side)
    ahead = torch.linalg.cross(up, side)
    ahead = ahead * torch.sign(ahead[2])
    across = 2 * torch.rand(n, generator=generator, dtype=torch.float64) - 1
    lift = ANKLE_HEIGHT * height - above + spread * torch.randn(n, generator=generator, dtype=torch.float64)
    feet = depth[:, None] * ahead + across[:, None] * side + lift[:, None] * up
    bodies = (0.75 * height * up).expand(40, 3) + 0.03 * torch.randn(40, 3, generator=generator, dtype=torch.float64)
    return Footing(reads * feet, reads * bodies, reads * height)


def degrees_between(a: Tensor, b: Tensor) -> float:
    return math.degrees(math.acos(min(1.0, float(a @ b))))


@pytest.mark.parametrize(("pitch", "roll"), [(0.0, 0.0), (0.3, 0.05), (-0.1, -0.03), (0.1, 1.5), (0.0, math.pi)])
def test_the_plane_and_two_scales_come_back(pitch: float, roll: float) -> None:
    up = up_vector(pitch, roll)
    one, two = (someone(up, 1.5, height=1.72, reads=reads, seed=seed) for seed, reads in enumerate((1.0, 0.95)))
    (first, second), world = FloorEstimator()([one, two])
    assert world is not None
    assert degrees_between(world.floor[:3], up) < 2
    assert degrees_between(world.gravity, -up) < 2
    assert float(world.floor[3]) == pytest.approx(1.5, rel=0.06)
    assert second / first == pytest.approx(1 / 0.95, rel=0.02)
    assert first == pytest.approx(1, abs=0.05)


def test_a_few_feet_in_the_air_do_not_tilt_the_floor() -> None:
    up = up_vector(0.2)
    good = someone(up, 1.4, height=1.7)
    jumped = good.feet.clone()
    jumped[::6] += 0.5 * up
    _, world = FloorEstimator()([Footing(jumped, good.upright, good.height)])
    assert world is not None
    assert degrees_between(world.floor[:3], up) < 3


def test_without_feet_there_is_no_world_and_the_prior_alone() -> None:
    none = torch.zeros(0, 3)
    people = [Footing(none, none, 1.6), Footing(none, none, 1.8), Footing(torch.ones(5, 3), none, 1.7)]
    scales, world = FloorEstimator()(people)
    assert world is None
    assert 1.72 / 1.6 > scales[0] > 1 > scales[1] > 1.72 / 1.8
    assert FloorEstimator()([]) == ([], None)


def test_feet_that_contradict_one_another_make_no_floor() -> None:
    generator = torch.Generator().manual_seed(0)
    feet = torch.tensor([0.0, 0.5, 4.0]) + torch.tensor([2.0, 2.0, 1.0]) * torch.randn(100, 3, generator=generator)
    _, world = FloorEstimator()([Footing(feet, torch.zeros(0, 3), 1.7)])
    assert world is None


def test_a_known_height_rules() -> None:
    up = up_vector(0.1)
    people = [someone(up, 1.5, height=1.9, reads=reads, seed=1) for reads in (0.5, 1.0, 2.0)]
    results = [FloorEstimator()([person], 1.9) for person in people]
    for (scales, world), reads in zip(results, (0.5, 1.0, 2.0), strict=True):
        assert scales[0] * reads == pytest.approx(1, abs=0.005)
        assert world is not None
        # The same world, in whatever unit the estimator read.
        torch.testing.assert_close(world.floor, results[1][1].floor, atol=0.01, rtol=0)


def test_the_estimators_own_scale_counts_as_much_as_it_is_trusted() -> None:
    none = torch.zeros(0, 3)
    person = [Footing(none, none, 1.5)]
    trusting, doubting = (FloorEstimator(scale_error=error)(person)[0][0] for error in (0.001, 100.0))
    assert trusting == pytest.approx(1, abs=1e-3)
    assert doubting == pytest.approx(1.72 / 1.5, rel=1e-3)


def test_of_many_people_each_gets_a_scale_and_memory_does_not_grow_with_their_square(monkeypatch) -> None:
    """Those beyond the first few stand on the floor of the others; their scales come out as if all were fitted."""
    up = up_vector(0.2)
    people = [
        someone(up, 1.5, height=1.72, reads=0.9 + 0.02 * (seed % 10), seed=seed, n=60 + seed % 3) for seed in range(12)
    ]
    together, first = FloorEstimator()(people)
    monkeypatch.setattr("dyad.stages.floor._TOGETHER", 4)
    apart, second = FloorEstimator()(people)
    assert apart == pytest.approx(together, rel=0.02)
    assert first is not None
    assert second is not None
    assert degrees_between(first.floor[:3], second.floor[:3]) < 1
