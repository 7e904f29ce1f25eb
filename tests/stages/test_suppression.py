import torch
from torch import Tensor

from dyad.core.skeleton import BLAZEPOSE33
from dyad.stages.regions import People
from dyad.stages.suppression import part_of, pose_likeness, same_body, settle_claims, suppress

from .test_appearance import pose


def people(*poses: Tensor, score: tuple[float, ...] | None = None, seen: float = 0.9) -> People:
    xy = torch.stack(poses)
    n = len(xy)
    score = (0.9,) * n if score is None else score
    hips = xy[:, BLAZEPOSE33.indices("left_hip", "right_hip")].mean(1)
    return People(
        xy,
        torch.zeros(n, 33, 3),
        torch.full((n, 33), seen),
        torch.tensor(score),
        torch.zeros(n),
        hips,
        hips - torch.tensor([0.0, 100.0]),
        torch.full((n,), 250.0),
    )


def noisy(xy: Tensor, pixels: float, seed: int = 0) -> Tensor:
    return xy + pixels * torch.randn(xy.shape, generator=torch.Generator().manual_seed(seed))


HERE, BESIDE, AWAY = pose(200, 300, 100), pose(245, 300, 100), pose(500, 300, 100)


def test_likeness_is_one_for_the_same_and_symmetric() -> None:
    some = people(HERE, noisy(HERE, 3), BESIDE, AWAY)
    likeness = pose_likeness(some, some)
    torch.testing.assert_close(likeness.diagonal(), torch.ones(4))
    torch.testing.assert_close(likeness, likeness.T)
    assert likeness[0, 1] > 0.8 > 0.3 > likeness[0, 2] > likeness[0, 3]
    assert likeness[0, 3] < 1e-3
    assert pose_likeness(some, People.none()).shape == (4, 0)


def test_likeness_does_not_depend_on_place_or_size() -> None:
    a, b = people(HERE), people(noisy(HERE, 6))
    plain = pose_likeness(a, b)
    torch.testing.assert_close(pose_likeness(people(HERE + 300), people(noisy(HERE, 6) + 300)), plain)
    torch.testing.assert_close(pose_likeness(people(3 * HERE), people(3 * noisy(HERE, 6))), plain)


def test_one_body_is_kept_once_and_the_best_of_it() -> None:
    some = people(noisy(HERE, 3), HERE, AWAY, noisy(AWAY, 3, 1), score=(0.6, 0.9, 0.7, 0.8))
    assert suppress(some).tolist() == [1, 3]
    assert suppress(some, torch.tensor([0.9, 0.1, 0.5, 0.2])).tolist() == [0, 2]
    assert suppress(People.none()).tolist() == []


def test_neighbours_stay_two() -> None:
    two = people(HERE, BESIDE)
    assert not same_body(two, two)[0, 1]
    assert sorted(suppress(two).tolist()) == [0, 1]
    assert sorted(suppress(two, known=True).tolist()) == [0, 1]


def test_a_body_whose_limbs_were_read_otherwise_is_one_body() -> None:
    other = HERE.clone()
    arms = BLAZEPOSE33.indices("left_elbow", "left_wrist", "right_elbow", "right_wrist", "left_knee", "left_ankle")
    other[arms] += torch.tensor([45.0, -40.0])
    two = people(HERE, other)
    assert same_body(two, two).all()
    assert len(suppress(two)) == 1


def test_a_small_person_on_an_arm_is_part_of_the_large() -> None:
    elbow = HERE[BLAZEPOSE33.index("left_elbow")]
    tiny = pose(0, 0, 20)
    trunk = BLAZEPOSE33.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")
    on_arm = tiny - tiny[trunk].mean(0) + elbow
    child = tiny - tiny[trunk].mean(0) + elbow + torch.tensor([120.0, 0.0])
    some, large = people(on_arm, child), people(HERE)
    assert part_of(some, large)[:, 0].tolist() == [True, False]
    assert not part_of(large, some).any()
    assert suppress(people(HERE, on_arm, child)).tolist() == [0, 2]
    assert part_of(People.none(), large).shape == (0, 1)


def test_the_order_of_the_rows_does_not_matter() -> None:
    poses = [noisy(HERE, 3), HERE, AWAY, noisy(AWAY, 3, 1), BESIDE]
    scores = [0.6, 0.9, 0.7, 0.8, 0.5]
    straight = {poses[i].sum().item() for i in suppress(people(*poses, score=tuple(scores)))}
    back = {poses[::-1][i].sum().item() for i in suppress(people(*poses[::-1], score=tuple(scores[::-1])))}
    assert straight == back


def test_a_joint_that_two_claim_is_worth_less() -> None:
    alone = people(HERE)
    assert torch.equal(settle_claims(alone), alone.seen)
    apart = people(HERE, AWAY)
    torch.testing.assert_close(settle_claims(apart), apart.seen)
    wrist = BLAZEPOSE33.index("left_wrist")
    thief = BESIDE.clone()
    thief[wrist] = HERE[wrist]
    both = people(HERE, thief)
    settled = settle_claims(both)
    torch.testing.assert_close(settled[:, wrist], both.seen[:, wrist] / 2)
    assert (settled[:, BLAZEPOSE33.index("nose")] > 0.89).all()
    sure = people(HERE, thief)
    sure.seen[1, wrist] = 0.1
    first, second = settle_claims(sure)[:, wrist].tolist()
    assert first > 0.8
    assert second < 0.02
