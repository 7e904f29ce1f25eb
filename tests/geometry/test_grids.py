import math

import pytest
import torch

from dyad.geometry.grids import affine, apply_affine, crop, rescale_xy, sample, to_float


def ramp(width: int, height: int) -> torch.Tensor:
    """Image (1, 2, H, W) whose two channels are the pixel's own coordinates."""
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    return torch.stack((x, y))[None]


def blob(width: int, height: int, at: tuple[float, float], spread: float) -> torch.Tensor:
    x, y = ramp(width, height)[0]
    return torch.exp(-0.5 * ((x - at[0]) ** 2 + (y - at[1]) ** 2) / spread**2)[None, None]


def middle_of_mass(image: torch.Tensor) -> tuple[float, float]:
    x, y = ramp(image.shape[-1], image.shape[-2])[0]
    return float((x * image).sum() / image.sum()), float((y * image).sum() / image.sum())


def inverse(matrix: torch.Tensor, xy: torch.Tensor) -> torch.Tensor:
    full = torch.cat((matrix, torch.tensor([[[0.0, 0.0, 1.0]]]).to(matrix)), 1)
    return apply_affine(torch.linalg.inv(full)[:, :2], xy)


def parameters(centre: tuple[float, float], side: float, angle: float, resolution: int) -> torch.Tensor:
    return affine(torch.tensor([centre]), torch.tensor([side]), torch.tensor([angle]), resolution)


def test_rescaling_keeps_the_edges_of_the_image() -> None:
    edges = torch.tensor([[-0.5, -0.5], [9.5, 4.5]])
    assert torch.allclose(rescale_xy(edges, torch.tensor([3.0, 2.0])), torch.tensor([[-0.5, -0.5], [29.5, 9.5]]))
    # Two by two pixels become one: its centre lies between theirs.
    assert torch.allclose(rescale_xy(torch.tensor([0.5]), 0.5), torch.tensor([0.0]))


def test_sample_reads_a_ramp_exactly() -> None:
    xy = torch.tensor([[[0.0, 0.0], [30.0, 20.0], [3.25, 7.5], [15.0, 0.0]]])
    assert torch.allclose(sample(ramp(31, 21), xy), xy, atol=1e-4)


def test_sample_is_zero_outside_and_half_at_half_a_pixel_out() -> None:
    image = torch.ones(1, 1, 8, 8)
    values = sample(image, torch.tensor([[[-5.0, 3.0], [3.0, 20.0], [-0.5, 3.0], [7.5, 3.0], [7.0, 3.0]]]))
    assert torch.allclose(values[0, :, 0], torch.tensor([0.0, 0.0, 0.5, 0.5, 1.0]))


def test_sample_takes_any_shape_of_points_also_none() -> None:
    images = ramp(9, 9).expand(2, -1, -1, -1)
    xy = torch.rand(2, 3, 4, 2) * 8
    assert torch.allclose(sample(images, xy), xy, atol=1e-4)
    assert sample(images, xy[:, 0, 0]).shape == (2, 2)
    assert sample(images[:0], xy[:0]).shape == (0, 3, 4, 2)
    assert sample(images, xy[:, :0]).shape == (2, 0, 4, 2)


def test_sample_has_a_gradient_in_the_position() -> None:
    xy = torch.tensor([[[3.3, 4.4]]], requires_grad=True)
    sample(ramp(9, 9), xy)[0, 0, 0].backward()
    assert xy.grad is not None
    assert torch.allclose(xy.grad, torch.tensor([[[1.0, 0.0]]]), atol=1e-4)


def test_affine_takes_the_edges_of_the_crop_to_the_edges_of_the_square() -> None:
    matrix = parameters((50.0, 40.0), 20.0, 0.0, 64)
    corners = torch.tensor([[[-0.5, -0.5], [63.5, 63.5], [31.5, 31.5]]])
    assert torch.allclose(apply_affine(matrix, corners), torch.tensor([[[40.0, 30.0], [60.0, 50.0], [50.0, 40.0]]]))


def test_a_quarter_turn_is_clockwise_on_screen() -> None:
    """The crop's right side shows what lies below the centre in the image."""
    matrix = parameters((50.0, 40.0), 64.0, math.pi / 2, 64)
    right = apply_affine(matrix, torch.tensor([[[31.5 + 10, 31.5]]]))
    assert torch.allclose(right, torch.tensor([[[50.0, 50.0]]]), atol=1e-4)


@pytest.mark.parametrize("shape", [(2,), (5, 2), (5, 3, 2), (0, 2)])
def test_apply_affine_moves_points_of_any_shape(shape: tuple[int, ...]) -> None:
    centre, side, angle = torch.rand(4, 2) * 50, torch.rand(4) * 30 + 5, torch.rand(4)
    matrix = affine(centre, side, angle, 32)
    xy = torch.rand(4, *shape) * 32
    moved = apply_affine(matrix, xy)
    for i in range(4):
        assert torch.allclose(moved[i], xy[i] @ matrix[i, :, :2].T + matrix[i, :, 2], atol=1e-4)


