from importlib.resources import files

import numba
import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from dyad.core.errors import BadInput
from dyad.synthetic.bodies.body import BONES, PARTS, BodyModel, Phenotype, bone

MODEL = BodyModel.load()
ADULT = MODEL.shape(Phenotype())
PEOPLE = {
    "adult": ADULT,
    "woman": MODEL.shape(Phenotype(gender=0, age=64, weight=0.9).with_stature(1.62)),
    "man": MODEL.shape(Phenotype(gender=1, muscle=0.9).with_stature(1.85)),
    "child": MODEL.shape(Phenotype(gender=0.3, age=6).with_stature(1.15)),
}


@pytest.fixture(params=PEOPLE)
def shape(request):
    return PEOPLE[request.param]


def still(shape, frames=1):
    """Rotations and translation of the rest pose."""
    return np.tile(np.eye(3), (frames, len(BONES), 1, 1)), np.tile(shape.joints[0], (frames, 1))


def random_pose(shape, frames=3, degrees=40.0, seed=0):
    rng = np.random.default_rng(seed)
    turns = Rotation.from_rotvec(rng.normal(0, np.radians(degrees), (frames * len(BONES), 3))).as_matrix()
    return turns.reshape(frames, len(BONES), 3, 3), rng.normal(0, 3, (frames, 3))


def surface(shape, detail, spacing=6):
    """Points spread over the triangles of a rest mesh."""
    corners = shape.rest(detail)[MODEL.mesh(detail).faces]
    steps = [(a, b) for a in range(spacing + 1) for b in range(spacing + 1 - a)]
    shares = np.array([(a, b, spacing - a - b) for a, b in steps]) / spacing
    return np.einsum("sk,fkd->fsd", shares, corners).reshape(-1, 3)


def test_the_asset_is_small():
    assert (files("dyad.synthetic.bodies") / "assets" / "body.npz").stat().st_size < 2.5e6


def test_bones_hang_together():
    assert len(BONES) == len(MODEL.parents) == 31
    assert MODEL.parents[0] == -1
    assert all(parent < child for child, parent in enumerate(MODEL.parents))
    assert BONES[MODEL.parents[bone("LeftForeArm")]] == "LeftArm"
    with pytest.raises(BadInput, match="no bone 'LeftElbow'"):
        bone("LeftElbow")


@pytest.mark.parametrize("detail", ["full", "low"])
def test_a_mesh_is_sound(detail):
    mesh = MODEL.mesh(detail)
    assert mesh.faces.dtype == np.int32
    assert np.array_equal(np.unique(mesh.faces), np.arange(len(mesh)))
    assert mesh.canonical.shape == (len(mesh), 3)
    assert mesh.weights.shape == mesh.bones.shape
    assert mesh.weights.shape[1] <= 6
    assert np.allclose(mesh.weights.sum(1), 1, atol=1e-6)
    assert (np.diff(mesh.weights, axis=1) <= 1e-4).all()
    used = {PARTS[part] for part in np.unique(mesh.part)}
    assert used >= set(PARTS) - {"mouth"}
    # Faces turn counter-clockwise seen from outside: the volume they enclose is positive, and that of a person.
    a, b, c = np.moveaxis(mesh.canonical[mesh.faces].astype(float), 1, 0)
    assert 0.05 < np.einsum("fd,fd->f", a, np.cross(b, c)).sum() / 6 < 0.1


@pytest.mark.parametrize("detail", ["full", "low"])
def test_left_is_left_and_the_face_looks_ahead(shape, detail):
    rest, part = shape.rest(detail), MODEL.mesh(detail).part
    for name in PARTS:
        sides = rest[part == PARTS.index(name), 0]
        if name.startswith("left_"):
            assert sides.min() > 0
        if name.startswith("right_"):
            assert sides.max() < 0
    eyes, hair = (rest[part == PARTS.index(name)].mean(0) for name in ("eyes", "hair"))
    assert eyes[2] > hair[2] + 0.04
    toes, heels = shape.tails[bone("LeftFoot")], shape.joints[bone("LeftFoot")]
    assert toes[2] > heels[2] + 0.05
    assert rest[part == PARTS.index("hair"), 1].max() == pytest.approx(shape.stature, abs=0.01)


