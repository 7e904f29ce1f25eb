"""Target flow: what is drawn of people whose motion is known."""

import math
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.skeleton import BODY17, COCO17, LSP14, MUPOTS17
from dyad.core.tracks import Tracks
from dyad.geometry.grids import rescale_xy
from dyad.refinement.limbs import limbs_of, stature
from dyad.refinement.moves import Moves
from dyad.refinement.target import LimbSketch, Sketch
from dyad.refinement.target_paper import RADIUS, CrossSketch, ReleasedSketch
from tests.refinement.standing import person

SIZE = (256, 192)


def moves(first: Tensor, second: Tensor, **more) -> Moves:
    """Of people (P, 17, 2) in one pair."""
    return Moves(first=first[None], second=second[None], skeleton=BODY17, **{k: v[None] for k, v in more.items()})


def drawn(target, threshold: float = 0.5) -> Tensor:
    return target.weight[0] > threshold


@pytest.mark.parametrize("sketch", [LimbSketch(), CrossSketch(), ReleasedSketch()])
def test_who_shifts_moves_alike_everywhere(sketch: Sketch) -> None:
    pose = person((120.0, 100.0), 120.0)[None]
    target = sketch(moves(pose, pose + torch.tensor((5.0, -3.0))), SIZE)
    on = drawn(target)
    assert 300 < int(on.sum()) < 9000
    torch.testing.assert_close(target.flow.uv[0][:, on].T, torch.tensor((5.0, -3.0)).expand(int(on.sum()), 2))
    assert bool((target.drawn == target.flow.known).all())


def forearm(angle: float, *, length: float = 60.0) -> Tensor:
    """A person (1, 17, 2) of whom only the right elbow and wrist are known, and the height is 200 px."""
    pose = torch.full((1, 17, 2), torch.nan)
    pose[0, BODY17.index("right_elbow")] = torch.tensor((128.0, 96.0))
    pose[0, BODY17.index("right_wrist")] = torch.tensor((128 + length * math.cos(angle), 96 + length * math.sin(angle)))
    return pose


def test_a_limb_turns_as_a_whole() -> None:
    """Pixels beside the axis turn with it; by the paper's rule they shift as the axis does."""
    turn = 0.3
    tall = torch.tensor([1000.0])
    pair = moves(forearm(0.4), forearm(0.4 + turn), height=tall)
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(256.0), indexing="ij")
    offset = torch.stack((x - 128, y - 96))
    spin = torch.tensor(((math.cos(turn) - 1, -math.sin(turn)), (math.sin(turn), math.cos(turn) - 1)))
    truth = torch.einsum("ij,jhw->ihw", spin, offset)
    for sketch, worst, mean in ((LimbSketch(), 1e-3, 1e-3), (LimbSketch(turning=False), 4.5, 2.5)):
        target = sketch(pair, SIZE)
        error = torch.linalg.vector_norm(target.flow.uv[0] - truth, dim=0)[drawn(target)]
        assert int(drawn(target).sum()) > 1500
        assert float(error.max()) < worst
        assert float(error.mean()) < mean
        assert turning_matters(sketch) == (float(error.mean()) > 1)


def turning_matters(sketch: LimbSketch) -> bool:
    return not sketch.turning


def test_a_limb_that_points_at_the_camera_does_not_spin() -> None:
    pair = moves(forearm(0.0, length=2.0), forearm(2.5, length=2.0), height=torch.tensor([300.0]))
    uv = LimbSketch()(pair, SIZE).flow.uv[0]
    assert float(uv[torch.isfinite(uv)].abs().max()) < 4.1


def test_it_is_as_thick_as_the_person_is_tall() -> None:
    widths = []
    for tall in (100.0, 200.0, 400.0):
        target = LimbSketch()(moves(forearm(0.0), forearm(0.0), height=torch.tensor([tall])), SIZE)
        widths.append(float(target.weight[0, :, 150].sum()))
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.02)
    assert widths[2] == pytest.approx(4 * widths[0], rel=0.02)
    cross = CrossSketch()(moves(forearm(0.0), forearm(0.0), height=torch.tensor([100.0])), SIZE)
    assert float(cross.weight[0, :, 150].sum()) == 2 * RADIUS + 1


def test_a_cross_is_a_cross() -> None:
    """A bone of one pixel leaves the cross itself."""
    pair = moves(forearm(0.0, length=0.0), forearm(0.0, length=0.0) + 1, height=torch.tensor([100.0]))
    on = drawn(CrossSketch(radius=3)(pair, SIZE))
    expected = torch.zeros_like(on)
    expected[96, 125:132] = expected[93:100, 128] = True
    assert bool((on == expected).all())


