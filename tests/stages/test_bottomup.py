from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dyad.core.camera import Camera
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.models.blazepose_heads import PersonMaps
from dyad.stages.bottomup import BottomUp, place
from tests.models.person_truth import perfect, standing

SIZE = (320, 256)
XY = standing([(80.0, 120.0), (200.0, 140.0)], [160.0, 60.0])
METRES = torch.tensor((0.95, 1.05))
RELATIVE = 0.01 * torch.arange(34.0).reshape(2, 17)


class Knowing(nn.Module):
    """Says the truth of images of SIZE, and remembers what prior it was given."""

    def __init__(self, made: Callable[[], PersonMaps]) -> None:
        super().__init__()
        self.made = made
        self.priors: list[Tensor | None] = []

    def forward(self, images: Tensor, prior: Tensor | None = None) -> PersonMaps:
        assert images.shape[-2:] == SIZE[::-1]
        self.priors.append(prior)
        return self.made()


@pytest.fixture
def knowing() -> Knowing:
    return Knowing(lambda: perfect(XY, METRES, RELATIVE, SIZE))


def video(focal: float = 400.0, frames: int = 2) -> Video:
    images = np.zeros((frames, SIZE[1], SIZE[0], 3), np.uint8)
    return Video(images, camera=Camera.from_focal(SIZE, focal), fps=25)


def test_everyone_in_every_frame_in_metres(knowing: Knowing) -> None:
    camera = video().camera
    for found in BottomUp(knowing, sizes=(320,))(video()):
        assert found.skeleton == BODY17
        assert len(found) == 2
        assert torch.allclose(camera.project(found.xyz.double()).float(), found.xy, atol=1e-2)
        order = torch.argsort(found.boxes[:, 0])
        assert torch.allclose(found.xy[order], XY, atol=3)
        reach = 1.1 * torch.linalg.vector_norm(XY - XY[:, :1], dim=-1).amax(-1)
        assert torch.allclose(found.xyz[order][:, 0, 2], METRES * 400 / reach, rtol=1e-3)
        beyond = found.xyz[order][..., 2] - found.xyz[order][:, :1, 2]
        assert torch.allclose(beyond, RELATIVE - RELATIVE[:, :1] * 0, atol=0.18)


def test_depth_grows_with_the_focal_length(knowing: Knowing) -> None:
    people = BottomUp(knowing, sizes=(320,)).read(torch.zeros(3, SIZE[1], SIZE[0]))
    people = people._replace(relative=torch.zeros_like(people.relative))
    near, far = (place(people, Camera.from_focal(SIZE, f))[..., 2] for f in (400.0, 800.0))
    assert torch.allclose(2 * near, far)


def test_an_image_shown_at_two_sizes_has_no_more_people(knowing: Knowing) -> None:
    once = BottomUp(knowing, sizes=(320, 320))
    assert len(once.read(torch.zeros(3, SIZE[1], SIZE[0])).score) == 2


def test_the_prior_is_drawn_where_tracks_are_and_only_in_their_frames(knowing: Knowing) -> None:
    one = XY[:1]
    tracks = Tracks.of_rows(
        skeleton=BODY17,
        camera=video().camera,
        frame=torch.tensor([1]),
        person=torch.tensor([0]),
        frames=torch.arange(2),
        times=torch.arange(2).double() / 25,
        xy=one,
        confidence=torch.ones(1, 17),
        xyz=torch.zeros(1, 17, 3),
    )
    list(BottomUp(knowing, sizes=(320,))(video(), prior=tracks))
    empty, drawn = knowing.priors
    assert empty is not None
    assert drawn is not None
    assert empty.sum() == 0
    assert drawn.shape == (1, 17, SIZE[1] // 8, SIZE[0] // 8)
    at = drawn[0].flatten(1).argmax(-1)
    x, y = at % (SIZE[0] // 8), at // (SIZE[0] // 8)
    cell = ((one[0] + 0.5) / 8).floor()
    assert torch.equal(torch.stack((x, y), -1), cell.long())
    knowing.priors.clear()
    list(BottomUp(knowing, sizes=(320,))(video()))
    assert knowing.priors == [None, None]


def test_nobody() -> None:
    network = Knowing(lambda: perfect(XY[:0], METRES, RELATIVE, SIZE))
    for found in BottomUp(network, sizes=(320,))(video()):
        assert len(found) == 0
