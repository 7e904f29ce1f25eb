"""What a rendering says is true, against geometry worked out on its own."""

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.synthetic.rendering.lighting import Light, Sky
from dyad.synthetic.rendering.looks import Fabric, Material
from dyad.synthetic.rendering.render import Renderer, Surface
from tests.synthetic.rendering.test_raster import ball, cast

SIZE = (160, 120)
FOCAL, CENTRE = np.array([150.0, 148.0]), np.array([79.5, 58.0])
LENS = np.array([*FOCAL, *CENTRE])
NOISY = Material(Fabric((0.7, 0.5, 0.3), (0.2, 0.3, 0.4), "noise", 0.3, seed=3))


def sheet(z: float, half: float = 50.0) -> tuple[np.ndarray, np.ndarray]:
    points = np.array([[-half, half, z], [half, half, z], [half, -half, z], [-half, -half, z]], np.float32)
    return points, np.array([[0, 1, 2], [0, 2, 3]], np.int32)


def surface(mesh, *, move=None, identity=0, back=None, **more) -> Surface:
    points, faces = mesh
    later = None if move is None else (points @ move[0].T + move[1]).astype(np.float32)
    earlier = None if back is None else (points @ back[0].T + back[1]).astype(np.float32)
    return Surface(points, faces, points, NOISY, identity, later=later, earlier=earlier, **more)


def rotation(axis, angle: float) -> np.ndarray:
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    return np.eye(3) - np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def rays() -> np.ndarray:
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return np.stack(((x - CENTRE[0]) / FOCAL[0], (y - CENTRE[1]) / FOCAL[1], np.ones_like(x, float)), -1)


def project(points: np.ndarray) -> np.ndarray:
    return points[..., :2] / points[..., 2:] * FOCAL + CENTRE


def three_balls(rings: int = 60, **more) -> list[Surface]:
    """Two spheres that pass each other before a wall, all of them moving."""
    moves = ((rotation((0, 1, 0), 0.08), (0.12, 0.0, -0.1)), (rotation((1, 0, 1), 0.1), (-0.25, 0.03, 0.2)))
    spheres = [
        surface(ball(0.5, rings, at), move=move, identity=i + 1, closed=True, **more)
        for i, (at, move) in enumerate(zip(((-0.2, 0.1, 2.6), (0.35, 0, 3.4)), moves, strict=True))
    ]
    return [surface(sheet(5.0), move=(rotation((0, 0, 1), 0.01), (0.02, 0.01, 0.0)), casts_shadow=False), *spheres]


def test_depth_lies_on_the_sphere() -> None:
    centre, radius = np.array([0.2, -0.1, 3.0]), 0.6
    out = Renderer(SIZE)([surface(ball(radius, 150, centre), identity=1, closed=True)], FOCAL, CENTRE)
    seen = np.isfinite(out.depth)
    points = rays()[seen] * out.depth[seen][:, None]
    inside = (np.linalg.norm(points - centre, axis=1) - radius) * 1000
    assert seen.sum() > 2000
    # The mesh's chords lie up to 0.1 mm within the sphere.
    assert inside.max() < 0.01
    assert inside.min() > -0.15


def test_depth_of_a_slanted_plane() -> None:
    points = sheet(0.0, 40)[0] @ rotation((1, 0.6, 0), -0.62).T + np.array((0, 0, 4))
    normal = np.cross(points[1] - points[0], points[2] - points[0])
    out = Renderer(SIZE)([surface((points.astype(np.float32), sheet(0)[1]))], FOCAL, CENTRE)
    expected = normal @ points[0] / (rays() @ normal)
    seen = np.isfinite(out.depth)
    assert seen.all() == (expected > 0).all()
    assert np.abs(out.depth[seen] - expected[seen]).max() < 1e-3


def test_the_plane_of_a_moving_wall_flows_by_its_homography() -> None:
    turn, shift = rotation((0.2, 1, 0.1), 0.05), np.array([0.1, -0.05, 0.2])
    out = Renderer(SIZE)([surface(sheet(4.0), move=(turn, shift))], FOCAL, CENTRE)
    matrix = np.array([[FOCAL[0], 0, CENTRE[0]], [0, FOCAL[1], CENTRE[1]], [0, 0, 1]])
    homography = matrix @ (turn + np.outer(shift, (0, 0, 1)) / 4.0) @ np.linalg.inv(matrix)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    moved = np.stack((x, y, np.ones_like(x)), -1) @ homography.T
    expected = moved[..., :2] / moved[..., 2:] - np.stack((x, y), -1)
    assert np.abs(expected).max() > 5
    np.testing.assert_allclose(out.flow, expected, atol=2e-3)


