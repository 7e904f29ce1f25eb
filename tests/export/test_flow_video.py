"""Flow as colours: the published code of them, and what is written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow
from dyad.core.flow_files import read_flow
from dyad.core.video import Video
from dyad.export.flow_archive import flow_archive
from dyad.export.flow_video import colours_of, flow_video, scale_of, with_legend, write_flow_image


def colour(u: float, v: float, full: float = 10.0) -> list[int]:
    return colours_of(Flow(torch.tensor([[[u]], [[v]]])), full=full)[0, 0].tolist()


def hue(rgb: list[int]) -> float:
    """Degrees from red towards yellow."""
    red, green, blue = rgb
    return float(np.degrees(np.arctan2(np.sqrt(3) * (green - blue), 2 * red - green - blue)) % 360)


def test_direction_is_hue_and_speed_is_saturation() -> None:
    # Baker et al.: red to the right, yellow down, cyan-blue to the left, violet up.
    assert colour(10, 0) == [255, 0, 0]
    assert colour(0, 0) == [255, 255, 255]
    assert colour(5, 0) == [255, 128, 128]
    assert colour(20, 0) == [191, 0, 0]
    # A quarter of the 55 colours each: 13.75 of 15 from red to yellow, 2.5 of 11 from cyan, 5.25 of 13 from blue.
    hues = [hue(colour(u, v)) for u, v in ((0, 10), (-10, 0), (0, -10))]
    assert hues == pytest.approx([55, 194, 264], abs=1.5)
    turns = np.radians(np.arange(1, 360, 3))
    hues = [hue(colour(10 * np.cos(a), 10 * np.sin(a))) for a in turns]
    assert bool((np.diff(hues) > 0).all())
    assert colour(torch.nan, 0) == [0, 0, 0]
    with pytest.raises(BadUsage, match="above 0"):
        colour(1, 1, full=0)


def test_no_jump_from_one_direction_to_the_next() -> None:
    turns = np.radians(np.arange(0, 360.5, 0.5))
    uv = torch.from_numpy(np.stack((np.cos(turns), np.sin(turns)))[:, None]).float()
    row = colours_of(Flow(uv), full=1.0)[0].astype(int)
    assert np.abs(np.diff(row, axis=0)).max() <= 10


def test_the_scale_holds_nearly_all() -> None:
    uv = torch.zeros(2, 50, 100)
    uv[0] = torch.linspace(0, 7.0, 5000).view(50, 100)
    assert scale_of(Flow(uv)) == 8
    assert scale_of(Flow(uv * 10)) == 80
    assert scale_of(Flow(0 * uv)) == 1
    assert scale_of(Flow(0 * uv + torch.nan)) == 1
    uv[:, 0, :10] = 1e4
    assert scale_of(Flow(uv)) == 8


def test_a_legend_lies_in_the_corner_of_images_that_bear_it() -> None:
    image = np.full((120, 160, 3), 200, np.uint8)
    marked = with_legend(image, 12.5)
    changed = np.nonzero((marked != image).any(-1))
    assert changed[0].min() > 60
    assert changed[1].min() > 90
    assert (marked == 255).all(-1).sum() > 20
    tiny = np.full((20, 20, 3), 200, np.uint8)
    assert np.array_equal(with_legend(tiny, 3), tiny)


@pytest.mark.parametrize("full", [1e-5, 0.25, 12.5, 2e6, 1e30])
def test_a_legend_writes_any_scale(full: float) -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    assert with_legend(image, full).shape == image.shape


def flows() -> list[Flow]:
    return [Flow(torch.full((2, 48, 64), float(t)), occluded=torch.full((48, 64), t == 1)) for t in range(3)]


def near(video: NDArray[np.uint8], flow: Flow) -> bool:
    return bool(np.abs(video[:20, :20].astype(int) - colours_of(flow, full=2.0)[:20, :20]).max() < 30)


def test_a_video_and_an_image_of_it(tmp_path: Path) -> None:
    with flow_video(tmp_path / "flow.mp4", full=2.0) as film:
        for t, flow in enumerate(flows()):
            film.write(flow, 0.1 * t)
    read = Video(tmp_path / "flow.mp4")
    assert read.size == (64, 48)
    np.testing.assert_allclose(read.times, (0, 0.1, 0.2), atol=1e-3)
    assert [near(image, flow) for image, flow in zip(read[0:3], flows(), strict=True)] == [True] * 3
    write_flow_image(tmp_path / "flow.png", flows()[1], full=2.0, legend=False)
    assert np.array_equal(Video(tmp_path / "flow.png")[0], colours_of(flows()[1], full=2.0))


def test_an_archive_is_written_piece_by_piece(tmp_path: Path) -> None:
    with flow_archive(tmp_path / "flow.npz") as archive:
        for t, flow in enumerate(flows()):
            archive.write(flow, 5 * t)
    read = read_flow(tmp_path / "flow.npz")
    assert torch.equal(read.uv, Flow.stack(flows()).uv)
    assert read.occluded is not None
    assert read.occluded.float().mean((1, 2)).tolist() == [0, 1, 0]
    with np.load(tmp_path / "flow.npz") as arrays:
        assert arrays["frames"].tolist() == [0, 5, 10]
    with flow_archive(tmp_path / "flow.npz") as archive:
        archive.write(flows()[0], 0)
        with pytest.raises(BadInput, match=r"\(64, 48\)"):
            archive.write(Flow(torch.zeros(2, 8, 8)), 1)
    with pytest.raises(BadInput, match="at least one"), flow_archive(tmp_path / "two.npz"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["flow.npz"]
