"""ASF and AMC files: a small tree by hand, a motion written and read back, and broken files."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.synthetic.motion.acclaim import read_amc, read_asf
from dyad.synthetic.motion.mocap import load_motion
from dyad.synthetic.motion.motions import Motion

ASF = """# a comment
:version 1.10
:name small
:units
  mass 1.0
  length 0.45
  angle deg
:documentation
   nothing
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name back
     direction 0 1 0
     length 2
     axis 0 0 0 XYZ
  end
  begin
     id 2
     name arm
     direction 3 0 0
     length 4
     axis 0 0 90 XYZ
     dof rx rz
     limits (-160.0 20.0)
            (-70.0 70.0)
  end
:hierarchy
  begin
    root back
    back arm
  end
"""
AMC = """#!OML:ASF F:\\VICON\\small.asf
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
arm 0 0
2
root 1 2 3 0 90 0
arm 90 0
"""
INCH = 0.0254


def written(folder: Path, asf: str = ASF, amc: str = AMC) -> tuple[Path, Path]:
    (folder / "s.asf").write_text(asf)
    (folder / "s.amc").write_text(amc)
    return folder / "s.asf", folder / "s.amc"


def test_a_small_tree_by_hand(tmp_path: Path) -> None:
    motion = read_amc(*written(tmp_path), metres_per_unit=1)
    assert motion.names == ("root", "back", "arm", "arm_end")
    assert motion.parents == (-1, 0, 1, 2)
    assert motion.fps == 120
    places = motion.positions()
    np.testing.assert_allclose(places[0], [[1, 2, 3], [1, 2, 3], [1, 4, 3], [5, 4, 3]], atol=1e-12)
    # The arm's own x axis, turned by C, is the world's y: a quarter turn about it takes x to -z; the root's to -x.
    np.testing.assert_allclose(places[1], [[1, 2, 3], [1, 2, 3], [1, 4, 3], [-3, 4, 3]], atol=1e-12)


def test_the_unit_of_length_is_an_inch_over_the_files(tmp_path: Path) -> None:
    assert read_asf(written(tmp_path)[0]).metres_per_unit == pytest.approx(INCH / 0.45)
    np.testing.assert_allclose(read_amc(*written(tmp_path)).translation[0], np.array((1, 2, 3)) * INCH / 0.45)
    centimetres = ASF.replace("length 0.45", "length 2.54")
    np.testing.assert_allclose(read_amc(*written(tmp_path, centimetres)).translation[0], (0.01, 0.02, 0.03))


def test_what_is_named_first_turns_first(tmp_path: Path) -> None:
    amc = AMC.replace("root 1 2 3 0 90 0", "root 0 0 0 90 90 0").replace("arm 90 0", "arm 0 0")
    turn = read_amc(*written(tmp_path, amc=amc)).rotations[1, 0]
    # About x first: y goes to z, and then about y on to x.
    np.testing.assert_allclose(turn @ (0, 1, 0), (1, 0, 0), atol=1e-12)
    order = ASF.replace("order TX TY TZ RX RY RZ", "order RY RX RZ TZ TY TX")
    motion = read_amc(
        *written(tmp_path, order, amc.replace("root 0 0 0 90 90 0", "root 90 90 0 3 2 1")), metres_per_unit=1
    )
    np.testing.assert_allclose(motion.rotations[1, 0] @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    assert motion.translation[1].tolist() == [1, 2, 3]


def test_radians(tmp_path: Path) -> None:
    radians = AMC.replace(":DEGREES", ":RADIANS").replace("0 90 0", "0 1.5707963267948966 0")
    radians = radians.replace("arm 90", "arm 1.5707963267948966")
    np.testing.assert_allclose(
        read_amc(*written(tmp_path, amc=radians)).positions(), read_amc(*written(tmp_path)).positions(), atol=1e-9
    )
    asf = ASF.replace("angle deg", "angle rad").replace("axis 0 0 90", "axis 0 0 1.5707963267948966")
    np.testing.assert_allclose(read_asf(written(tmp_path, asf)[0]).bones[2].axes @ (1, 0, 0), (0, 1, 0), atol=1e-12)


def acclaim_of(motion: Motion, folder: Path) -> tuple[Path, Path]:
    """Writes a motion as ASF and AMC, each bone with axes of its own; a joint has one bone to each of its children."""
    rng = np.random.default_rng(3)
    count = len(motion.names)
    bones, lines, angles = [], [], {}
    # The bone that begins at a joint ends at its child. A joint with several children has a stub for each of them.
    children: dict[int, list[int]] = {j: [c for c in range(count) if motion.parents[c] == j] for j in range(count)}

    def bone(joint: int, child: int) -> str:
        # The first bone of a joint has its name, as CMU's have; the root's own is taken.
        first = joint > 0 and child == (children[joint] or [-1])[0]
        return motion.names[joint] if first else f"{motion.names[joint]}.{child}"

    for joint in range(count):
        for child in children[joint] or [-1]:
            name = bone(joint, child)
            axis = rng.uniform(-180, 180, 3)
            frame = Rotation.from_euler("xyz", axis, degrees=True).as_matrix()
            offset = motion.offsets[child] if child >= 0 else np.zeros(3)
            length = float(np.linalg.norm(offset))
            way = offset / length if length else np.array((1.0, 0, 0))
            local = motion.rotations[:, joint] if joint else np.broadcast_to(np.eye(3), (len(motion), 3, 3))
            turned = Rotation.from_matrix(frame.T @ local @ frame).as_euler("xyz", degrees=True)
            angles[name] = turned
            text = [" begin", f" name {name}", f" direction {' '.join(map(str, way))}", f" length {length}"]
            bones += [*text, f" axis {' '.join(map(str, axis))} XYZ", " dof rx ry rz", " end"]
            above = bone(motion.parents[joint], joint) if joint else "root"
            lines.append(f" {above} {name}")
    head = [":units", " length 0.0254", " angle deg", ":root", " order TX TY TZ RX RY RZ", " axis XYZ"]
    asf = folder / "m.asf"
    asf.write_text("\n".join([*head, ":bonedata", *bones, ":hierarchy", " begin", *lines, " end"]))
    root = Rotation.from_matrix(motion.rotations[:, 0]).as_euler("xyz", degrees=True)
    rows = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(len(motion)):
        rows += [str(frame + 1), f"root {' '.join(map(str, (*motion.translation[frame], *root[frame])))}"]
        rows += [f"{name} {' '.join(map(str, values[frame]))}" for name, values in angles.items()]
    amc = folder / "m.amc"
    amc.write_text("\n".join(rows))
    return asf, amc


def test_a_recorded_motion_written_and_read_back(tmp_path: Path, mocap: Path) -> None:
    motion = load_motion(mocap / "cmu_01_01.npz").part(0, 1)
    back = read_amc(*acclaim_of(motion, tmp_path), fps=30)
    assert back.fps == 30
    ours, theirs = motion.positions(), back.positions()
    for joint, name in enumerate(motion.names[1:], 1):
        like = [i for i, other in enumerate(back.names) if other.split(".")[0] == name and not other.endswith("-1_end")]
        assert like
        for i in like:
            np.testing.assert_allclose(theirs[:, i], ours[:, joint], atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (":bonedata", ":bones", "line 16|lacks the section :bonedata"),
        (":hierarchy", ":tree", "lacks the section :hierarchy"),
        ("length 0.45", "length 0", "unit of length"),
        ("angle deg", "angle gon", "deg or rad"),
        ("direction 3 0 0", "direction 3 0", "3 numbers"),
        ("direction 3 0 0", "direction 3 0 nan", "finite"),
        ("axis 0 0 90 XYZ", "axis 0 0 90 XXZ", "order such as XYZ"),
        ("     axis 0 0 90 XYZ\n", "", "a bone with axes"),
        ("dof rx rz", "dof rx rw", "degrees of freedom"),
        ("dof rx rz", "dof rx rx", "each once"),
        ("     name arm\n", "", "a bone with name"),
        ("name arm", "name back", "twice"),
        ("back arm", "back leg", "not leg"),
        ("    back arm\n", "", "no way leads from the root to arm"),
        ("root back\n    back arm", "root back\n    arm arm", "no way leads"),
        ("root back", "root back arm", "below one bone only"),
        ("axis XYZ", "axis XY", "order of axes"),
        ("order TX", "order QX", "degrees of freedom"),
        ("# a comment", "garbage", "a section"),
        (":name small", ":units small", "once"),
    ],
)
def test_a_broken_skeleton_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ASF
    with pytest.raises(BadInput, match=message) as error:
        read_asf(written(tmp_path, ASF.replace(old, new, 1))[0])
    assert "s.asf" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("arm 0 0", "arm 0", "line 6: expected 2 numbers"),
        ("arm 0 0", "arm 0 x", "line 6: expected numbers"),
        ("arm 0 0", "arm 0 nan", "line 6: expected finite"),
        ("arm 0 0\n", "", "ends without values for arm"),
        ("arm 90 0\n", "", "frame 2 ends without values for arm"),
        ("arm 0 0", "arm 0 0\narm 0 0", "once a frame"),
        ("arm 0 0", "leg 0 0", "one of the skeleton's bones"),
        ("arm 0 0", "back 0 0", "no degree of freedom"),
        ("1\nroot", "root", "number of a frame"),
    ],
)
def test_a_broken_motion_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in AMC
    with pytest.raises(BadInput, match=message) as error:
        read_amc(*written(tmp_path, amc=AMC.replace(old, new, 1)))
    assert "s.amc" in str(error.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no frame"):
        read_amc(*written(tmp_path, amc=""))
    with pytest.raises(BadInput, match="empty"):
        read_asf(written(tmp_path, "")[0])
    with pytest.raises(BadInput, match="cannot read"):
        read_asf(tmp_path / "none.asf")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_never_shows_a_traceback(tmp_path: Path, data: st.DataObject) -> None:
    texts = [ASF, AMC]
    which = data.draw(st.integers(0, 1))
    at = data.draw(st.integers(0, len(texts[which]) - 1))
    new = data.draw(st.text(":#0123456789.-e beginendrootdofxyz\n", max_size=12))
    texts[which] = texts[which][:at] + new + texts[which][at + data.draw(st.integers(0, 40)) :]
    try:
        motion = read_amc(*written(tmp_path, *texts))
    except BadInput:
        return
    assert np.isfinite(motion.positions()).all()