@pytest.mark.parametrize("detail", ["full", "low"])
def test_a_body_at_rest_is_its_own_mirror_image(shape, detail):
    rest = shape.rest(detail)
    distance, _ = cKDTree(rest).query(rest * [-1, 1, 1])
    assert np.quantile(distance, 0.99) < (0.001 if detail == "full" else 0.02)
    mirrored = {name: place * [-1, 1, 1] for name, place in zip(BONES, shape.joints, strict=True)}
    for name in ("Arm", "ForeArm", "Hand", "UpLeg", "Leg", "Foot", "ToeBase", "Shoulder"):
        assert np.allclose(shape.joints[bone(f"Left{name}")], mirrored[f"Right{name}"], atol=0.0005)
    assert abs(shape.joints[bone("Neck1"), 0]) < 1e-5


def test_the_rest_pose_gives_the_rest_vertices(shape):
    for detail in ("full", "low"):
        posed = shape.pose(*still(shape, 2), detail)
        assert posed.dtype == np.float32
        assert np.allclose(posed, shape.rest(detail), atol=1e-6)
    assert np.allclose(shape.skeleton(*still(shape)), shape.joints)


def test_stature_is_measured_on_the_mesh(shape):
    posed = shape.pose(*still(shape))[0]
    assert np.ptp(posed[:, 1]) == pytest.approx(shape.stature, abs=1e-5)
    assert posed[:, 1].min() == pytest.approx(0, abs=1e-6)


def test_turning_the_root_turns_the_whole_body_rigidly(shape):
    rotations, translation = random_pose(shape, frames=2)
    turn = Rotation.from_euler("xyz", [0.4, -1.1, 2.0]).as_matrix()
    turned = rotations.copy()
    turned[:, 0] = turn @ rotations[:, 0]
    expected = (shape.pose(rotations, translation) - translation[:, None]) @ turn.T + translation[:, None]
    assert np.allclose(shape.pose(turned, translation), expected, atol=2e-6)
    moved = shape.pose(rotations, translation + np.array([1, 2, 3]))
    assert np.allclose(moved, shape.pose(rotations, translation) + np.array([1, 2, 3]), atol=2e-6)


def test_a_vertex_of_one_bone_moves_with_that_bone(shape):
    rotations, translation = random_pose(shape)
    mesh = MODEL.mesh()
    turned, placed = shape.transforms(rotations, translation)
    posed = shape.pose(rotations, translation)
    alone = np.flatnonzero(mesh.weights[:, 0] == 1)
    assert len(alone) > 300
    for vertex in alone[::50]:
        b = mesh.bones[vertex, 0]
        expected = turned[:, b] @ (shape.rest()[vertex] - shape.joints[b]) + placed[:, b]
        assert np.allclose(posed[:, vertex], expected, atol=2e-6)


def test_an_elbow_bends_the_forearm_alone():
    rotations, translation = still(ADULT)
    rotations[0, bone("LeftForeArm")] = Rotation.from_euler("x", -60, degrees=True).as_matrix()
    moved = np.linalg.norm(ADULT.pose(rotations, translation)[0] - ADULT.rest(), axis=-1)
    parts = MODEL.mesh().part
    assert moved[parts == PARTS.index("left_hand")].min() > 0.1
    still_parts = [PARTS.index(n) for n in ("head", "hips", "left_shin", "right_hand", "right_forearm")]
    assert moved[np.isin(parts, still_parts)].max() < 1e-5
    # The hand comes up in front of the person.
    wrist = ADULT.skeleton(rotations, translation)[0, bone("LeftHand")]
    assert (wrist - ADULT.joints[bone("LeftHand")])[1] > 0.1


def test_bones_keep_their_lengths_in_any_pose(shape):
    joints = shape.skeleton(*random_pose(shape, frames=20, degrees=90))
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, MODEL.parents[1:]], axis=-1)
    assert np.allclose(lengths, shape.bone_lengths[1:], atol=1e-9)


def test_threads_change_no_bit(shape):
    pose = random_pose(shape, frames=7)
    alone = shape.pose(*pose)
    before = numba.get_num_threads()
    for threads in {1, before}:
        numba.set_num_threads(threads)
        try:
            assert np.array_equal(shape.pose(*pose, parallel=True), alone)
        finally:
            numba.set_num_threads(before)
    assert np.array_equal(shape.pose(pose[0][3:4], pose[1][3:4])[0], alone[3])


def test_both_levels_of_detail_show_the_same_surface(shape):
    # What lies inside (mouth, backs of the eyeballs) has no counterpart in the low mesh.
    outside = ~np.isin(MODEL.mesh().part, [PARTS.index("mouth"), PARTS.index("eyes")])
    distance, _ = cKDTree(surface(shape, "low")).query(shape.rest()[outside])
    assert distance.max() < 0.02
    assert distance.mean() < 0.005
    distance, _ = cKDTree(surface(shape, "full", 2)).query(shape.rest("low"))
    assert distance.max() < 0.02


