"""Scenes at random: functions of their seed, with people where they can be seen, on the floor, and apart."""

from pathlib import Path

import numba
import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17
from dyad.synthetic.actors import Actor
from dyad.synthetic.annotation import HIDDEN
from dyad.synthetic.bodies.body import BodyModel, Phenotype
from dyad.synthetic.casting import Casting, seat
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.places.cameras import CameraPath
from dyad.synthetic.places.staging import Place, nearest
from dyad.synthetic.places.surroundings import Surroundings
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.rendering.lighting import Light
from dyad.synthetic.rendering.looks import Look, Picture
from dyad.synthetic.scenes import Scene

SMALL = Recipe(people=(1, 3), size=(96, 72), seconds=0.6, fps=10, detail="low", samples=1)
SEEDS = range(8)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [SMALL(seed) for seed in SEEDS]


def fingerprint(scene: Scene) -> bytes:
    """All bytes of what a scene shows and says."""
    truth = scene.truth()
    drawn = scene.render(1)
    parts = (scene.image(0), scene.image(3), drawn.flow, drawn.depth, scene.mask(2).numpy(), truth.xyz.numpy())
    return b"".join(np.ascontiguousarray(part).tobytes() for part in (*parts, truth.confidence.numpy()))


@pytest.mark.parametrize("seed", [0, 3])
def test_the_same_seed_gives_the_same_bytes_with_one_thread_and_two(seed: int) -> None:
    before = numba.get_num_threads()
    found = []
    try:
        for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
            numba.set_num_threads(threads)
            found.append(fingerprint(Recipe(**{**SMALL.__dict__, "threads": threads})(seed)))
    finally:
        numba.set_num_threads(before)
    assert found[0] == found[1]


def test_other_seeds_give_other_scenes(scenes: list[Scene]) -> None:
    assert len({fingerprint(scene) for scene in scenes[:4]}) == 4


def test_a_change_of_the_lens_changes_nothing_else() -> None:
    plain = Recipe(**{**SMALL.__dict__, "lens": 0.0})(5)
    faulty = SMALL(5)
    np.testing.assert_array_equal(plain.image(1), plain.render(1).image)
    np.testing.assert_array_equal(plain.render(1).image, faulty.render(1).image)
    np.testing.assert_array_equal(plain.truth().xyz, faulty.truth().xyz)


def test_truth_reprojects_and_seen_joints_lie_on_their_person(scenes: list[Scene]) -> None:
    on = total = 0
    for scene in scenes:
        truth = scene.truth()
        assert torch.allclose(truth.reproject()[truth.confidence > 0], truth.xy[truth.confidence > 0], atol=1e-3)
        for frame in range(6):
            drawn = scene.measured(frame)
            for row in torch.nonzero(truth.frame == frame)[:, 0].tolist():
                seen = truth.confidence[row] == 1
                z = truth.xyz[row, :, 2].numpy()
                pixel = z / float(scene.path.camera.focal[0])
                # Limbs thinner than a pixel fall between the pixels' centres.
                chosen = seen.numpy() & (pixel < 0.05)
                x, y = np.round(truth.xy[row].numpy()[chosen]).astype(int).T
                own = drawn.identity[y, x] == int(truth.person[row]) + 1
                on, total = on + own.sum(), total + len(own)
                depth, z, pixel = drawn.depth[y, x][own], z[chosen][own], pixel[chosen][own]
                # The skin is at most a trunk's depth before a joint, and behind it only beside it within its pixel.
                assert (depth < z + 0.06 + 1.5 * pixel).all()
                assert (depth > z - 0.4).all()
    assert total > 100
    assert on / total > 0.97


def test_the_next_picture_brought_back_by_the_flow_is_this_one() -> None:
    recipe = Recipe(**{**SMALL.__dict__, "lens": 0.0, "size": (192, 144), "samples": 2, "fps": 20.0})
    errors, changes = [], []
    for seed in (1, 3, 4):
        scene = recipe(seed)
        this, following = (torch.from_numpy(np.moveaxis(scene.image(frame), -1, 0).copy()).float() for frame in (2, 3))
        flow = scene.flow(2)
        assert flow.occluded is not None
        warped = flow.warp(following)
        seen = (scene.mask(2) > 0) & ~flow.occluded & torch.isfinite(warped).all(0)
        errors.append((warped - this).abs().mean(0)[seen])
        changes.append((following - this).abs().mean(0)[seen])
    error, change = torch.cat(errors), torch.cat(changes)
    assert len(error) > 500
    # What is left is the blur of sampling between pixels and shading that changes as people turn.
    assert error.median() < 4
    assert error.mean() < 0.6 * change.mean()


def test_who_looks_at_the_camera_shows_the_face_and_who_looks_away_does_not() -> None:
    shape = BodyModel.load().shape(Phenotype())
    take = Take.standing(shape, frames=2)
    path = CameraPath.static(Camera.from_focal((120, 160), 150.0), 2, position=(0, 1.5, 0))
    for yaw, seen in ((0.0, 1.0), (np.pi, HIDDEN)):
        actor = Actor(shape, take, Look(), Place(0.0, -2.0, yaw))
        truth = Scene([actor], path, Surroundings(), Light.of_world(0, 1)).truth(COCO17)
        assert truth.confidence[0, COCO17.indices("nose", "left_eye", "right_eye")].tolist() == [seen] * 3
        assert truth.confidence[0, COCO17.indices("left_elbow", "right_elbow")].tolist() == [1, 1]


