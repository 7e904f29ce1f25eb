"""What each network of `dyad.models.zoo` is measured on: one image, pair, window or batch of the size usual for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dyad.core.errors import BadUsage
from dyad.models.blazepose_heads import Features
from dyad.models.smpl_template import JOINTS14, VERTICES, BodyTemplate

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Size:
    """Shapes of a network's inputs.

    Attributes:
        shapes: of what it takes by place. named: of what it takes by name.
        others: makes what is no tensor of such numbers and comes after `shapes`.
    """

    shapes: tuple[Shape, ...]
    named: dict[str, Shape] = field(default_factory=dict)
    others: Callable[[], tuple[Any, ...]] = tuple

    def inputs(self, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Tensor]]:
        """Random numbers in 0..1 of these shapes, the same each time."""
        generator = torch.Generator().manual_seed(0)

        def numbers(shape: Shape) -> Tensor:
            return torch.rand(shape, generator=generator).to(device)

        with device:
            others = self.others()
        return (*map(numbers, self.shapes), *others), {name: numbers(s) for name, s in self.named.items()}


def _images(count: int, width: int, height: int) -> tuple[Shape, ...]:
    return ((1, 3, height, width),) * count


_TWO_FRAMES = Size(_images(2, 512, 384))
_POSE = (64, 17, 3)
_FEATURES = ((1, 24, 128, 224), (1, 96, 64, 112), (1, 192, 32, 56))

# By the beginning of a network's name; the longest that fits counts. "-N" stands for lifting windows of N frames.
SIZES: dict[str, Size] = {
    "raft": _TWO_FRAMES,
    "gma": _TWO_FRAMES,
    "hrnet": Size(_images(1, 192, 256)),
    "higherhrnet": Size(_images(1, 512, 512)),
    "dcpose": Size(_images(3, 288, 384), {"distances": (1, 2)}),
    "gcn": Size(((64, 17, 2), (64, 17, 17), (64, 16, 16))),
    "joint-tcn": Size(((1, 343, 17, 3),)),
    "root-tcn": Size(((1, 343, 17, 2),)),
    "root-tcn-3d": Size(((1, 343, 17, 5),)),
    "bottom-up": Size(((1, 3, 512, 512), (1, 17, 512, 512))),
    "person-heads": Size((), others=lambda: (Features(*(torch.zeros(s) for s in _FEATURES)),)),
    "person-network": Size(_images(1, 896, 512)),
    "coordinate-scale": Size(((64, 14, 3),)),
    "joint-expansion": Size(((64, 14, 3),)),
    "blending": Size(((64, 3, 17), (64, 3, 17), (64, 2))),
    "integration": Size((_POSE, _POSE, (64, 17, 2))),
    "fusion": Size(
        ((8, 27, 2, 17, 3), (8, 27, 2, 17), (8, 27, 17, 2), (8, 27, 17), (8, 27, 17, 3), (8, 27, 17), (8,)),
        others=lambda: (torch.tensor([[0, 1]] * 8),),
    ),
    "lifting": Size(((8, 81, 17, 4), (8, 81, 10))),
    "adaptation": Size(((64, 3, 17),)),
    "discriminator": Size((_POSE, _POSE)),
    **{f"videopose3d-{n}": Size(((1, n + 100, 17, 2),)) for n in (27, 81, 243)},
    **{f"anatomy3d-{n}": Size(((1, n + 100, 17, 3),)) for n in (27, 81, 243)},
    "metro": Size(
        ((1, 2048, 7, 7),),
        others=lambda: (BodyTemplate(torch.zeros(len(JOINTS14), 3), torch.zeros(VERTICES[-1], 3)),),
    ),
}


def size_of(name: str) -> Size:
    """What a network is measured on. Raises BadUsage where none is stated."""
    fitting = [known for known in SIZES if name == known or name.startswith(f"{known}-")]
    if not fitting:
        raise BadUsage(f"no size is stated for the network {name!r}; add one to dyad.bench.model_sizes")
    return SIZES[max(fitting, key=len)]