def test_a_cross_follows_a_line_as_an_image_of_it_convolved_with_a_cross() -> None:
    pose = forearm(0.0)
    pose[0, BODY17.index("right_wrist")] = torch.tensor((158.0, 126.0))
    line = torch.zeros(1, 1, 192, 256)
    steps = torch.arange(31)
    line[0, 0, 96 + steps, 128 + steps] = 1
    kernel = torch.zeros(1, 1, 9, 9)
    kernel[0, 0, 4] = kernel[0, 0, :, 4] = 1
    expected = torch.nn.functional.conv2d(line, kernel, padding=4)[0, 0] > 0
    on = drawn(CrossSketch(radius=4)(moves(pose, pose + 1, height=torch.tensor([100.0])), SIZE))
    assert bool((on >= expected).all())
    # The line's own width of a pixel adds at most one all around.
    wider = torch.nn.functional.max_pool2d(expected[None].float(), 3, 1, 1)[0] > 0
    assert bool((on <= wider).all())
    assert int(on.sum()) < 1.3 * int(expected.sum())


def test_it_scales_with_the_image() -> None:
    pose, after = person((60.0, 50.0), 80.0)[None], person((63.0, 48.0), 84.0)[None]
    small = LimbSketch()(moves(pose, after), (128, 96))
    twice = [rescale_xy(p, torch.tensor(2.0)) for p in (pose, after)]
    large = LimbSketch()(moves(*twice), SIZE)
    area, larger = float(small.weight.sum()), float(large.weight.sum())
    assert larger == pytest.approx(4 * area, rel=0.02)
    both = (small.weight[0] > 0.99) & (large.weight[0].view(96, 2, 128, 2) > 0.99).all(3).all(1)
    assert int(both.sum()) > 100
    shrunk = large.flow.uv[0].view(2, 96, 2, 128, 2).mean((2, 4)) / 2
    torch.testing.assert_close(shrunk[:, both], small.flow.uv[0][:, both], atol=0.1, rtol=0)


@pytest.mark.parametrize("sketch", [LimbSketch(), CrossSketch()])
@pytest.mark.parametrize("shift", [(-60.0, -50.0), (0.0, -52.0), (70.0, 0.0), (66.0, 60.0)])
def test_the_border_cuts_and_changes_nothing_else(sketch: Sketch, shift: tuple[float, float]) -> None:
    """A crop of what a larger image shows."""
    pose = person((60.0, 50.0), 80.0)[None] + torch.tensor(shift)
    after = pose + torch.tensor((3.0, 1.0))
    cut = sketch(moves(pose, after), (128, 96))
    whole = sketch(moves(pose + 100, after + 100), (328, 296))
    assert 0 < float(cut.weight.sum()) < float(whole.weight.sum())
    torch.testing.assert_close(cut.weight[0], whole.weight[0, 100:196, 100:228], atol=1e-4, rtol=0)
    near = whole.flow.uv[0, :, 100:196, 100:228]
    torch.testing.assert_close(cut.flow.uv[0], near, atol=1e-3, rtol=0, equal_nan=True)


def test_the_nearer_covers_the_farther_and_hides_what_is_behind() -> None:
    near, far = person((100.0, 100.0), 150.0), person((110.0, 100.0), 110.0)
    shift = torch.stack((torch.full((17, 2), 4.0), torch.full((17, 2), -4.0)))
    pose = torch.stack((near, far))
    for swapped in (False, True):
        order = [1, 0] if swapped else [0, 1]
        depth = torch.tensor((3.0, 5.0))[order, None].expand(2, 17)
        target = LimbSketch()(moves(pose[order], (pose + shift)[order], depth=depth), SIZE)
        alone = LimbSketch()(moves(near[None], near[None] + 4, depth=depth[:1]), SIZE)
        inside = alone.weight[0] > 0.5
        assert bool((target.flow.uv[0, 0][inside] == 4).all())
        # The farther one's torso is behind the nearer one's, though nothing is drawn in the middle of it.
        middle = BODY17.index("spine")
        x, y = near[middle].round().long().tolist()
        assert float(target.weight[0, y - 3 : y + 4, x - 3 : x + 4].max()) == 0
        # Without depth the larger one is the nearer one.
        flat = LimbSketch()(moves(pose[order], (pose + shift)[order]), SIZE)
        assert bool((flat.flow.uv[0, 0][inside] == 4).all())
        reverse = LimbSketch()(moves(pose[order], (pose + shift)[order], depth=8 - depth), SIZE)
        assert float((reverse.flow.uv[0, 0][inside] == -4).float().mean()) > 0.1
        crossed = CrossSketch()(moves(pose[order], (pose + shift)[order], depth=depth), SIZE)
        lone = CrossSketch()(moves(near[None], near[None] + 4), SIZE)
        assert bool((crossed.flow.uv[0, 0][drawn(lone)] == 4).all())