def test_joints_not_seen_are_hidden_or_outside(scenes: list[Scene]) -> None:
    for scene in scenes:
        truth = scene.truth()
        width, height = scene.size
        inside = ((truth.xy > -0.5) & (truth.xy < torch.tensor((width - 0.5, height - 0.5)))).all(-1)
        assert ((truth.confidence > 0) == inside).all()
        assert set(truth.confidence.unique().tolist()) <= {0.0, 0.25, 1.0}


def test_boxes_hold_the_joints_and_the_pixels_of_their_people(scenes: list[Scene]) -> None:
    for scene in scenes:
        truth = scene.truth()
        mask = scene.mask(2).numpy()
        for row in torch.nonzero(truth.frame == 2)[:, 0].tolist():
            x0, y0, x1, y1 = truth.box[row].tolist()
            y, x = np.nonzero(mask == int(truth.person[row]) + 1)
            if len(x):
                assert x0 - 1 <= x.min() <= x.max() <= x1 + 1
                assert y0 - 1 <= y.min() <= y.max() <= y1 + 1


def test_people_stand_on_the_floor_that_the_truth_states() -> None:
    standing = Recipe(**{**SMALL.__dict__, "cameras": ("static",), "pairs": 0.0})
    for seed in range(4):
        scene = standing(seed)
        truth = scene.truth(BLAZEPOSE33)
        assert truth.world is not None
        heights = truth.world.height(truth.xyz)
        for person in truth.people:
            rows = truth.rows(person)
            if scene.actors[person].take.source.endswith("jump"):
                continue
            feet = heights[rows][
                :, BLAZEPOSE33.indices("left_heel", "right_heel", "left_foot_index", "right_foot_index")
            ]
            lowest = feet.amin(1)
            assert -0.03 < lowest.median() < 0.13
        for p, actor in enumerate(scene.actors):
            lowest = np.median([scene.vertices(p, t)[:, 1].min() for t in range(scene.frames)])
            assert -0.04 < lowest < 0.15, actor.take.source


