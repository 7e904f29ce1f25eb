"""VideoPose3D's five errors, its camera functions and its screen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.evaluation.aligned import n_errors, pa_errors
from dyad.evaluation.pose3d import absolute_errors, mean_error, weighted_mean_error
from dyad.evaluation.temporal import velocity_errors
from dyad.geometry.rigid import from_quaternion, to_camera, to_world
from dyad.geometry.screen import from_screen, project_to_screen, to_screen

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def stored(parity: Path) -> Arrays:
    with np.load(parity / "pose_metrics_cameras.npz") as archive:
        return {name: archive[name] for name in archive.files}


def test_the_five_errors(stored: Arrays) -> None:
    predicted, target = stored["predicted_f64"], stored["target_f64"]
    ours = {
        "mpjpe_f64": mean_error(absolute_errors(target, predicted)),
        "weighted_mpjpe_f64": weighted_mean_error(absolute_errors(target, predicted), stored["weights_f64"]),
        "p_mpjpe_f64": mean_error(pa_errors(target, predicted)),
        "n_mpjpe_f64": mean_error(n_errors(target, predicted)),
        "mean_velocity_error_f64": mean_error(velocity_errors(target, predicted)),
    }
    for name, value in ours.items():
        assert value == pytest.approx(float(stored[name]), rel=1e-10), name
    assert pa_errors(target, predicted).mean(-1) == pytest.approx(stored["p_mpjpe_each_f64"], rel=1e-10)


def test_world_and_camera(stored: Arrays) -> None:
    rotation = from_quaternion(torch.from_numpy(stored["camera_rotation"]))
    place = torch.from_numpy(stored["camera_translation"])
    seen = to_camera(torch.from_numpy(stored["world_points"]), rotation, place)
    assert seen.numpy() == pytest.approx(stored["world_to_camera"], rel=1e-5, abs=1e-5)
    back = to_world(torch.from_numpy(stored["world_to_camera"]), rotation, place)
    assert back.numpy() == pytest.approx(stored["camera_to_world"], rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("lens", "name"), [(True, "project_f64"), (False, "project_linear_f64")])
def test_projection_with_nine_intrinsics(stored: Arrays, lens: bool, name: str) -> None:
    points, intrinsics = (torch.from_numpy(stored[v]) for v in ("camera_points_f64", "intrinsics_f64"))
    ours = project_to_screen(points, intrinsics, lens=lens)
    assert ours.numpy() == pytest.approx(stored[name], rel=1e-12, abs=1e-14)


def test_the_screen(stored: Arrays) -> None:
    """The size of the image is not stored, but follows from any of its points."""
    pixels, expected = stored["screen_pixels_f64"], stored["screen_normalised_f64"]
    (x, y), (across, down) = pixels[0, 0], expected[0, 0]
    width = 2 * x / (across + 1)
    size = round(width), round(2 * y - down * width)
    screen = to_screen(torch.from_numpy(pixels), size)
    assert screen.numpy() == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert from_screen(screen, size).numpy() == pytest.approx(stored["screen_back_f64"], rel=1e-12)
