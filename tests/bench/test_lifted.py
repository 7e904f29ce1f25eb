"""2D joints of MuPoTS to lift: a fake sequence in the real layout, and the real ones under the strict protocol."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.bench.lifted import detector_like, published_joints
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.datasets.mupots import read_mupots
from dyad.evaluation.strict import StrictProtocol, TruePoses
from dyad.models.checkpoints import shipped
from dyad.stages.lifting_learned import make_lifter


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    """TS99: two people who stand still for 60 frames, the second's left arm hidden."""
    random = np.random.default_rng(0)
    xyz = np.broadcast_to(random.normal(size=(1, 2, 17, 3)) * 0.4 + (0, 0, 5), (60, 2, 17, 3)) * 1000
    matrix = np.array(((1100.0, 0, 960), (0, 1100, 540), (0, 0, 1)))
    xy = (xyz / xyz[..., 2:] @ matrix.T)[..., :2]
    hidden = np.zeros((60, 2, 17), bool)
    hidden[:, 1, MUPOTS17.indices("left_elbow", "left_wrist")] = True
    order = [MUPOTS17.index("head" if name == "nose" else name) for name in BODY17.names]
    path = tmp_path / "TS99.npz"
    np.savez(
        path, gt_xy=xy, gt_xyz_mm=xyz, gt_valid=np.ones((60, 2), bool), gt_occluded=hidden, K=matrix,
        image_size=np.array((1920, 1080)), est_xy=xy[:, :, order] + 1, est_confidence=np.full((60, 2, 17), 0.07),
    )  # fmt: skip
    return path


def test_published_joints_are_taken_as_they_are(sequence: Path) -> None:
    found = published_joints(sequence)
    truth = read_mupots(sequence)
    assert len(found) == 120
    assert found.skeleton is BODY17
    assert found.xyz.isnan().all()
    wrist = torch.from_numpy(truth.xy[:, 0, MUPOTS17.index("left_wrist")]).float() + 1
    torch.testing.assert_close(found.xy[found.rows(0), BODY17.index("left_wrist")], wrist)


def test_a_detector_is_off_by_centimetres_and_more_where_it_cannot_see(sequence: Path) -> None:
    found, truth = detector_like(sequence), read_mupots(sequence)
    off = []
    for joint in ("right_wrist", "left_wrist"):
        seen = found.xy[found.rows(1), BODY17.index(joint)].double().numpy()
        off.append(np.median(np.linalg.norm(seen - truth.xy[:, 1, MUPOTS17.index(joint)], axis=-1)) / 1100 * 5)
    assert 0.005 < off[0] < 0.08
    assert off[1] > off[0]
    assert found.xyz.isnan().all()
    assert torch.equal(found.xy, detector_like(sequence).xy)
    assert not torch.equal(found.xy, detector_like(sequence, seed=1).xy)


@pytest.mark.skipif("lifting" not in shipped(), reason="no weights of the lifting network come with this Dyad")
@pytest.mark.parametrize(("joints", "least"), [(published_joints, (75, 30, 45)), (detector_like, (70, 30, 45))])
def test_real_people_are_lifted(joints, least: tuple[float, float, float], real: Path) -> None:
    """Nothing from the truth but the camera: PCK_rel, PCK_abs and roots within 25 cm of TS10."""
    path = real / "mupots" / "TS10.npz"
    truth = read_mupots(path)
    found = make_lifter("lifting", torch.device("cpu"))(joints(path))
    true = TruePoses(truth.xy, truth.xyz, truth.occluded, truth.valid, truth.skeleton)
    scores = StrictProtocol()(true, found)
    assert scores.pck > least[0]
    assert scores.pck_abs > least[1]
    assert scores.roots_25cm > least[2]
