"""Scenes of balls: truth, flow, masks and boxes against what a ball's geometry says."""

import numpy as np
import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.synthetic.annotation import HIDDEN
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.rendering.lens import Lens
from dyad.synthetic.scenes import Scene

from .balls import CAMERA, POINT, RADIUS, Ball, floor, scene


def grid(size: tuple[int, int]) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), -1).astype(float)


def test_truth_says_where_the_balls_are_and_what_the_camera_sees() -> None:
    made = scene(Ball((0.2, 1.4, -4.0)), Ball((0.5, 1.5, -6.0), (0.1, 0, 0)))
    truth = made.truth(POINT)
    assert truth.people == [0, 1]
    assert truth.frames.tolist() == [0, 1, 2, 3]
    np.testing.assert_allclose(truth.xyz[0, 0], (0.2, 0.1, 4.0), atol=1e-6)
    np.testing.assert_allclose(truth.reproject(), truth.xy, atol=1e-4)
    assert (truth.sigma == 0).all()
    seen = truth.confidence[truth.rows(0)]
    front, back = POINT.index("front"), POINT.index("back")
    assert (seen[:, front] == 1).all()
    assert (seen[:, back] == HIDDEN).all(), "the ball itself hides its back"
    # The far ball goes by behind the near one: hidden where their images overlap.
    far = truth.confidence[truth.rows(1)][:, front]
    gap = (truth.xy[truth.rows(1)][:, front] - truth.xy[truth.rows(0)][:, 0]).norm(dim=-1)
    covered = gap < 90 * RADIUS / 4
    assert covered.any()
    assert (far[covered] == HIDDEN).all()


def test_someone_outside_the_image_has_no_row_and_one_at_its_border_confidence_0_outside() -> None:
    made = scene(Ball((9.0, 1.5, -4.0)), Ball((0.0, 1.5, 5.0)), Ball((2.1, 1.5, -4.0), frames=5))
    wide = POINT.index("front")
    truth = made.truth(POINT)
    assert truth.people == [2]
    inside = (truth.xy[..., 0] < 95.5).all(-1)
    assert (truth.confidence[~inside] == 0).any() or inside.all()
    assert ((truth.confidence > 0) == (truth.xy[..., 0] < 95.5)).all()
    assert truth.xy.shape[1] > wide


def test_boxes_hold_the_balls_outline() -> None:
    truth = scene(Ball((0.0, 1.5, -4.0))).truth(POINT)
    # The outline of a ball lies where rays touch it.
    reach = 90 * np.tan(np.arcsin(RADIUS / 4))
    expected = (47.5 - reach, 35.5 - reach, 47.5 + reach, 35.5 + reach)
    np.testing.assert_allclose(truth.box[0], expected, atol=0.15)
    cut = scene(Ball((2.0, 1.5, -4.0))).truth(POINT)
    assert cut.box[0, 2] == 95


def test_depth_and_masks_are_the_balls() -> None:
    made = scene(Ball((0.0, 1.5, -4.0)), Ball((0.6, 1.5, -6.0)))
    drawn = made.render(0)
    mask = made.mask(0).numpy()
    assert set(np.unique(mask)) == {0, 1, 2}
    rays = torch.from_numpy(grid(made.size))
    rays = CAMERA.rays(rays).numpy()
    # Distance of each pixel's ray from the near ball's middle.
    away = np.linalg.norm(np.cross(rays, (0.0, 0.0, 4.0)), axis=-1) / np.linalg.norm(rays, axis=-1)
    assert (mask[away < 0.97 * RADIUS] == 1).all()
    assert (mask[away > RADIUS] != 1).all()
    assert drawn.depth[35, 47] == pytest.approx(3.6, abs=0.01)
    # The floor's depth follows from the camera's height: a row y sees it at 1.5 f / (y - cy).
    np.testing.assert_allclose(drawn.depth[70, :10], 1.5 * 90 / 34.5, rtol=1e-5)


def test_world_is_given_for_a_camera_that_stands_and_only_for_that() -> None:
    tilted = CameraPath.static(CAMERA, 5, position=(0, 1.5, 0), yaw=0.1, pitch=-0.1, roll=0.05)
    touching = Ball((0.0, RADIUS, -4.0))
    truth = scene(touching, path=tilted).truth(POINT)
    assert truth.world is not None
    assert truth.world.height(truth.xyz)[0, 0] == pytest.approx(RADIUS, abs=1e-5)
    assert (truth.world.gravity @ truth.world.floor[:3]).item() == pytest.approx(-1)
    moving = CameraPath.panning(CAMERA, 5, fps=10, position=(0, 1.5, 0), swing=0.2)
    assert scene(touching, path=moving).truth(POINT).world is None


def test_the_background_of_a_static_camera_has_no_flow_and_a_ball_that_of_its_motion() -> None:
    made = scene(Ball((0.0, 1.5, -4.0), (0.1, 0.05, 0.0)))
    drawn = made.render(1)
    assert np.abs(drawn.flow[drawn.identity == 0]).max() < 1e-9
    flow = drawn.flow[drawn.identity == 1]
    depth = drawn.depth[drawn.identity == 1]
    np.testing.assert_allclose(flow, 90 / depth[:, None] * (0.1, -0.05), atol=2e-3)
    # Ground that the ball uncovers is seen in both frames, ground before it is covered.
    swept = drawn.occluded & (drawn.identity == 0)
    assert swept.any()
    later = made.render(2).identity
    np.testing.assert_array_equal(later[swept], np.ones(swept.sum()))
    assert not drawn.occluded[(drawn.identity == 0) & (later == 0)].any()


