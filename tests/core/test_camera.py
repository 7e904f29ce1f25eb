import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.geometry.grids import rescale_xy

LENS = Camera(
    (1280, 720),
    torch.tensor([900.0, 950.0]),
    torch.tensor([630.0, 371.5]),
    torch.tensor([-0.2, 0.06, 0.002, -0.001, -0.005]),
)


def world(seed: int = 0, count: int = 50) -> torch.Tensor:
    """Points (count, 3) that the camera sees."""
    generator = torch.Generator().manual_seed(seed)
    u, v, z = torch.rand(3, count, generator=generator, dtype=torch.float64)
    z = 1 + 9 * z
    return torch.stack(((u - 0.5) * 1.2 * z, (v - 0.5) * 0.7 * z, z), -1)


def test_unproject_inverts_project() -> None:
    xyz = world()
    xy = LENS.project(xyz)
    assert torch.allclose(LENS.unproject(xy, xyz[:, 2]), xyz)
    assert torch.allclose(LENS.rays(xy), xyz / xyz[:, 2:])


@settings(max_examples=30, deadline=None)
@given(x0=st.floats(-200, 1000), y0=st.floats(-200, 600), width=st.integers(1, 900), height=st.integers(1, 900))
def test_a_crop_of_the_image_is_a_shift_of_its_pixels(x0: float, y0: float, width: int, height: int) -> None:
    part = LENS.crop(x0, y0, width, height)
    assert part.size == (width, height)
    shift = torch.tensor([x0, y0], dtype=torch.float64)
    assert torch.allclose(part.project(world()), LENS.project(world()) - shift, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(width=st.integers(2, 4000), height=st.integers(2, 4000))
def test_resizing_commutes_with_projection(width: int, height: int) -> None:
    small = LENS.resize(width, height)
    scale = torch.tensor([width / 1280, height / 720], dtype=torch.float64)
    assert torch.allclose(small.project(world()), rescale_xy(LENS.project(world()), scale), atol=1e-6)
    back = small.resize(1280, 720)
    assert torch.allclose(back.focal, LENS.focal)
    assert torch.allclose(back.centre, LENS.centre)


def test_the_edges_of_the_image_are_the_edges_of_the_resized() -> None:
    """A camera that sees the image's edges, half a pixel outside the last centres, sees them after resizing."""
    corners = torch.tensor([[-0.5, -0.5], [1279.5, 719.5]], dtype=torch.float64)
    points = LENS.unproject(corners, torch.ones(2, dtype=torch.float64))
    assert torch.allclose(LENS.resize(320, 90).project(points), torch.tensor([[-0.5, -0.5], [319.5, 89.5]]).double())


def test_flip_twice_is_nothing_and_commutes_with_projection() -> None:
    twice = LENS.flip().flip()
    assert torch.equal(twice.centre, LENS.centre)
    assert torch.equal(twice.distortion, LENS.distortion)
    seen = LENS.project(world())
    mirrored = LENS.flip().project(world() * torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.allclose(mirrored[:, 0], 1279 - seen[:, 0])
    assert torch.allclose(mirrored[:, 1], seen[:, 1])


def test_a_mirrored_person_is_seen_by_the_mirrored_camera() -> None:
    """Left and right joints change places, x changes its sign: the image is the mirror image."""
    person = world(count=len(BODY17))
    other = BODY17.flip(person) * torch.tensor([-1.0, 1.0, 1.0])
    seen, mirrored = LENS.project(person), LENS.flip().project(other)
    left, right = BODY17.indices("left_wrist", "right_wrist")
    assert torch.allclose(mirrored[left, 0], 1279 - seen[right, 0])


def test_field_of_view_reaches_from_edge_to_edge() -> None:
    camera = Camera.from_fov((640, 480), 90)
    assert camera.source == "fov"
    assert torch.allclose(camera.focal, torch.tensor([320.0, 320.0]).double())
    edge = camera.rays(torch.tensor([-0.5, 239.5], dtype=torch.float64))
    assert torch.allclose(edge, torch.tensor([-1.0, 0.0, 1.0]).double())


def test_a_guess_is_a_lens_of_35_mm_and_says_so() -> None:
    camera = Camera.guess((300, 400))
    assert camera.focal.tolist() == [400.0, 400.0]
    assert 400 / 500 * math.hypot(36, 24) == pytest.approx(35, abs=0.5)
    assert camera.centre.tolist() == [149.5, 199.5]
    assert camera.guessed
    assert camera.crop(1, 1, 5, 5).resize(10, 10).flip().guessed
    assert not LENS.guessed


def test_single_precision_stays_and_whole_pixels_do_not_round_the_lens() -> None:
    assert LENS.project(world().float()).dtype == torch.float32
    whole = LENS.rays(torch.tensor([[100, 200]]))
    assert torch.allclose(whole, LENS.rays(torch.tensor([[100.0, 200.0]]).double()))


def test_a_batch_of_cameras() -> None:
    focal = torch.tensor([[[800.0, 800.0]], [[900.0, 950.0]]])
    both = Camera((1280, 720), focal, LENS.centre, LENS.distortion)
    assert both.project(world().expand(2, -1, -1)).shape == (2, 50, 2)
    assert torch.allclose(both.project(world().expand(2, -1, -1))[1], LENS.project(world()))


@pytest.mark.parametrize("degrees", [0, 180, -10, math.nan, math.inf])
def test_an_impossible_field_of_view_is_bad_usage(degrees: float) -> None:
    with pytest.raises(BadUsage, match="between 0 and 180"):
        Camera.from_fov((640, 480), degrees)


@pytest.mark.parametrize("focal", [0, -1, math.nan, math.inf])
def test_an_impossible_focal_length_is_bad_usage(focal: float) -> None:
    with pytest.raises(BadUsage, match="positive"):
        Camera.from_focal((640, 480), focal)


def test_json_and_back_bit_by_bit() -> None:
    back = Camera.from_json(LENS.to_json())
    assert back.to_json() == LENS.to_json()
    assert back.size == LENS.size
    for name in ("focal", "centre", "distortion"):
        assert torch.equal(getattr(back, name), getattr(LENS, name))


def write(folder: Path, text: str) -> Path:
    path = folder / "camera.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_camera_file(tmp_path: Path) -> None:
    camera = Camera.from_file(
        write(
            tmp_path, "size = [640, 480]\nfocal = [500, 510.5]\ncentre = [320, 240]\ndistortion = [0.1, 0, 0, 0, 0]\n"
        )
    )
    assert camera.source == "file"
    assert camera.to_json() == {
        "size": [640, 480],
        "focal": [500.0, 510.5],
        "centre": [320.0, 240.0],
        "distortion": [0.1, 0.0, 0.0, 0.0, 0.0],
        "source": "file",
    }


def test_a_short_camera_file(tmp_path: Path) -> None:
    camera = Camera.from_file(write(tmp_path, "size = [640, 480]\nfocal = 500\n"))
    assert camera.focal.tolist() == [500.0, 500.0]
    assert camera.centre.tolist() == [319.5, 239.5]
    assert camera.distortion.tolist() == [0.0] * 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("size = [640, 480]", "focal"),
        ("focal = 500", "size"),
        ("size = [640, 480, 3]\nfocal = 500", "size"),
        ("size = [0, 480]\nfocal = 500", "positive"),
        ("size = [inf, 480]\nfocal = 500", "size"),
        ("size = [nan, 480]\nfocal = 500", "size"),
        ("size = 640\nfocal = 500", "size"),
        ("size = [640, 480]\nfocal = [500, nan]", "finite"),
        ("size = [640, 480]\nfocal = [-500, 500]", "positive"),
        ("size = [640, 480]\nfocal = [1, 2, 3]", "focal is 2 finite numbers"),
        ("size = [640, 480]\nfocal = 'long'", "focal"),
        ("size = [640, 480]\nfocal = 500\ndistortion = [0.1, 0.2]", "distortion is 5 finite numbers"),
        ("size = [640, 480]\nfocal = 500\ncenter = [1, 2]", "says center; it may say size, focal, centre, distortion"),
        ("size = [640, 480", "not a TOML file"),
        ("\x00\x01", "not a TOML file"),
    ],
)
def test_a_wrong_camera_file_is_refused_in_one_line_that_names_it(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        Camera.from_file(write(tmp_path, text))
    assert "camera.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_camera_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        Camera.from_file(tmp_path / "none.toml")
    with pytest.raises(BadInput, match="cannot read"):
        Camera.from_file(tmp_path)


def test_a_binary_camera_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "camera.toml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(BadInput, match="not a TOML file"):
        Camera.from_file(path)


@pytest.mark.parametrize("fields", [None, [], "x", {"size": [1, 1], "focal": [10**400, 1]}, {"size": [10**400, 1]}])
def test_junk_for_a_camera_is_refused(fields: object) -> None:
    with pytest.raises(BadInput):
        Camera.from_json(fields)  # ty: ignore[invalid-argument-type]
