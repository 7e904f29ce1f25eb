import time

import av
import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17
from dyad.export.video import clip_writer
from dyad.viewer import palette, raster
from dyad.viewer.overlay import draw, overlay_writer

from .walkers import walkers


def black(height: int = 100, width: int = 160) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("end", [(130.0, 20.5), (20.0, 90.0), (75.3, 50.0), (20.0, 20.0)])
def test_a_line_covers_its_area(end):
    """White on black sums to the area of a capsule, at any angle."""
    image, start, radius = black(), np.array([20.0, 20.0]), 3.0
    raster.line(image, start, np.array(end), (255, 255, 255), radius=radius, opacity=1)
    length = np.hypot(*(np.array(end) - start))
    assert image[..., 0].sum() / 255 == pytest.approx(2 * radius * length + np.pi * radius**2, rel=0.03)


def test_a_line_is_the_same_from_both_ends_and_transposed():
    a, b = np.array([12.3, 70.1]), np.array([140.0, 33.7])
    images = [black(160, 160) for _ in range(3)]
    raster.line(images[0], a, b, (9, 99, 250), radius=2, opacity=0.8, rim=1)
    raster.line(images[1], b, a, (9, 99, 250), radius=2, opacity=0.8, rim=1)
    raster.line(images[2], a[::-1], b[::-1], (9, 99, 250), radius=2, opacity=0.8, rim=1)
    assert np.abs(images[0].astype(int) - images[1]).max() <= 1
    assert np.abs(images[0].astype(int) - images[2].transpose(1, 0, 2)).max() <= 1


def test_integer_coordinates_are_pixel_centres():
    image = black()
    raster.disc(image, np.array([50.0, 40.0]), (255, 255, 255), radius=4.0, opacity=1)
    y, x = np.nonzero(image[..., 0])
    weight = image[y, x, 0].astype(float)
    assert (x * weight).sum() / weight.sum() == pytest.approx(50, abs=1e-6)
    assert (y * weight).sum() / weight.sum() == pytest.approx(40, abs=1e-6)


def test_opacity_is_linear_and_dashes_leave_gaps():
    values = []
    for opacity in (0.25, 0.5, 1.0):
        image = black()
        raster.line(image, np.array([10.0, 50]), np.array([150.0, 50]), (200, 200, 200), radius=2, opacity=opacity)
        values.append(int(image[50, 80, 0]))
    assert values == [50, 100, 200]
    image = black()
    raster.line(image, np.array([10.0, 50]), np.array([150.0, 50]), (200, 200, 200), radius=2, opacity=1, dash=10)
    row = image[50, 12:148, 0] > 100
    assert 0.4 < row.mean() < 0.6
    assert np.abs(np.diff(row.astype(int))).sum() >= 12


@pytest.mark.parametrize("end", [(1e7, 50.0), (-500.0, -500.0), (np.nan, 3.0), (np.inf, 3.0)])
def test_joints_far_outside_cost_nothing_and_do_not_fail(end):
    image, begun = black(), time.process_time()
    for _ in range(20):
        raster.line(image, np.array([80.0, 50.0]), np.array(end), (255, 0, 0), radius=2, opacity=1)
    assert time.process_time() - begun < 0.5
    assert image[50, 80, 0] == (255 if np.isfinite(end).all() else 0)


def test_draw_leaves_its_input_and_everything_far_from_people_alone():
    tracks = walkers(4)
    rows = tracks.frame == 0
    image = np.random.default_rng(0).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    before = image.copy()
    out = draw(image, tracks.xy[rows], tracks.confidence[rows], people=[1, 2], skeleton=BODY17)
    assert np.array_equal(image, before)
    changed = (out != image).any(-1)
    assert 500 < changed.sum() < 0.06 * changed.size
    y, x = np.nonzero(changed)
    xy = tracks.xy[rows].reshape(-1, 2).numpy()
    near = np.hypot(x[:, None] - xy[:, 0], y[:, None] - xy[:, 1]).min(1)
    assert near.max() < 60


def test_confidence_is_opacity_and_people_have_their_colours():
    xy = np.full((1, 17, 2), np.nan)
    xy[0, BODY17.index("pelvis")], xy[0, BODY17.index("spine")] = (80, 80), (80, 20)
    change = []
    for confidence in (0.0, 0.5, 1.0):
        out = draw(black(), xy, np.full((1, 17), confidence), people=[7], skeleton=BODY17, colours={7: (240, 120, 60)})
        change.append(out[50, 80].astype(float))
    assert change[0].sum() < change[1].sum() < change[2].sum()
    assert change[0].sum() > 0
    assert change[2] == pytest.approx([240, 120, 60], abs=2)


