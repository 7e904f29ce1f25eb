import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17, LSP14, MUPOTS17
from dyad.evaluation.oks import oks, sigma_of, sigmas

# The published COCO table, in the order of its 17 joints.
COCO_TABLE = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]


def test_sigmas_are_those_of_coco_by_name() -> None:
    assert sigmas(COCO17.names) == pytest.approx(np.array(COCO_TABLE) / 10)


@pytest.mark.parametrize("skeleton", [BODY17, COCO17, MUPOTS17, LSP14, BLAZEPOSE33])
def test_every_joint_of_every_skeleton_has_a_sigma(skeleton) -> None:
    assert (sigmas(skeleton.names) > 0).all()


def test_names_are_read_in_any_spelling_and_strangers_are_refused() -> None:
    assert sigma_of("Left Shoulder") == sigma_of("right-shoulder") == sigma_of("left_shoulder")
    with pytest.raises(KeyError, match="tail"):
        sigma_of("tail")


def test_known_distances_give_known_similarity() -> None:
    sigma, area = np.array([0.05, 0.1]), 400.0
    truth = np.array([[[0.0, 0], [0, 0]]])
    # d² = 2 a (2σ)² makes exp(-1) of the first joint; the second is exact
    moved = np.array([[[np.sqrt(2 * area) * 0.1, 0], [0, 0]]])
    assert oks(truth, moved, area=[area], sigma=sigma)[0, 0] == pytest.approx((np.exp(-1) + 1) / 2)


def test_unlabelled_joints_do_not_count_but_missing_ones_do() -> None:
    truth = np.array([[[1.0, 1], [2, 2], [np.nan, np.nan]]])
    found = np.array([[[1.0, 1], [np.nan, np.nan], [50, 50]]])
    assert oks(truth, found, area=[100.0], sigma=[0.1] * 3)[0, 0] == pytest.approx(0.5)


def test_nobody_resembles_a_person_without_labels_or_area() -> None:
    points = np.ones((1, 2, 2))
    assert oks(points * np.nan, points, area=[100.0], sigma=[0.1] * 2)[0, 0] == 0
    for area in (0.0, np.nan):
        assert oks(points, points, area=[area], sigma=[0.1] * 2)[0, 0] == 0
    assert oks(np.zeros((0, 2, 2)), points, area=[], sigma=[0.1] * 2).shape == (0, 1)
    assert oks(points, np.zeros((0, 2, 2)), area=[1.0], sigma=[0.1] * 2).shape == (1, 0)


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 30))
def test_similarity_ignores_the_size_of_the_image_and_the_order_of_joints(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    truth, found = rng.normal(size=(3, 17, 2)) * 30, rng.normal(size=(2, 17, 2)) * 30
    area, sigma = rng.uniform(500, 3000, 3), sigmas(COCO17.names)
    base = oks(truth, found, area=area, sigma=sigma)
    assert ((base >= 0) & (base <= 1)).all()
    assert oks(truth * scale, found * scale, area=area * scale**2, sigma=sigma) == pytest.approx(base)
    order = rng.permutation(17)
    assert oks(truth[:, order], found[:, order], area=area, sigma=sigma[order]) == pytest.approx(base)
    assert np.diag(oks(truth, truth, area=area, sigma=sigma)) == pytest.approx(1)
