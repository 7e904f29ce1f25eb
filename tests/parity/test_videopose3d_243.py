"""VideoPose3D with a window of 243 frames against the original: plain, causal, and strided."""

from .lifting import check_videopose


def test_its_poses_are_the_originals(parity) -> None:
    check_videopose(parity, "videopose3d_243")
