"""Images on their way into a network and joints on their way back."""

import pytest
import torch

from dyad.models.image_input import (
    normalise_colours,
    released_crop,
    released_frame,
    released_to_image,
    resize_images,
)


@pytest.mark.parametrize(("width", "height"), [(200, 150), (150, 200), (333, 100)])
def test_a_place_in_the_maps_is_the_place_in_the_image(width, height) -> None:
    """Red grows with x and green with y, so the colour at a pixel of the network says where it comes from."""
    x, y = torch.arange(width) / width, torch.arange(height) / height
    image = torch.stack((x.expand(height, -1), y[:, None].expand(-1, width), torch.zeros(height, width)))[None]
    resized = resize_images(image, short_side=128)
    rows, columns = resized.images.shape[-2:]
    assert min(rows, columns) == 128
    assert rows % 64 == columns % 64 == 0
    at = torch.tensor([[20, 30], [100, 90]])
    colour = resized.images[0, :2, at[:, 1], at[:, 0]].T * torch.tensor([width, height])
    assert torch.allclose(resized.to_image(at.float(), (columns, rows)), colour, atol=0.1)
    # The same place in maps of half the size.
    half = resized.to_image((at + 0.5) / 2 - 0.5, (columns // 2, rows // 2))
    assert torch.allclose(half, colour, atol=0.1)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (480, 640), (333, 500)])
def test_released_frames_go_there_and_back(width, height) -> None:
    frame = released_frame(width, height, short_side=128)
    there, back = frame.matrices()
    image = torch.tensor([[10.0, 20.0], [300.0, 400.0]])
    network = (image.double() @ there[:, :2].T + there[:, 2]).float()
    assert torch.allclose(released_to_image(network, frame), image, atol=1e-3)
    assert torch.allclose(there[:, :2] @ back[:, :2], torch.eye(2).double())


def test_a_crop_at_the_same_size_is_the_image_and_whole_numbers() -> None:
    image = torch.randint(0, 256, (3, 64, 128)).float()
    frame = released_frame(128, 64, short_side=64)
    assert torch.equal(released_crop(image, frame), image)
    small = released_crop(image, released_frame(128, 64, short_side=64)._replace(size=(96, 48)))
    assert torch.equal(small, small.round())


def test_mean_colour_becomes_zero() -> None:
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None].expand(2, 3, 4, 4)
    assert normalise_colours(mean).abs().max() < 1e-6
    assert torch.allclose(normalise_colours(mean + 0.229)[:, 0], torch.ones(2, 4, 4), atol=1e-5)