def test_flow_at_visible_vertices_is_their_projected_motion() -> None:
    surfaces = three_balls()
    out = Renderer(SIZE)(surfaces, FOCAL, CENTRE)
    checked = 0
    for s in surfaces[1:]:
        at, then = project(s.points.astype(float)), project(s.later.astype(float))
        pixel = np.floor(at + 0.5).astype(int)
        inside = ((pixel >= 1) & (pixel < np.array(SIZE) - 1)).all(1)
        seen = out.visible(s.points, s.identity, tolerance=0.002, others=0.0) & inside
        x, y = pixel[seen].T
        same = np.all([out.identity[y + j, x + i] == s.identity for i in (-1, 0, 1) for j in (-1, 0, 1)], 0)
        # The vertex is not at the pixel's centre: carry the flow there by its own slope.
        flow = out.flow.astype(float)
        slope_x, slope_y = (flow[y, x + 1] - flow[y, x - 1]) / 2, (flow[y + 1, x] - flow[y - 1, x]) / 2
        offset = at[seen] - pixel[seen]
        found = flow[y, x] + slope_x * offset[:, :1] + slope_y * offset[:, 1:]
        error = np.linalg.norm(found - (then - at)[seen], axis=1)[same]
        checked += len(error)
        assert np.quantile(error, 0.99) < 0.1
        assert np.median(error) < 0.01
    assert checked > 800


def test_forward_and_backward_cancel_where_seen() -> None:
    surfaces = three_balls()
    out = Renderer(SIZE)(surfaces, FOCAL, CENTRE)
    turned = [
        Surface(s.later, s.faces, s.texture, s.look, s.identity, earlier=s.points, closed=s.closed) for s in surfaces
    ]
    following = Renderer(SIZE)(turned, FOCAL, CENTRE)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    there = np.floor(np.stack((x, y), -1) + out.flow + 0.5)
    seen = ~out.occluded
    i, j = there[seen].astype(int)[:, ::-1].T
    rest = out.flow[seen] + following.backward[i, j]
    same = following.identity[i, j] == out.identity[seen]
    assert same.mean() > 0.97
    assert np.median(np.linalg.norm(rest[same], axis=1)) < 0.05
    assert np.quantile(np.linalg.norm(rest[same], axis=1), 0.98) < 0.5


def occluded_by_rays(surfaces: list[Surface], out) -> np.ndarray:
    """Whether anything lies between the camera of t + 1 and each pixel's point there."""
    unseen = np.zeros(SIZE[::-1], bool)
    all_points = np.concatenate([s.later for s in surfaces]).astype(float)
    starts = np.cumsum([0] + [len(s.points) for s in surfaces])
    faces = np.concatenate([s.faces + start for s, start in zip(surfaces, starts, strict=False)])
    a, b, c = all_points[faces].transpose(1, 0, 2)
    for y in range(0, SIZE[1], 3):
        for x in range(0, SIZE[0], 3):
            corners = faces[out.face[y, x]]
            point = out.barycentric[y, x].astype(float) @ all_points[corners]
            at = project(point)
            outside = not (-0.5 <= at[0] < SIZE[0] - 0.5 and -0.5 <= at[1] < SIZE[1] - 0.5)
            p = np.cross(point, c - a)
            det = (p * (b - a)).sum(1)
            with np.errstate(divide="ignore", invalid="ignore"):
                u, q = (p * -a).sum(1) / det, np.cross(-a, b - a)
                v, t = (q @ point) / det, ((c - a) * q).sum(1) / det
            between = (det != 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0.01) & (t < 1 - 1e-3)
            unseen[y, x] = outside or bool(between.any())
    return unseen


def test_occlusion_is_that_of_ray_casting() -> None:
    surfaces = three_balls(24)
    out = Renderer(SIZE)(surfaces, FOCAL, CENTRE)
    expected = occluded_by_rays(surfaces, out)[::3, ::3]
    found = out.occluded[::3, ::3]
    assert 0.03 < expected.mean() < 0.5
    assert (expected == found).mean() >= 0.99
    for identity in (0, 1, 2):
        mine = out.identity[::3, ::3] == identity
        assert (expected == found)[mine].mean() >= 0.97


def test_a_plate_hides_the_wall_that_it_nearly_touches() -> None:
    plate = surface(sheet(2.95, 0.3), move=(np.eye(3), (0.2, 0.0, 0.0)), identity=1)
    wall = surface(sheet(3.0, 4.0), move=(np.eye(3), (0.0, 0.0, 0.0)))
    out = Renderer(SIZE)([wall, plate], FOCAL, CENTRE)
    expected = occluded_by_rays([wall, plate], out)[::3, ::3]
    assert expected.sum() > 20
    assert (expected == out.occluded[::3, ::3]).mean() > 0.998