def test_both_levels_of_detail_move_alike():
    rotations, translation = random_pose(ADULT, frames=4, degrees=15)
    low, full = ADULT.pose(rotations, translation, "low"), ADULT.pose(rotations, translation, "full")
    distance, near = cKDTree(ADULT.rest()).query(ADULT.rest("low"))
    moved_low, moved_full = low - ADULT.rest("low"), full[:, near] - ADULT.rest()[near]
    close = distance < 0.005
    assert close.sum() > 500
    assert np.median(np.linalg.norm(moved_low - moved_full, axis=-1)[:, close]) < 0.01


def test_what_makes_a_phenotype_does_what_it_says():
    def volume(**changes):
        rest = MODEL.shape(Phenotype(**changes)).rest()
        a, b, c = np.moveaxis(rest[MODEL.mesh().faces], 1, 0)
        return np.einsum("fd,fd->f", a, np.cross(b, c)).sum() / 6

    assert volume(weight=0.9) > 1.15 * volume(weight=0.1)
    build = [MODEL.shape(Phenotype(muscle=m)).rest() for m in (0.1, 0.9)]
    parts = MODEL.mesh().part
    arms, hips = (
        [np.ptp(rest[parts == PARTS.index(name), axis]) for rest in build]
        for name, axis in (("left_upper_arm", 2), ("hips", 0))
    )
    assert arms[1] / hips[1] > 1.05 * arms[0] / hips[0]
    tall, short = (MODEL.shape(Phenotype(height=h)).stature for h in (0.6, 0.2))
    assert tall > short + 0.2
    grown = [MODEL.shape(Phenotype(age=age)).stature for age in (1, 4, 8, 12, 16)]
    assert np.all(np.diff(grown) > 0.05)
    # A child's head is larger in proportion.
    heads = [
        np.ptp(s.rest()[MODEL.mesh().part <= PARTS.index("mouth"), 1]) / s.stature for s in (PEOPLE["child"], ADULT)
    ]
    assert heads[0] > 1.15 * heads[1]
    women, men = (MODEL.shape(Phenotype(gender=g).with_stature(1.7)) for g in (0.0, 1.0))
    assert men.joints[bone("LeftArm"), 0] > women.joints[bone("LeftArm"), 0]


@pytest.mark.parametrize("stature", [1.45, 1.62, 1.75, 2.0])
@pytest.mark.parametrize("gender", [0.0, 1.0])
def test_a_stature_can_be_asked_for(gender, stature):
    person = Phenotype(gender=gender, weight=0.8, age=50).with_stature(stature)
    assert MODEL.shape(person).stature == pytest.approx(stature, abs=0.001)


def test_a_stature_out_of_reach_gives_the_nearest():
    assert Phenotype().with_stature(3.0).height == 1
    assert Phenotype().with_stature(0.3).height == 0


def test_random_people_are_as_tall_as_people():
    rng = np.random.default_rng(3)
    people = [Phenotype.random(rng, children=0.0) for _ in range(300)]
    stature = np.array([MODEL.shape(person).stature for person in people])
    male = np.array([person.gender > 0.5 for person in people])
    assert 0.4 < male.mean() < 0.6
    for sex, mean in ((male, 1.75), (~male, 1.62)):
        assert stature[sex].mean() == pytest.approx(mean, abs=0.02)
        assert stature[sex].std() == pytest.approx(0.07, abs=0.012)
    assert min(person.age for person in people) >= 18


def test_random_children_are_children_and_chance_comes_from_the_generator_alone():
    children = [Phenotype.random(np.random.default_rng(seed), children=1.0) for seed in range(40)]
    assert all(4 <= child.age <= 15 for child in children)
    statures = [MODEL.shape(child).stature for child in children]
    assert 0.9 < min(statures) < 1.2
    assert max(statures) < 1.9
    assert children[5] == Phenotype.random(np.random.default_rng(5), children=1.0)


def test_wrong_input_is_refused_in_a_sentence():
    with pytest.raises(BadInput, match="finite"):
        Phenotype(weight=float("nan"))
    with pytest.raises(BadInput, match="'full' or 'low'"):
        ADULT.rest("medium")  # ty: ignore[invalid-argument-type]
    with pytest.raises(BadInput, match="rotations"):
        ADULT.pose(np.eye(3)[None], np.zeros((1, 3)))
