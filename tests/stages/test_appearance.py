import torch

from dyad.core.skeleton import BLAZEPOSE33
from dyad.geometry.grids import rescale_xy
from dyad.stages.appearance import describe

from .stage_walkers import _BODY

RED, GREEN, BLUE, WHITE = (200, 20, 20), (20, 200, 20), (20, 20, 200), (250, 250, 250)
SIZE = (240, 320)


def pose(x: float, y: float, size: float) -> torch.Tensor:
    """Landmarks (33, 2) px of someone who stands upright, the feet at (x, y), `size` px a metre."""
    out = []
    for name in BLAZEPOSE33.names:
        part = name.replace("left_", "").replace("right_", "").replace("_left", "").replace("_right", "")
        across, up, _ = _BODY[part]
        out.append((x + size * across * (-1 if "right" in name else 1), y - size * up))
    return torch.tensor(out)


def picture(xy: torch.Tensor, shirt: tuple[int, int, int], trousers: tuple[int, int, int]) -> torch.Tensor:
    """A grey image (3, H, W) uint8 with blocks of colour where trunk and thighs are."""
    image = torch.full((3, *SIZE), 128, dtype=torch.uint8)
    y, x = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    at = {name: xy[BLAZEPOSE33.index(name)] for name in ("left_shoulder", "right_hip", "left_knee", "right_shoulder")}
    margin = 0.4 * float(at["left_shoulder"][0] - at["right_shoulder"][0])
    inside = (x > at["right_shoulder"][0] - margin) & (x < at["left_shoulder"][0] + margin)
    upper = inside & (y > at["left_shoulder"][1] - 5) & (y < at["right_hip"][1])
    lower = inside & (y >= at["right_hip"][1]) & (y < at["left_knee"][1])
    for part, colour in ((upper, shirt), (lower, trousers)):
        image[:, part] = torch.tensor(colour, dtype=torch.uint8)[:, None]
    return image


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).sum())


def test_it_is_two_histograms() -> None:
    xy = pose(100, 200, 90)
    looks = describe(picture(xy, RED, BLUE), xy[None])
    assert looks.shape == (1, 128)
    assert (looks >= 0).all()
    torch.testing.assert_close(looks.square().reshape(2, 64).sum(-1), torch.ones(2))
    assert describe(picture(xy, RED, BLUE), torch.zeros(0, 33, 2)).shape == (0, 128)


def test_neither_place_nor_size_nor_number_type_matters() -> None:
    here, there, small = pose(80, 200, 90), pose(240, 190, 90), pose(200, 120, 45)
    looks = [describe(picture(xy, RED, BLUE), xy[None])[0] for xy in (here, there, small)]
    for other in looks[1:]:
        assert likeness(looks[0], other) > 1.95
    image = picture(here, RED, BLUE)
    torch.testing.assert_close(describe(image.float() / 255, here[None])[0], looks[0])
    double = image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert likeness(describe(double, rescale_xy(here, 2.0)[None])[0], looks[0]) > 1.95


def test_clothes_matter_and_so_does_which_is_where() -> None:
    xy = pose(100, 200, 90)
    base, shirt, swapped = (
        describe(picture(xy, *colours), xy[None])[0] for colours in ((RED, BLUE), (GREEN, BLUE), (BLUE, RED))
    )
    assert 0.9 < likeness(base, shirt) < 1.3
    assert likeness(base, swapped) < 0.3


def test_company_changes_nothing() -> None:
    one, two = pose(80, 200, 90), pose(240, 190, 60)
    image = picture(one, RED, BLUE)
    image = torch.where(picture(two, WHITE, GREEN) == 128, image, picture(two, WHITE, GREEN))
    both = describe(image, torch.stack((one, two)))
    torch.testing.assert_close(both[0], describe(image, one[None])[0])
    torch.testing.assert_close(both[1], describe(image, two[None])[0])


def test_people_beyond_the_border_have_looks_too() -> None:
    image = picture(pose(80, 200, 90), RED, BLUE)
    for xy in (pose(-50, 200, 90), pose(400, 100, 90), pose(100, 900, 90)):
        assert torch.isfinite(describe(image, xy[None])).all()