def test_an_arm_behind_the_back_is_left_out() -> None:
    pose = person((120.0, 100.0), 150.0)
    spine = pose[BODY17.index("spine")]
    for name, aside in (("right_elbow", 8.0), ("right_wrist", -8.0)):
        pose[BODY17.index(name)] = spine + torch.tensor((aside, 0.0))
    depth = torch.full((17,), 4.0)
    x, y = spine.round().long().tolist()
    for off, seen in ((0.25, False), (-0.25, True)):
        arm = depth.clone()
        arm[BODY17.indices("right_elbow", "right_wrist")] += off
        target = LimbSketch()(moves(pose[None], pose[None] + 1, depth=arm[None]), SIZE)
        assert (float(target.weight[0, y, x]) > 0.9) == seen


def test_what_is_doubtful_or_missing_is_not_drawn() -> None:
    pose = person((120.0, 100.0), 150.0)[None]
    whole = LimbSketch()(moves(pose, pose + 1), SIZE)
    wrist = BODY17.index("right_wrist")
    sure = torch.full((1, 17), 0.61)
    same = LimbSketch()(moves(pose, pose + 1, confidence=sure), SIZE)
    assert bool((same.weight == whole.weight).all())
    unsure = sure.clone()
    unsure[0, wrist] = 0.59
    gone, second = pose.clone(), pose + 1
    second[0, wrist] = torch.nan
    for less in (
        LimbSketch()(moves(pose, pose + 1, confidence=unsure), SIZE),
        LimbSketch()(moves(gone, second), SIZE),
    ):
        x, y = pose[0, wrist].round().long().tolist()
        assert float(less.weight[0, y, x]) == 0
        assert 0 < float((whole.weight - less.weight).sum()) < 0.2 * float(whole.weight.sum())
    for nobody in (torch.full((1, 17, 2), torch.nan), torch.empty(0, 17, 2)):
        blank = LimbSketch()(moves(nobody, nobody), SIZE)
        assert float(blank.weight.sum()) == 0
        assert float(CrossSketch()(moves(nobody, nobody), SIZE).weight.sum()) == 0
        assert not bool(blank.flow.known.any())
    far = pose + 1e7
    assert float(LimbSketch()(moves(far, far), SIZE).weight.sum()) == 0


def test_it_goes_over_an_estimate_by_weight() -> None:
    pose = person((120.0, 100.0), 150.0)[None]
    target = LimbSketch()(moves(pose, pose + 6), SIZE)
    estimate = Flow(torch.full((1, 2, 192, 256), 2.0))
    mixed = target.over(estimate).uv
    torch.testing.assert_close(mixed[:, 0], 2 + 4 * target.weight)
    edge = (target.weight > 0.2) & (target.weight < 0.8)
    assert int(edge.sum()) > 100
    unknown = Flow(torch.full((1, 2, 192, 256), torch.nan))
    torch.testing.assert_close(target.over(unknown).filled(0.0)[:, 0], 6.0 * target.drawn)
    with pytest.raises(BadUsage, match="over an estimate of that shape"):
        target.over(Flow(torch.zeros(2, 192, 256)))


@pytest.mark.parametrize("skeleton", [COCO17, MUPOTS17, LSP14])
def test_any_skeleton_is_drawn_by_the_names_of_its_joints(skeleton) -> None:
    pose = BODY17.convert(person((120.0, 100.0), 150.0), skeleton)
    pose = torch.where(torch.isnan(pose), torch.tensor((120.0, 45.0)), pose)[None, None]
    target = LimbSketch()(Moves(first=pose, second=pose + 2, skeleton=skeleton), SIZE)
    assert len(limbs_of(skeleton)) >= 13
    assert float(target.weight.sum()) > 1500
    assert float(target.flow.uv[target.drawn.unsqueeze(1).expand(-1, 2, -1, -1)].mean()) == pytest.approx(2, abs=1e-3)


