from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, MUPOTS17
from dyad.core.tracks import Tracks
from dyad.evaluation.strict import JOINTS14, StrictProtocol, TruePoses

CAMERA = Camera.from_focal((1920, 1080), 1100.0)
score = StrictProtocol()


def people(frames: int = 4, count: int = 2, *, seed: int = 0) -> TruePoses:
    """Stick people side by side, 4 m away, 1.6 m tall, walking a little."""
    rng = np.random.default_rng(seed)
    body = rng.uniform((-0.3, -0.8, -0.2), (0.3, 0.8, 0.2), (1, count, 17, 3))
    place = np.stack([np.arange(count) * 1.2 - 0.6, np.zeros(count), np.full(count, 4.0)], -1)
    walk = np.arange(frames)[:, None, None, None] * np.array([0.02, 0, 0.03])
    xyz = body + place[None, :, None] + walk
    xy = CAMERA.project(torch.from_numpy(xyz)).numpy()
    absent = np.zeros((frames, count), dtype=bool)
    return TruePoses(xy, xyz, np.zeros((frames, count, 17), dtype=bool), ~absent, MUPOTS17)


def tracks(truth: TruePoses, *, xyz: np.ndarray | None = None, filled: np.ndarray | None = None) -> Tracks:
    """The truth as a prediction, person for person, with what is changed; NaN or uncounted people are left out."""
    frame, person = np.nonzero(truth.counted)
    values = truth.xyz if xyz is None else xyz
    return Tracks.of_rows(
        skeleton=truth.skeleton,
        camera=CAMERA,
        frame=torch.from_numpy(frame),
        person=torch.from_numpy(person),
        xy=torch.from_numpy(truth.xy[frame, person]).float(),
        xyz=torch.from_numpy(values[frame, person]).float(),
        filled=torch.zeros(len(frame), dtype=torch.bool) if filled is None else torch.from_numpy(filled[frame, person]),
        frames=torch.arange(len(truth.counted)),
    )


def test_the_truth_scores_perfectly_in_any_skeleton_that_has_the_joints() -> None:
    truth = people()
    for predicted in (tracks(truth), tracks(truth).convert(BODY17)):
        got = score(truth, predicted)
        assert (got.pck, got.pck_abs, got.pck_matched, got.roots_25cm) == (100, 100, 100, 100)
        assert (got.coverage, got.coverage_detected, got.coverage_clear, got.precision) == (1, 1, 1, 1)
        assert (got.idf1, got.id_switches) == (1, 0)
        assert got.mpjpe_mm == pytest.approx(0, abs=1e-3)
        assert got.oks == pytest.approx(1)
        assert (got.person_frames, got.clear_person_frames) == (8, 8)


def test_depth_off_by_more_than_the_threshold_is_only_an_absolute_error() -> None:
    truth = people()
    got = score(truth, tracks(truth, xyz=truth.xyz + np.array([0, 0, 0.16])))
    assert (got.pck, got.pck_abs, got.roots_25cm) == (100, 0, 100)
    assert got.root_error_mm == pytest.approx(160, abs=0.01)
    assert got.mpjpe_mm == pytest.approx(0, abs=1e-3)


def test_a_root_that_is_off_spoils_all_other_joints() -> None:
    truth = people()
    moved = truth.xyz.copy()
    moved[:, :, MUPOTS17.index("pelvis")] += (0.2, 0, 0)
    got = score(truth, tracks(truth, xyz=moved))
    assert (got.pck, got.pck_abs) == (0, 100)


def test_one_wrong_joint_costs_a_fourteenth() -> None:
    truth = people()
    for joint in JOINTS14:
        moved = truth.xyz.copy()
        moved[:, :, MUPOTS17.index(joint)] += (0, 0.2, 0)
        assert score(truth, tracks(truth, xyz=moved)).pck == pytest.approx(100 * 13 / 14)
    for joint in ("spine", "head"):
        moved[:] = truth.xyz
        moved[:, :, MUPOTS17.index(joint)] += (0, 0.2, 0)
        assert score(truth, tracks(truth, xyz=moved)).pck == 100


def test_a_person_who_is_missing_halves_what_counts_everyone() -> None:
    truth = people()
    predicted = tracks(truth)
    got = score(truth, predicted[predicted.person == 0])
    assert (got.pck, got.pck_abs, got.roots_25cm, got.coverage, got.coverage_clear) == (50, 50, 50, 0.5, 0.5)
    assert (got.pck_matched, got.pck_abs_matched, got.roots_25cm_matched, got.precision) == (100, 100, 100, 1)
    assert got.idf1 == pytest.approx(2 / 3)


def test_frames_without_any_prediction_count() -> None:
    truth = people()
    predicted = tracks(truth)
    assert score(truth, predicted[predicted.frame < 1]).pck == 25
    nobody = score(truth, predicted[predicted.frame < 0])
    assert (nobody.pck, nobody.pck_abs, nobody.coverage, nobody.idf1) == (0, 0, 0, 0)
    assert np.isnan([nobody.pck_matched, nobody.mpjpe_mm, nobody.precision, nobody.oks]).all()