def test_steep_and_far_ground_hides_nothing_of_itself() -> None:
    u, v = np.meshgrid(np.linspace(-30, 30, 41), np.linspace(1, 70, 41))
    points = np.stack((u, 1.5 + 0 * u, v), -1).reshape(-1, 3).astype(np.float32)
    i, j = (k.ravel() for k in np.meshgrid(np.arange(40), np.arange(40)))
    a = 41 * j + i
    faces = np.concatenate((np.stack((a, a + 1, a + 42), 1), np.stack((a, a + 42, a + 41), 1))).astype(np.int32)
    move = (rotation((0, 1, 0), 0.03), np.array((0.02, 0.01, -0.3)))
    out = Renderer(SIZE)([surface((points, faces), move=move)], FOCAL, CENTRE)
    ground = out.identity == 0
    ground &= np.isfinite(out.depth)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    to = np.stack((x, y), -1) + out.flow
    inside = ground & ((to > 0) & (to < np.array(SIZE) - 1)).all(-1)
    assert inside.sum() > 4000
    assert out.occluded[inside].mean() < 0.002


def test_what_turns_its_back_is_hidden_by_itself() -> None:
    points, faces = ball(0.5, 30)
    disc = (points * (1, 1, 0.002)).astype(np.float32)
    half_turn = (disc @ rotation((0, 1, 0), np.pi).T + (0, 0, 3)).astype(np.float32)
    ahead = np.array((0, 0, 3), np.float32)
    coin = Surface(disc + ahead, faces, points, NOISY, 1, later=half_turn, closed=True)
    out = Renderer(SIZE)([coin], FOCAL, CENTRE)
    coin_seen = out.identity == 1
    assert coin_seen.sum() > 1500
    assert out.occluded[coin_seen].all()


def test_the_next_image_warped_by_the_flow_is_this_one() -> None:
    surfaces = three_balls()
    light = Light(
        np.array([0.0, -0.2, -1.0]), np.array([0.0, -1.0, 0.0]), sun=(0, 0, 0), sky=(0.9,) * 3, bounce=(0.9,) * 3
    )
    out = Renderer(SIZE, samples=2)(surfaces, FOCAL, CENTRE, light=light)
    following = Renderer(SIZE, samples=2)(
        [Surface(s.later, s.faces, s.texture, s.look, s.identity, closed=s.closed) for s in surfaces],
        FOCAL,
        CENTRE,
        light=light,
    ).image.astype(float)
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    at = np.stack((x, y), -1) + out.flow
    low = np.clip(np.floor(at).astype(int), 0, np.array(SIZE) - 2)
    part = np.clip(at - low, 0, 1)[..., None, :]
    i, j = low[..., 1], low[..., 0]
    warped = (following[i, j] * (1 - part[..., 0]) + following[i, j + 1] * part[..., 0]) * (1 - part[..., 1])
    warped += (following[i + 1, j] * (1 - part[..., 0]) + following[i + 1, j + 1] * part[..., 0]) * part[..., 1]
    error = np.abs(warped - out.image).mean(-1)
    still = np.abs(following - out.image).mean(-1)
    # Of 255 levels: edges of half a pixel and the blur of interpolation are left.
    assert error[~out.occluded].mean() < 2.0
    assert error[~out.occluded].mean() < 0.3 * still[~out.occluded].mean()


def test_identity_and_faces_are_those_of_ray_casting() -> None:
    surfaces = three_balls(14)
    out = Renderer((80, 60))(surfaces, FOCAL / 2, (39.5, 28.75))
    starts = np.cumsum([0] + [len(s.points) for s in surfaces])
    faces = np.concatenate([s.faces + start for s, start in zip(surfaces, starts, strict=False)])
    owner = np.repeat([s.identity for s in surfaces], [len(s.faces) for s in surfaces])
    _, face = cast(
        np.concatenate([s.points for s in surfaces])[:], faces[::1], np.array([*FOCAL / 2, 39.5, 28.75]), (80, 60)
    )
    assert (out.identity == np.where(face >= 0, owner[face], 0)).all()
    assert {0, 1, 2} <= set(np.unique(out.identity))


def test_the_sky_turns_with_the_camera() -> None:
    turn = rotation((0, 1, 0), -0.05)
    out = Renderer(SIZE)([], FOCAL, CENTRE, turn=turn, sky=Sky())
    expected = project(rays() @ turn.T) - project(rays())
    np.testing.assert_allclose(out.flow, expected, atol=1e-3)
    there = project(rays() @ turn.T)
    outside = (there < -0.5).any(-1) | (there >= np.array(SIZE) - 0.5).any(-1)
    assert outside.any()
    assert (out.occluded == outside).all()
    assert np.isinf(out.depth).all()
    assert (out.identity == 0).all()


