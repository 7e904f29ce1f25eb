import pytest
import torch

from dyad.core.detections import Detections
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.stages.association import PoseMatching, RootMatching, associate
from tests.stages.crowd import CAMERA, passing, standing, tracks_of


def further(poses: torch.Tensor, factor: float) -> torch.Tensor:
    """The same picture from people so many times as large at so many times the distance."""
    return poses * factor


def test_names_are_those_of_the_first_whatever_the_order() -> None:
    poses = passing()
    first, second = tracks_of(poses, [3, 8]), tracks_of(poses.flip(1), [0, 1])
    named = PoseMatching()(first, second)
    assert torch.equal(named.person, first.person)
    assert torch.equal(named.frame, first.frame)
    assert torch.allclose(named.xyz, first.xyz)


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_distance_and_size_may_be_far_off(factor: float) -> None:
    poses = passing()
    first = tracks_of(poses, [3, 8])
    named = PoseMatching()(first, tracks_of(further(poses.flip(1), factor), [0, 1]))
    assert torch.equal(named.person, first.person)
    assert torch.allclose(named.xyz, first.xyz * factor)


def test_strangers_stay_apart_and_keep_one_name() -> None:
    poses = passing()
    stranger = standing(2.5, 7.0).expand(len(poses), 1, 17, 3)
    first = tracks_of(poses, [3, 8])
    named = PoseMatching()(first, tracks_of(torch.cat((stranger, poses), 1), [0, 1, 2]))
    assert named.people == [3, 8, 9]
    assert torch.allclose(named.xyz[named.person == 9, 0, 0], torch.tensor(2.5))
    assert len(named.rows(9)) == len(poses)


def test_whom_the_first_lacks_for_a_while_keeps_the_name() -> None:
    poses = passing()
    gap = poses.clone()
    gap[5:9, 1] = torch.nan
    named = PoseMatching()(tracks_of(gap, [3, 8]), tracks_of(poses, [0, 1]))
    assert named.people == [3, 8]
    assert len(named.rows(8)) == len(poses)


def test_one_frame_of_exchanged_places_does_not_exchange_names() -> None:
    poses = torch.stack([torch.stack((standing(0.0, 4.0), standing(0.35, 4.2)))] * 15)
    wrong = poses.clone()
    # For one frame each is nearer to the other's place.
    wrong[7, :, :, 0] += torch.tensor((0.2, -0.2))[:, None]
    first, second = tracks_of(poses, [0, 1]), tracks_of(wrong, [5, 6])
    steady = PoseMatching()(first, second)
    assert torch.allclose(steady.xyz[steady.person == 0][:, 0, 0], tracks_of(wrong, [0, 1]).xyz[:15, 0, 0])
    hasty = PoseMatching(memory=0.0)(first, second)
    assert not torch.allclose(hasty.xyz, steady.xyz)


def test_confidence_weighs_as_the_less_sure_of_both() -> None:
    rule = PoseMatching()
    pose = standing(0.0, 4.0)[None]
    sure, doubtful = torch.ones(1, 17, dtype=torch.float64), torch.full((1, 17), 0.3, dtype=torch.float64)
    assert rule.similarity(pose, pose, sure, sure).item() == pytest.approx(1.0)
    assert rule.similarity(pose, pose, sure, doubtful).item() == pytest.approx(0.3)
    assert rule.similarity(pose, pose, doubtful, sure).item() == pytest.approx(0.3)
    half = pose.clone()
    half[:, ::2] = torch.nan
    assert rule.similarity(pose, half, sure, sure).item() == pytest.approx(8 / 17)


def test_allowed_error_grows_with_depth() -> None:
    rule, sure = PoseMatching(), torch.ones(1, 17, dtype=torch.float64)
    aside = torch.tensor((0.3, 0.0, 0.0), dtype=torch.float64)
    near, far = (
        rule.similarity(pose, pose + aside, sure, sure).item()
        for pose in (standing(0, 3.0)[None], standing(0, 9.0)[None])
    )
    assert 0 < near < far < 1
    assert rule.similarity(
        standing(0, 3.0)[None], standing(0, 3.0)[None, :0].new_zeros(0, 17, 3), sure, sure[:0]
    ).shape == (1, 0)


def test_roots_alone_take_the_nearest_in_the_image() -> None:
    first = tracks_of(torch.stack([torch.stack((standing(0.0, 4.0), standing(0.1, 6.0)))]), [0, 1])
    behind = tracks_of(torch.stack([torch.stack((standing(0.1, 6.0), standing(0.0, 4.0)))]), [5, 6])
    assert torch.allclose(RootMatching()(first, behind).xyz, first.xyz)
    away = RootMatching()(first, tracks_of(torch.stack([standing(3.0, 4.0)[None]]), [5]))
    assert away.people == [2]


def test_nameless_detections_get_names_over_time() -> None:
    poses = passing()
    stranger = standing(2.0, 7.0)
    found = []
    for t, both in enumerate(poses):
        people = torch.stack((stranger, *both)) if t % 2 else torch.stack((*both.flip(0), stranger))
        xy = CAMERA.project(people)
        boxes = torch.cat((xy.amin(1), xy.amax(1)), -1)
        ones = torch.ones(3)
        found.append(
            Detections(t, t / 25, boxes.float(), ones, xy.float(), torch.ones(3, 17), BODY17, people.float(), None)
        )
    first = tracks_of(poses, [3, 8])
    named = associate(found, first)
    assert named.people == [3, 8, 9]
    assert len(named) == 3 * len(poses)
    assert torch.allclose(named[named.person != 9].xyz, first.xyz)
    assert torch.isfinite(named.box).all()
    assert len(associate([], first)) == 0


def test_detections_without_depth_are_refused() -> None:
    flat = Detections(0, 0.0, torch.zeros(1, 4), torch.ones(1), torch.zeros(1, 17, 2), torch.ones(1, 17), BODY17)
    with pytest.raises(BadInput, match="3D joints"):
        associate([flat], tracks_of(passing(), [3, 8]))


@pytest.mark.parametrize("wrong", [{"base": 0.0}, {"along": 1.5}, {"memory": -0.1}, {"growth": -1.0}])
def test_policy_is_checked(wrong: dict[str, float]) -> None:
    with pytest.raises(BadUsage):
        PoseMatching(**wrong)