def test_filled_rows_are_coverage_but_not_detection() -> None:
    truth = people()
    filled = np.zeros((4, 2), dtype=bool)
    filled[1:3] = True
    got = score(truth, tracks(truth, filled=filled))
    assert (got.coverage, got.coverage_detected, got.coverage_clear, got.pck) == (1, 0.5, 0.5, 100)


def test_a_filled_row_on_the_spot_does_not_hide_a_detected_one_nearby() -> None:
    truth = people(1, 1)
    both = Tracks.of_rows(
        camera=CAMERA,
        skeleton=MUPOTS17,
        frame=torch.tensor([0, 0]),
        person=torch.tensor([0, 1]),
        xy=torch.from_numpy(np.stack([truth.xy[0, 0], truth.xy[0, 0] + 3])).float(),
        xyz=torch.from_numpy(np.stack([truth.xyz[0, 0]] * 2)).float(),
        filled=torch.tensor([True, False]),
    )
    got = score(truth, both)
    assert (got.coverage_detected, got.coverage_clear, got.precision) == (0, 1, 0.5)


def test_clear_people_are_tall_in_the_clip_and_not_hidden() -> None:
    truth = people()
    joints = MUPOTS17.indices(*JOINTS14)
    tallest = np.ptp(truth.xy[:, :, joints, 1], axis=-1)
    assert score(truth, tracks(truth), height_scale=49 / tallest.max()).clear_person_frames == 0
    assert score(truth, tracks(truth), height_scale=51 / tallest.min()).clear_person_frames == 8
    hidden = truth.occluded.copy()
    hidden[:, 0, :6] = True
    veiled = TruePoses(truth.xy, truth.xyz, hidden, truth.counted, MUPOTS17)
    assert score(veiled, tracks(veiled)).clear_person_frames == 4


def test_people_who_are_not_counted_are_not_there() -> None:
    truth = people()
    counted = np.array([[True, False]] * 4)
    got = score(TruePoses(truth.xy * 1.0, truth.xyz, truth.occluded, counted, MUPOTS17), tracks(truth))
    assert (got.person_frames, got.pck, got.coverage, got.precision) == (4, 100, 1, 0.5)


def test_swapped_names_cost_identity_and_nothing_else() -> None:
    truth = people()
    predicted = tracks(truth)
    late = predicted.frame >= 2
    rows = {name: getattr(predicted, name) for name in ("frame", "xy", "xyz")}
    got = score(
        truth,
        Tracks.of_rows(
            camera=CAMERA, skeleton=MUPOTS17, person=torch.where(late, 1 - predicted.person, predicted.person), **rows
        ),
    )
    assert (got.pck, got.pck_abs, got.coverage) == (100, 100, 1)
    assert (got.idf1, got.id_switches) == (0.5, 2)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_people_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = people(3, 4, seed=seed)
    noisy = truth.xyz + rng.normal(0, 0.1, truth.xyz.shape)
    order = rng.permutation(4)
    other = TruePoses(truth.xy[:, order], truth.xyz[:, order], truth.occluded, truth.counted, MUPOTS17)
    one, two = score(truth, tracks(truth, xyz=noisy)), score(other, tracks(truth, xyz=noisy))
    for name in ("pck", "pck_abs", "mpjpe_mm", "root_error_mm", "coverage", "idf1", "hota"):
        assert getattr(one, name) == pytest.approx(getattr(two, name), abs=1e-9)


def test_shapes_that_disagree_are_refused() -> None:
    truth = people()
    with pytest.raises(BadInput, match="occluded"):
        TruePoses(truth.xy, truth.xyz, truth.occluded[:, :, :3], truth.counted, MUPOTS17)


# PCK of the published top-down poses before anything of the truth is mixed in, and PCK and PCK_abs of the published
# final poses (which do contain truth), as the folder's README has them.
PUBLISHED = {
    "TS01": (57, 91.22, 70.97),
    "TS06": (46, 80.43, 37.29),
    "TS10": (56, 93.65, 78.94),
    "TS12": (70, 83.49, 46.97),
    "TS18": (67, 86.47, 20.73),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_poses_get_their_published_scores(real: Path, name: str) -> None:
    path = real / "mupots" / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    with np.load(path) as data:
        truth = TruePoses(
            data["gt_xy"].astype(float),
            data["gt_xyz_mm"] / 1000.0,
            data["gt_occluded"],
            data["gt_valid"],
            MUPOTS17,
        )
        topdown, final = data["topdown_rel_m"].astype(float), data["final_camera_xyz_mm"] / 1000.0
    strict, pck, pck_abs = PUBLISHED[name]
    assert score(truth, tracks(truth, xyz=topdown)).pck == pytest.approx(strict, abs=0.6)
    got = score(truth, tracks(truth, xyz=final))
    assert (got.pck, got.pck_abs) == pytest.approx((pck, pck_abs), abs=0.01)
