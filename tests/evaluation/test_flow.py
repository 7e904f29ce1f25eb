"""Errors of flow by laws: what is not known never counts, what is missing never helps, nothing is never zero."""

import math
from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Lazy
from dyad.core.skeleton import LSP14
from dyad.core.tracks import Tracks
from dyad.evaluation.flow import FlowSums, endpoint_errors, flow_sums, joint_errors, kitti_outliers

W, H = 12, 8
CAMERA = Camera.from_focal((W, H), 20.0)
seeds = st.integers(0, 10_000)
steps = st.floats(-30, 30, width=32)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return 5 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def constant(u: float, v: float, size=(W, H)) -> Flow:
    return Flow(torch.tensor([u, v])[:, None, None].expand(2, size[1], size[0]))


def people(xy: torch.Tensor, *, frames: int, confidence: torch.Tensor | None = None, cuts=()) -> Tracks:
    """Everyone in all frames: xy (P, T, 14, 2)."""
    count = len(xy)
    return Tracks.of_rows(
        frame=torch.arange(frames).repeat(count),
        person=torch.arange(count).repeat_interleave(frames),
        xy=xy.flatten(0, 1),
        confidence=torch.ones(count * frames, 14) if confidence is None else confidence.flatten(0, 1),
        frames=torch.arange(frames),
        skeleton=LSP14,
        camera=CAMERA,
        cuts=cuts,
    )


def scores_of(truth: Flow, predicted: Flow, mask=None):
    return FlowSums.of_pixels(truth, predicted, mask).scores()


@given(seeds, steps, steps)
@settings(max_examples=30, deadline=None)
def test_a_flow_off_by_a_step_errs_by_its_length(seed, dx, dy):
    truth = Flow(noise(seed, 2, H, W))
    off = Flow(truth.uv + torch.tensor([dx, dy])[:, None, None])
    length = math.hypot(dx, dy)
    scores = scores_of(truth, off, noise(seed, H, W) > 0)
    for value in (scores.epe, scores.epe_pairs, scores.epe_people, scores.epe_background):
        assert value == pytest.approx(length, abs=1e-4)
    if all(abs(length - limit) > 1e-3 for limit in (1, 3, 5)):
        assert (scores.under_1px, scores.under_3px, scores.under_5px) == (length < 1, length < 3, length < 5)


@given(seeds, st.floats(0.1, 10))
@settings(max_examples=30, deadline=None)
def test_errors_are_symmetric_and_scale_with_the_image(seed, scale):
    one, two = noise(seed, 2, H, W), noise(seed + 1, 2, H, W)
    forth, back = endpoint_errors(Flow(one), Flow(two)), endpoint_errors(Flow(two), Flow(one))
    assert torch.equal(forth, back)
    assert torch.allclose(endpoint_errors(Flow(scale * one), Flow(scale * two)), scale * forth, rtol=1e-4)


@given(seeds, st.floats(0.0, 0.9))
@settings(max_examples=30, deadline=None)
def test_unknown_truth_never_counts_and_a_missing_prediction_never_helps(seed, share):
    truth, predicted = noise(seed, 2, H, W), noise(seed + 1, 2, H, W)
    drop = torch.rand(H, W, generator=torch.Generator().manual_seed(seed)) < share
    drop[0, 0] = False
    left = scores_of(Flow(truth, ~drop), Flow(predicted))
    expected = torch.linalg.vector_norm((predicted - truth).double(), dim=0)[~drop]
    assert left.pixels == int((~drop).sum())
    assert left.epe == pytest.approx(float(expected.mean()), rel=1e-5)
    # The same whatever stands where the truth is unknown, be it NaN.
    assert scores_of(Flow(truth.masked_fill(drop, torch.nan)), Flow(predicted)).epe == pytest.approx(left.epe)
    full = scores_of(Flow(truth), Flow(predicted))
    missing = scores_of(Flow(truth), Flow(predicted, ~drop))
    assert missing.covered == pytest.approx(1 - float(drop.float().mean()))
    assert missing.fl_all >= full.fl_all
    assert missing.under_5px <= full.under_5px
    assert missing.epe == pytest.approx(left.epe, rel=1e-6)


