"""Motions in npz files."""

from pathlib import Path

import numpy as np
import pytest

from dyad.core.errors import BadInput
from dyad.synthetic.motion.mocap import load_motion, save_motion
from dyad.synthetic.motion.recordings import find_motions

from .test_motions import wild


def stored(folder: Path, **change: object) -> Path:
    """A file with a motion of two joints and three frames, with some of its arrays changed, or left out where None."""
    arrays: dict[str, object] = {
        "names": np.array(["root", "head"]),
        "parents": np.array([-1, 0], np.int16),
        "offsets": np.array([[0, 0, 0], [0, 1, 0]], np.float32),
        "rot": np.tile(np.array([1, 0, 0, 0], np.float32), (3, 2, 1)),
        "trans": np.zeros((3, 3), np.float32),
        "fps": np.float32(30),
    } | change
    path = folder / "clip.npz"
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    motion = wild()
    save_motion(motion, tmp_path / "wild.npz")
    back = load_motion(tmp_path / "wild.npz")
    assert (back.names, back.parents, back.fps, back.source) == (motion.names, motion.parents, 30, "wild")
    np.testing.assert_allclose(back.positions(), motion.positions(), atol=1e-6)


def test_a_file_by_hand(tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    rot = np.tile(np.array([1, 0, 0, 0.0]), (3, 2, 1))
    rot[2, 0] = (half, 0, 0, half)
    motion = load_motion(stored(tmp_path, rot=rot, source=np.array("me"), licence=np.array("free")))
    np.testing.assert_allclose(motion.positions()[2], [[0, 0, 0], [-1, 0, 0]], atol=1e-12)
    assert (motion.source, motion.licence) == ("me", "free")
    assert load_motion(stored(tmp_path)).source == "clip.npz"


def test_every_recorded_clip_is_read(mocap: Path) -> None:
    files = [path for path in find_motions(mocap) if path.suffix == ".npz"]
    assert len(files) > 20
    for path in files:
        motion = load_motion(path)
        places = motion.positions()
        assert motion.source
        assert motion.licence
        # People, in metres, with y up.
        assert 1.0 < np.ptp(places, (0, 1)).max() < 30
        assert 0.1 < np.median(motion.translation[:, 1]) < 2.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rot": None}, "lacks rot"),
        ({"names": np.array([1, 2])}, "names"),
        ({"names": np.array(["a", "a"])}, "differ"),
        ({"names": np.array(["a", "b", "c"])}, "parents"),
        ({"names": np.array([], "U1")}, "1 to"),
        ({"parents": np.array([-1.0, 0.0])}, "parents"),
        ({"parents": np.array([-1, 1])}, "parent"),
        ({"parents": np.array([1, 0])}, "-1"),
        ({"offsets": np.zeros((2, 2))}, "offsets"),
        ({"offsets": np.full((2, 3), np.nan)}, "finite offsets"),
        ({"offsets": np.array([["a"] * 3] * 2)}, "offsets"),
        ({"rot": np.ones((3, 2, 3))}, "rot"),
        ({"rot": np.zeros((3, 2, 4))}, "unit length"),
        ({"rot": np.zeros((0, 2, 4)), "trans": np.zeros((0, 3))}, "no frame"),
        ({"trans": np.zeros((2, 3))}, "trans"),
        ({"trans": np.full((3, 3), np.inf)}, "finite trans"),
        ({"fps": np.float32(0)}, "above 0"),
        ({"fps": np.array([30.0])}, "fps"),
        ({"fps": np.float32("nan")}, "finite fps"),
        ({"rot": np.array(5.0)}, "rot"),
    ],
)
def test_a_file_with_other_contents_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message) as error:
        load_motion(stored(tmp_path, **change))
    assert "clip.npz" in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    whole = stored(tmp_path).read_bytes()
    for content in (
        b"",
        b"PK\x03\x04",
        whole[: len(whole) // 2],
        b"not an archive",
        whole[:40] + b"\0" * 200 + whole[240:],
    ):
        path = tmp_path / "other.npz"
        path.write_bytes(content)
        with pytest.raises(BadInput, match=r"other\.npz"):
            load_motion(path)
    np.savez(tmp_path / "objects.npz", names=np.array([{}, []], object))
    with pytest.raises(BadInput):
        load_motion(tmp_path / "objects.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(BadInput, match=r"one\.npy"):
        load_motion(tmp_path / "one.npy")
    with pytest.raises(BadInput, match="cannot read"):
        load_motion(tmp_path / "none.npz")