def test_from_tracks_nobody_moves_across_a_cut_or_from_behind_the_camera() -> None:
    camera = Camera.from_focal(SIZE, 250.0)
    flat = person((0.0, 0.0), 1.7)
    body = torch.cat((flat, torch.full((17, 1), 4.0)), -1)
    xyz = torch.stack([body + torch.tensor((0.1 * t, 0, 0)) for t in range(5)])
    xyz[4, :, 2] = -1
    tracks = Tracks.of_rows(
        camera=camera, frame=torch.arange(10, 15), person=torch.full((5,), 7), xyz=xyz, xy=camera.project(xyz),
        confidence=torch.ones(5, 17), cuts=(12,),
    )  # fmt: skip
    pairs = Moves.of(tracks)
    assert len(pairs) == 4
    assert float(pairs.height.min()) == pytest.approx(250 * 1.7 / 4, rel=0.08)
    target = LimbSketch()(pairs, SIZE)
    assert (target.weight.sum((1, 2)) > 500).tolist() == [True, False, True, False]
    moved = target.flow.uv[0, 0][target.weight[0] > 0.5]
    torch.testing.assert_close(moved, torch.full_like(moved, 6.25), atol=1e-3, rtol=0)
    assert len(Moves.of(tracks, start=10, stop=12)) == 1
    assert Moves.of(tracks, flat=True).depth is None
    with pytest.raises(BadInput, match="moving people"):
        Moves(first=xyz[None], second=xyz[None], skeleton=BODY17)


def test_the_height_is_that_of_who_stands_and_of_who_crouches() -> None:
    pose = person((0.0, 0.0), 100.0)
    assert float(stature(pose, BODY17)) == pytest.approx(100, rel=0.06)
    crouched = pose.clone()
    for side in ("left", "right"):
        hip = pose[BODY17.index(f"{side}_hip")]
        crouched[BODY17.index(f"{side}_knee")] = hip + torch.tensor((2.0, 6.0))
        crouched[BODY17.index(f"{side}_ankle")] = hip + torch.tensor((2.0, 25.0))
    assert float(stature(crouched, BODY17)) == pytest.approx(100, rel=0.1)
    # One joint that is far off makes nobody a giant.
    crouched[BODY17.index("right_wrist")] += 500
    crouched[BODY17.index("right_ankle")] += 500
    assert float(stature(crouched, BODY17)) == pytest.approx(100, rel=0.1)
    assert math.isnan(float(stature(torch.full((17, 2), torch.nan), BODY17)))


def test_squares_lie_where_slices_of_negative_bounds_put_them() -> None:
    """The released code's faults at the border, against arrays that are sliced."""
    rng = np.random.default_rng(3)
    width, height = 64, 48
    sketch = ReleasedSketch(bones=(("right_elbow", "right_wrist"),))
    for point in (*rng.uniform(-50, 110, (40, 2)), (15.0, 14.5), (-15.0, 20.0), (-15.6, 20.0), (0.0, 20.0)):
        expected = np.zeros((height, width), bool)
        x, y = (int(np.round(v)) for v in point)
        if 0 not in point:
            expected[y - 15 : y + 15, x - 15 : x + 15] = True
        pose = forearm(0.0, length=0.0)
        pose[0, BODY17.indices("right_elbow", "right_wrist")] = torch.tensor(point, dtype=torch.float32)
        on = drawn(sketch(moves(pose, pose + 0.5), (width, height)))
        assert np.array_equal(on.numpy(), expected), point
    with pytest.raises(BadUsage, match="30x30"):
        sketch(moves(pose, pose), (64, 29))


def test_squares_of_3d_poses_ask_nobody_and_those_of_2d_are_sure() -> None:
    """Head and neck are joined by way of the nose in 2D alone, and bones need more than 0.6 at both ends there."""
    pose = person((100.0, 80.0), 120.0)[None]
    nose, wrist = BODY17.indices("nose", "left_wrist")
    pose[0, [nose, wrist], 0] += 60
    sure = torch.full((1, 17), 0.9)
    sure[0, wrist] = 0.6
    pair = moves(pose, pose + 1, confidence=sure)
    three, two = (drawn(sketch(pair, (200, 160))) for sketch in (ReleasedSketch(), ReleasedSketch.of_detections()))
    for place, there in ((pose[0, nose], (False, True)), (pose[0, wrist], (True, False))):
        x, y = place.round().long().tolist()
        assert (bool(three[y, x]), bool(two[y, x])) == there


def test_the_time_goes_with_what_is_drawn() -> None:
    """A quarter of a hundred frames of four people, 200 px tall; about 0.12 s on an idle core."""
    rng = np.random.default_rng(0)
    people = torch.stack([person(tuple(rng.uniform((100, 180), (400, 220))), 200.0) for _ in range(100)])
    first = people.view(25, 4, 17, 2)
    second = first + torch.from_numpy(rng.normal(0, 4, first.shape)).float()
    many = Moves(first=first, second=second, skeleton=BODY17, depth=torch.full((25, 4, 17), 4.0))
    # Busy neighbours make wall time anything: what this process itself spends is measured.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        start = time.process_time()
        LimbSketch()(many, (512, 384))
        assert time.process_time() - start < 1.0
    finally:
        torch.set_num_threads(threads)