@given(seeds, st.integers(1, H - 1))
@settings(max_examples=20, deadline=None)
def test_sums_of_parts_are_the_sum_of_the_whole(seed, row):
    occluded = noise(seed + 2, H, W) > 2
    truth, predicted = Flow(noise(seed, 2, H, W), noise(seed + 4, H, W) > -5, occluded), Flow(noise(seed + 1, 2, H, W))
    mask = noise(seed + 3, H, W) > 0
    parts = [
        FlowSums.of_pixels(truth.crop(0, y, W, n), predicted.crop(0, y, W, n), mask[y : y + n])
        for y, n in ((0, row), (row, H - row))
    ]
    whole, added = scores_of(truth, predicted, mask), (parts[0] + parts[1]).scores()
    for name, value in asdict(whole).items():
        if name != "epe_pairs":
            assert asdict(added)[name] == pytest.approx(value, rel=1e-9, nan_ok=True), name


def test_a_batch_is_the_sum_of_its_pairs_and_pairs_have_equal_say():
    truth = Flow(noise(0, 3, 2, H, W), noise(1, 3, H, W) > 0)
    predicted = Flow(noise(2, 3, 2, H, W))
    batch = scores_of(truth, predicted)
    one_by_one = sum((FlowSums.of_pixels(truth[i], predicted[i]) for i in range(3)), FlowSums()).scores()
    assert asdict(batch) == pytest.approx(asdict(one_by_one), nan_ok=True)
    each = [scores_of(truth[i], predicted[i]).epe for i in range(3)]
    assert batch.epe_pairs == pytest.approx(sum(each) / 3)
    assert batch.epe_pairs != pytest.approx(batch.epe, rel=1e-6)


def test_occluded_and_visible_are_told_apart():
    occluded = torch.zeros(H, W, dtype=torch.bool)
    occluded[2, 3:5] = True
    predicted = torch.where(occluded, 3.0, 1.0).expand(2, H, W) * torch.tensor([1.0, 0.0])[:, None, None]
    scores = scores_of(Flow(torch.zeros(2, H, W), None, occluded), Flow(predicted))
    assert (scores.epe_visible, scores.epe_occluded) == (1.0, 3.0)
    nobody_says = scores_of(Flow(torch.zeros(2, H, W)), Flow(predicted))
    assert math.isnan(nobody_says.epe_occluded)
    assert math.isnan(nobody_says.epe_visible)
    assert math.isnan(nobody_says.epe_people)


def test_kitti_counts_what_is_off_by_pixels_and_by_share():
    truth = Flow(torch.tensor([[[0.0, 10.0, 100.0, 100.0, 60.0]], [[0.0] * 5]]))
    predicted = Flow(truth.uv + torch.tensor([[[2.9, 3.1, 4.9, 5.1, 3.0]], [[0.0] * 5]]))
    wrong = kitti_outliers(truth, endpoint_errors(truth, predicted))
    assert wrong.tolist() == [[False, True, False, True, False]]
    assert scores_of(truth, predicted).fl_all == pytest.approx(40.0)


def test_nothing_is_not_zero():
    truth = Flow(torch.zeros(2, H, W), torch.zeros(H, W))
    scores = scores_of(truth, constant(1, 1), torch.zeros(H, W))
    assert scores.pixels == 0
    assert scores.joints == 0
    assert all(math.isnan(value) for name, value in asdict(scores).items() if name not in ("pixels", "joints"))
    assert all(math.isnan(v) for n, v in asdict(FlowSums().scores()).items() if n not in ("pixels", "joints"))


def test_other_sizes_are_refused():
    with pytest.raises(BadInput, match="true flow is"):
        endpoint_errors(constant(0, 0), constant(0, 0, (W, H + 1)))
    truth = people(torch.zeros(1, 2, 14, 2), frames=2)
    with pytest.raises(BadInput, match="the truth of"):
        joint_errors(truth, 0, constant(0, 0, (W + 1, H)))
    with pytest.raises(BadInput, match="1 pairs of frames, got 2 flows"):
        flow_sums(Clip(None, truth), [constant(0, 0)] * 2)


