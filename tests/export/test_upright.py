import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.core.tracks import Flag, World
from dyad.export.upright import upright
from tests.export.walking import ANKLE, HEIGHT, WITH_FEET, tilted, truth, walkers


def test_people_stand_on_the_floor_with_their_heads_up() -> None:
    tracks = walkers()
    space = upright(tracks)
    names = tracks.skeleton.names
    assert space.note == ""
    assert space.camera == pytest.approx([0, HEIGHT, 0], abs=1e-6)
    assert np.linalg.det(space.rotation) == pytest.approx(1)
    for person in space.people():
        assert np.abs(person.xyz - truth(tracks, person.number)).max() < 1e-4
        feet = person.xyz[:, [names.index("left_ankle"), names.index("right_ankle")], 1]
        assert feet.min(1) == pytest.approx(np.full(len(feet), ANKLE), abs=1e-4)
        assert (person.xyz[:, names.index("head_top"), 1] > 1.2).all()
    first = space.people()[0]
    assert first.times[[0, -1]] == pytest.approx([0, 49 / 25])
    # They walk towards the camera, so their left is to the camera's right.
    assert (first.xyz[:, names.index("left_hip"), 0] > first.xyz[:, names.index("right_hip"), 0]).all()


def test_sigma_turns_with_the_axes() -> None:
    tracks = walkers(3)
    rotation, _ = tilted()
    samples = np.random.default_rng(0).normal(size=(200_000, 3)) * (0.01, 0.02, 0.05)
    assert upright(tracks).sigma[0, 0] == pytest.approx((samples @ rotation).std(0), rel=0.02)


def test_the_camera_frame_has_the_camera_at_the_origin() -> None:
    tracks = walkers(3)
    space = upright(tracks, "camera")
    assert space.xyz == pytest.approx(tracks.xyz.double().numpy() * (1, -1, -1))
    assert space.camera == pytest.approx([0, 0, 0])
    assert (space.sigma == tracks.sigma.double().numpy()).all()


@pytest.mark.parametrize("down", [True, False])
def test_a_camera_that_looks_straight_down_or_up_keeps_the_picture_s_right(down: bool) -> None:
    gravity = torch.tensor([0.0, 0, 1 if down else -1])
    world = World(gravity, torch.cat([-gravity, torch.tensor([3.0])]))
    space = upright(walkers(2, world=world))
    assert np.linalg.det(space.rotation) == pytest.approx(1)
    assert space.rotation @ [1, 0, 0] == pytest.approx([1, 0, 0])
    assert space.rotation @ gravity.double().numpy() == pytest.approx([0, -1, 0])
    # What the picture shows further up is further ahead when looking down, further behind when looking up.
    assert space.rotation @ [0, -1, 0] == pytest.approx([0, 0, -1 if down else 1])


@pytest.mark.parametrize("skeleton", [None, WITH_FEET])
def test_without_a_world_the_lowest_feet_are_on_the_floor(skeleton) -> None:
    level = World(torch.tensor([0.0, 1, 0]), torch.tensor([0.0, -1, 0, HEIGHT]))
    tracks = walkers(**({"skeleton": skeleton} if skeleton else {}))
    known = upright(tracks).xyz
    # The same people before a level camera of which nothing is known.
    xyz = torch.from_numpy((known - (0, HEIGHT, 0)) * (1, -1, -1))
    assert upright(tracks.with_(xyz=xyz, world=level)).xyz == pytest.approx(known, abs=1e-4)
    space = upright(tracks.with_(xyz=xyz, world=None))
    assert "level" in space.note
    # Feet of these walkers are not those of an average person.
    assert space.xyz == pytest.approx(known, abs=0.03)
    assert space.camera is not None


def test_every_shot_gets_a_floor_of_its_own() -> None:
    tracks = walkers(20, world=None, cuts=(10,))
    later = (tracks.frame >= 10)[:, None, None] * torch.tensor([0.0, 0.7, 0])
    assert upright(tracks).xyz == pytest.approx(upright(tracks.with_(xyz=tracks.xyz + later)).xyz, abs=1e-5)
    assert upright(tracks).camera is None


def test_one_wild_foot_does_not_lift_everybody() -> None:
    tracks = walkers(60, world=None)
    xyz = tracks.xyz.clone()
    xyz[7, tracks.skeleton.index("left_ankle"), 1] += 1
    assert upright(tracks.with_(xyz=xyz)).xyz[0] == pytest.approx(upright(tracks).xyz[0], abs=0.02)


def test_who_has_no_3d_is_left_out() -> None:
    tracks = walkers(12)
    flags = torch.zeros(len(tracks), dtype=torch.int64)
    flags[tracks.rows(3)[:5]] = int(Flag.FLAT | Flag.BORDER)
    xyz = tracks.xyz.clone()
    xyz[tracks.rows(8)] = torch.nan
    people = upright(tracks.with_(flags=flags, xyz=xyz)).people()
    assert [(p.number, p.frames.tolist()) for p in people] == [(3, list(range(5, 12)))]
    with pytest.raises(BadInput, match="planes that face the camera"):
        upright(tracks.with_(flags=torch.full_like(flags, int(Flag.FLAT)))).people()
    with pytest.raises(BadInput, match="nobody in 3D"):
        upright(tracks[torch.zeros(len(tracks), dtype=torch.bool)]).people()


def test_a_frame_of_another_name_is_refused() -> None:
    with pytest.raises(BadUsage, match="'world' or 'camera'"):
        upright(walkers(2), "floor")  # ty: ignore[invalid-argument-type]
