from pathlib import Path

import numpy as np
import pytest

from dyad.bench.people import as_text, compare_people
from dyad.bench.people_material import find_albums
from dyad.core.errors import BadInput
from dyad.core.skeleton import MUPOTS17
from dyad.export.video import clip_writer

from .test_people import SMALL, TALL, TWO, Listed, write


def sequence(folder: Path, *, frames: int = 12) -> np.ndarray:
    """A clip of 64x36 px whose frame k is grey 10 k, and annotations of twice the size; joints (F, 2, 17, 2) there."""
    with clip_writer(folder / "TS01_374px.mp4", quality=10) as writer:
        for k in range(frames):
            writer.write(np.full((36, 64, 3), 10 * k, np.uint8), k / 25)
    xy = np.random.default_rng(0).uniform(4, 60, (frames, 2, 17, 2)).astype(np.float32)
    valid = np.ones((frames, 2), dtype=bool)
    valid[:, 1] = np.arange(frames) < 6
    np.savez(
        folder / "TS01.npz",
        gt_xy=xy,
        gt_xyz_mm=np.ones((frames, 2, 17, 3), np.float32),
        gt_valid=valid,
        gt_occluded=np.zeros((frames, 2, 17), dtype=bool),
        K=np.eye(3),
        image_size=np.array([128, 72]),
    )
    return xy


def test_frames_of_a_clip_are_images_with_people_in_its_pixels(tmp_path: Path) -> None:
    xy = sequence(tmp_path)
    (album,) = find_albums(tmp_path, every=4)
    assert (album.name, album.skeleton) == ("TS01", MUPOTS17)
    assert [len(picture.people) for picture in album.pictures] == [2, 1, 1]
    for frame, picture in zip((2, 6, 10), album.pictures, strict=True):
        video = picture.video()
        assert len(video) == 1
        assert video[0].mean() == pytest.approx(10 * frame, abs=3)
        person = picture.people[0]
        # Corners of pixels lie on corners: a clip of half the size has half the coordinates, but for half a pixel.
        assert person.xy == pytest.approx((xy[frame, 0] + 0.5) / 2 - 0.5, abs=1e-5)
        assert person.box[:2] == pytest.approx(person.xy.min(0))
        assert not person.ignored
    assert len({picture.key for picture in album.pictures}) == 3


def test_files_and_clips_count_together(tmp_path: Path) -> None:
    sequence(tmp_path)
    write(tmp_path / "photos", TWO)
    assert [album.name for album in find_albums(tmp_path)] == ["photos/people.json", "TS01"]


def test_a_folder_with_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no COCO-format"):
        list(find_albums(tmp_path))


def test_a_table_has_a_column_for_each_detector(tmp_path: Path) -> None:
    write(tmp_path, TWO)
    scores = compare_people(tmp_path, {"blind": Listed({}), "knows": Listed({300: [TALL], 301: [SMALL]})})
    lines = as_text(scores).splitlines()
    assert lines[0].split() == ["recall,", "precision,", "OKS", "people", "blind", "knows"]
    assert lines[1].split() == ["all", "2", "0.00", "-", "-", "1.00", "1.00", "1.00"]
    assert [line.split("px")[0].strip() for line in lines[2:6]] == [
        "height 0 to 80", "height 80 to 160", "height 160 to 320", "height from 320",
    ]  # fmt: skip
    assert lines[4].split()[-7:] == ["1", "0.00", "-", "-", "1.00", "1.00", "1.00"]
    assert lines[6].startswith("overlap 0 to 0.1")
    assert lines[8].startswith("overlap from 0.3")