def test_the_background_of_a_turning_camera_moves_by_the_homography_of_the_turn() -> None:
    path = CameraPath.panning(CAMERA, 5, fps=10, position=(0, 1.5, 0), pitch=-0.2, swing=0.3, tilt=0.1, period=2)
    made = scene(Ball((0.0, 0.4, -4.0)), path=path)
    drawn = made.render(0)
    xy = torch.from_numpy(grid(made.size))
    turned = CAMERA.rays(xy).numpy() @ path.turn(0, 1).T
    expected = CAMERA.project(torch.from_numpy(turned)).numpy() - xy.numpy()
    assert np.abs(expected).max() > 3
    assert (drawn.identity == 0).any()
    assert np.isinf(drawn.depth).any(), "some of it is sky"
    np.testing.assert_allclose(drawn.flow, expected, atol=2e-3)


def test_flow_there_and_back_cancels_and_says_what_is_hidden() -> None:
    rng = np.random.default_rng(2)
    path = CameraPath.walking(CAMERA, 5, fps=10, rng=rng, position=(0, 1.5, 0), pitch=-0.15, speed=0.8)
    made = scene(Ball((0.0, 1.0, -4.0), (0.12, 0, 0)), Ball((0.7, 0.8, -5.0), (-0.1, 0, 0)), path=path)
    there, back = made.flow(1), made.backward(1)
    both = there.disagreement(back)
    assert there.occluded is not None
    assert back.occluded is not None
    visible = ~there.occluded & torch.isfinite(both)
    # At edges the flow between pixels mixes two things.
    assert (both[visible] < 0.15).float().mean() > 0.9
    assert torch.median(both[visible]) < 0.02
    assert (back.occluded & (made.mask(2) == 0)).any(), "ground is uncovered behind the balls"


def test_the_last_frame_has_a_flow_where_everyone_s_next_place_is_known() -> None:
    made = scene(Ball((0.0, 1.5, -4.0), (0.1, 0, 0)))
    assert made.flow(3).size == made.size
    short = made.with_(frames=5)
    assert short.render(4).flow is None
    assert short.image(4).shape == (72, 96, 3)
    with pytest.raises(BadUsage, match="last"):
        short.flow(4)
    with pytest.raises(BadUsage, match="frames 0 to 3"):
        made.render(4)
    with pytest.raises(BadUsage, match="as many"):
        made.with_(frames=6)


def test_frames_do_not_depend_on_the_order_in_which_they_are_drawn() -> None:
    balls = Ball((0.0, 1.0, -4.0), (0.12, 0, 0)), Ball((0.7, 0.8, -5.0), (-0.1, 0, 0))
    lens = Lens(shutter=0.5, shot=4, quality=80)
    forth, back = scene(*balls, lens=lens), scene(*balls, lens=lens, threads=2)
    images = [forth.image(t) for t in range(4)]
    for t in (3, 1, 0, 2):
        np.testing.assert_array_equal(back.image(t), images[t])
        np.testing.assert_array_equal(back.flow(t).numpy(), forth.flow(t).numpy())


def test_a_perfect_lens_gives_the_rendering() -> None:
    made = scene(Ball((0.0, 1.0, -4.0), (0.12, 0, 0)))
    np.testing.assert_array_equal(made.image(1), made.render(1).image)
    worse = made.with_(lens=Lens(shot=5, exposure=0.3, quality=50))
    assert (worse.image(1) != made.image(1)).any()
    np.testing.assert_array_equal(worse.mask(1), made.mask(1))
    np.testing.assert_array_equal(worse.truth(POINT).xy, made.truth(POINT).xy)


def test_a_clip_holds_video_truth_flow_and_masks() -> None:
    made = scene(Ball((0.0, 1.0, -4.0), (0.12, 0, 0)), lens=Lens(read=2))
    clip = made.clip(POINT)
    video, truth = clip.whole()
    assert len(video) == 4
    assert video.fps == 10
    np.testing.assert_allclose(video.times, truth.times)
    np.testing.assert_array_equal(video[2], made.image(2))
    chunks = [chunk.images for chunk in video.chunks(3)]
    np.testing.assert_array_equal(np.concatenate(chunks)[3], made.image(3))
    assert clip.flow is not None
    assert clip.masks is not None
    assert len(clip.flow) == 3
    np.testing.assert_array_equal(clip.flow[1].numpy(), made.render(1).flow)
    assert clip.masks[0].max() == 1


def test_an_empty_stage_is_a_scene_too() -> None:
    path = CameraPath.static(CAMERA, 2, position=(0, 1.5, 0))
    empty = Scene([], path, floor(), scene(Ball((0, 1, -4))).light, frames=2)
    assert len(empty.truth()) == 0
    assert empty.image(0).std() > 1
