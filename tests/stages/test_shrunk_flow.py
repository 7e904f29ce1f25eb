"""Flow of smaller images, enlarged: the same motion in the pixels of the large ones."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.core.flow import Flow, pixels
from dyad.core.video import Chunk
from dyad.models.raft import raft_small
from dyad.stages.flow import NetworkFlow, between_images
from dyad.stages.shrunk_flow import ShrunkFlow


@dataclass
class Turning:
    """The flow of images that turn about (0, 0) by a small angle, whatever they show."""

    sizes: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        height, width = first.images.shape[1:3]
        self.sizes.append((width, height))
        x, y = (pixels((width, height)) + 0.5).unbind(-1)
        return Flow(torch.stack((-0.1 * y, 0.1 * x))[None].repeat(len(first), 1, 1, 1))

    def copy(self) -> "Turning":
        return Turning()


def chunk(width: int, height: int, count: int = 2) -> Chunk:
    images = np.random.default_rng(0).integers(0, 255, (count, height, width, 3), np.uint8)
    return Chunk(np.arange(count), np.arange(count) / 10, images, np.zeros(count, bool))


def test_motion_is_that_of_the_large_images() -> None:
    inner = Turning()
    some = chunk(320, 200)
    flow = ShrunkFlow(inner, 160)(some, some)
    assert inner.sizes == [(160, 100)]
    # Bilinear enlargement of a linear flow is exact but for the outermost pixel.
    wanted = Turning()(some, some)
    assert torch.allclose(flow.uv[..., 1:-1, 1:-1], wanted.uv[..., 1:-1, 1:-1], atol=1e-3)


def test_small_images_are_left_alone() -> None:
    inner = Turning()
    some = chunk(120, 160)
    assert torch.equal(ShrunkFlow(inner, 160)(some, some).uv, Turning()(some, some).uv)
    assert inner.sizes == [(120, 160)]
    with pytest.raises(BadUsage, match="64 px or more"):
        ShrunkFlow(inner, 10)


def test_a_copy_can_be_tuned_and_leaves_no_trace() -> None:
    torch.manual_seed(0)
    estimator = ShrunkFlow(NetworkFlow(raft_small(), iterations=1), 128)
    first, second = between_images(*chunk(256, 192).images)
    before = estimator(first, second).uv
    assert before.shape == (1, 2, 192, 256)
    copy = estimator.copy()
    copy(first, second).uv.square().mean().backward()
    with torch.no_grad():
        for parameter in copy.estimator.network.parameters():
            parameter -= 0.01 * parameter.grad.sign() if parameter.grad is not None else 0
        assert not torch.equal(copy(first, second).uv, before)
    assert torch.equal(estimator(first, second).uv, before)