def test_nobody_and_unknown_joints_leave_the_picture_alone():
    out = draw(black(), np.zeros((0, 17, 2)), np.zeros((0, 17)), people=[], skeleton=BODY17)
    assert not out.any()
    out = draw(black(), np.full((1, 17, 2), np.nan), np.ones((1, 17)), people=[1], skeleton=BODY17)
    assert not out.any()


@pytest.mark.parametrize("shape", [(2, 2), (1, 300), (37, 5)])
def test_tiny_pictures(shape):
    xy = np.random.default_rng(1).normal(0, 40, (3, 17, 2))
    out = draw(black(*shape), xy, np.ones((3, 17)), people=[1, 20, 300], skeleton=BODY17)
    assert out.shape == (*shape, 3)


def test_numbers_differ_and_stay_inside():
    seen = set()
    for value in range(30):
        image = black(40, 60)
        raster.number(image, value, np.array([-10.0, 5.0]), (230, 159, 0), (0, 0, 0), size=2)
        assert image.any()
        seen.add(image.tobytes())
    assert len(seen) == 30


def test_palette_is_stable_and_sides_differ():
    colours = palette.assign([9, 4, 30])
    assert list(colours) == [4, 9, 30]
    assert len(set(colours.values())) == 3
    assert len(palette.assign(range(20))) == 20
    for colour in palette.COLOURS:
        left, right = palette.shade(colour, "left"), palette.shade(colour, "right")
        assert sum(left) > sum(colour) > sum(right)
    assert [palette.side_of(n) for n in ("left_hip", "mouth_right", "pelvis")] == ["left", "right", "middle"]


def test_two_people_at_720p_are_drawn_quickly():
    tracks = walkers(2, size=(1280, 720))
    rows = tracks.frame == 0
    image = np.zeros((720, 1280, 3), np.uint8)
    xy, confidence = tracks.xy[rows].numpy(), tracks.confidence[rows].numpy()
    best = np.inf
    for _ in range(15):
        begun = time.process_time()
        draw(image, xy, confidence, people=[1, 2], skeleton=BODY17)
        best = min(best, time.process_time() - begun)
    assert best < 0.024  # 8 ms on a quiet machine


def read(path):
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_overlay_video_has_every_frame_at_its_time(tmp_path):
    times = np.cumsum([0.5, 0.02, 0.05, 0.033, 0.2, 0.04, 0.041, 0.1])
    tracks = walkers(8, times=times)
    plain = np.full((360, 640, 3), 90, np.uint8)
    with overlay_writer(tmp_path / "overlay.mp4", tracks) as writer:
        for frame, moment in zip(tracks.frames.tolist(), times, strict=True):
            writer.write(plain, frame, moment)
    frames = read(tmp_path / "overlay.mp4")
    assert [t for t, _ in frames] == pytest.approx(list(times - times[0]), abs=2e-5)
    for _, image in frames:
        assert image.shape == (360, 640, 3)
        assert 300 < (np.abs(image.astype(int) - 90).max(-1) > 40).sum() < 20_000


@pytest.mark.parametrize(
    ("shape", "longest", "expected"), [((31, 45), None, (32, 46)), ((200, 400), 100, (50, 100)), ((2, 2), None, (2, 2))]
)
def test_clip_sizes(tmp_path, shape, longest, expected):
    with clip_writer(tmp_path / "a.mp4", longest=longest) as clip:
        clip.write(np.full((*shape, 3), 200, np.uint8), 3.0)
    [(moment, image)] = read(tmp_path / "a.mp4")
    assert moment == 0
    assert image.shape[:2] == expected
    assert image.mean() == pytest.approx(200, abs=4)


def test_clip_keeps_colours(tmp_path):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:, :32], image[:, 32:64], image[:, 64:] = (220, 40, 30), (20, 160, 60), (40, 70, 210)
    with clip_writer(tmp_path / "a.mp4", quality=8) as clip:
        clip.write(image, 0.0)
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
        assert (int(frame.colorspace), int(frame.color_range)) == (1, 1)
        back = frame.to_ndarray(format="rgb24")
    for x in (16, 48, 80):
        assert back[32, x].astype(float) == pytest.approx(image[32, x].astype(float), abs=8)


def write_all(path, *frames):
    with clip_writer(path) as clip:
        for image, moment in frames:
            if image is None:
                raise KeyboardInterrupt
            clip.write(image, moment)


def test_a_clip_that_fails_leaves_no_file(tmp_path):
    path, image = tmp_path / "a.mp4", np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(KeyboardInterrupt):
        write_all(path, (image, 0.0), (None, 1.0))
    with pytest.raises(BadInput, match="at least one frame"):
        write_all(path)
    with pytest.raises(BadInput, match="ascend"):
        write_all(path, (image, 1.0), (image, 0.5))
    with pytest.raises(BadInput, match="uint8"):
        write_all(path, (image, 1.0), (image[:, :20], 2.0))
    assert list(tmp_path.iterdir()) == []
