"""Pose and flow errors on Human3.6M as the code of the bootstrapping paper reports them."""

from pathlib import Path

import numpy as np
import pytest

from dyad.core.skeleton import LSP14
from dyad.datasets.human36m_clip import H36M32
from dyad.evaluation.pose3d import mean_error, mean_of_pose_means, middle, root_errors
from dyad.evaluation.released_flow import joint_flow_errors, released_epe_at_joints

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def stored(parity: Path) -> Arrays:
    with np.load(parity / "bootstrap_metrics.npz") as archive:
        return {name: archive[name] for name in archive.files}


def counted(stored: Arrays, name: str) -> np.ndarray:
    """The frames with an estimate: every fifth, from the second on."""
    return stored[name][1::5][: len(stored["joints3d_f64"])]


def test_mpjpe_centred_on_the_middle_of_the_hips(stored: Arrays) -> None:
    truth = counted(stored, "truth3d_f64")[:, H36M32.indices(*LSP14.names)]
    hips = LSP14.indices("left_hip", "right_hip")
    for at, (poses, result) in enumerate(
        [
            ("joints3d_f64", "mpjpe_per_frame_mm_f64"),
            ("joints3d_refined_f64", "mpjpe_refined_per_frame_mm_f64"),
        ]
    ):
        errors = 1000 * root_errors(truth, stored[poses], middle(truth, *hips), middle(stored[poses], *hips))
        assert errors.mean(-1) == pytest.approx(stored[result], rel=1e-9)
        assert mean_of_pose_means(errors) == pytest.approx(stored["mpjpe_mm_f64"][at], rel=1e-9)


def test_epe_at_joints_released_and_honest(stored: Arrays) -> None:
    xy = counted(stored, "truth2d_f64")
    assert len(stored["flow_before"]) == int(stored["frames_counted"][0]) == len(xy) - 1
    for at, name in enumerate(("flow_before", "flow_after")):
        assert released_epe_at_joints(stored[name], xy) == pytest.approx(stored["epe_f64"][at], rel=1e-5)
    errors = joint_flow_errors(stored["flow_before"], xy)
    assert errors.shape == (len(xy) - 1, len(H36M32))
    honest = float(stored["epe_mean_over_32_joints_f64"])
    assert mean_error(errors) == pytest.approx(honest, rel=1e-5)
    assert released_epe_at_joints(stored["flow_before"], xy) <= honest
