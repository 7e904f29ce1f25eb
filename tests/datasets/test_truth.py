import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17, Skeleton
from dyad.datasets.truth import check_rotation, fitted_camera, into_camera, truth_tracks

from .walking import pixels, turned, walk

CAMERA = Camera((640, 480), torch.tensor([500.0, 510.0]), torch.tensor([320.0, 235.0]))
FIVE = Skeleton.of_names(("a", "b", "c", "d", "e"))


def test_confidence_tells_seen_from_hidden_from_outside() -> None:
    xy = np.array([[[-0.5, 3], [-0.6, 3], [639.5, 479.5], [5, 479.6], [np.nan, np.nan]]])
    xyz = np.ones((1, 5, 3))
    xyz[0, 4] = np.nan
    hidden = np.array([[False, True, True, False, True]])
    zero = np.zeros(1, dtype=np.int64)
    truth = truth_tracks(skeleton=FIVE, camera=CAMERA, frame=zero, person=zero, xyz=xyz, xy=xy, hidden=hidden)
    assert truth.confidence.tolist() == [[1, 0, 0.25, 0, 0]]
    assert truth.box.tolist() == pytest.approx(np.array([[-0.6, 3, 639.5, 479.6]]))
    # Without 2D it is where the 3D appears; what is not before the camera does not.
    points = np.array([[[0, 0, 5], [0, 0, -5], [100, 0, 5], [1, 1, 5], [np.nan] * 3]], dtype=np.float64)
    truth = truth_tracks(skeleton=FIVE, camera=CAMERA, frame=zero, person=zero, xyz=points)
    assert truth.confidence.tolist() == [[1, 0, 0, 1, 0]]
    assert truth.xy[0, 3].tolist() == [420, 337]


def test_nobody_and_nothing_known() -> None:
    none = np.zeros(0, dtype=np.int64)
    truth = truth_tracks(skeleton=FIVE, camera=CAMERA, frame=none, person=none, xyz=np.zeros((0, 5, 3)))
    assert len(truth) == 0


def test_extrinsics_are_the_rotation_and_then_the_shift() -> None:
    rotation, shift = np.stack((turned(0.3, 0.2), turned(-1, 0.1))), np.array(((1.0, 2, 3), (0, -1, 5)))
    world = np.random.default_rng(0).normal(size=(2, 7, 3))
    got = into_camera(world, rotation, shift)
    for at in range(2):
        for point in range(7):
            assert got[at, point] == pytest.approx(rotation[at] @ world[at, point] + shift[at])
    assert check_rotation(rotation, "x") is rotation
    for wrong in (rotation * 1.01, rotation * (1, 1, -1), np.zeros((1, 3, 3))):
        with pytest.raises(BadInput, match="x holds a camera rotation that is none"):
            check_rotation(wrong, "x")


def test_the_camera_is_found_also_among_slips() -> None:
    rng = np.random.default_rng(0)
    xyz = walk(MUPOTS17, frames=20, people=2)
    xy = pixels(CAMERA, xyz)
    slipped = rng.uniform(size=xy.shape[:-1]) < 0.1
    xy[slipped] += rng.uniform(5, 200, (int(slipped.sum()), 2))
    xy[0, 0, 0], xyz[0, 0, 1] = np.nan, np.nan
    camera = fitted_camera(xyz, xy, CAMERA.size, "x")
    assert camera.focal.tolist() == pytest.approx([500, 510], abs=1e-6)
    assert camera.centre.tolist() == pytest.approx([320, 235], abs=1e-6)
    assert camera.source == "file"


def test_a_camera_that_nothing_tells_is_said() -> None:
    xyz = walk(MUPOTS17)
    xy = pixels(CAMERA, xyz)
    for some, others in ((xyz[..., :3, :][:1], xy[..., :3, :][:1]), (xyz * np.nan, xy), (xyz * (0, 1, 1), xy)):
        with pytest.raises(BadInput, match="x holds too few joints"):
            fitted_camera(some, others, CAMERA.size, "x")
    # A mirrored image has no camera.
    with pytest.raises(BadInput, match="do not agree"):
        fitted_camera(xyz, (640, 0) + xy * (-1, 1), CAMERA.size, "x")
    with pytest.raises(BadInput, match="misses by"):
        fitted_camera(xyz, xy + np.random.default_rng(0).normal(0, 20, xy.shape), CAMERA.size, "x")
