"""The lifting network and what it sees: invariances of the virtual camera, equation 12, reach over time."""

import torch

from dyad.geometry.looking import toward
from dyad.models.gcn import directed_affinity, joint_hops
from dyad.models.joints import BODY17, positions
from dyad.models.lifting import GraphBlock, LiftingNetwork
from dyad.models.sight import CONFIDENCE, JOINT_FEATURES, sight, turned, turned_back

PELVIS = positions(("pelvis",), BODY17)[0]


def person(frames: int = 40, *, seed: int = 0) -> torch.Tensor:
    """Joints (1, T, 17, 3) m of somebody straight ahead at 4 m."""
    random = torch.Generator().manual_seed(seed)
    still = torch.randn(1, 1, 17, 3, generator=random) * 0.3
    moving = torch.randn(1, frames, 17, 3, generator=random).cumsum(1) * 0.003
    xyz = still + moving
    return xyz - xyz[..., 1:2].mean((1, 2), keepdim=True) * torch.tensor((0.0, 1.0, 0.0)) + torch.tensor((0, 0, 4.0))


def rays(xyz: torch.Tensor) -> torch.Tensor:
    return xyz[..., :2] / xyz[..., 2:]


def test_the_virtual_axes_follow_the_ray() -> None:
    middle = torch.tensor(((0.0, 0.0), (0.5, -0.3), (-2.0, 1.0)))
    ray = torch.nn.functional.normalize(torch.cat((middle, torch.ones(3, 1)), -1), dim=-1)
    turn = toward(ray)
    torch.testing.assert_close(turn @ torch.tensor((0.0, 0.0, 1.0)), ray)
    torch.testing.assert_close(turn @ turn.mT, torch.eye(3).expand(3, 3, 3))
    vectors = torch.randn(3, 5, 3)
    torch.testing.assert_close(turned_back(turn, turned(turn, vectors)), vectors)


def test_people_look_alike_wherever_they_are_and_however_large() -> None:
    xyz, sure, up = person(), torch.ones(1, 40, 17), torch.zeros(1, 3)
    ahead = sight(rays(xyz), sure, up)
    # The camera turned about its vertical axis.
    angle = torch.tensor(0.5)
    yaw = torch.tensor(((angle.cos(), 0, angle.sin()), (0, 1, 0), (-angle.sin(), 0, angle.cos())))
    aside = sight(rays(xyz @ yaw.T), sure, up)
    torch.testing.assert_close(aside.joints[..., :2], ahead.joints[..., :2], atol=0.06, rtol=0)
    # Everything twice as large and twice as far.
    far = sight(rays(2 * xyz), sure, up)
    torch.testing.assert_close(far.joints, ahead.joints)
    # A small thing far away is seen like a magnified one, but for perspective.
    assert float(sight(rays(xyz + torch.tensor((0, 0, 40.0))), sure, up).joints[..., :2].square().mean()) > 0.3


def test_what_is_missing_is_zero_and_changes_nothing_else() -> None:
    seen, sure = rays(person()), torch.ones(1, 40, 17)
    wrist = positions(("left_wrist",), BODY17)[0]
    hidden, worse = seen.clone(), seen.clone()
    hidden[:, 10:20, wrist] = torch.nan
    worse[:, 10:20, wrist] = 7.0
    doubt = sure.clone()
    doubt[:, 10:20, wrist] = 0
    told, other = sight(hidden, sure, torch.zeros(1, 3)), sight(worse, doubt, torch.zeros(1, 3))
    torch.testing.assert_close(told.joints, other.joints)
    torch.testing.assert_close(told.frames, other.frames)
    assert (told.joints[:, 10:20, wrist] == 0).all()
    assert (told.joints[:, 9, wrist, CONFIDENCE] == 1).all()
    nobody = sight(torch.full_like(seen, torch.nan), sure, torch.zeros(1, 3))
    assert all(torch.isfinite(value).all() for value in nobody)


def test_the_direction_up_is_told_in_the_virtual_camera() -> None:
    up = torch.nn.functional.normalize(torch.tensor(((0.1, -1.0, 0.2),)), dim=-1)
    seen = sight(rays(person() + torch.tensor((1.5, 0, 0))), torch.ones(1, 40, 17), up)
    torch.testing.assert_close(turned(seen.turn, seen.frames[..., None, -4:-1])[0, 5, 0], up[0])
    assert (seen.frames[..., -1] == 1).all()


def test_joints_gather_by_equation_12() -> None:
    block = GraphBlock(17, 8, 8)
    # Only what is told by the equation, passed on as it is.
    with torch.no_grad():
        block.first.weight.zero_()[:, 8:16] = torch.eye(8)
        block.second.weight[:] = torch.eye(8)
    x, confidence = torch.rand(5, 17, 8), torch.rand(5, 17).clamp(min=0.02)
    wanted = directed_affinity(confidence, joint_hops()) @ x
    got = block(x.transpose(0, 1), confidence.T[..., None], torch.exp(-joint_hops())).transpose(0, 1)
    torch.testing.assert_close(got, wanted)


def test_answers_are_about_the_pelvis_and_see_no_further_than_their_reach() -> None:
    torch.manual_seed(0)
    network = LiftingNetwork(graph=4, width=32, dilations=(1, 3)).eval()
    joints, frames = torch.randn(2, 30, 17, JOINT_FEATURES), torch.randn(2, 30, 10)
    with torch.no_grad():
        found = network(joints, frames)
        joints[:, 0] += 1
        other = network(joints, frames)
    assert found.pose.shape == (2, 30, 17, 3)
    assert found.root.shape == (2, 30, 3)
    assert (found.pose[:, :, PELVIS] == 0).all()
    assert (found.single[:, :, PELVIS] == 0).all()
    torch.testing.assert_close(found.up.norm(dim=-1), torch.ones(2, 30))
    reach = network.reach
    assert not torch.equal(found.pose[:, reach], other.pose[:, reach])
    torch.testing.assert_close(found.pose[:, reach + 1 :], other.pose[:, reach + 1 :])
