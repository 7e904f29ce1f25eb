import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.skeleton import BODY17
from dyad.evaluation.aligned import pa_errors
from dyad.evaluation.pairs import BODY_CAPSULES, Capsule, pair_pa_errors, penetration, segment_distance
from tests.evaluation.made_poses import poses, turn

SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.floats(0.2, 5))
def test_one_similarity_of_both_is_removed_and_one_of_each_is_not(seed: int, scale: float) -> None:
    truth, found = poses(3, 2, 14, seed=seed), poses(3, 2, 14, seed=seed + 1)
    moved = scale * found @ turn(seed).T + (1.0, -2.0, 3.0)
    assert pair_pa_errors(truth, moved) == pytest.approx(pair_pa_errors(truth, found), abs=1e-9)
    assert pair_pa_errors(truth, scale * truth @ turn(seed).T) == pytest.approx(0, abs=1e-9)
    assert pair_pa_errors(truth[:, ::-1], found[:, ::-1]) == pytest.approx(pair_pa_errors(truth, found)[:, ::-1])
    assert pair_pa_errors(truth, truth @ turn(seed).T, scale=False) == pytest.approx(0, abs=1e-9)
    assert pair_pa_errors(truth, 1.5 * truth, scale=False).mean() > 0.05
    apart = truth + np.array([[[0.0, 0, 0]], [[1.0, 0, 0]]])
    assert pa_errors(truth[:, 1], apart[:, 1]) == pytest.approx(0, abs=1e-9)
    assert pair_pa_errors(truth, apart).mean() > 0.05


@given(SEEDS)
def test_a_pair_has_less_freedom_than_two_people(seed: int) -> None:
    truth, found = poses(2, 2, 14, seed=seed), poses(2, 2, 14, seed=seed + 1)
    alone = np.stack([pa_errors(truth[:, k], found[:, k]) for k in range(2)], 1)
    together = pair_pa_errors(truth, found)
    assert ((alone**2).sum((1, 2)) <= (together**2).sum((1, 2)) + 1e-12).all()
    assert (pair_pa_errors(truth, truth * (-1, 1, 1)).mean((1, 2)) > 0.05).all()


def test_a_missing_half_fails_and_does_not_hide_the_other() -> None:
    truth = poses(1, 2, 14)
    found = 2.0 * truth
    found[0, 1] = np.nan
    got = pair_pa_errors(truth, found)
    assert got[0, 0] == pytest.approx(0, abs=1e-9)
    assert np.isinf(got[0, 1]).all()


CROSS = [
    # crossed at right angles, 2 apart; one end over the middle; end to end in a line; parallel side by side; a point
    (([-1, 0, 0], [1, 0, 0], [0, -1, 2], [0, 1, 2]), 2.0),
    (([-1, 0, 0], [1, 0, 0], [0, 3, 0], [0, 5, 0]), 3.0),
    (([0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 0, 0]), 1.0),
    (([0, 0, 0], [4, 0, 0], [1, 3, 0], [2, 3, 0]), 3.0),
    (([0, 0, 0], [0, 0, 0], [3, 4, 0], [3, 4, 0]), 5.0),
    (([0, 0, 0], [1, 0, 0], [2, 1, 0], [2, 1, 0]), np.sqrt(2)),
    (([-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0]), 0.0),
]


@pytest.mark.parametrize(("ends", "expected"), CROSS)
def test_distances_of_lines_by_hand(ends: tuple, expected: float) -> None:
    a, b, c, d = (np.array(v, dtype=float) for v in ends)
    for first, second in (((a, b), (c, d)), ((b, a), (c, d)), ((c, d), (a, b)), ((d, c), (b, a))):
        assert segment_distance(*first, *second) == pytest.approx(expected)


