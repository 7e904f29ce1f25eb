import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17
from dyad.evaluation.pose3d import AUC_RELEASED_M, auc
from dyad.evaluation.released import (
    RELEASED_GROUPS,
    RELEASED_STEPS,
    line_fitted_to_truth,
    matches_after_fit_to_truth,
    released_curves,
    released_errors,
    released_pck,
    roots_on_true_rays,
    with_bone_lengths_of_truth,
)
from dyad.evaluation.strict import JOINTS14
from tests.evaluation.made_poses import poses, turn

SEEDS = st.integers(0, 10_000)
PELVIS = MUPOTS17.index("pelvis")


@given(SEEDS, st.floats(-5, 5).filter(lambda slope: abs(slope) > 0.01), st.floats(-10, 10))
def test_any_line_of_the_true_depths_becomes_the_true_depths(seed: int, slope: float, shift: float) -> None:
    """This is what the released PCK_abs lets pass: depths in other units, shifted, or turned round."""
    depths = np.random.default_rng(seed).uniform(2, 8, (3, 10))
    assert line_fitted_to_truth(slope * depths + shift, depths) == pytest.approx(depths)


def test_the_line_is_one_for_all_people_and_frames() -> None:
    truth = np.array([[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]])
    shifted = truth + np.array([[1.0], [0.0]])
    assert line_fitted_to_truth(shifted, truth) != pytest.approx(truth)
    expected = np.polyval(np.polyfit(shifted.ravel(), truth.ravel(), 1), shifted)
    assert line_fitted_to_truth(shifted, truth) == pytest.approx(expected)
    assert line_fitted_to_truth(np.ones((2, 3)), truth) == pytest.approx(4.5)
    with pytest.raises(BadInput, match="the same in number"):
        line_fitted_to_truth(np.ones(3), np.ones(4))


@given(SEEDS)
def test_lengths_along_the_steps_are_the_truths_and_directions_are_kept(seed: int) -> None:
    truth, found = poses(2, 17, seed=seed), poses(2, 17, seed=seed + 1)
    got = with_bone_lengths_of_truth(found, truth)
    for j, (joint, start) in enumerate(MUPOTS17.indices(*names) for names in RELEASED_STEPS):
        # what a later step moves again is no longer at its length
        if not any(start == MUPOTS17.index(later) for later, _ in RELEASED_STEPS[j + 1 :]):
            bone, wanted = got[:, joint] - got[:, start], truth[:, joint] - truth[:, start]
            assert np.linalg.norm(bone, axis=-1) == pytest.approx(np.linalg.norm(wanted, axis=-1))
            direction = found[:, joint] - found[:, start]
            assert np.cross(bone, direction) == pytest.approx(0, abs=1e-9)
    assert got[:, PELVIS] == pytest.approx(found[:, PELVIS])
    assert with_bone_lengths_of_truth(truth, truth) == pytest.approx(truth)


def test_a_walk_that_follows_no_bones_repairs_no_size() -> None:
    truth = poses(2, 17)
    assert np.abs(with_bone_lengths_of_truth(1.1 * truth, truth) - truth).max() > 0.01
    proper = [(j, p) for j, p in zip(MUPOTS17.names, MUPOTS17.parent_names, strict=True) if p]
    outward = sorted(proper, key=lambda step: MUPOTS17.hops()[PELVIS, MUPOTS17.index(step[0])].item())
    centred = truth - truth[:, [PELVIS]]
    assert with_bone_lengths_of_truth(1.1 * centred, centred, steps=outward) == pytest.approx(centred)


def test_one_candidate_serves_several_and_place_is_nothing() -> None:
    truth = poses(1, 17).repeat(2, 0)
    someone = 0.5 * truth[:1] @ turn(3).T + 20
    assert matches_after_fit_to_truth(truth, someone).tolist() == [0, 0]
    stranger = poses(1, 17, seed=9) * 3
    assert matches_after_fit_to_truth(truth, np.concatenate((stranger, someone))).tolist() == [1, 1]


def test_a_stranger_matches_nobody_and_nobody_matches_nobody() -> None:
    truth = poses(2, 17)
    assert matches_after_fit_to_truth(truth, poses(3, 17, seed=7), within=0.05).tolist() == [-1, -1]
    assert matches_after_fit_to_truth(truth, np.zeros((0, 17, 3))).tolist() == [-1, -1]
    assert matches_after_fit_to_truth(np.zeros((0, 17, 3)), truth).shape == (0,)
    assert matches_after_fit_to_truth(truth, np.full((1, 17, 3), np.nan)).tolist() == [-1, -1]


