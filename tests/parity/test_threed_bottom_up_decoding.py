"""Decoding of the bottom-up network against the original: people, depth, joints of the other branch, and the inputs."""

import re

import numpy as np
import pytest
import torch

from dyad.models.depth_readout import (
    EXPANSION_NAMINGS,
    CoordinateScale,
    JointExpansion,
    released_normalisation,
    released_readout,
)
from dyad.models.grouping_released import bottom_up_grouping
from dyad.models.image_input import Frame, normalise_colours, released_crop, released_frame, released_to_image
from dyad.models.namings import adopt
from dyad.models.person_maps import draw_person_maps

from .recipe import Fixture
from .test_higherhrnet_grouping import joints_of
from .threed import material, weights_of_part

SCENES = ("clean", "missing", "crowded")


@pytest.fixture(scope="module")
def decoding(request) -> Fixture:
    return material(request.getfixturevalue("parity"), "threed_bottom_up_decoding")


def depth_maps(height: int, width: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The depth maps of the notes."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    root = 1.2 + 0.5 * np.sin(x / 17) + 0.3 * np.cos(y / 23)
    relative = [0.2 * np.sin(x / (11 + k) + k) + 0.1 * np.cos(y / (7 + k)) for k in range(count)]
    return torch.from_numpy(root.astype(np.float32)), torch.from_numpy(np.stack(relative).astype(np.float32))


@pytest.mark.parametrize("scene", SCENES)
def test_people(decoding, scene) -> None:
    arrays, tags = decoding.arrays, decoding.tensor(f"{scene}_tags")
    heatmaps = decoding.tensor(f"{scene}_heatmaps")
    grouping = bottom_up_grouping(candidates=decoding.meta["constructor"]["max_inst"])
    people = grouping.match(heatmaps.numpy(), tags.numpy())
    grouped = np.concatenate((np.stack((people.x, people.y, people.confidence), -1), people.tags), -1)
    np.testing.assert_allclose(grouped, arrays[f"{scene}_grouped"], atol=1e-4)
    groups = grouping(heatmaps, tags)
    np.testing.assert_allclose(joints_of(groups), arrays[f"{scene}_refined"], atol=1e-4)
    np.testing.assert_allclose(groups.scores, arrays[f"{scene}_scores"], atol=1e-5)
    grouping.completion = None
    np.testing.assert_allclose(joints_of(grouping(heatmaps, tags)), arrays[f"{scene}_adjusted"], atol=1e-4)


@pytest.mark.parametrize("scene", SCENES)
def test_coordinates_depth_and_normalisation(decoding, scene) -> None:
    arrays = decoding.arrays
    rows, columns = arrays[f"{scene}_heatmaps"].shape[1:]
    frame = Frame((columns, rows), tuple(arrays["center"].tolist()), tuple(arrays["scale"].tolist()))
    refined = decoding.tensor(f"{scene}_refined")
    at = released_to_image(refined[..., :2], frame)
    np.testing.assert_allclose(at, arrays[f"{scene}_image_coords"][..., :2], atol=1e-4)
    assert np.array_equal(refined[..., 2], arrays[f"{scene}_image_coords"][..., 2])
    xy = decoding.tensor(f"{scene}_image_coords")[..., :2]
    pose = released_readout(xy, *depth_maps(rows, columns, xy.shape[1] - 1))
    np.testing.assert_allclose(pose[..., :2], arrays[f"{scene}_pose3d"][..., :2], atol=1e-4)
    np.testing.assert_allclose(pose[..., 2], arrays[f"{scene}_pose3d"][..., 2], atol=1e-5)
    np.testing.assert_allclose(released_normalisation(pose), arrays[f"{scene}_normalised"], atol=1e-4)


@torch.no_grad()
def test_from_14_to_17_joints(decoding, parity) -> None:
    pose = decoding.tensor("to17_input")
    scale, expansion = CoordinateScale(), JointExpansion(inputs=pose.shape[1])
    adopt(scale, weights_of_part(parity, decoding.meta, "LinearModel"))
    adopt(expansion, weights_of_part(parity, decoding.meta, "TransNet"), EXPANSION_NAMINGS[0])
    np.testing.assert_allclose(expansion(scale(pose)), decoding.arrays["to17_output"], atol=1e-5)


def test_drawn_prior(decoding) -> None:
    stored = decoding.arrays["render_heatmaps"]
    note = next(n for n in decoding.meta["notes"] if "render_heatmaps" in n)
    frame = int(re.search(r"frame (\d+)", note)[1])
    first, second = re.search(r"times ([\d.]+) times ([\d.]+)", note).groups()
    points = decoding.tensor("render_points")[:, frame] * float(first) * float(second)
    drawn = draw_person_maps(
        points, (stored.shape[2], stored.shape[1]), sigma=decoding.meta["constructor"]["base_sigma"]
    )
    np.testing.assert_allclose(drawn, stored, atol=1e-6)


def test_prepared_image(decoding) -> None:
    image = decoding.tensor("prepare_image_rgb")
    stored = decoding.arrays["prepared"]
    frame = released_frame(image.shape[1], image.shape[0], short_side=min(stored.shape[2:]))
    assert frame.size == (stored.shape[3], stored.shape[2])
    assert frame.centre == tuple(decoding.arrays["prepare_center"].tolist())
    np.testing.assert_allclose(frame.scale, decoding.arrays["prepare_scale"], atol=1e-6)
    crop = released_crop(image.permute(2, 0, 1), frame)
    np.testing.assert_allclose(normalise_colours(crop[None] / 255), stored, atol=1e-5)
