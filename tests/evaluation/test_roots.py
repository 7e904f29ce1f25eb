import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.evaluation.roots import RootFrame, average_precision_of_roots

SEEDS = st.integers(0, 10_000)


def frames(seed: int, count: int = 4) -> list[RootFrame]:
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        truth = generator.normal(size=(generator.integers(0, 5), 3))
        found = np.concatenate((truth + generator.normal(size=truth.shape) * 0.2, generator.normal(size=(2, 3))))
        made.append(RootFrame(truth, found, generator.permutation(len(found)) + generator.random()))
    return made


def test_ap_by_hand() -> None:
    """By score: right, wrong, right, and one of three people is never found: (1 + 2/3) / 3."""
    truth = np.array([[0.0, 0, 3], [2.0, 0, 3], [4.0, 0, 3]])
    found = np.array([[0.1, 0, 3], [9.0, 0, 3], [2.0, 0.2, 3]])
    assert average_precision_of_roots([RootFrame(truth, found, np.array([0.9, 0.8, 0.7]))]) == pytest.approx(5 / 9)
    # one that is sure and wrong costs; precision is made monotone from the right, and nothing else raises it
    assert average_precision_of_roots([RootFrame(truth, found, np.array([0.8, 0.9, 0.7]))]) == pytest.approx(4 / 9)


def test_a_root_is_found_once_and_the_better_score_has_it() -> None:
    truth = np.array([[0.0, 0, 3]])
    twice = np.array([[0.2, 0, 3], [0.0, 0, 3]])
    assert average_precision_of_roots([RootFrame(truth, twice, np.array([0.9, 0.8]))]) == 1.0
    # the surer one takes the nearest of two people, and leaves the other one free
    two = np.array([[0.0, 0, 3], [0.24, 0, 3]])
    assert average_precision_of_roots([RootFrame(two, two + np.array([0.01, 0, 0]), np.array([0.9, 0.8]))]) == 1.0


@pytest.mark.parametrize(("off", "expected"), [(0.249, 1.0), (0.251, 0.0)])
def test_25_centimetres_is_where_it_says(off: float, expected: float) -> None:
    truth = np.array([[0.0, 0, 3]])
    assert average_precision_of_roots([RootFrame(truth, truth + np.array([0, 0, off]), np.ones(1))]) == expected


def test_ap_of_one_side_or_none() -> None:
    people, nobody = np.array([[0.0, 0, 3]]), np.zeros((0, 3))
    assert average_precision_of_roots([RootFrame(people, nobody, np.zeros(0))]) == 0
    assert np.isnan(average_precision_of_roots([RootFrame(nobody, people, np.ones(1))]))
    assert np.isnan(average_precision_of_roots([]))
    # a false alarm in a frame without people counts against the others when it is surer than they
    alarm = [RootFrame(nobody, people, np.ones(1)), RootFrame(people, people, np.zeros(1))]
    assert average_precision_of_roots(alarm) == 0.5
    missing = RootFrame(people, np.full((1, 3), np.nan), np.ones(1))
    assert average_precision_of_roots([missing]) == 0
    with pytest.raises(BadInput, match="as many scores"):
        average_precision_of_roots([RootFrame(people, people, np.zeros(2))])


@given(SEEDS)
def test_ap_sees_order_of_scores_alone(seed: int) -> None:
    made, generator = frames(seed), np.random.default_rng(seed)
    base = average_precision_of_roots(made)
    if np.isnan(base):
        return
    assert 0 <= base <= 1
    grown = [RootFrame(f.truth + 1, f.predicted + 1, np.exp(f.scores / 10)) for f in made]
    assert average_precision_of_roots(grown) == pytest.approx(base)
    mixed = []
    for f in made:
        order = generator.permutation(len(f.predicted))
        mixed.append(RootFrame(f.truth[::-1], f.predicted[order], f.scores[order] + 1e-9 * f.scores[order]))
    distinct = np.concatenate([f.scores for f in made])
    if len(np.unique(distinct)) == len(distinct):
        assert average_precision_of_roots(mixed) == pytest.approx(base)
    assert average_precision_of_roots([RootFrame(f.truth, f.truth, np.ones(len(f.truth))) for f in made]) == 1


@given(SEEDS)
def test_false_alarms_that_are_less_sure_cost_nothing_and_surer_ones_do(seed: int) -> None:
    made = frames(seed)
    base = average_precision_of_roots(made)
    if np.isnan(base):
        return
    far = np.full((1, 3), 1e3)

    def with_alarm(score: float) -> float:
        more = [RootFrame(f.truth, np.concatenate((f.predicted, far)), np.append(f.scores, score)) for f in made]
        return average_precision_of_roots(more)

    assert with_alarm(-9) == pytest.approx(base)
    assert with_alarm(99) <= base
