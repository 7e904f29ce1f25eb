"""Camera paths against what their names promise."""

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadUsage
from dyad.synthetic.places.cameras import CameraPath, looking, smooth_noise

CAMERA = Camera.from_focal((64, 48), 60.0)


def paths(frames: int = 60) -> dict[str, CameraPath]:
    common = {"position": (0.3, 1.6, 2.0), "yaw": 0.2, "pitch": -0.1, "roll": 0.02}
    rng = np.random.default_rng(3)
    return {
        "static": CameraPath.static(CAMERA, frames, **common),
        "panning": CameraPath.panning(CAMERA, frames, fps=30, tilt=0.05, **common),
        "handheld": CameraPath.handheld(CAMERA, frames, fps=30, rng=rng, **common),
        "walking": CameraPath.walking(CAMERA, frames, fps=30, rng=rng, speed=1.2, **common),
    }


@pytest.mark.parametrize("kind", ["static", "panning", "handheld", "walking"])
def test_rotations_are_rotations_and_points_come_back(kind: str) -> None:
    path = paths()[kind]
    eye = path.rotation @ path.rotation.transpose(0, 2, 1)
    np.testing.assert_allclose(eye, np.broadcast_to(np.eye(3), eye.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(path.rotation), 1)
    points = np.random.default_rng(0).normal(size=(5, 3))
    np.testing.assert_allclose(path.to_world(path.to_camera(points, 7), 7), points, atol=1e-12)
    height = points @ (0, 1, 0)
    plane = path.floor(9)
    np.testing.assert_allclose(path.to_camera(points, 9) @ plane[:3] + plane[3], height, atol=1e-12)


def test_the_angles_mean_what_they_are_called() -> None:
    def ahead(yaw: float, pitch: float) -> np.ndarray:
        return looking(np.array(yaw), np.array(pitch), np.array(0.0))[2]

    np.testing.assert_allclose(looking(np.array(0.0), np.array(0.0), np.array(0.0)), np.diag((1, -1, -1)), atol=1e-12)
    np.testing.assert_allclose(ahead(np.pi / 2, 0.0), (-1, 0, 0), atol=1e-12)
    assert ahead(0.0, 0.3)[1] > 0
    # A camera that leans to its right sees what is upright lean to the left of the image.
    up = looking(np.array(0.0), np.array(0.0), np.array(0.2)) @ (0, 1, 0)
    assert up[0] < 0
    assert up[1] < 0


def test_projection_is_that_of_the_core_camera() -> None:
    path = paths()["walking"]
    points = np.random.default_rng(1).normal(size=(50, 3)) * 3
    expected = CAMERA.project(torch.from_numpy(path.to_camera(points, 4))).numpy()
    assert np.isnan(expected).any()
    np.testing.assert_allclose(path.project(points, 4), expected, equal_nan=True)


def test_only_the_static_camera_is_still_and_each_moves_in_its_way() -> None:
    made = paths()
    assert {kind: path.still for kind, path in made.items()} == {
        "static": True,
        "panning": False,
        "handheld": False,
        "walking": False,
    }
    assert np.ptp(made["panning"].position, axis=0).max() == 0
    spread = np.ptp(made["handheld"].position, axis=0)
    assert 0 < spread.max() < 0.15
    way = made["walking"].position[-1] - made["walking"].position[0]
    assert np.hypot(way[0], way[2]) == pytest.approx(1.2 * 59 / 30, abs=0.1)
    # It walks where it looks.
    ahead = made["walking"].rotation[0, 2]
    assert way @ ahead > 0.95 * np.linalg.norm(way)


def test_a_shaking_hand_is_smooth() -> None:
    times = np.arange(3000) / 30
    noise = smooth_noise(times, np.random.default_rng(5), 0.2, 4.0)
    assert np.sqrt((noise**2).mean()) == pytest.approx(1, abs=0.15)
    faster = smooth_noise(times / 10, np.random.default_rng(5), 0.2, 4.0)
    # Noise that is a function of time moves ten times less in a tenth of the time.
    assert np.abs(np.diff(faster)).mean() < 0.2 * np.abs(np.diff(noise)).mean()


def test_the_same_generator_gives_the_same_path() -> None:
    a, b = (CameraPath.handheld(CAMERA, 9, fps=30, rng=np.random.default_rng(8), position=(0, 1, 0)) for _ in range(2))
    np.testing.assert_array_equal(a.rotation, b.rotation)
    np.testing.assert_array_equal(a.position, b.position)


def test_paths_that_make_no_sense_are_refused() -> None:
    with pytest.raises(BadUsage, match="camera path"):
        CameraPath(CAMERA, np.eye(3), np.zeros(3))
    bent = Camera(CAMERA.size, CAMERA.focal, CAMERA.centre, torch.tensor([0.1, 0, 0, 0, 0]))
    with pytest.raises(BadUsage, match="distortion"):
        CameraPath.static(bent, 3, position=(0, 1, 0))
