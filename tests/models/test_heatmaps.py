import pytest
import torch
from torch import Tensor

from dyad.models.heatmaps import Crop, HeatmapReading, crop_around, in_image, maxima, quarter_steps, released_reading


def bumps(xy: Tensor, *, size: tuple[int, int] = (48, 64), sigma: float = 2.0) -> Tensor:
    """Gaussians (N, J, h, w) at points (N, J, 2)."""
    x, y = torch.arange(size[0]), torch.arange(size[1])
    across = (x - xy[..., 0, None]) ** 2
    down = (y - xy[..., 1, None]) ** 2
    return torch.exp(-(down[..., :, None] + across[..., None, :]) / (2 * sigma**2))


@pytest.fixture
def points() -> Tensor:
    return 3 + torch.rand(4, 17, 2, generator=torch.Generator().manual_seed(3)) * torch.tensor([40.0, 56.0])


def test_gaussians_are_found_between_pixels_and_nearer_than_in_quarter_steps(points) -> None:
    heatmaps = bumps(points)
    exact, quarters = HeatmapReading()(heatmaps), released_reading()(heatmaps)
    assert (exact.xy - points).abs().max() < 1e-3
    assert 0.05 < (quarters.xy - points).abs().mean() <= 0.125 + 0.02
    assert (quarters.xy - points).abs().max() <= 0.25 + 1e-3
    assert (exact.confidence > 0.93).all()


def test_height_and_background_do_not_move_a_maximum_far(points) -> None:
    found = HeatmapReading()(0.2 * bumps(points))
    assert (found.xy - points).abs().max() < 1e-3
    assert (HeatmapReading()(0.2 * bumps(points) + 0.002).xy - points).abs().max() < 0.05


def test_a_map_that_shows_nothing_is_absent() -> None:
    heatmaps = torch.zeros(1, 2, 6, 5)
    heatmaps[0, 1] = -1
    assert HeatmapReading()(heatmaps).xy.isnan().all()
    assert (released_reading()(heatmaps).xy == 0).all()
    faint = 0.2 * bumps(torch.tensor([[[10.0, 12.0]]]))
    assert HeatmapReading(floor=0.3)(faint).xy.isnan().all()
    assert not HeatmapReading(floor=0.1)(faint).xy.isnan().any()


@pytest.mark.parametrize("x, y", [(0, 0), (47, 63), (0, 30), (20, 63)])  # noqa: PT006
def test_at_an_edge_nothing_beyond_it_counts(x, y) -> None:
    heatmaps = bumps(torch.tensor([[[float(x), float(y)]]]))
    assert HeatmapReading()(heatmaps).xy[0, 0].tolist() == pytest.approx([x, y], abs=1e-4)
    assert quarter_steps(heatmaps, *maxima(heatmaps)[:2]).tolist() == [[[0, 0]]]


def test_plateaus_and_lone_pixels_give_numbers() -> None:
    heatmaps = torch.zeros(1, 3, 9, 9)
    heatmaps[0, 0] = 1
    heatmaps[0, 1, 4, 5] = 1
    heatmaps[0, 2, 4, 4:6] = 1
    found = HeatmapReading()(heatmaps).xy
    assert found.isfinite().all()
    assert found[0, 1].tolist() == [5, 4]


def test_the_highest_pixel_is_found_in_maps_of_any_shape() -> None:
    heatmaps = torch.rand(2, 3, 7, 11, generator=torch.Generator().manual_seed(4))
    found = maxima(heatmaps)
    for n, j in ((0, 0), (1, 2), (1, 1)):
        assert heatmaps[n, j, found.y[n, j], found.x[n, j]] == heatmaps[n, j].max() == found.value[n, j]
    with pytest.raises(ValueError, match=r"\(N, J, h, w\)"):
        maxima(heatmaps[0])


def test_pixels_return_to_where_a_resized_crop_took_them_from() -> None:
    """A crop from edge 10 to edge 58 and 20 to 84, brought to 12x16: a pixel of the map covers 4x4 of the image."""
    edges = torch.tensor([[10.0, 20.0, 58.0, 84.0]])
    crop = crop_around(edges - 0.5, aspect=0.75)
    first, last = in_image(torch.tensor([[[0.0, 0.0], [11.0, 15.0]]]), crop, map_size=(12, 16))[0].tolist()
    # Pixels 10..13 and 20..23, then 54..57 and 80..83.
    assert first == [11.5, 21.5]
    assert last == [55.5, 81.5]
    corner = in_image(torch.zeros(1, 1, 2), crop, map_size=(12, 16), reference="corners")
    assert corner[0, 0].tolist() == [9.5, 19.5]
    with pytest.raises(ValueError, match="centres or corners"):
        in_image(torch.zeros(1, 1, 2), crop, map_size=(12, 16), reference="middle")


def test_a_crop_holds_its_box_and_has_the_aspect() -> None:
    boxes = torch.tensor([[0.0, 0.0, 30.0, 100.0], [5.0, 5.0, 205.0, 45.0]])
    crop = crop_around(boxes, aspect=0.75)
    assert isinstance(crop, Crop)
    assert crop.centre.tolist() == [[15, 50], [105, 25]]
    torch.testing.assert_close(crop.size, torch.tensor([[75.0, 100.0], [200.0, 200 / 0.75]]))
    torch.testing.assert_close(crop_around(boxes, aspect=0.75, enlarge=1.25).size, 1.25 * crop.size)
