"""From people found in the maps of the bottom-up network to poses with depth: equations 3 and 4 of [TB]."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dyad.geometry.grids import rescale_xy, sample
from dyad.models.bottomup import BottomUpMaps
from dyad.models.joints import TB14
from dyad.models.namings import Naming


class DepthReadout:
    """Depth of every joint in the camera: the root map at the person's root plus the relative map at the joint.

    The maps are read between pixels, at the joints' own places whatever size the maps have. A joint or a root that was
    not found, or lies outside the maps, gives NaN.

    Args:
        joints: names in the order of the maps; the first is the root.
    """

    def __init__(self, *, joints: Sequence[str] = TB14) -> None:
        self.joints = tuple(joints)

    def __call__(
        self, xy: Tensor, maps: BottomUpMaps, *, image: int = 0, size: tuple[int, int] | None = None
    ) -> Tensor:
        """Depths (P, J) of people with joints xy (P, J, 2) in one image of the batch.

        `size` (width, height) is the pixel grid that xy counts in, edge to edge with the maps; left out, it is theirs.
        """
        if xy.shape[1:] != (len(self.joints), 2):
            raise ValueError(f"expected joints (P, {len(self.joints)}, 2), got {tuple(xy.shape)}")
        root = self._read(maps.root_depth[image], xy[:, :1], size)[:, :, 0]
        relative = self._read(maps.relative_depth[image], xy[:, 1:], size)
        own = torch.arange(relative.shape[1], device=xy.device)
        return torch.cat((root, root + relative[:, own, own]), 1)

    @staticmethod
    def _read(maps: Tensor, xy: Tensor, size: tuple[int, int] | None) -> Tensor:
        """Values (P, K, C) of maps (C, H, W) at pixels (P, K, 2)."""
        grid = xy.new_tensor((maps.shape[-1], maps.shape[-2]))
        at = xy if size is None else rescale_xy(xy, grid / xy.new_tensor(size))
        inside = ((at > -0.5) & (at < grid - 0.5)).all(-1)
        # At the very edge a pixel's own value counts, not a mean with what lies outside.
        clean = torch.where(inside[..., None], at, torch.zeros_like(at)).clamp(min=0).minimum(grid - 1)
        values = sample(maps[None], clean.reshape(1, -1, 2)).reshape(*xy.shape[:-1], len(maps))
        return torch.where(inside[..., None], values, torch.full_like(values, torch.nan))


def released_readout(xy: Tensor, root_depth: Tensor, relative_depth: Tensor) -> Tensor:
    """Poses (P, J, 3) as released: depths read at int(x / 4), int(y / 4) of the maps, whatever their size.

    Args:
        xy: (P, J, 2) in px of the image. Right only where the image is four times as large as the maps.
        root_depth: (H, W); relative_depth: (J - 1, H, W).
    """
    height, width = root_depth.shape
    pixel = (xy / 4).long()
    x, y = pixel[..., 0].clamp(0, width - 1), pixel[..., 1].clamp(0, height - 1)
    root = root_depth[y[:, :1], x[:, :1]]
    own = torch.arange(len(relative_depth), device=xy.device)
    depth = torch.cat((root, root + relative_depth[own, y[:, 1:], x[:, 1:]]), 1)
    return torch.cat((xy, depth[..., None]), -1)


def released_normalisation(pose: Tensor) -> Tensor:
    """Poses (…, J, 3) relative to the first joint, x and y over its mean distance in the image to the others.

    As released: the mean is of J - 1 distances but divided by J - 2, and depth keeps its own unit.
    """
    centred = pose - pose[..., :1, :]
    distance = torch.linalg.vector_norm(centred[..., 1:, :2], dim=-1)
    size = distance.sum(-1) / (distance.shape[-1] - 1)
    return torch.cat((centred[..., :2] / size[..., None, None], centred[..., 2:]), -1)


class CoordinateScale(nn.Module):
    """A learnt scale and shift of x, y and z: (…, 3) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(3)), nn.Parameter(torch.zeros(3))

    def forward(self, pose: Tensor) -> Tensor:
        return pose * self.weight + self.bias


class JointExpansion(nn.Module):
    """One linear map from the bottom-up network's joints to the top-down branch's: (N, 14, 3) to (N, 17, 3)."""

    def __init__(self, *, inputs: int = 14, outputs: int = 17) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * inputs, 3 * outputs)

    def forward(self, pose: Tensor) -> Tensor:
        return self.linear(pose.flatten(-2)).unflatten(-1, (-1, 3))


EXPANSION_NAMINGS = (Naming("3dpose/3D-Multi-Person-Pose", rules=((r"^f3\.fc\.", "linear."),)),)
