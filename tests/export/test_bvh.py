from pathlib import Path

import numpy as np
import pytest

from dyad.export.bvh import write_bvh
from dyad.export.clock import clock
from dyad.export.motion import Motion, motions
from dyad.export.upright import upright
from dyad.synthetic.bodies.body import BodyModel, Phenotype
from dyad.synthetic.motion.bvh import read_bvh as read_motion
from dyad.synthetic.motion.retarget import retarget
from tests.export.reading import read_bvh
from tests.export.walking import FPS, WITH_FEET, truth, walkers

TRACKS = walkers(skeleton=WITH_FEET)
SPACE = upright(TRACKS)
PEOPLE = motions(SPACE)


def off(motion: Motion, names: list[str], metres: np.ndarray, prefix: str = "") -> float:
    """Largest distance of joints in a file (50, K, 3) from the truth, where there is one."""
    person = next(p for p in SPACE.people() if p.number == motion.number)
    known = truth(TRACKS, motion.number)
    called = motion.rig.names()
    return max(
        float(np.abs(metres[person.frames, names.index(prefix + called[k])] - known[:, WITH_FEET.index(joint)]).max())
        for joint, k in motion.rig.places.items()
    )


def test_a_person_s_file_says_where_the_joints_are(tmp_path: Path) -> None:
    path = tmp_path / "person_3.bvh"
    write_bvh(path, [PEOPLE[0]], clock(SPACE))
    found = read_bvh(path)
    assert found.names[0] == "Hips"
    assert {"LeftUpLeg", "RightForeArm", "LeftToeBase", "HeadTop_End"} <= set(found.names)
    assert found.seconds == pytest.approx(1 / FPS)
    assert off(PEOPLE[0], found.names, found.places / 100) < 0.001
    # Upright, feet on the floor, in centimetres.
    assert found.places[..., 1].min() > 0
    assert 140 < found.places[:, found.names.index("HeadTop_End"), 1].min() < 180
    # The rest pose is a T that faces z.
    rest = found.offsets.copy()
    for k, parent in enumerate(found.parents):
        rest[k] += rest[parent] if parent >= 0 else 0
    left, right = (rest[found.names.index(f"{side}Hand")] for side in ("Left", "Right"))
    assert left == pytest.approx(right * (-1, 1, 1))
    assert left[0] > 60
    assert left[1] == pytest.approx(rest[found.names.index("LeftArm"), 1])
    assert rest[found.names.index("LeftToeBase"), 2] > 10


def test_angles_do_not_jump(tmp_path: Path) -> None:
    write_bvh(tmp_path / "a.bvh", [PEOPLE[0]], clock(SPACE))
    rows = (tmp_path / "a.bvh").read_text().partition("Frame Time")[2].splitlines()[1:]
    values = np.array([list(map(float, row.split())) for row in rows])
    assert np.abs(np.diff(values[:, 3:], axis=0)).max() < 20


def test_pybvh_reads_the_same(tmp_path: Path) -> None:
    pybvh = pytest.importorskip("pybvh", reason="pybvh reads BVH files independently")
    for motion in PEOPLE:
        path = tmp_path / f"{motion.number}.bvh"
        write_bvh(path, [motion], clock(SPACE))
        read = pybvh.read_bvh_file(path)
        assert (read.frame_count, read.fps, read.world_up) == (50, pytest.approx(FPS), "+y")
        assert read.rest_forward == "+z"
        assert read.joint_names == motion.rig.names()
        assert set(read.euler_orders) == {"ZXY"}
        assert off(motion, read.joint_names, read.joint_positions() / 100) < 0.001
        pairs = read.lr_mapping
        assert pairs is not None
        assert pairs["LeftForeArm"] == "RightForeArm"


def test_one_file_holds_everyone(tmp_path: Path) -> None:
    path = tmp_path / "people.bvh"
    write_bvh(path, PEOPLE, clock(SPACE))
    found = read_bvh(path)
    assert found.names[:2] == ["People", "P3_Hips"]
    assert len(set(found.names)) == len(found.names)
    assert (found.places[:, 0] == 0).all()
    for motion in PEOPLE:
        assert off(motion, found.names, found.places / 100, f"P{motion.number}_") < 0.001


def test_the_later_person_is_held_before_and_bridged_between(tmp_path: Path) -> None:
    write_bvh(tmp_path / "a.bvh", [PEOPLE[1]], clock(SPACE))
    places = read_bvh(tmp_path / "a.bvh").places / 100
    assert places[:10] == pytest.approx(np.tile(places[10], (10, 1, 1)), abs=1e-6)
    assert np.abs(np.diff(places[10:45], axis=0)).max() < 0.15


def test_another_rate_and_other_names(tmp_path: Path) -> None:
    write_bvh(tmp_path / "a.bvh", [PEOPLE[0]], clock(SPACE, 60), names="mixamo")
    found = read_bvh(tmp_path / "a.bvh")
    assert found.names[0] == "mixamorig:Hips"
    assert len(found.places) == int(49 / FPS * 60) + 1
    assert found.seconds == pytest.approx(1 / 60)


def test_our_own_reader_brings_it_onto_a_body(tmp_path: Path) -> None:
    write_bvh(tmp_path / "a.bvh", [PEOPLE[0]], clock(SPACE))
    motion = read_motion(tmp_path / "a.bvh", metres_per_unit=0.01)
    assert motion.transforms()[1].shape[:2] == (50, 29 + 7)
    take = retarget(motion, BodyModel.load().shape(Phenotype()))
    assert len(take.rotations) == 50


def test_a_single_frame(tmp_path: Path) -> None:
    one = TRACKS[TRACKS.frame == 12].with_(frames=TRACKS.frames[12:13], times=TRACKS.times[12:13])
    space = upright(one)
    write_bvh(tmp_path / "a.bvh", motions(space), clock(space))
    found = read_bvh(tmp_path / "a.bvh")
    assert found.places.shape[0] == 1
    assert found.places[0, found.names.index("P8_Hips")] / 100 == pytest.approx(truth(one, 8)[0, 0], abs=1e-5)