@given(SEEDS, st.floats(0.5, 2))
def test_the_root_never_leaves_the_true_ray(seed: int, factor: float) -> None:
    root = poses(4, seed=seed)
    got = roots_on_true_rays(root, factor * root[:, 2], root[:, 2])
    assert got == pytest.approx(factor * root)


def test_errors_by_hand() -> None:
    truth = poses(3, 17)
    errors = released_errors(truth, truth[:2] + 1, np.array([0, 1, -1]))
    assert errors[:2] == pytest.approx(0, abs=1e-9)
    assert errors[2] == pytest.approx(np.linalg.norm(100 - (truth[2] - truth[2, PELVIS]), axis=-1))
    z = truth[:2, PELVIS, 2]
    absolute = released_errors(truth, truth[:2] + 1, np.array([0, 1, -1]), depth=1.1 * z, truth_depth=z)
    assert absolute[:2] == pytest.approx(np.tile(0.1 * np.linalg.norm(truth[:2, PELVIS], axis=-1)[:, None], 17))
    assert absolute[2] == pytest.approx(errors[2])
    with pytest.raises(BadInput, match="both predicted and true depths"):
        released_errors(truth, truth, np.zeros(3), depth=np.ones(3))


def test_stored_poses_keep_their_bones() -> None:
    truth = poses(1, 17)
    grown = 1.1 * truth
    kept = released_errors(truth, grown, np.zeros(1), bones_of_truth=False)
    assert kept == pytest.approx(0.1 * np.linalg.norm(truth - truth[:, [PELVIS]], axis=-1))


@given(SEEDS)
def test_groups_and_curves(seed: int) -> None:
    errors = np.random.default_rng(seed).uniform(0, 0.4, (6, 17))
    pck, curves = released_pck(errors), released_curves(errors)
    assert list(pck) == ["head", "neck", "shoulders", "elbows", "wrists", "hips", "knees", "ankles", "all"]
    assert {joint for name, joints in RELEASED_GROUPS.items() if name != "all" for joint in joints} == set(JOINTS14)
    parts = [pck[name] * len(joints) for name, joints in RELEASED_GROUPS.items() if name != "all"]
    assert sum(parts) / 14 == pytest.approx(pck["all"])
    for curve in curves.values():
        assert (np.diff(curve) >= 0).all()
    fourteen = errors[:, MUPOTS17.indices(*JOINTS14)]
    assert curves["all"].mean() == pytest.approx(auc(fourteen, thresholds=AUC_RELEASED_M))
    assert curves["all"][AUC_RELEASED_M.index(0.15)] == pytest.approx(pck["all"])


def test_a_sequence_without_people_has_no_score() -> None:
    assert np.isnan(list(released_pck(np.zeros((0, 17))).values())).all()


def test_real_stored_predictions_have_the_published_scores(real) -> None:
    """Per sequence PCK, PCK_abs and AUC (of all fourteen joints) of the final predictions, known to two decimals."""
    known = {
        "TS01": (91.22, 70.97, 61.01),
        "TS06": (80.43, 37.29, 49.81),
        "TS10": (93.65, 78.94, 66.45),
        "TS12": (83.49, 46.97, 54.55),
        "TS18": (86.47, 20.73, 55.13),
    }
    for name, expected in known.items():
        with np.load(real / "mupots" / f"{name}.npz") as archive:
            valid = archive["gt_valid"].astype(bool)
            truth, found = (archive[key][valid] / 1000 for key in ("gt_xyz_mm", "final_camera_xyz_mm"))
        rows = np.arange(len(truth))
        errors = released_errors(truth, found, rows, bones_of_truth=False)
        absolute = np.linalg.norm(found - truth, axis=-1)
        depths = {"depth": found[:, PELVIS, 2], "truth_depth": truth[:, PELVIS, 2]}
        on_rays = released_errors(truth, found, rows, bones_of_truth=False, **depths)
        got = (released_pck(errors)["all"], released_pck(absolute)["all"], released_curves(errors)["all"].mean())
        assert tuple(round(100 * value, 2) for value in got) == expected
        # the stored roots lie on the true rays: nothing but their depth was ever predicted
        assert released_pck(on_rays)["all"] == pytest.approx(got[1], abs=1e-3)
