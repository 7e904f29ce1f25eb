import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.evaluation.points import Found, joints_found
from tests.evaluation.made_poses import poses

SEEDS = st.integers(0, 10_000)
COUNTS = st.integers(0, 4)


def crowd(people: int, seed: int) -> np.ndarray:
    return poses(people, 3, seed=seed) * 2


@given(SEEDS, COUNTS, COUNTS)
def test_every_joint_is_right_wrong_or_missed_and_a_wider_threshold_finds_no_fewer(seed: int, g: int, p: int) -> None:
    truth, found = crowd(g, seed), crowd(p, seed + 1)
    right = []
    for within in (0.2, 0.4, 0.8, 1.2, 50.0):
        counts = joints_found(truth, found, within=within)
        assert counts.right + counts.missed == 3 * g
        assert counts.right + counts.wrong == 3 * p
        right.append(counts.right)
    assert right == sorted(right)
    assert right[-1] == 3 * min(g, p)


@given(SEEDS, COUNTS, COUNTS)
def test_order_place_and_unit_are_free_and_the_roles_swap(seed: int, g: int, p: int) -> None:
    truth, found, generator = crowd(g, seed), crowd(p, seed + 1), np.random.default_rng(seed)
    base = joints_found(truth, found, within=0.8)
    mixed = joints_found(generator.permutation(truth), generator.permutation(found), within=0.8)
    assert mixed == base
    assert joints_found(truth + 3, found + 3, within=0.8) == base
    assert joints_found(1000 * truth, 1000 * found, within=800) == base
    swapped = joints_found(found, truth, within=0.8)
    assert swapped == Found(base.right, base.missed, base.wrong)
    if g + p:
        assert swapped.f1 == pytest.approx(base.f1)


def test_a_shift_is_not_removed() -> None:
    truth = crowd(2, 0)
    assert joints_found(truth, truth, within=0.4) == Found(6, 0, 0)
    assert joints_found(truth, truth + np.array([0, 0, 30]), within=0.4) == Found(0, 6, 6)


def test_kinds_of_joints_do_not_mix_but_people_do() -> None:
    truth = np.array([[[0.0, 0, 5], [1.0, 0, 5]], [[4.0, 0, 5], [5.0, 0, 5]]])
    assert joints_found(truth, truth[:, ::-1], within=0.4).right == 0
    crossed = np.stack((truth[:, 0], truth[::-1, 1]), 1)
    assert joints_found(truth, crossed, within=0.4) == Found(4, 0, 0)


def test_as_many_pairs_as_can_be() -> None:
    """The nearest pair would leave the two others without partner."""
    truth = np.array([[[0.0, 0, 0]], [[0.3, 0, 0]]])
    found = np.array([[[0.31, 0, 0]], [[0.65, 0, 0]]])
    assert joints_found(truth, found, within=0.4).right == 2


def test_the_threshold_itself_is_outside() -> None:
    point = np.zeros((1, 1, 3))
    assert joints_found(point, point + np.array([0.5, 0, 0]), within=0.5).right == 0
    assert joints_found(point, point + np.array([0.5, 0, 0]), within=0.5000001).right == 1


def test_nan_joints_are_not_there() -> None:
    truth, found = crowd(2, 0), crowd(2, 0)
    truth[0, 0] = np.nan
    found[1, 2, 1] = np.nan
    assert joints_found(truth, found, within=0.4) == Found(4, 1, 1)


def test_scores_of_counts() -> None:
    counts = Found(6, 2, 4)
    assert (counts.precision, counts.recall, counts.f1) == pytest.approx((0.75, 0.6, 2 * 0.75 * 0.6 / 1.35))
    assert np.isnan(Found(0, 0, 0).f1)
    assert Found(0, 3, 0).f1 == 0
    assert Found(0, 0, 3).f1 == 0


def test_other_joints_are_refused() -> None:
    with pytest.raises(BadInput, match="same J"):
        joints_found(np.zeros((1, 3, 3)), np.zeros((1, 4, 3)), within=0.4)
