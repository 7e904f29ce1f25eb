"""The high-resolution backbone: branches at 1/4, 1/8, 1/16 and 1/32 of the image that keep exchanging what they see.

Sun et al., "Deep high-resolution representation learning for human pose estimation" (2019). Attribute names are those
of the published checkpoints. HRNet, HigherHRNet and the bottom-up network of [TB] put their heads on it.
"""

from collections.abc import Sequence
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from dyad.models.temporal import TORCH_NORM, NormSettings

_STEM = 64


def _norm(channels: int, norm: NormSettings) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=norm.eps, momentum=norm.momentum)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)


class BasicUnit(nn.Module):
    """Residual unit of two 3x3 convolutions; (N, C, H, W) to the same shape."""

    def __init__(self, channels: int, *, norm: NormSettings = TORCH_NORM) -> None:
        super().__init__()
        self.conv1, self.bn1 = _conv(channels, channels, 3), _norm(channels, norm)
        self.conv2, self.bn2 = _conv(channels, channels, 3), _norm(channels, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + x)


class BottleneckUnit(nn.Module):
    """Residual unit 1x1, 3x3, 1x1 that leaves with four times its inner channels."""

    def __init__(self, inputs: int, inner: int, *, norm: NormSettings = TORCH_NORM) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1, self.bn1 = _conv(inputs, inner, 1), _norm(inner, norm)
        self.conv2, self.bn2 = _conv(inner, inner, 3), _norm(inner, norm)
        self.conv3, self.bn3 = _conv(inner, outputs, 1), _norm(outputs, norm)
        same = inputs == outputs
        self.downsample = nn.Identity() if same else nn.Sequential(_conv(inputs, outputs, 1), _norm(outputs, norm))

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + self.downsample(x))


class ExchangeModule(nn.Module):
    """Residual units on every branch, then each result is the sum of all branches brought to its size.

    `results` is how many branches come out (the last module of a network gives only the finest).
    """

    def __init__(self, widths: Sequence[int], *, units: int, results: int, norm: NormSettings) -> None:
        super().__init__()
        unit = partial(BasicUnit, norm=norm)
        self.branches = nn.ModuleList(nn.Sequential(*(unit(width) for _ in range(units))) for width in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_path(widths, source, target, norm) for source in range(len(widths)))
            for target in range(results)
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        fused = []
        for paths in self.fuse_layers:
            first, *others = (path(x) for path, x in zip(paths.children(), features, strict=True))
            fused.append(F.relu(sum(others, first)))
        return fused


def _path(widths: Sequence[int], source: int, target: int, norm: NormSettings) -> nn.Module:
    """Bring one branch to another's size: nothing, one 1x1 convolution and enlarging, or halvings."""
    if source == target:
        return nn.Identity()
    if source > target:
        project = _conv(widths[source], widths[target], 1)
        enlarge = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(project, _norm(widths[target], norm), enlarge)
    halvings = []
    for step in range(source + 1, target + 1):
        last = step == target
        width = widths[target] if last else widths[source]
        parts = [_conv(widths[source], width, 3, 2), _norm(width, norm)]
        halvings.append(nn.Sequential(*parts) if last else nn.Sequential(*parts, nn.ReLU()))
    return nn.Sequential(*halvings)


class HighResolutionBackbone(nn.Module):
    """Images (N, inputs, H, W), sides multiples of 32, to the finest features (N, width, H / 4, W / 4).

    Args:
        inputs: channels of the image.
        width: channels of the finest branch (w32: 32, w48: 48); each coarser branch has twice as many.
        modules: exchange modules of the stages with two, three and four branches.
        units: residual units per branch and module.
        norm: batch norm's numbers.
    """

    def __init__(
        self,
        *,
        inputs: int = 3,
        width: int = 32,
        modules: Sequence[int] = (1, 4, 3),
        units: int = 4,
        norm: NormSettings = TORCH_NORM,
    ) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(len(modules) + 1)]
        self.width = width
        self.conv1, self.bn1 = _conv(inputs, _STEM, 3, 2), _norm(_STEM, norm)
        self.conv2, self.bn2 = _conv(_STEM, _STEM, 3, 2), _norm(_STEM, norm)
        wide = 4 * _STEM
        self.layer1 = nn.Sequential(*(BottleneckUnit(wide if k else _STEM, _STEM, norm=norm) for k in range(4)))
        self.transition1 = nn.ModuleList(
            (_entry(wide, widths[0], norm), nn.Sequential(_entry(wide, widths[1], norm, 2)))
        )
        self.stage2 = self._stage(widths[:2], modules[0], units, norm)
        self.transition2 = self._transition(widths[1], widths[2], 2, norm)
        self.stage3 = self._stage(widths[:3], modules[1], units, norm)
        self.transition3 = self._transition(widths[2], widths[3], 3, norm)
        self.stage4 = self._stage(widths[:4], modules[2], units, norm, results=1)

    @staticmethod
    def _stage(
        widths: Sequence[int], modules: int, units: int, norm: NormSettings, results: int | None = None
    ) -> nn.Sequential:
        """Exchange modules over the branches; the last one may give fewer results than it has branches."""
        ends = [len(widths)] * (modules - 1) + [results or len(widths)]
        return nn.Sequential(*(ExchangeModule(widths, units=units, results=end, norm=norm) for end in ends))

    @staticmethod
    def _transition(inputs: int, outputs: int, kept: int, norm: NormSettings) -> nn.ModuleList:
        """The branches so far stay as they are; the coarsest is halved into a new one."""
        return nn.ModuleList((*(nn.Identity() for _ in range(kept)), nn.Sequential(_entry(inputs, outputs, norm, 2))))

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))
        features = self.stage2([self.transition1[0](x), self.transition1[1](x)])
        features = self.stage3([*features, self.transition2[-1](features[-1])])
        return self.stage4([*features, self.transition3[-1](features[-1])])[0]


def _entry(inputs: int, outputs: int, norm: NormSettings, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, 3, stride), _norm(outputs, norm), nn.ReLU())
