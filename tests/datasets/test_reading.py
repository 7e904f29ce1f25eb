import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dyad.core.errors import BadInput, BadUsage
from dyad.core.ordering import natural
from dyad.datasets.reading import chosen, numbers, read_json, read_mat, subfolders, video_at


def test_numbers_come_as_float64_of_the_shape() -> None:
    got = numbers([[1, 2], [3, 4], [5, 6]], "x", (None, 2), limit=6)
    assert got.dtype == np.float64
    assert got.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert np.isnan(numbers([1, np.nan], "x", (2,), missing=True)).tolist() == [False, True]
    assert numbers(np.zeros((0, 3)), "x", (None, 3), limit=1).shape == (0, 3)
    assert numbers(7, "x", ()) == 7


@pytest.mark.parametrize(
    ("value", "shape", "match"),
    [
        ([1, 2], (3,), "x should have the shape 3, got 2"),
        ([[1, 2]], (None,), "x should have the shape any, got 1 x 2"),
        (1, (2,), "got one number"),
        (["a"], (1,), "x should hold numbers"),
        ([None], (1,), "x should hold numbers"),
        ([[1], [1, 2]], (2, 2), "lists of different lengths"),
        ([np.nan], (1,), "not finite"),
        ([np.inf], (1,), "not finite"),
        ([-7], (1,), "x holds 7, beyond 6"),
    ],
)
def test_other_values_are_said_in_a_sentence(value: object, shape: tuple, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        numbers(value, "x", shape, limit=6)
    with pytest.raises(BadInput, match="not finite"):
        numbers([np.inf, np.nan], "x", (2,), missing=True)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in (("a.json", "{"), ("b.json", "[" * 100_000), ("c.json", b"\xff\xfe\xff")):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(BadInput, match="no whole JSON"):
            read_json(tmp_path / name)
    with pytest.raises(BadInput, match="no file"):
        read_json(tmp_path / "none")
    with pytest.raises(BadInput, match="cannot read"):
        read_json(tmp_path)
    with pytest.raises(BadInput, match="no file"):
        read_mat(tmp_path, "x")
    savemat(tmp_path / "a.mat", {"x": 1})
    assert read_mat(tmp_path / "a.mat", "x")["x"] == 1
    with pytest.raises(BadInput, match="lacks y"):
        read_mat(tmp_path / "a.mat", "x", "y")
    (tmp_path / "b.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform".ljust(124) + b"\x00\x02IM")
    with pytest.raises(BadInput, match=r"7\.3"):
        read_mat(tmp_path / "b.mat", "x")


def test_folders_come_in_natural_order(tmp_path: Path) -> None:
    for name in ("TS10", "TS2", "TSx", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "TS1").touch()
    assert [path.name for path in subfolders(tmp_path, r"TS\d+", "things")] == ["TS2", "TS10"]
    assert sorted([Path("a10"), Path("a9"), Path("b")], key=natural) == [Path("a9"), Path("a10"), Path("b")]
    with pytest.raises(BadInput, match="holds no things"):
        list(subfolders(tmp_path, "none", "things"))


def test_splits() -> None:
    assert chosen(None, ("a", "b"), "X") == ("a", "b")
    assert chosen("b", ("a", "b"), "X") == ("b",)
    with pytest.raises(BadUsage, match="X has the splits a, b, got 'c'"):
        chosen("c", ("a", "b"), "X")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("0.png", "1.png", "2.png"), True),
        (("img_00001.png", "img_00002.png", "img_00003.png", "img_00004.png"), True),
        (("0.png", "2.png", "3.png"), False),  # a gap
        (("5.png", "6.png", "7.png"), False),  # begins later
        (("0.png", "1.png"), False),  # too few
        (("0.png", "1.png", "1.jpg", "2.png"), False),  # one twice
        (("a.txt",), False),
        ((), False),
    ],
)
def test_images_count_only_where_each_frame_has_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, names: tuple[str, ...], found: bool
) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for name in names:
        Image.new("RGB", (16, 8)).save(folder / name) if name != "a.txt" else (folder / name).touch()
    with caplog.at_level(logging.WARNING):
        video = video_at(tmp_path / "none", folder, fps=7, frames=3)
    assert (video is not None) == found
    if video is not None:
        assert (video.size, len(video), video.fps) == ((16, 8), len(names), 7)
    assert ("expected 3 without gaps" in caplog.text) == (not found and names not in ((), ("a.txt",)))
