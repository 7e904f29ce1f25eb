import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.geometry.looking import toward
from dyad.stages.placing import flat_people, place_people

from .standing import CAMERA, body

AHEAD = torch.tensor([0.0, 0.0, 1.0])


def rays(count: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.cat((torch.randn(count, 2, generator=generator), torch.ones(count, 1)), -1)


def test_toward_is_a_rotation_that_takes_the_axis_to_the_ray() -> None:
    ray = rays()
    turn = toward(ray)
    torch.testing.assert_close(turn @ turn.transpose(-1, -2), torch.eye(3).expand(50, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(50))
    torch.testing.assert_close(turn @ AHEAD, ray / torch.linalg.vector_norm(ray, dim=-1, keepdim=True))
    torch.testing.assert_close(toward(AHEAD), torch.eye(3))


def test_toward_goes_the_shortest_way() -> None:
    ray = rays()
    turn = toward(ray)
    across = torch.linalg.cross(AHEAD.expand_as(ray), ray)
    # The axis of a shortest turn stays where it is, and the angle is that between the two.
    torch.testing.assert_close(torch.einsum("nij,nj->ni", turn, across), across, atol=1e-5, rtol=0)
    cosine = ray[:, 2] / torch.linalg.vector_norm(ray, dim=-1)
    torch.testing.assert_close(turn.diagonal(dim1=-2, dim2=-1).sum(-1), 1 + 2 * cosine)


@pytest.mark.parametrize("place", [(0.0, 1.2, 4.0), (2.0, 1.0, 5.0), (-1.5, 1.6, 3.0)])
def test_a_known_pose_comes_back_to_its_place(place: tuple[float, float, float]) -> None:
    real = body()[None] + torch.tensor(place, dtype=torch.float64)
    root = real[:, BODY17.index("pelvis")]
    centre = CAMERA.project(root)
    # What an estimator says to whom the person is the middle of the view.
    relative = torch.einsum("nij,nkj->nki", toward(root).transpose(-1, -2), real - root[:, None])
    found = place_people(relative.float(), CAMERA.project(real).float(), torch.ones(1, 17), centre.float(), CAMERA)
    assert (found - real).abs().max() < 2e-3


def test_a_joint_that_nobody_trusts_does_not_move_the_others() -> None:
    real = body()[None] + torch.tensor([0.5, 1.2, 4.0], dtype=torch.float64)
    xy, confidence = CAMERA.project(real).float(), torch.ones(1, 17)
    wrist = BODY17.index("left_wrist")
    xy[:, wrist] += 200
    confidence[:, wrist] = 0
    root = real[:, BODY17.index("pelvis")]
    relative = torch.einsum("nij,nkj->nki", toward(root).transpose(-1, -2), real - root[:, None]).float()
    found = place_people(relative, xy, confidence, CAMERA.project(root).float(), CAMERA)
    assert (found - real).abs().max() < 0.03


def test_placing_nobody() -> None:
    none = place_people(torch.zeros(0, 33, 3), torch.zeros(0, 33, 2), torch.zeros(0, 33), torch.zeros(0, 2), CAMERA)
    assert none.shape == (0, 33, 3)
    assert flat_people(torch.zeros(0, 17, 2), torch.zeros(0, 17), CAMERA, stature=1.7).shape == (0, 17, 3)


@pytest.mark.parametrize("turned", [0.0, 0.8, 1.57, 3.0])
@pytest.mark.parametrize("z", [2.5, 8.0])
def test_flat_people_stand_about_where_they_are(turned: float, z: float) -> None:
    real = body(turned=turned)[None] + torch.tensor([0.4, 1.2, z], dtype=torch.float64)
    xy = CAMERA.project(real)
    flat = flat_people(xy, torch.ones(1, 17), CAMERA, stature=1.7)
    torch.testing.assert_close(CAMERA.project(flat), xy)
    assert float(flat[0, 0, 2]) == pytest.approx(z, rel=0.08)
    root = flat[0, 0] / torch.linalg.vector_norm(flat[0, 0])
    assert float((flat[0] @ root).std()) < 1e-9


def test_flat_people_shrink_towards_the_camera_as_they_are_smaller() -> None:
    xy = CAMERA.project(body()[None] + torch.tensor([0.4, 1.2, 5.0], dtype=torch.float64))
    flat = flat_people(xy, torch.ones(1, 17), CAMERA, stature=1.7)
    torch.testing.assert_close(flat_people(xy, torch.ones(1, 17), CAMERA, stature=0.85), flat / 2)
    double = Camera.from_focal(CAMERA.size, 1800.0)
    far = flat_people(xy, torch.ones(1, 17), double, stature=1.7)
    assert float(far[0, 0, 2] / flat[0, 0, 2]) == pytest.approx(2, rel=0.01)


def test_a_limb_towards_the_camera_does_not_send_the_person_away() -> None:
    real = body()[None] + torch.tensor([0.0, 1.2, 5.0], dtype=torch.float64)
    shoulder, elbow, wrist = BODY17.indices("left_shoulder", "left_elbow", "left_wrist")
    pointing = real.clone()
    pointing[:, elbow] = real[:, shoulder] + torch.tensor([0, 0, -0.28]).double()
    pointing[:, wrist] = real[:, shoulder] + torch.tensor([0, 0, -0.52]).double()
    before, after = (
        flat_people(CAMERA.project(pose), torch.ones(1, 17), CAMERA, stature=1.7)[0, 0, 2] for pose in (real, pointing)
    )
    assert float(after / before) == pytest.approx(1, abs=0.05)


def test_flat_joints_that_are_missing_stay_so() -> None:
    xy = CAMERA.project(body()[None].repeat(3, 1, 1) + torch.tensor([0.4, 1.2, 5.0], dtype=torch.float64))
    wrist, pelvis = BODY17.indices("left_wrist", "pelvis")
    xy[1, wrist], xy[2, pelvis] = torch.nan, torch.nan
    missing = flat_people(xy, torch.ones(3, 17), CAMERA, stature=1.7).isnan().any(-1)
    assert not missing[0].any()
    assert torch.nonzero(missing[1])[:, 0].tolist() == [wrist]
    assert missing[2].all()
