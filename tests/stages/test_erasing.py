import pytest
import torch

from dyad.core.skeleton import BLAZEPOSE33
from dyad.stages.erasing import erase
from dyad.stages.regions import People

from .test_appearance import pose
from .test_suppression import people

TRUNK = BLAZEPOSE33.indices("left_shoulder", "right_shoulder", "left_hip", "right_hip")


@pytest.mark.parametrize("size", [(400, 600), (401, 601), (403, 603)])
def test_the_paint_lies_on_the_body_whatever_the_size_of_the_image(size: tuple[int, int]) -> None:
    height, width = size
    # Far from the origin, where a wrong scale would show; turned by half a turn about its middle it must look the same.
    at = pose(width - 90, height - 200, 60)
    xy = torch.cat((at, 2 * at[TRUNK].mean(0) - at))
    both = people(xy[:33], xy[33:])
    image = torch.zeros(3, height, width)
    image[:, ::2] = 1
    image[:, :, ::2] = 1 - image[:, :, ::2]
    changed = (erase(image, both).image - image).abs().mean(0)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    middle = torch.stack([(changed * v).sum() / changed.sum() for v in (x, y)])
    torch.testing.assert_close(middle, at[TRUNK].mean(0), atol=0.5, rtol=0)


def test_a_body_vanishes_and_the_rest_stays() -> None:
    someone = people(pose(200, 300, 100))
    image = torch.full((3, 600, 401), 0.25)
    trunk = someone.xy[0, TRUNK]
    (x0, y0), (x1, y1) = trunk.amin(0).int().tolist(), trunk.amax(0).int().tolist()
    image[:, y0 : y1 + 1, x0 : x1 + 1] = 1.0
    erased = erase(image, someone).image
    assert erased[:, (y0 + y1) // 2, (x0 + x1) // 2].max() < 0.5
    assert torch.equal(erased[:, :, -20:], image[:, :, -20:])
    assert torch.equal(erase(image, People.none()).image, image)


def test_joints_under_paint_are_distrusted() -> None:
    here, away = pose(200, 300, 100), pose(600, 300, 100)
    seen = erase(torch.zeros(3, 600, 800), people(here)).distrust(people(here, away)).seen
    torch.testing.assert_close(seen[0, TRUNK], torch.full((4,), 0.9 * 0.2))
    torch.testing.assert_close(seen[1], torch.full((33,), 0.9))
