import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.tracking import Frame, clear_mot, hota, identity


def frame(truth: list[int], predicted: list[int], similarity: np.ndarray | None = None) -> Frame:
    """One frame; without a similarity, equal position in the two lists means the same place."""
    if similarity is None:
        similarity = np.eye(len(truth), len(predicted))
    return Frame(np.array(truth, dtype=np.int64), np.array(predicted, dtype=np.int64), similarity)


def noisy_clip(seed: int) -> list[Frame]:
    """Four people on a line for 60 frames, with misses, false people, switches and crossings."""
    rng = np.random.default_rng(seed)
    frames = []
    speed, start = rng.uniform(-0.1, 0.1, 4), rng.uniform(0, 5, 4)
    for t in range(60):
        truth = np.nonzero(rng.uniform(size=4) < 0.9)[0] if t % 17 else np.empty(0, dtype=np.int64)
        found = truth[rng.uniform(size=len(truth)) < 0.85]
        place = start[found] + speed[found] * t + rng.normal(0, 0.15, len(found))
        label = found + 10 * (1 + (t > 25) * (found % 2 == 0))
        if rng.uniform() < 0.3:
            label, place = np.append(label, 90 + t % 3), np.append(place, rng.uniform(0, 5))
        distance = np.abs((start[truth] + speed[truth] * t)[:, None] - place[None])
        frames.append(frame(truth.tolist(), label.tolist(), np.exp(-distance)))
    return frames


def test_a_perfect_clip_scores_one() -> None:
    clip = [frame([1, 2], [7, 8])] * 5
    assert clear_mot(clip) == (1.0, 0, 0, 0, 10)
    assert identity(clip) == (1, 1, 1)
    assert hota(clip) == pytest.approx((1, 1, 1))


def test_a_swap_half_way() -> None:
    clip = [frame([1, 2], [7, 8])] * 5 + [frame([1, 2], [8, 7])] * 5
    assert clear_mot(clip).switches == 2
    assert clear_mot(clip).mota == pytest.approx(0.9)
    assert identity(clip).idf1 == pytest.approx(0.5)
    # detections are perfect; each pair lives for 5 of the 15 frames in which either is there
    assert hota(clip) == pytest.approx((np.sqrt(1 / 3), 1, 1 / 3))


def test_a_person_never_found_counts() -> None:
    clip = [frame([1, 2], [7])] * 4
    assert clear_mot(clip) == (0.5, 0, 4, 0, 8)
    assert identity(clip) == pytest.approx((2 / 3, 1, 0.5))
    assert hota(clip).detection == pytest.approx(0.5)


def test_nothing_predicted_and_nothing_there() -> None:
    unseen = [frame([1, 2], [])] * 3
    assert clear_mot(unseen) == (0.0, 0, 6, 0, 6)
    assert identity(unseen).idf1 == 0
    assert hota(unseen).hota == 0
    ghosts = [frame([], [5])] * 3
    assert np.isnan(clear_mot(ghosts).mota)
    assert clear_mot(ghosts).false_positives == 3
    assert identity(ghosts).idf1 == 0
    assert np.isnan(identity([]).idf1)
    assert np.isnan(hota([]).hota)


def test_a_partner_is_kept_while_he_may_be() -> None:
    near = np.array([[0.6], [0.9]])
    clip = [frame([1], [7]), frame([1, 2], [7], near)]
    assert clear_mot(clip).switches == 0
    # without a past, the nearer one gets it
    assert clear_mot([frame([2], [6]), frame([1, 2], [7], near)]).switches == 1


def test_a_return_under_a_new_name_is_a_switch() -> None:
    clip = [frame([1], [7]), frame([1], []), frame([], []), frame([1], [8])]
    assert clear_mot(clip) == (pytest.approx(1 / 3), 1, 1, 0, 3)


def test_senseless_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        frame([1, 1], [2, 3])
    with pytest.raises(ValueError, match=r"shape \(1, 2\)"):
        frame([1], [2, 3], np.zeros((2, 1)))


# HOTA, DetA, AssA, MOTA, IDF1, IDP, IDR, switches, misses, false positives, by TrackEval 1.3.0 on the same clips.
REFERENCE: dict[int, tuple[float, ...]] = {
    0: (0.63504, 0.698906, 0.577157, 0.735, 0.715405, 0.748634, 0.685, 6, 32, 15),
    1: (0.662592, 0.731207, 0.600475, 0.768844, 0.703518, 0.703518, 0.703518, 6, 20, 20),
    2: (0.64737, 0.718302, 0.583579, 0.747423, 0.707124, 0.724324, 0.690722, 8, 25, 16),
    3: (0.631019, 0.699311, 0.569545, 0.743961, 0.690176, 0.721053, 0.661836, 4, 33, 16),
}


@pytest.mark.parametrize("seed", sorted(REFERENCE))
def test_scores_are_those_of_trackeval(seed: int) -> None:
    clip = noisy_clip(seed)
    mota = clear_mot(clip)
    ours = (*hota(clip), mota.mota, *identity(clip), mota.switches, mota.misses, mota.false_positives)
    assert ours == pytest.approx(REFERENCE[seed], abs=2e-6)


@given(st.integers(0, 2**32 - 1))
def test_names_and_order_of_people_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    clip = noisy_clip(seed)[:20]
    names = rng.permutation(1000)
    shuffled = []
    for one in clip:
        rows, columns = rng.permutation(len(one.truth)), rng.permutation(len(one.predicted))
        shuffled.append(Frame(one.truth[rows], names[one.predicted[columns]], one.similarity[np.ix_(rows, columns)]))
    assert clear_mot(shuffled) == pytest.approx(clear_mot(clip))
    assert identity(shuffled) == pytest.approx(identity(clip))
    assert hota(shuffled) == pytest.approx(hota(clip))
