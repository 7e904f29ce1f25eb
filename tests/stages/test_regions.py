"""Reading a region is a question about an image: mirrored or shifted, it has the mirrored or shifted answer."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from dyad.core.clip import Clip
from dyad.core.skeleton import BLAZEPOSE33
from dyad.models.blazepose import Region
from dyad.stages.regions import MIRROR_LIMIT, People, RegionReader

from .conftest import Networks


@pytest.fixture(scope="module")
def read(networks: Networks) -> RegionReader:
    return RegionReader(networks.landmarks, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def image(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images[0]).permute(2, 0, 1)


@pytest.fixture(scope="module")
def regions(drawn: Clip) -> Region:
    """Where the two people are, as true boxes say; one is looked at a little aslant."""
    box = drawn.truth[drawn.truth.frame == 0].box
    centre, size = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]).amax(-1)
    return Region(centre, 1.6 * size, torch.tensor([0.0, 0.15]))


@pytest.fixture(scope="module")
def people(read: RegionReader, image: Tensor, regions: Region) -> People:
    return read(image[None], torch.zeros(2, dtype=torch.int64), regions)


def nearly(a: Tensor, b: Tensor, atol: float) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=0)


def test_people_are_read_where_they_are(people: People, drawn: Clip) -> None:
    real = drawn.truth[drawn.truth.frame == 0]
    names = [f"{side}_{part}" for part in ("shoulder", "hip", "knee", "ankle") for side in ("left", "right")]
    apart = people.xy[:, BLAZEPOSE33.indices(*names)] - real.xy[:, real.skeleton.indices(*names)]
    height = (real.box[:, 3] - real.box[:, 1])[:, None]
    assert (torch.linalg.vector_norm(apart, dim=-1) / height).median() < 0.05
    assert (people.disagreement < MIRROR_LIMIT).all()
    assert (people.score > 0.5).all()
    assert ((people.seen >= 0) & (people.seen <= 1)).all()
    # World landmarks are metres about the hips, y down, so that heads are above feet by a person's size.
    up = people.world[:, BLAZEPOSE33.index("left_ankle"), 1] - people.world[:, BLAZEPOSE33.index("nose"), 1]
    assert ((up > 1.1) & (up < 1.9)).all()


def test_a_mirrored_image_gives_mirrored_people(
    read: RegionReader, image: Tensor, regions: Region, people: People
) -> None:
    width = image.shape[-1]
    flipped = Region(
        regions.centre * torch.tensor([-1, 1]) + torch.tensor([width - 1, 0]), regions.side, -regions.angle
    )
    other = read(image.flip(-1)[None], torch.zeros(2, dtype=torch.int64), flipped)
    back = BLAZEPOSE33.flip(other.xy)
    nearly(torch.stack((width - 1 - back[..., 0], back[..., 1]), -1), people.xy, 0.1)
    nearly(BLAZEPOSE33.flip(other.world) * torch.tensor([-1, 1, 1]), people.world, 2e-3)
    nearly(other.seen[:, list(BLAZEPOSE33.mirror)], people.seen, 2e-3)
    nearly(other.score, people.score, 2e-3)


def test_a_shifted_image_gives_shifted_people(
    read: RegionReader, image: Tensor, regions: Region, people: People
) -> None:
    shift = torch.tensor([40.0, 24.0])
    moved = Region(regions.centre + shift, regions.side, regions.angle)
    other = read(F.pad(image, (40, 8, 24, 8))[None], torch.zeros(2, dtype=torch.int64), moved)
    nearly(other.xy - shift, people.xy, 0.1)
    nearly(other.next_region.centre - shift, people.next_region.centre, 0.1)
    nearly(other.world, people.world, 2e-3)


def test_a_turned_image_gives_turned_people(read: RegionReader, image: Tensor, regions: Region, people: People) -> None:
    # A quarter turn anticlockwise: x, y become y, width - 1 - x.
    width = image.shape[-1]
    quarter = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    centre = regions.centre @ quarter.T + torch.tensor([0.0, width - 1])
    turned = Region(centre, regions.side, regions.angle - torch.pi / 2)
    other = read(image.rot90(1, (-2, -1))[None], torch.zeros(2, dtype=torch.int64), turned)
    nearly(other.xy, people.xy @ quarter.T + torch.tensor([0.0, width - 1]), 0.2)
    nearly(other.world[..., :2], people.world[..., :2] @ quarter.T, 5e-3)
    nearly(other.world[..., 2], people.world[..., 2], 5e-3)


def test_batches_and_order_do_not_matter(networks: Networks, image: Tensor, regions: Region, people: People) -> None:
    small = RegionReader(networks.landmarks, device=torch.device("cpu"), batch=2)
    order = torch.tensor([1, 0])
    both = torch.stack((torch.zeros_like(image), image))
    found = small(both, torch.ones(2, dtype=torch.int64), Region(*(value[order] for value in regions)))
    nearly(found.xy[order], people.xy, 0.02)
    assert len(small(both, torch.zeros(0, dtype=torch.int64), Region(*(value[:0] for value in regions)))) == 0


def test_reading_again_stays(read: RegionReader, image: Tensor, people: People) -> None:
    again = read(image[None], torch.zeros(2, dtype=torch.int64), people.next_region)
    assert (torch.linalg.vector_norm(again.xy - people.xy, dim=-1).median(-1).values < 0.03 * people.span).all()


def test_textures_are_nobody(read: RegionReader) -> None:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(6, 3, 20, 20, generator=generator)
    textures = F.interpolate(coarse, (240, 240), mode="bicubic").clamp(0, 1)
    middle = Region(torch.full((6, 2), 119.5), torch.full((6,), 200.0), torch.zeros(6))
    found = read(textures, torch.arange(6), middle)
    assert not ((found.disagreement < MIRROR_LIMIT) & (found.score > 0.5)).any()
    assert found.score.max() < 0.5


def test_people_are_rows(people: People) -> None:
    assert len(People.none()) == 0
    assert len(People.join([People.none(), people, people[:1]])) == 3
    assert torch.equal(people[torch.tensor([False, True])].xy, people.xy[1:])
    box = people.xy.amax(1) - people.xy.amin(1)
    torch.testing.assert_close(people.span, box.square().sum(-1).sqrt())
