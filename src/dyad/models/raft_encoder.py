"""RAFT's encoders: residual networks that turn an image into features at an eighth of its size.

Teed and Deng, "RAFT: Recurrent All-Pairs Field Transforms for Optical Flow", ECCV 2020, section 3.1 and figure 2 of
its supplement.
"""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "instance", "none"]
_NORMS: dict[str, Callable[[int], nn.Module]] = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "none": lambda channels: nn.Identity(),
}


class Residual(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `stride` of the first shrinks."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.norm1 = _NORMS[norm](outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm2 = _NORMS[norm](outputs)
        self.downsample = _shortcut(inputs, outputs, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu_()
        y = self.norm2(self.conv2(y)).relu_()
        return (y + self.downsample(x)).relu_()


class Bottleneck(nn.Module):
    """A 3x3 convolution of a quarter of the channels between two 1x1, beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, *, stride: int, norm: Norm) -> None:
        super().__init__()
        inner = outputs // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1)
        self.norm1 = _NORMS[norm](inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1)
        self.norm2 = _NORMS[norm](inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1)
        self.norm3 = _NORMS[norm](outputs)
        self.downsample = _shortcut(inputs, outputs, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(self.conv1(x)).relu_()
        y = self.norm2(self.conv2(y)).relu_()
        y = self.norm3(self.conv3(y)).relu_()
        return (y + self.downsample(x)).relu_()


def _shortcut(inputs: int, outputs: int, stride: int, norm: Norm) -> nn.Module:
    if stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride), _NORMS[norm](outputs))


class Encoder(nn.Module):
    """Images (N, 3, H, W), -1..1, to features (N, outputs, H/8, W/8).

    Args:
        block: what its three stages are made of, two in each.
        widths: channels of the first convolution and of the stages at 1/2, 1/4 and 1/8 of the size.
        outputs: channels of the features.
        norm: after each convolution but the last.
    """

    def __init__(
        self,
        *,
        block: type[Residual] | type[Bottleneck],
        widths: tuple[int, int, int, int],
        outputs: int,
        norm: Norm,
    ) -> None:
        super().__init__()

        def stage(inputs: int, width: int, stride: int) -> nn.Sequential:
            return nn.Sequential(
                block(inputs, width, stride=stride, norm=norm), block(width, width, stride=1, norm=norm)
            )

        self.conv1 = nn.Conv2d(3, widths[0], 7, stride=2, padding=3)
        self.norm1 = _NORMS[norm](widths[0])
        self.layer1 = stage(widths[0], widths[1], 1)
        self.layer2 = stage(widths[1], widths[2], 2)
        self.layer3 = stage(widths[2], widths[3], 2)
        self.conv2 = nn.Conv2d(widths[3], outputs, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = self.norm1(self.conv1(images)).relu_()
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))
