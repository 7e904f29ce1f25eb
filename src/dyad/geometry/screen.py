"""The screen coordinates and the lens of Human3.6M's 2D-to-3D literature, which are not those of `geometry.projection`.

On such a screen x runs from -1 to 1 over the image's width and y with the same unit, so that the height spans
-h/w to h/w: x = 2 x_px / w - 1 and y = 2 y_px / w - h / w, where a pixel at 0 is at the image's edge (no half pixel).
Intrinsics (…, 9) are focal x y, centre x y (all in half image widths), radial k1 k2 k3, tangential p1 p2. This lens
adds a (p1 a + p2 b) + p1 r² along x and b (p1 a + p2 b) + p2 r² along y, where OpenCV has p1 and p2 the other way round
and 2 instead of 1 before the first term: no conversion to OpenCV's five numbers is exact.
"""

import torch
from torch import Tensor


def to_screen(xy: Tensor, size: tuple[int, int]) -> Tensor:
    """Pixels (…, 2) of an image `size` (width, height) to screen coordinates (…, 2)."""
    width, height = size
    return xy * (2 / width) - xy.new_tensor([1.0, height / width])


def from_screen(xy: Tensor, size: tuple[int, int]) -> Tensor:
    """Screen coordinates (…, 2) to pixels (…, 2) of an image `size` (width, height): the inverse of `to_screen`."""
    width, height = size
    return (xy + xy.new_tensor([1.0, height / width])) * (width / 2)


def project_to_screen(xyz: Tensor, intrinsics: Tensor, *, lens: bool = True) -> Tensor:
    """Camera points (…, N, 3) to the screen (…, N, 2) by intrinsics (…, 9); `lens=False` leaves the bending out.

    x / z and y / z are clamped to -1 … 1 first, as the released training code does: a point beyond 45 degrees, or one
    that is nearly beside the camera, lands on that border. Nothing here tells a point behind the camera.
    """
    focal, centre, radial, tangential = intrinsics[..., None, :].split((2, 2, 3, 2), -1)
    plane = (xyz[..., :2] / xyz[..., 2:]).clamp(-1, 1)
    if lens:
        r2 = plane.square().sum(-1, keepdim=True)
        stretch = 1 + (radial * torch.cat((r2, r2**2, r2**3), -1)).sum(-1, keepdim=True)
        plane = plane * (stretch + (tangential * plane).sum(-1, keepdim=True)) + tangential * r2
    return plane * focal + centre
