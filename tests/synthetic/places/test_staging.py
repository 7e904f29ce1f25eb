"""Where people are put: seen, apart from each other and from the camera, and on one line of sight when asked for."""

import numpy as np
import pytest

from dyad.core.camera import Camera
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.staging import Place, Staging, nearest

FRAMES = 25


def walker(speed: float = 1.3) -> np.ndarray:
    """Joints (T, 1, 4, 3) of somebody who walks along z."""
    body = np.array([[0.0, 0.1, 0.0], [-0.2, 1.0, 0.0], [0.2, 1.0, 0.0], [0.0, 1.7, 0.0]])
    way = np.arange(FRAMES)[:, None] / 25 * speed * np.array((0.0, 0.0, 1.0))
    return (body + way[:, None])[:, None]


def path() -> CameraPath:
    return CameraPath.static(Camera.from_focal((200, 150), 180.0), FRAMES, position=(0, 1.5, 0), yaw=0.4, pitch=-0.05)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_everybody_is_seen_at_some_moment_and_keeps_clear_of_all_others(seed: int) -> None:
    staging = Staging(path(), 2.0, 10.0, clearance=0.3)
    companies = [walker() for _ in range(8)]
    places = staging(companies, np.random.default_rng(seed))
    placed = [place(joints) for place, joints in zip(places, companies, strict=True)]
    for k, joints in enumerate(placed):
        x, y = np.moveaxis(path().project(joints[:, 0].mean(1), 0), -1, 0)
        assert ((x > 0) & (x < 200) & (y > 0) & (y < 150)).any()
        assert np.linalg.norm(joints - (0, 1.5, 0), axis=-1).min() > 0.9
        for other in placed[:k]:
            gaps = np.linalg.norm(joints[:, 0, :, None] - other[:, 0, None], axis=-1)
            assert gaps.min() >= 0.3


def test_the_same_generator_gives_the_same_places() -> None:
    first, second = (Staging(path(), 2.0, 9.0)([walker()] * 4, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_crossings_bring_people_onto_one_line_of_sight() -> None:
    def gap(crossings: float) -> float:
        """Mean over scenes of how near two people come in the image, in px."""
        found = []
        for seed in range(25):
            staging = Staging(path(), 2.5, 9.0, crossings=crossings)
            places = staging([walker(0.3)] * 2, np.random.default_rng(seed))
            x = [path().project(place(walker(0.3))[:, 0].mean(1), 0)[:, 0] for place in places]
            found.append(np.abs(x[0] - x[1]).min())
        return float(np.mean(found))

    assert gap(1.0) < 0.5 * gap(0.0)


def test_distance_over_time_is_that_of_the_nearest_moment() -> None:
    still = np.zeros((FRAMES, 2, 3))
    still[:, 1, 1] = 1.7
    moving = still + np.linspace(-3, 3, FRAMES)[:, None, None] * (1.0, 0, 0) + (0.0, 0.0, 0.4)
    assert nearest(still, moving) == pytest.approx(0.4, abs=1e-6)
    assert nearest(still, still + np.array((9.0, 0, 0)), beyond=0.5) > 0.5


def test_a_place_turns_and_moves() -> None:
    np.testing.assert_allclose(Place(3, 4, np.pi / 2)(np.array((0.0, 1.0, 2.0))), (5, 1, 4), atol=1e-12)