def test_cameras_stand_above_the_floor_and_away_from_people_and_someone_is_seen(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert scene.path.position[:, 1].min() > 0.2
        for p in range(len(scene.actors)):
            for frame in (0, 5):
                assert np.linalg.norm(scene.vertices(p, frame) - scene.path.position[frame], axis=1).min() > 0.4
        assert len(scene.truth()) > 0


def test_people_of_different_companies_never_walk_through_each_other() -> None:
    crowd = Recipe(**{**SMALL.__dict__, "people": (9, 9), "seconds": 2.0, "pairs": 0.0, "far": 15.0})
    scene = crowd(1)
    joints = [actor.joints(BODY17) for actor in scene.actors]
    for k, mine in enumerate(joints):
        for other in joints[:k]:
            assert nearest(mine, other) > 0.2


@pytest.mark.parametrize("people", [1, 12, 32])
def test_as_many_people_as_are_wanted(people: int) -> None:
    scene = Recipe(**{**SMALL.__dict__, "people": (people, people), "seconds": 0.2, "pairs": 0.1})(0)
    assert len(scene.actors) == people
    assert scene.render(0).identity.max() < 100 + 50


def test_what_is_asked_for_is_given() -> None:
    recipe = Recipe(**{**SMALL.__dict__, "focal": (1.5, 1.6), "cameras": ("panning",), "indoors": True, "furniture": 0})
    scene = recipe(4)
    assert 1.5 <= scene.path.camera.focal[0] / 96 <= 1.6
    assert not scene.path.still
    assert np.isfinite(scene.render(0).depth).all(), "in a room no ray reaches the sky"
    assert scene.frames == 6
    assert scene.times[-1] == pytest.approx(0.5)


def test_whoever_sits_has_a_seat() -> None:
    casting = Casting(20, 10.0, pairs=0.0, detail="low")
    found = 0
    for number in range(25):
        (company,) = casting(1, np.random.default_rng(number))
        (actor,) = company.at(Place(1.0, 2.0, 0.5))
        place = seat(actor)
        assert (place is not None) == actor.take.source.endswith("sit")
        if place is not None:
            found += 1
            low = int(actor.take.translation[:, 1].argmin())
            body = actor.vertices(low)
            above = np.linalg.norm(body[:, [0, 2]] - place.middle, axis=1) < 0.1
            assert 0.2 < place.height < 0.7
            assert body[above, 1].min() > place.height - 0.02
    assert found


def test_a_seat_is_where_somebody_will_sit_however_little_of_it_is_shown() -> None:
    long, short = (Casting(frames, 12.0, pairs=0.0, detail="low") for frames in (90, 4))
    standing = 0
    for number in range(40):
        company, brief = long(1, np.random.default_rng(number)), short(1, np.random.default_rng(number))
        (actor,) = brief[0].at(Place(0.0, 0.0, 0.0))
        place = seat(actor)
        assert (place is None) == (seat(company[0].actors[0]) is None)
        if place is None:
            continue
        standing += actor.take.translation[:, 1].min() > place.height + 0.25
        ahead = np.array((np.sin(place.yaw), np.cos(place.yaw)))
        for frame in range(4):
            body = actor.vertices(frame)
            away = body[:, [0, 2]] - place.middle
            sunk = place.height - body[:, 1]
            # The middle of the seat, from its front to its back, which legs never enter.
            core = (abs(away @ ahead) < 0.12) & (abs(away @ (ahead[1], -ahead[0])) < 0.15)
            assert sunk[core].max(initial=0.0) < 0.08
    assert standing


def test_nobody_is_hidden_all_the_time() -> None:
    for seed in (101, 109):
        scene = Recipe(detail="low", samples=1, lens=0.0)(seed)
        times = (0, scene.frames // 2, scene.frames - 1)
        for p, actor in enumerate(scene.actors):
            alone = scene.with_(actors=[actor], surroundings=Surroundings())
            shares = [(scene.measured(k).identity == p + 1).sum() / (alone.mask(k) > 0).sum().item() for k in times]
            assert sum(share > 0.2 for share in shares) >= 1, f"seed {seed}, person {p}: {shares}"


def test_everyone_in_a_mask_has_a_row() -> None:
    camera = Camera.from_focal((32, 24), 600.0)
    shape = BodyModel.load().shape(Phenotype())
    still = Take(np.tile(np.eye(3), (1, 31, 1, 1)), shape.joints[:1], 12.0)
    actor = Actor(shape, still, Look(), Place(0.0, -3.0, 0.0), detail="low")
    path = CameraPath.static(camera, 1, position=(0.15, 0.7, 0.0))
    scene = Scene([actor], path, Surroundings(), Light.of_world(0.3, 0.8), frames=1)
    truth = scene.truth(COCO17)
    assert (scene.mask(0) == 1).any()
    assert truth.people == [0]
    assert (truth.confidence == 0).all(), "no joint lies between hip and knee"
    assert truth.box[0, 2] > truth.box[0, 0]


def test_backgrounds_come_from_a_folder_of_images(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    green = np.zeros((40, 60, 3), np.uint8)
    green[..., 1] = 200
    pillow.fromarray(green).save(tmp_path / "green.png")
    recipe = Recipe(**{**SMALL.__dict__, "backgrounds": tmp_path, "indoors": False, "lens": 0.0})
    made = [recipe(seed) for seed in range(6)]
    before = [scene for scene in made if isinstance(scene.surroundings.sky.picture, Picture)]
    assert 0 < len(before) < 6
    image = before[0].render(0)
    open_ = np.isinf(image.depth)
    assert open_.any()
    assert image.image is not None
    assert (image.image[open_][:, 1] > 100).all()
    assert (image.image[open_][:, 0] < 60).all()
    for scene in before:
        # Where the picture is not, people stand on ground of its colours; it lies above the horizon.
        drawn = scene.render(0)
        assert (scene.surroundings.things[0].solid.points[:, 1] == 0).all()
        camera = scene.path.camera
        rows, columns = np.nonzero(np.isinf(drawn.depth))
        xy = torch.from_numpy(np.stack((columns, rows), -1).astype(float))
        up = camera.rays(xy).numpy() @ scene.path.rotation[0] @ (0.0, 1.0, 0.0)
        assert up.min() > -0.06
        assert drawn.image is not None
        ground = drawn.face >= sum(len(a.faces) for a in scene.actors)
        ground &= (drawn.identity == 0) & np.isfinite(drawn.depth)
        if ground.any():
            red, green_, _ = drawn.image[ground].astype(float).mean(0)
            assert green_ > 2 * red


def test_pictures_are_neither_black_nor_white(scenes: list[Scene]) -> None:
    for scene in scenes:
        drawn = scene.render(0)
        assert drawn.image is not None
        # Whites that are drawn white stay so in the dark; a picture as a whole is exposed to be seen.
        assert 55 < drawn.image[np.isfinite(drawn.depth)].mean() < 185


def test_recorded_motion_is_used_where_a_folder_is_given(mocap: Path) -> None:
    recipe = Recipe(**{**SMALL.__dict__, "motions": mocap, "people": (6, 6), "pairs": 0.0})
    scene = recipe(2)
    sources = [actor.take.source.startswith("dyad:") for actor in scene.actors]
    assert 0 < sum(sources) < 6
    assert fingerprint(scene) == fingerprint(recipe(2))


def test_recipes_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    for wrong in (
        {"people": (0, 3)},
        {"people": (5, 40)},
        {"size": (8, 8)},
        {"near": 5.0, "far": 2.0},
        {"cameras": ()},
    ):
        with pytest.raises(BadUsage):
            Recipe(**wrong)
    with pytest.raises(BadInput, match="no motion capture"):
        Recipe(motions=tmp_path)(0)
    with pytest.raises(BadInput, match="no images"):
        Recipe(backgrounds=tmp_path)(0)
