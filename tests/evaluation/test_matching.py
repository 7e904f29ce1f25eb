from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.matching import match


def test_the_best_total_wins_over_the_best_pair() -> None:
    pairs = match([[0.9, 0.8], [0.7, 0.1]], at_least=0.05)
    assert list(zip(pairs.truth, pairs.predicted, strict=True)) == [(0, 1), (1, 0)]


def test_one_prediction_never_serves_two_people() -> None:
    pairs = match([[0.9], [0.95]], at_least=0.5)
    assert pairs.truth.tolist() == [1]
    assert pairs.similarity.tolist() == [0.95]


def test_pairs_below_the_threshold_do_not_crowd_out_good_ones() -> None:
    pairs = match([[0.6, 0.49], [0.49, np.nan]], at_least=0.5)
    assert (pairs.truth.tolist(), pairs.predicted.tolist()) == ([0], [0])


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_an_empty_side_matches_nobody(shape: tuple[int, int]) -> None:
    assert match(np.zeros(shape), at_least=0.5).truth.shape == (0,)


def test_nan_never_pairs() -> None:
    assert len(match(np.full((3, 2), np.nan), at_least=0.1).truth) == 0


def test_senseless_input_is_refused() -> None:
    with pytest.raises(ValueError, match="two axes"):
        match([0.5], at_least=0.5)
    with pytest.raises(ValueError, match="infinity"):
        match([[np.inf]], at_least=0.5)
    with pytest.raises(ValueError, match="positive"):
        match([[0.5]], at_least=0.0)


def matrices(largest: int) -> st.SearchStrategy[np.ndarray]:
    def build(seed: int, rows: int, columns: int, holes: float) -> np.ndarray:
        rng = np.random.default_rng(seed)
        values = rng.uniform(0, 1, (rows, columns))
        return np.where(rng.uniform(0, 1, values.shape) < holes, np.nan, values)

    size = st.integers(0, largest)
    return st.builds(build, st.integers(0, 2**32 - 1), size, size, st.floats(0, 0.5))


@given(matrices(6), st.randoms(use_true_random=False))
def test_the_order_of_people_does_not_matter(matrix: np.ndarray, random) -> None:
    rows, columns = list(range(matrix.shape[0])), list(range(matrix.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    base = match(matrix, at_least=0.3)
    other = match(matrix[np.ix_(rows, columns)], at_least=0.3)
    same = {(rows[t], columns[p]) for t, p in zip(other.truth.tolist(), other.predicted.tolist(), strict=True)}
    assert same == set(zip(base.truth.tolist(), base.predicted.tolist(), strict=True))


@given(matrices(4))
def test_no_other_assignment_is_better(matrix: np.ndarray) -> None:
    pairs = match(matrix, at_least=0.3)
    assert len(set(pairs.truth.tolist())) == len(set(pairs.predicted.tolist())) == len(pairs.truth)
    assert (pairs.similarity >= 0.3).all()
    gain = np.nan_to_num(np.where(matrix >= 0.3, matrix, 0))
    gain = gain if gain.shape[0] <= gain.shape[1] else gain.T
    best = max(
        sum(gain[i, j] for i, j in enumerate(order)) for order in permutations(range(gain.shape[1]), gain.shape[0])
    )
    assert pairs.similarity.sum() == pytest.approx(best)
