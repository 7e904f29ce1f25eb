"""VideoPose3D with a window of 27 frames against the original: plain, causal, and strided."""

import pytest
import torch

from .lifting import check_videopose, videopose
from .recipe import close


def test_its_poses_are_the_originals(parity) -> None:
    check_videopose(parity, "videopose3d_27")


@torch.no_grad()
def test_batch_statistics_do_not_pass(parity) -> None:
    fixture, network = videopose(parity, "videopose3d_27", dropout=0.0)
    with pytest.raises(AssertionError, match="off by"):
        close(network.train()(fixture.tensor("pose2d")), fixture, "output")
