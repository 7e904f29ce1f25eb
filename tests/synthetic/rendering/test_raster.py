"""The z-buffer against geometry that is known without it."""

import numpy as np
import pytest

from dyad.synthetic.rendering.raster import Layer, drawn, normals

SIZE = (64, 48)
LENS = np.array([60.0, 58.0, 31.5, 23.5])


def ball(radius: float, rings: int, at=(0.0, 0.0, 0.0)) -> tuple[np.ndarray, np.ndarray]:
    """Points and faces of a sphere, anticlockwise from outside."""
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings + 1), indexing="ij"
    )
    points = np.stack((np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)), -1)
    wide = 2 * rings + 1
    a = (np.arange(rings)[:, None] * wide + np.arange(2 * rings)).ravel()
    faces = np.concatenate((np.stack((a, a + wide, a + 1), 1), np.stack((a + 1, a + wide, a + wide + 1), 1)))
    # At the poles one of each two triangles has no area.
    proper = np.concatenate((a >= wide, a < (rings - 1) * wide))
    return (radius * points.reshape(-1, 3) + at).astype(np.float32), faces[proper].astype(np.int32)


def layer_of(points, faces, *, closed=False, threads=1, size=SIZE, lens=LENS) -> Layer:
    faces = np.asarray(faces, np.int32)
    return drawn(np.asarray(points, np.float32), faces, np.full(len(faces), closed), lens, size, threads=threads)


def cast(points, faces, lens=LENS, size=SIZE, near=0.05):
    """Depth and face of every pixel by intersecting its ray with every triangle (Moeller and Trumbore)."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    rays = np.stack(((x - lens[2]) / lens[0], (y - lens[3]) / lens[1], np.ones_like(x)), -1).reshape(-1, 1, 3)
    a, b, c = np.asarray(points, np.float32).astype(float)[np.asarray(faces)].transpose(1, 0, 2)
    p = np.cross(rays, c - a)
    det = (p * (b - a)).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (p * -a).sum(-1) / det
        q = np.cross(-a, b - a)
        v = (rays * q).sum(-1) / det
        t = ((c - a) * q).sum(-1) / det
    hit = (det != 0) & (u >= 0) & (v >= 0) & (u + v <= 1) & (t > near)
    t = np.where(hit, t, np.inf)
    face = np.where(hit.any(1), t.argmin(1), -1)
    return t.min(1).reshape(size[::-1]), face.reshape(size[::-1])


def soup(seed: int, count: int = 150):
    rng = np.random.default_rng(seed)
    middle = rng.uniform((-3, -2, 1), (3, 2, 8), (count, 1, 3))
    return (middle + rng.normal(0, 0.5, (count, 3, 3))).reshape(-1, 3).astype(np.float32), np.arange(3 * count).reshape(
        -1, 3
    )


@pytest.mark.parametrize("seed", range(4))
def test_faces_and_depths_are_those_of_ray_casting(seed: int) -> None:
    points, faces = soup(seed)
    layer = layer_of(points, faces)
    depth, face = cast(points, faces)
    assert (layer.face == face).all()
    seen = face >= 0
    assert 0.3 < seen.mean() < 1
    np.testing.assert_allclose(1 / layer.inverse[seen], depth[seen], rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_triangles_through_the_near_plane_are_drawn_as_rays_meet_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((-2, -2, -1.5), (2, 2, 3), (60, 3)).astype(np.float32)
    faces = np.arange(60).reshape(-1, 3)
    crossing = (points[faces][..., 2] < 0).any(1) & (points[faces][..., 2] > 0.05).any(1)
    assert crossing.sum() > 5
    layer = layer_of(points, faces)
    depth, face = cast(points, faces)
    assert (layer.face == face).mean() > 0.9995
    both = (layer.face >= 0) & (face >= 0)
    np.testing.assert_allclose(1 / layer.inverse[both], depth[both], rtol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_small_triangle_that_ends_behind_the_camera(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform((-0.04, -0.04, 0.1), (0.04, 0.04, 0.3), (24, 3)).astype(np.float32)
    points[::3, 2] *= -0.5
    faces = np.arange(24).reshape(-1, 3)
    layer = layer_of(points, faces)
    _, face = cast(points, faces)
    assert 100 < (face >= 0).sum() < 0.9 * face.size
    assert (layer.face == face).all()


def test_edges_that_triangles_share_leave_no_hole_and_are_drawn_once() -> None:
    # A grid whose corners and edges lie exactly on pixel centres, where rounding would decide.
    columns, rows = np.meshgrid(np.arange(0, 65, 4), np.arange(0, 49, 4))
    depth = 2.0
    lens = np.array([64.0, 64.0, 32.0, 24.0])
    points = np.stack(((columns - 32) / 64 * depth, (rows - 24) / 64 * depth, np.full(rows.shape, depth)), -1)
    wide = points.shape[1]
    corner = (np.arange(points.shape[0] - 1)[:, None] * wide + np.arange(wide - 1)).ravel()
    faces = np.concatenate(
        [np.stack((corner, corner + 1, corner + wide), 1), np.stack((corner + 1, corner + wide + 1, corner + wide), 1)]
    )
    points = points.reshape(-1, 3)
    assert (layer_of(points, faces, lens=lens).face >= 0).all()
    count = sum((layer_of(points, face[None], lens=lens).face >= 0).astype(int) for face in faces)
    assert (count == 1).all()


def test_edges_are_shared_in_any_position() -> None:
    rng = np.random.default_rng(0)
    rim = rng.uniform(-1, 1, (12, 1)) * 0.02 + np.stack(
        (np.cos(np.arange(12) * np.pi / 6), np.sin(np.arange(12) * np.pi / 6)), 1
    )
    points = np.concatenate((np.array([[0.013, -0.021, 1.5]]), np.c_[2 * rim, rng.uniform(1, 3, 12)]))
    faces = np.stack((np.zeros(12, int), np.arange(12) + 1, np.roll(np.arange(12) + 1, -1)), 1)
    count = sum((layer_of(points, face[None]).face >= 0).astype(int) for face in faces)
    assert (count == 1).all()


def test_backs_of_closed_faces_are_not_drawn() -> None:
    points = np.array([[-1, 0.8, 2], [1, 0.8, 2], [0, -0.8, 2]])
    # Anticlockwise for a viewer at the camera (y down): the third axis comes towards it.
    assert (layer_of(points, [[0, 1, 2]], closed=True).face >= 0).any()
    assert (layer_of(points, [[0, 2, 1]], closed=True).face < 0).all()
    assert (layer_of(points, [[0, 2, 1]], closed=False).face >= 0).any()


def test_nothing_to_draw() -> None:
    for points, faces in ((np.zeros((0, 3)), np.zeros((0, 3))), (np.full((3, 3), -1.0), [[0, 1, 2]])):
        layer = layer_of(points, faces)
        assert (layer.face == -1).all()
        assert (layer.inverse == 0).all()


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_byte(threads: int) -> None:
    points, faces = soup(9, 400)
    one, many = layer_of(points, faces), layer_of(points, faces, threads=threads)
    assert one.face.tobytes() == many.face.tobytes()
    assert one.inverse.tobytes() == many.inverse.tobytes()


def test_normals_of_a_sphere_point_outwards() -> None:
    points, faces = ball(0.5, 40)
    found = normals(points, faces, np.ones(len(faces), bool))
    off_the_poles = np.abs(points[:, 2]) < 0.499
    np.testing.assert_allclose(found[off_the_poles], points[off_the_poles] / 0.5, atol=0.05)
    assert not normals(points, faces, np.zeros(len(faces), bool)).any()
