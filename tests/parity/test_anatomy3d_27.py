"""Anatomy3D with a window of 27 frames against the original: frames, bone lengths, directions, poses."""

import pytest
import torch

from .lifting import anatomy3d, check_anatomy3d
from .recipe import close


def test_its_poses_are_the_originals(parity) -> None:
    check_anatomy3d(parity, "anatomy3d_27")


@torch.no_grad()
def test_second_stage_without_its_start_does_not_pass(parity) -> None:
    fixture, network = anatomy3d(parity, "anatomy3d_27")
    network.direction.early[-1].point.norm.weight.zero_()
    with pytest.raises(AssertionError, match="off by"):
        close(network(fixture.tensor("pose2d_score")).pose, fixture, "output")