@given(SEEDS)
def test_the_distance_of_lines_is_the_least_of_all_points(seed: int) -> None:
    a, b, c, d = np.random.default_rng(seed).normal(size=(4, 3))
    share = np.linspace(0, 1, 101)[:, None]
    cloud = np.linalg.norm((a + share * (b - a))[:, None] - (c + share * (d - c))[None], axis=-1).min()
    got = float(segment_distance(a, b, c, d))
    assert got <= cloud + 1e-12
    assert got >= cloud - 0.05


def standing() -> np.ndarray:
    """(17,3): someone of 1.7 m upright at the origin, y down, arms hanging."""
    at = {
        "head_top": (0, -1.7), "nose": (0, -1.55), "neck": (0, -1.4), "spine": (0, -1.15), "pelvis": (0, -0.9),
        "left_shoulder": (0.18, -1.4), "left_elbow": (0.22, -1.1), "left_wrist": (0.22, -0.85),
        "right_shoulder": (-0.18, -1.4), "right_elbow": (-0.22, -1.1), "right_wrist": (-0.22, -0.85),
        "left_hip": (0.1, -0.9), "left_knee": (0.1, -0.45), "left_ankle": (0.1, -0.08),
        "right_hip": (-0.1, -0.9), "right_knee": (-0.1, -0.45), "right_ankle": (-0.1, -0.08),
    }  # fmt: skip
    return np.array([(*at[name], 0.0) for name in BODY17.names])


@given(st.floats(0, 1.0))
def test_bodies_side_by_side_overlap_by_what_their_trunks_lack(distance: float) -> None:
    """Behind one another only the trunks' radii count: 0.11 m each, and they are the widest."""
    person = standing()
    got = float(penetration(person, person + np.array([0, 0, distance]), BODY17))
    assert got == pytest.approx(max(0.22 - distance, 0), abs=1e-9)
    assert float(penetration(person + np.array([0, 0, distance]), person, BODY17)) == pytest.approx(got, abs=1e-12)


@given(SEEDS)
def test_penetration_moves_and_turns_with_both_and_grows_with_the_bodies(seed: int) -> None:
    first, second = standing(), standing() @ turn(seed + 1).T + (0.1, 0, 0.3)
    base = float(penetration(first, second, BODY17))
    by = turn(seed)
    assert float(penetration(first @ by.T + 2, second @ by.T + 2, BODY17)) == pytest.approx(base, abs=1e-9)
    thick = [Capsule(c.start, c.end, 1.2 * c.radius) for c in BODY_CAPSULES]
    assert float(penetration(first, second, BODY17, capsules=thick)) >= base
    assert float(penetration(first, second + 100, BODY17)) == 0


def test_a_hand_in_a_trunk_is_found_as_deep_as_it_is() -> None:
    first, second = standing(), standing() + np.array([1.5, 0, 0])
    second[BODY17.index("right_elbow")] = (0.5, -1.15, 0)
    second[BODY17.index("right_wrist")] = (0.1, -1.15, 0)
    # lines of arm and left upper arm of the first cross
    assert float(penetration(first, second, BODY17)) == pytest.approx(0.035 + 0.045, abs=1e-9)
    only = [Capsule("neck", "pelvis", 0.11), Capsule("right_elbow", "right_wrist", 0.035)]
    second[BODY17.index("right_elbow")] = (0.5, -1.15, 0.5)
    second[BODY17.index("right_wrist")] = (0.0, -1.15, 0.1)
    assert float(penetration(first, second, BODY17, capsules=only)) == pytest.approx(0.045)


def test_unknown_parts_do_not_count() -> None:
    first, second = standing(), standing()
    second[BODY17.index("pelvis")] = np.nan
    assert float(penetration(first, second, BODY17)) > 0
    assert np.isnan(penetration(first, np.full((17, 3), np.nan), BODY17))
    assert penetration(np.zeros((0, 17, 3)), np.zeros((0, 17, 3)), BODY17).shape == (0,)
    both = penetration(np.stack((first, first)), np.stack((first, first + 9)), BODY17)
    assert (both > 0).tolist() == [True, False]
