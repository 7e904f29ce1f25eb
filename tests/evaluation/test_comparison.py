import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, COCO17, MUPOTS17, Skeleton
from dyad.core.tracks import Tracks
from dyad.evaluation.comparison import Comparison, compare
from dyad.evaluation.strict import JOINTS14
from tests.evaluation.people import moved, nobody, renamed, tracks, walkers


def against(truth: Tracks, predicted: Tracks, matching: str = "oks", root: tuple[str, ...] = ("pelvis",)) -> Comparison:
    return compare(truth, predicted, joints=JOINTS14, root=root, matching=matching)


@pytest.mark.parametrize("skeleton", [MUPOTS17, BODY17])
def test_the_truth_is_its_own_partner(skeleton: Skeleton) -> None:
    truth = walkers()
    got = against(truth, truth.convert(skeleton))
    assert got.matched.all()
    assert got.identity.tolist() == [[0, 1]] * 6
    for errors in (got.absolute, got.relative, got.roots, got.fitted):
        assert np.abs(errors).max() < 1e-5
    assert got.truth.shape == (6, 2, 14, 3)
    assert sum(len(others) for others in got.others) == got.missed == 0


def test_roots_may_be_the_middle_of_joints() -> None:
    truth = walkers()
    hips = truth.xyz[:, BODY17.indices("left_hip", "right_hip")].mean(1)
    got = against(truth, truth, root=("left_hip", "right_hip"))
    assert got.truth_root.transpose(1, 0, 2).reshape(-1, 3) == pytest.approx(hips.numpy(), abs=1e-6)


def test_whoever_is_missed_stays_and_fails() -> None:
    truth = walkers()
    got = against(truth, truth[truth.person == 1])
    assert got.counted.sum() == 12
    assert got.missed == 6
    assert np.isinf(got.absolute).sum() == 6 * 14
    assert np.isinf(got.roots).sum() == 6
    nothing = against(truth, nobody(truth))
    assert np.isinf(nothing.relative).all()
    assert len(nothing.frames) == 6
    empty = against(nobody(truth), truth)
    assert empty.counted.shape == (6, 0)
    assert empty.absolute.shape == (0, 14)
    assert sum(len(others) for others in empty.others) == 12
    assert against(nobody(truth), nobody(truth)).missed == 0


def test_nobody_has_two_partners() -> None:
    """Two predictions on one person: one is a partner, one is left over."""
    truth = walkers(count=1)
    twice = tracks(
        truth.xyz.repeat(2, 1, 1).numpy(), truth.frame.repeat(2).numpy(), np.repeat([4, 5], 6), frames=truth.frames
    )
    got = against(truth, twice)
    assert got.matched.all()
    assert [len(others) for others in got.others] == [1] * 6
    one = walkers(count=2, apart=0.0)
    assert against(one, one[one.person == 0]).matched.sum() == 6


def test_frames_that_the_truth_lacks_do_not_count() -> None:
    truth = walkers()
    some = truth[truth.frame % 2 == 1].with_(frames=torch.tensor([1, 3, 5]), times=torch.tensor([1.0, 3, 5]) / 25)
    got = against(some, truth)
    assert got.counted.shape == (3, 2)
    assert np.abs(got.absolute).max() < 1e-5
    assert sum(len(others) for others in got.others) == 0


def test_pixels_of_a_smaller_image_are_brought_to_the_truth() -> None:
    truth = walkers()
    small = truth.camera.resize(480, 270)
    got = against(truth, truth.with_(camera=small, xy=small.project(truth.xyz.double()).float()))
    assert got.similarity == pytest.approx(1, abs=1e-4)


def test_3d_alone_is_seen_where_its_camera_sees_it() -> None:
    truth = walkers()
    got = against(truth, truth.with_(xy=torch.full_like(truth.xy, torch.nan)))
    assert got.matched.all()


@given(seed=st.integers(0, 99), names=st.permutations([0, 1, 2]))
@settings(max_examples=15, deadline=None)
def test_names_of_people_do_not_matter(seed: int, names: list[int]) -> None:
    truth = walkers(4, 3, seed=seed)
    rng = np.random.default_rng(seed)
    noisy = truth.with_(xyz=truth.xyz + torch.from_numpy(rng.normal(0, 0.05, tuple(truth.xyz.shape))).float())
    plain = against(truth, noisy)
    for other in (
        against(truth, renamed(noisy, {i: 10 + name for i, name in enumerate(names)})),
        against(renamed(truth, dict(enumerate(names))), noisy),
    ):
        assert sorted(other.relative.ravel()) == pytest.approx(sorted(plain.relative.ravel()))
        assert sorted(other.roots) == pytest.approx(sorted(plain.roots))


def test_alone_takes_whoever_lasts() -> None:
    truth = walkers(count=1)
    ghost = moved(truth, (0, 0, 1.0)).with_(person=torch.full_like(truth.person, 7))[truth.frame < 2]
    both = tracks(
        torch.cat((truth.xyz, ghost.xyz)).numpy(),
        torch.cat((truth.frame, ghost.frame)).numpy(),
        np.repeat([9, 3], [6, 2]),
        frames=truth.frames,
    )
    # No 2D is needed, and where it is wrong it does not matter.
    got = against(truth, both.with_(xy=both.xy + 500), matching="alone")
    assert got.identity.tolist() == [[9]] * 6
    assert np.abs(got.absolute).max() < 1e-5
    with pytest.raises(BadInput, match="one person an image got a truth of 2 people"):
        against(walkers(), walkers(), matching="alone")


def test_by_index_goes_by_name_alone() -> None:
    truth = walkers()
    crossed = renamed(truth, {0: 1, 1: 0})
    assert against(truth, crossed).absolute.max() < 1e-5
    assert against(truth, crossed, matching="index").absolute.min() > 0.3
    assert against(truth, renamed(truth, {0: 0, 1: 5}), matching="index").missed == 6


def test_the_released_rule_gives_one_candidate_to_several() -> None:
    truth = walkers()
    turned = truth.with_(xyz=3 * truth.xyz.flip(-1) * torch.tensor([1.0, 1, -1]))
    assert against(truth, turned, matching="released").matched.all()
    same = truth.with_(xyz=truth.xyz[torch.arange(6).repeat(2)])
    got = against(same, same[same.person == 0], matching="released")
    assert got.identity.tolist() == [[0, 0]] * 6
    assert against(same, nobody(same), matching="released").missed == 12


def test_what_cannot_be_compared_is_said() -> None:
    hands = Skeleton.of_names(("left_thumb", "right_thumb"), "hands")
    truth = walkers()
    with pytest.raises(BadInput, match=r"skeleton 'hands' \(left_thumb, right_thumb …\) gives none of the joints"):
        against(truth, walkers(skeleton=hands))
    with pytest.raises(BadUsage, match="matched by oks, alone, index or released, got 'hope'"):
        against(truth, truth, matching="hope")
    # What it has counts, what it lacks is wrong.
    coco = truth.convert(COCO17)
    got = against(truth, coco)
    assert np.isinf(got.absolute).mean(0)[JOINTS14.index("head_top")] == 1
    assert np.isinf(got.absolute).mean(0)[JOINTS14.index("left_knee")] == 0
