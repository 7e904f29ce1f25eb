"""HigherHRNet's grouping against the original: maxima, people, adjusted and filled joints, and the way to the image."""

import numpy as np
import pytest
import torch

from dyad.models.grouping_released import higherhrnet_grouping
from dyad.models.image_input import Frame, released_frame, released_to_image
from dyad.models.peaks import find_peaks

from .threed import material

SCENES = ("clean", "missing", "crowded", "one")


def joints_of(groups) -> np.ndarray:
    """(P, J, 3 + T) as the original writes it: zeros for what is not there."""
    parts = torch.cat((groups.xy, groups.confidence[..., None], groups.tags), -1)
    return parts.nan_to_num(0.0).numpy()


@pytest.mark.parametrize("scene", SCENES)
def test_highest_maxima(parity, scene) -> None:
    arrays = material(parity, "higherhrnet_grouping").arrays
    values, xy = arrays[f"{scene}_topk_values"], arrays[f"{scene}_topk_xy"]
    peaks = find_peaks(arrays[f"{scene}_heatmaps"], count=values.shape[1], floor=0.0)
    for joint in range(len(values)):
        mine = peaks.joint == joint
        there = values[joint][: mine.sum()]
        assert np.array_equal(peaks.value[mine], there)
        assert (values[joint][mine.sum() :] <= 0).all()
        assert np.array_equal(np.stack((peaks.x[mine], peaks.y[mine]), -1), xy[joint][: mine.sum()])


@pytest.mark.parametrize("scene", SCENES)
def test_people(parity, scene) -> None:
    fixture = material(parity, "higherhrnet_grouping")
    arrays = fixture.arrays
    heatmaps, tags = (torch.from_numpy(arrays[f"{scene}_{name}"]) for name in ("heatmaps", "tags"))
    grouping = higherhrnet_grouping(most_people=fixture.meta["constructor"]["max_people"])
    people = grouping.match(heatmaps.numpy(), tags.numpy())
    pixels = np.stack((people.x, people.y, people.confidence), -1)
    matched = np.concatenate((pixels, people.tags), -1)
    np.testing.assert_allclose(matched, arrays[f"{scene}_matched"], atol=1e-5)
    groups = grouping(heatmaps, tags)
    np.testing.assert_allclose(joints_of(groups), arrays[f"{scene}_final"], atol=1e-5)
    np.testing.assert_allclose(groups.scores, arrays[f"{scene}_scores"], atol=1e-5)
    grouping.completion = None
    np.testing.assert_allclose(joints_of(grouping(heatmaps, tags)), arrays[f"{scene}_adjusted"], atol=1e-5)


def test_a_wrong_tag_scale_does_not_pass(parity) -> None:
    arrays = material(parity, "higherhrnet_grouping").arrays
    people = higherhrnet_grouping().match(arrays["crowded_heatmaps"], np.float32(0.3) * arrays["crowded_tags"])
    stored = arrays["crowded_matched"]
    assert people.x.shape != stored.shape[:2] or not np.array_equal(people.x, stored[..., 0])


def test_sizes_and_the_way_to_the_network_and_back(parity) -> None:
    for row in material(parity, "higherhrnet_grouping").arrays["resize_table_f64"]:
        frame = released_frame(int(row[1]), int(row[0]))
        there, back = (matrix.flatten().tolist() for matrix in frame.matrices())
        numbers = [row[0], row[1], *frame.size, *frame.centre, *frame.scale, *there, *back]
        np.testing.assert_allclose(numbers, row, atol=1e-9)


def test_joints_in_the_image(parity) -> None:
    fixture = material(parity, "higherhrnet_grouping")
    # Only the notes say where the image lies.
    note = next(n for n in fixture.meta["notes"] if n.startswith("clean_image_coords"))
    centre, scale, size = numbers_of(note)
    final = torch.from_numpy(fixture.arrays["clean_final"])
    frame = Frame(tuple(int(v) for v in size), tuple(int(v) for v in centre), scale)
    at = released_to_image(final[..., :2], frame)
    np.testing.assert_allclose(at, fixture.arrays["clean_image_coords"][..., :2], atol=1e-3)


def numbers_of(note: str) -> list[tuple[float, float]]:
    """Centre, scale and size out of "... centre (320, 240), scale (3.3, 2.4), heatmap size 72 x 56"."""
    words = note.replace("(", " ").replace(")", " ").replace(",", " ").replace(" x ", " ").split()
    numbers = [float(word) for word in words if word.replace(".", "", 1).isdigit()]
    x, y, width, height, columns, rows = numbers[-6:]
    return [(x, y), (width, height), (columns, rows)]
