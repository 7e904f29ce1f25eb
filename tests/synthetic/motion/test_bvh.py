"""BVH files: small ones whose joints are known by hand, a real one, and ones that are broken."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.synthetic.motion.bvh import read_bvh
from dyad.synthetic.motion.mocap import load_motion

SMALL = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Zposition Xposition Yposition Yrotation Xrotation Zrotation
  JOINT Arm
  {
    OFFSET 0 2 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 1 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.04
3 1 2 0 0 0 0 0 0
3 1 2 90 0 0 90 0 0
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "clip.bvh"
    path.write_text(text)
    return path


def test_a_small_file_by_hand(tmp_path: Path) -> None:
    motion = read_bvh(written(tmp_path, SMALL), metres_per_unit=0.1)
    assert motion.names == ("Hips", "Arm", "Arm_end")
    assert motion.parents == (-1, 0, 1)
    assert motion.fps == pytest.approx(25)
    assert motion.source == "clip.bvh"
    places = motion.positions()
    np.testing.assert_allclose(places[0], [[0.1, 0.2, 0.3], [0.1, 0.4, 0.3], [0.2, 0.4, 0.3]], atol=1e-12)
    # The arm's quarter turn about z takes x to y, which the root's about y leaves alone.
    np.testing.assert_allclose(places[1], [[0.1, 0.2, 0.3], [0.1, 0.4, 0.3], [0.1, 0.5, 0.3]], atol=1e-12)


def test_turns_multiply_in_the_order_of_the_channels(tmp_path: Path) -> None:
    text = SMALL.replace("3 1 2 90 0 0 90 0 0", "0 0 0 90 90 0 0 0 0")
    turn = read_bvh(written(tmp_path, text), metres_per_unit=1).rotations[1, 0]
    # Ry Rx: y goes to z by Rx, and on to x by Ry.
    np.testing.assert_allclose(turn @ (0, 1, 0), (1, 0, 0), atol=1e-12)
    swapped = text.replace("Yrotation Xrotation Zrotation\n", "Xrotation Yrotation Zrotation\n")
    turn = read_bvh(written(tmp_path, swapped), metres_per_unit=1).rotations[1, 0]
    np.testing.assert_allclose(turn @ (0, 1, 0), (0, 0, 1), atol=1e-12)


def test_a_joints_own_positions_take_the_place_of_its_offset(tmp_path: Path) -> None:
    text = SMALL.replace("CHANNELS 3 Zrot", "CHANNELS 6 Xposition Yposition Zposition Zrot")
    moved = text.replace("3 1 2 0 0 0 0 0 0", "3 1 2 0 0 0 0 5 0 0 0 0").replace("90 0 0 90", "90 0 0 0 5 0 90")
    assert read_bvh(written(tmp_path, moved), metres_per_unit=1).offsets[1].tolist() == [0, 5, 0]
    still = text.replace("3 1 2 0 0 0 0 0 0", "3 1 2 0 0 0 0 0 0 0 0 0").replace("90 0 0 90", "90 0 0 0 0 0 90")
    assert read_bvh(written(tmp_path, still), metres_per_unit=1).offsets[1].tolist() == [0, 2, 0]


def test_a_root_without_positions_stands_at_its_offset(tmp_path: Path) -> None:
    text = SMALL.replace("CHANNELS 6 Zposition Xposition Yposition", "CHANNELS 3").replace(
        "OFFSET 0 0 0", "OFFSET 0 9 0"
    )
    text = text.replace("\n3 1 2 ", "\n")
    motion = read_bvh(written(tmp_path, text), metres_per_unit=1)
    assert motion.translation.tolist() == [[0, 9, 0]] * 2
    assert not motion.offsets[0].any()
    np.testing.assert_allclose(motion.positions()[0, 1], (0, 11, 0))


def test_names_with_blanks_braces_on_the_same_line_and_windows_line_ends(tmp_path: Path) -> None:
    text = (
        SMALL.replace("JOINT Arm\n  {", "JOINT Bip01 L Arm {")
        .replace("ROOT Hips\n", "ROOT\tHips\n")
        .replace("\n", "\r\n")
    )
    motion = read_bvh(written(tmp_path, "\ufeff" + text), metres_per_unit=1)
    assert motion.names == ("Hips", "Bip01 L Arm", "Bip01 L Arm_end")
    np.testing.assert_array_equal(motion.positions(), read_bvh(written(tmp_path, SMALL), metres_per_unit=1).positions())


def test_z_up_is_turned_to_y_up(tmp_path: Path) -> None:
    as_is, turned = (read_bvh(written(tmp_path, SMALL), metres_per_unit=1, up=up).positions() for up in ("y", "z"))
    np.testing.assert_allclose(turned[..., 1], as_is[..., 2], atol=1e-12)
    np.testing.assert_allclose(turned[..., 2], -as_is[..., 1], atol=1e-12)


@pytest.mark.parametrize("unit", [1.0, 0.01, 0.001, 0.0254])
def test_the_unit_is_guessed_from_the_size_of_the_skeleton(tmp_path: Path, mocap: Path, unit: float) -> None:
    text = (mocap / "18_01.bvh").read_text().splitlines()
    scale = 0.0254 / 0.45 / unit
    for number, line in enumerate(text):
        if "OFFSET" in line:
            word, *values = line.split()
            text[number] = f"{word} {' '.join(str(float(v) * scale) for v in values)}"
    motion = read_bvh(written(tmp_path, "\n".join(text)))
    original = read_bvh(mocap / "18_01.bvh")
    np.testing.assert_allclose(motion.offsets, original.offsets, atol=1e-6)


def test_a_real_file_meets_what_others_read_from_it(mocap: Path) -> None:
    ours, theirs = read_bvh(mocap / "18_01.bvh"), load_motion(mocap / "cmu_18_01.npz")
    assert ours.names == theirs.names
    assert ours.parents == theirs.parents
    assert ours.fps == pytest.approx(theirs.fps, rel=1e-4)
    # The npz rounds quaternions and offsets.
    np.testing.assert_allclose(ours.positions()[: len(theirs)], theirs.positions(), atol=2e-4)


def test_another_reader_agrees(tmp_path: Path, mocap: Path) -> None:
    pybvh = pytest.importorskip("pybvh", reason="pybvh, the second opinion, is not installed")
    small = SMALL.replace("Zposition Xposition Yposition", "Xposition Yposition Zposition")
    for path in (mocap / "18_01.bvh", written(tmp_path, small)):
        other = pybvh.read_bvh_file(path)
        ours = read_bvh(path, metres_per_unit=1)
        # The other leaves out the end sites.
        kept = [joint for joint, name in enumerate(ours.names) if not name.endswith("_end")]
        assert [ours.names[joint] for joint in kept] == list(other.joint_names)
        np.testing.assert_allclose(ours.positions()[:, kept], other.joint_positions(), atol=1e-3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIERARCHIE", "HIERARCHY"),
        ("OFFSET 0 2 0", "OFFSET 0 2", "line 8: expected 3 numbers"),
        ("OFFSET 0 2 0", "OFFSET 0 two 0", "line 8: expected numbers"),
        ("OFFSET 0 2 0", "OFFSET 0 nan 0", "line 8: expected finite"),
        ("    OFFSET 0 2 0\n", "", "OFFSET for Arm"),
        ("OFFSET 0 2 0", "OFFSET 0 1e300 0", "line 8"),
        ("CHANNELS 3 Z", "CHANNELS 4 Z", "line 9: expected CHANNELS"),
        ("CHANNELS 3 Z", "CHANNELS 3 W", "line 9: expected channels such as"),
        ("CHANNELS 3 Z", "CHANNELS 99999999999999999999 Z", "line 9"),
        ("JOINT Arm", "JOINT Hips", "line 6: expected a joint's name that no other"),
        ("JOINT Arm", "JOINT", "line 6"),
        ("JOINT Arm", "ROOT Arm", "single ROOT"),
        ("ROOT Hips", "JOINT Hips", "single ROOT"),
        ("      OFFSET 1 0 0\n", "      OFFSET 1 0 0\n JOINT A\n {\n OFFSET 0 0 0\n }\n", "End Site"),
        ("}\nMOTION", "MOTION", "closing"),
        ("}\nMOTION", "}\n}\nMOTION", "nothing is open"),
        ("MOTION", "MOTIONLESS", "line 16"),
        ("Frames: 2", "Frames: 3", "3 frames are announced, but 2"),
        ("Frames: 2", "Frames: 0", "line 17"),
        ("Frames: 2", "Frames: 999999999999999999", "line 17"),
        ("Frames: 2", "Frames: many", "line 17"),
        ("Frame Time: 0.04", "Frame Time: 0", "line 18"),
        ("Frame Time: 0.04", "Frame Time: -1", "line 18"),
        ("Frame Time: 0.04", "Frame Time: nan", "line 18"),
        ("3 1 2 90 0 0 90 0 0", "3 1 2 90 0 0 90 0", "line 20: expected 9 numbers"),
        ("3 1 2 90 0 0 90 0 0", "3 1 2 90 0 0 90 0 inf", "line 20"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(BadInput, match=message) as error:
        read_bvh(written(tmp_path, SMALL.replace(old, new)))
    assert "clip.bvh" in str(error.value)
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    for content in (b"", b"\0" * 100, b"\xff\xfe\x00", SMALL[:200].encode(), SMALL[: SMALL.index("0.04")].encode()):
        path = tmp_path / "other.bvh"
        path.write_bytes(content)
        with pytest.raises(BadInput):
            read_bvh(path)
    with pytest.raises(BadInput, match="cannot read"):
        read_bvh(tmp_path / "none.bvh")
    with pytest.raises(BadInput, match="metres_per_unit"):
        read_bvh(written(tmp_path, SMALL), metres_per_unit=0)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_shows_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(SMALL) - 1))
    length = data.draw(st.integers(0, 40))
    new = data.draw(st.text("{}0123456789.-eENaNJOINTEndSite \n:xyz", max_size=12))
    try:
        motion = read_bvh(written(tmp_path, SMALL[:at] + new + SMALL[at + length :]))
    except BadInput:
        return
    assert np.isfinite(motion.positions()).all()