def test_an_empty_scene_is_sky() -> None:
    out = Renderer(SIZE, samples=2)([], FOCAL, CENTRE, sky=Sky(zenith=(0, 0, 1), horizon=(0, 0, 1), clouds=0))
    assert out.flow is None
    assert out.occluded is None
    assert (out.image[:50, :, 2] > 200).all()
    assert (out.image[:50, :, 0] < 20).all()


def test_what_lies_above_is_drawn_above() -> None:
    bright = Material(Fabric((1, 1, 1), (1, 1, 1)))
    points, faces = ball(0.2, 20, (0.5, -0.5, 3))  # y down: above the middle and to the right
    out = Renderer(SIZE)(
        [Surface(points, faces, points, bright, 1)], FOCAL, CENTRE, sky=Sky((0, 0, 0), (0, 0, 0), (0, 0, 0), 0.0)
    )
    rows, columns = np.nonzero(out.identity == 1)
    assert abs(rows.mean() - (CENTRE[1] - 0.5 / 3 * FOCAL[1])) < 0.7
    assert abs(columns.mean() - (CENTRE[0] + 0.5 / 3 * FOCAL[0])) < 0.7
    assert out.image[out.identity == 1].mean() > 60
    assert out.image[out.identity == 0].max() == 0


def test_a_ball_throws_its_shadow_away_from_the_sun() -> None:
    grey = Material(Fabric((0.6,) * 3, (0.6,) * 3, amount=0))
    wall = Surface(*sheet(5.0), sheet(5.0)[0], grey, casts_shadow=False, smooth=False)
    points, faces = ball(0.3, 30, (0, 0, 3.5))
    sphere = Surface(points, faces, points, grey, 1, closed=True)
    light = Light(np.array([-0.5, 0.0, -1.0]), np.array([0.0, -1.0, 0.0]))
    draw = Renderer(SIZE, samples=2)
    lit = draw([wall], FOCAL, CENTRE, light=light).image.astype(float).mean(-1)
    both = draw([wall, sphere], FOCAL, CENTRE, light=light)
    dark = (both.image.astype(float).mean(-1) < 0.8 * lit) & (both.identity == 0)
    middle = np.argwhere(dark).mean(0)[::-1]
    # The ray through the ball's centre meets the wall 1.5 m behind and 0.75 m aside; half of the shadow is hidden.
    expected = project(np.array([0.75, 0.0, 5.0]))
    assert np.abs(middle - expected).max() < 4
    assert abs(dark.sum() - np.pi * (0.3 * FOCAL[0] / 5) ** 2 * np.sqrt(1.25)) < 120


def test_joints_are_seen_through_their_own_skin_only() -> None:
    out = Renderer(SIZE)(three_balls(), FOCAL, CENTRE)
    middle = np.array([[-0.2, 0.1, 2.6], [0.35, 0, 3.4]])
    assert out.visible(middle, np.array([1, 2]), tolerance=0.6).tolist() == [True, False]
    assert out.visible(middle, np.array([1, 2]), tolerance=0.3).tolist() == [False, False]
    assert not out.visible(np.array([[9.0, 0, 3], [0, 0, -2], [0, 0, np.nan]]), 1).any()


@pytest.mark.parametrize("samples", [1, 2])
def test_threads_change_no_byte(samples: int) -> None:
    surfaces = three_balls(back=(np.eye(3), (0.01, 0, 0)))
    one, two = (Renderer(SIZE, samples=samples, threads=n)(surfaces, FOCAL, CENTRE) for n in (1, 2))
    for name in ("image", "depth", "identity", "part", "flow", "backward", "occluded", "face", "barycentric"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes(), name


def test_a_layer_handed_on_changes_nothing() -> None:
    surfaces = three_balls()
    draw = Renderer(SIZE)
    first = draw(surfaces, FOCAL, CENTRE)
    following = [Surface(s.later, s.faces, s.texture, s.look, s.identity, closed=s.closed) for s in surfaces]
    fresh, reused = draw(following, FOCAL, CENTRE), draw(following, FOCAL, CENTRE, now=first.after)
    assert fresh.image.tobytes() == reused.image.tobytes()
    assert fresh.depth.tobytes() == reused.depth.tobytes()


def test_what_cannot_be_drawn_is_refused() -> None:
    points, faces = sheet(3.0)
    with pytest.raises(BadInput, match="later"):
        Surface(points, faces, points, NOISY, later=points[:2])
    with pytest.raises(BadInput, match="vertex"):
        Renderer(SIZE)([Surface(points, faces + 2, points, NOISY)], FOCAL, CENTRE)
    with pytest.raises(BadInput, match="lens"):
        Renderer(SIZE)([], (0.0, 1.0), CENTRE)
