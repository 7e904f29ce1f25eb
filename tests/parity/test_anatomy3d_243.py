"""Anatomy3D with a window of 243 frames against the original: frames, bone lengths, directions, poses."""

from .lifting import check_anatomy3d


def test_its_poses_are_the_originals(parity) -> None:
    check_anatomy3d(parity, "anatomy3d_243")
