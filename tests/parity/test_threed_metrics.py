"""The released MuPoTS scripts: every intermediate and every score of theirs from our functions."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.skeleton import MUPOTS17
from dyad.evaluation.aligned import procrustes
from dyad.evaluation.pose3d import AUC_RELEASED_M
from dyad.evaluation.released import (
    RELEASED_GROUPS,
    RELEASED_STEPS,
    line_fitted_to_truth,
    matches_after_fit_to_truth,
    released_curves,
    released_errors,
    released_pck,
    with_bone_lengths_of_truth,
)
from dyad.geometry.alignment import fit_similarity

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def stored(parity: Path) -> Arrays:
    with np.load(parity / "threed_metrics.npz") as archive:
        return {name: archive[name] for name in archive.files}


def metres(poses: np.ndarray) -> np.ndarray:
    """Stored poses (…,3,J) mm as (…,J,3) m."""
    return np.moveaxis(poses.astype(np.float64), -2, -1) / 1000


def test_the_similarity_fit(stored: Arrays) -> None:
    ours = procrustes(metres(stored["fit_fixed_f64"]), metres(stored["fit_moving_f64"]))
    assert ours == pytest.approx(metres(stored["fit_result_f64"]), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(("sign", "result"), [(1, "fit1d_result_f64"), (-1, "fit1d_negative_result_f64")])
def test_the_fit_of_depths_is_a_line_that_may_fall(stored: Arrays, sign: int, result: str) -> None:
    moving, fixed = sign * stored["fit1d_moving_f64"], stored["fit1d_fixed_f64"]
    assert line_fitted_to_truth(moving, fixed) == pytest.approx(stored[result], rel=1e-9)
    # in one dimension the sign of the scale is all that a rotation could have been
    fit = fit_similarity(*(torch.from_numpy(v.T.copy()) for v in (moving, fixed)))
    assert float(fit.scale) * sign > 0
    fitted = fit(torch.from_numpy(moving.T.copy())).numpy().T
    assert fitted == pytest.approx(stored[result], rel=1e-9)


def test_bone_lengths_of_the_truth(stored: Arrays) -> None:
    """The scripts pair the walk with the list of parents place by place: the steps are ours, name by name."""
    pairs = zip(stored["traversal"].tolist(), stored["joint_parents"].tolist(), strict=False)
    assert tuple((MUPOTS17.names[joint], MUPOTS17.names[start]) for joint, start in pairs) == RELEASED_STEPS
    ours = with_bone_lengths_of_truth(metres(stored["bone_norm_input_f64"]), metres(stored["bone_norm_reference_f64"]))
    assert ours == pytest.approx(metres(stored["bone_norm_result_f64"]), rel=1e-6, abs=1e-9)


def test_matching_with_one_candidate_for_several(stored: Arrays) -> None:
    valid, theirs = stored["eval_valid"] > 0, stored["eval_match"]
    truth, predicted = metres(stored["eval_truth_f64"]), metres(stored["eval_prediction"])
    ours = np.full(valid.shape, -2)
    for s, f in np.ndindex(valid.shape[:2]):
        here = valid[s, f]
        ours[s, f, here] = matches_after_fit_to_truth(truth[s, f, here], predicted[s, f])
    assert (ours == theirs).all()


def errors_of(stored: Arrays, sequence: int, *, absolute: bool) -> np.ndarray:
    valid = stored["eval_valid"][sequence] > 0
    truth, predicted = (metres(stored[name][sequence]) for name in ("eval_truth_f64", "eval_prediction"))
    depth, truth_depth = (
        stored[name][sequence] / 1000 for name in ("eval_depth_prediction_f64", "eval_depth_truth_f64")
    )
    each = []
    for f in range(len(valid)):
        people = truth[f, valid[f]]
        depths = {"depth": depth[:, f], "truth_depth": truth_depth[:, f]} if absolute else {}
        each.append(released_errors(people, predicted[f], matches_after_fit_to_truth(people, predicted[f]), **depths))
    return np.concatenate(each)


@pytest.mark.parametrize(("name", "absolute"), [("pck", False), ("pck_abs", True)])
def test_pck_pck_abs_and_auc_of_every_group_and_sequence(stored: Arrays, name: str, absolute: bool) -> None:
    shares = stored[f"{name}_sequence_group_f64"]
    assert shares.shape[1] == len(RELEASED_GROUPS)
    last = []
    for s in range(len(shares)):
        errors = errors_of(stored, s, absolute=absolute)
        if s == 0:
            expected = stored[f"{name}_errors_sequence0_f64"] / 1000
            assert errors == pytest.approx(expected, rel=1e-6, abs=1e-8)
        assert int((errors > 100).all(-1).sum()) == stored[f"{name}_undetected"][s]
        pck = released_pck(errors)
        assert list(pck.values()) == pytest.approx(shares[s], rel=1e-6, abs=1e-9)
        curves = released_curves(errors)
        assert len(AUC_RELEASED_M) == stored[f"{name}_curve"].shape[-1]
        assert np.stack(list(curves.values())) == pytest.approx(stored[f"{name}_curve"][s], rel=1e-6, abs=1e-7)
        areas = [curve.mean() for group, curve in curves.items() if group != "all"]
        assert areas == pytest.approx(stored[f"{name}_auc_f64"][s], rel=1e-6, abs=1e-7)
        last.append(pck["all"])
    assert np.mean(last) == pytest.approx(float(stored[f"{name}_mean_f64"]), rel=1e-6)