@given(seeds, steps, steps)
@settings(max_examples=30, deadline=None)
def test_joints_that_move_with_the_flow_have_no_error_and_others_their_difference(seed, dx, dy):
    at = torch.rand(3, 14, 2, generator=torch.Generator().manual_seed(seed)) * torch.tensor([W - 1, H - 1])
    truth = people(torch.stack((at, at + torch.tensor([2.0, -1.0])), 1), frames=2)
    assert float(joint_errors(truth, 0, constant(2, -1)).error.max()) < 1e-5
    off = joint_errors(truth, 0, constant(2 + dx, -1 + dy))
    assert off.person.tolist() == [0, 1, 2]
    assert torch.allclose(off.error, torch.tensor(math.hypot(dx, dy)).double(), atol=1e-4)
    # Whoever is called what, the score is the same.
    renamed = people(torch.stack((at, at + torch.tensor([2.0, -1.0])), 1)[[2, 0, 1]], frames=2)
    other = FlowSums.of_joints(joint_errors(renamed, 0, constant(2 + dx, -1 + dy)).error).scores()
    assert other.epe_joints == pytest.approx(float(off.error.mean()), rel=1e-9)


def test_joints_that_nobody_can_follow_do_not_count():
    xy = torch.full((1, 3, 14, 2), 4.0)
    confidence = torch.ones(1, 3, 14)
    xy[0, 0, 0] = torch.nan
    xy[0, 1, 1] = torch.nan
    xy[0, 0, 2] = torch.tensor([-0.6, 3.0])
    xy[0, 0, 3] = torch.tensor([-0.4, 3.0])
    xy[0, 1, 4] = torch.tensor([99.0, 3.0])
    confidence[0, 0, 5] = 0.4
    confidence[0, 1, 6] = 0.4
    truth = people(xy, frames=3, confidence=confidence)
    error = joint_errors(truth, 0, constant(0, 0)).error[0]
    assert torch.isnan(error).nonzero()[:, 0].tolist() == [0, 1, 2, 5, 6]
    assert float(error[4]) == pytest.approx(math.hypot(95, 1), rel=1e-6)
    assert int(torch.isnan(joint_errors(truth, 0, constant(0, 0), min_confidence=0.3).error).sum()) == 3
    unknown = Flow(torch.zeros(2, H, W), torch.zeros(H, W))
    scores = FlowSums.of_joints(joint_errors(truth, 1, unknown).error).scores()
    assert scores.joints_covered == 0
    assert math.isnan(scores.epe_joints)
    assert scores.joints == 14 - 3


def test_people_who_come_go_or_are_cut_off_do_not_count():
    truth = people(torch.full((3, 4, 14, 2), 3.0), frames=4, cuts=(2,))
    truth = truth[~(((truth.person == 1) & (truth.frame == 1)) | ((truth.person == 0) & (truth.frame == 0)))]
    still = constant(0, 0)
    assert [joint_errors(truth, i, still).person.tolist() for i in range(3)] == [[2], [], [0, 1, 2]]
    filled = truth.with_(filled=truth.person == 1)
    assert joint_errors(filled, 2, still).person.tolist() == [0, 2]


def test_a_clip_is_scored_by_all_it_knows_and_each_flow_is_asked_for_once():
    xy = torch.full((1, 3, 14, 2), 3.0)
    xy[0, 1:] += 1.0
    flow = [constant(1, 1), constant(0, 0)]
    masks = [torch.zeros(H, W, dtype=torch.int16) for _ in range(3)]
    masks[0][2, 2] = 1
    truth = people(xy, frames=3)
    asked = []

    def estimate(i: int) -> Flow:
        asked.append(i)
        return Flow(flow[i].uv + torch.tensor([3.0, 4.0])[:, None, None])

    scores = flow_sums(Clip(None, truth, flow=flow, masks=masks), Lazy(2, estimate)).scores()
    assert asked == [0, 1]
    assert scores.epe == scores.epe_people == scores.epe_background == 5.0
    assert scores.epe_joints == pytest.approx(5.0)
    assert (scores.pixels, scores.joints) == (2 * H * W, 28)
    perfect = flow_sums(Clip(None, truth, flow=flow, masks=masks), flow).scores()
    assert perfect.epe == perfect.epe_joints == perfect.fl_all == 0.0
    assert perfect.under_1px == perfect.covered == 1.0
    joints_only = flow_sums(Clip(None, truth), flow).scores()
    assert joints_only.epe_joints == 0.0
    assert math.isnan(joints_only.epe)