def test_a_crop_at_full_size_is_a_cut() -> None:
    image = torch.randint(0, 256, (1, 3, 40, 60), dtype=torch.uint8)
    # Pixels 10..25 in x and 4..19 in y: the square's edges lie at 9.5 and 3.5.
    matrix = parameters((17.5, 11.5), 16.0, 0.0, 16)
    cut = crop(image, torch.tensor([0]), matrix, 16)
    assert torch.allclose(cut[0], to_float(image)[0, :, 4:20, 10:26], atol=1e-5)


@pytest.mark.parametrize("side", [20.0, 48.0, 70.0, 130.0, 200.0, 260.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_every_pixel_of_a_crop_shows_its_place_in_the_image(side: float, angle: float) -> None:
    """On a ramp, where averaging changes nothing, the crop of any size reads the coordinates that `affine` gives."""
    image, resolution = ramp(401, 391), 32
    matrix = parameters((203.2, 190.7), side, angle, resolution)
    steps = torch.arange(resolution).float()
    pixels = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)[None]
    cut = crop(image, torch.tensor([0]), matrix, resolution)
    assert torch.allclose(cut[0].permute(1, 2, 0), apply_affine(matrix, pixels)[0], atol=2e-3)


@pytest.mark.parametrize("side", [64.0, 100.0, 150.0, 250.0])
def test_a_blob_appears_where_the_inverse_map_says(side: float) -> None:
    at = (141.3, 122.6)
    image = blob(300, 280, at, spread=side / 16)
    matrix = parameters((150.0, 130.0), side, 0.3, 32)
    x, y = middle_of_mass(crop(image, torch.tensor([0]), matrix, 32)[0, 0])
    expected = inverse(matrix, torch.tensor([[at]]))[0, 0]
    assert abs(x - float(expected[0])) < 0.02
    assert abs(y - float(expected[1])) < 0.02


@pytest.mark.parametrize("odd", [(61, 47), (64, 64), (63, 50)])
def test_a_crop_across_the_border_is_placed_right_and_zero_outside(odd: tuple[int, int]) -> None:
    width, height = odd
    image = torch.ones(1, 1, height, width)
    matrix = parameters(((width - 1) / 2, (height - 1) / 2), 4.0 * 32, 0.0, 32)  # four pixels of the image to one
    cut = crop(image, torch.tensor([0]), matrix, 32)[0, 0]
    assert abs(float(cut.sum()) * 16 / (width * height) - 1) < 0.01
    x, y = middle_of_mass(cut)
    assert abs(x - 15.5) < 0.02
    assert abs(y - 15.5) < 0.02
    assert float(cut[0].abs().max()) == 0
    assert float(cut[:, -1].abs().max()) == 0


def test_shrinking_does_not_alias() -> None:
    """A board of single black and white pixels is grey from afar."""
    x, y = ramp(320, 320)[0]
    board = ((x + y) % 2)[None, None]
    for side in (128.0, 200.0, 250.0):
        cut = crop(board, torch.tensor([0]), parameters((159.5, 159.5), side, 0.2, 32), 32)
        assert float((cut - 0.5).abs().max()) < 0.03


def test_crops_come_from_the_image_that_the_index_names() -> None:
    images = torch.stack([torch.full((3, 20, 20), float(i)) for i in range(3)])
    centre, side = torch.full((4, 2), 9.5), torch.tensor([8.0, 16.0, 8.0, 4.0])
    cuts = crop(images, torch.tensor([2, 0, 2, 1]), affine(centre, side, torch.zeros(4), 4), 4)
    assert cuts.mean((1, 2, 3)).tolist() == pytest.approx([2.0, 0.0, 2.0, 1.0])


def test_crops_alone_or_together_are_the_same() -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, 3, 90, 120), dtype=torch.uint8, generator=generator)
    centre = torch.rand(6, 2, generator=generator) * 100
    side, angle = torch.rand(6, generator=generator) * 150 + 5, torch.rand(6, generator=generator) * 6
    index, matrix = torch.tensor([0, 1, 0, 1, 1, 0]), affine(centre, side, angle, 24)
    together = crop(images, index, matrix, 24)
    for i in range(6):
        assert torch.allclose(together[i : i + 1], crop(images, index[i : i + 1], matrix[i : i + 1], 24), atol=1e-5)


def test_no_crops_and_crops_of_nothing() -> None:
    image = torch.ones(1, 3, 10, 10)
    assert crop(image, torch.zeros(0).long(), torch.zeros(0, 2, 3), 8).shape == (0, 3, 8, 8)
    outside = crop(image, torch.tensor([0]), parameters((500.0, -500.0), 20.0, 0.0, 8), 8)
    assert float(outside.abs().max()) == 0
    assert crop(image.double(), torch.tensor([0]), parameters((4.5, 4.5), 8.0, 0.0, 8), 8).dtype == torch.float32


def test_bytes_become_shares() -> None:
    assert torch.equal(to_float(torch.tensor([0, 255], dtype=torch.uint8)), torch.tensor([0.0, 1.0]))
    assert torch.equal(to_float(torch.tensor([0.25])), torch.tensor([0.25]))
