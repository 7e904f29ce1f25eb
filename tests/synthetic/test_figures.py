import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BLAZEPOSE33, BODY17
from dyad.synthetic.anatomy import Anatomy, Look
from dyad.synthetic.backdrop import Viewpoint
from dyad.synthetic.demo import demo_clip, demo_scene
from dyad.synthetic.gait import Walk
from dyad.synthetic.motion import Person
from dyad.synthetic.paths import Line
from dyad.synthetic.scene import HIDDEN, Scene

SIZE = (384, 216)


@pytest.fixture(scope="module")
def scene():
    return demo_scene(1, size=SIZE, seconds=4, fps=5, people=4)


@pytest.fixture(scope="module")
def truth(scene):
    return scene.truth()


def duo(near: float, far: float) -> Scene:
    """Two who stand one behind the other, before a camera at the height of their chests."""
    view = Viewpoint.standing(Camera.from_focal(SIZE, 300.0), height=1.2, yaw=0.0, down=0.0)
    bodies = [Anatomy.of_height(1.75), Anatomy.of_height(1.75)]
    walks = [Walk(b, Line((0.0, z), -np.pi / 2), 1.0, stop=0.0) for b, z in zip(bodies, (-near, -far), strict=True)]
    rng = np.random.default_rng(0)
    return Scene([Person(w) for w in walks], [Look.random(rng), Look.random(rng)], view, 10, 20)


def test_joints_that_are_seen_lie_on_the_person_who_owns_them(scene, truth):
    window, checked = truth.window(), 0
    for frame in range(0, scene.frames, 3):
        drawn = scene.draw(frame)
        for person in range(len(scene.people)):
            for joint in range(len(BODY17)):
                if window.confidence[frame, person, joint] == 1:
                    x, y = window.xy[frame, person, joint].round().int().tolist()
                    around = drawn.person[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
                    assert (around == person).any(), (frame, person, BODY17.names[joint])
                    checked += 1
    assert checked > 150


def test_joints_that_another_hides_show_the_other():
    scene = duo(3.0, 4.5)
    truth, drawn = scene.truth(), scene.draw(19)
    back = truth[(truth.person == 1) & (truth.frame == 19)]
    pelvis, front = BODY17.index("pelvis"), truth[(truth.person == 0) & (truth.frame == 19)]
    assert float(back.confidence[0, pelvis]) == pytest.approx(HIDDEN)
    assert float(front.confidence[0, pelvis]) == 1
    x, y = back.xy[0, pelvis].round().int().tolist()
    assert drawn.person[y, x] == 0


def test_the_nearer_covers_the_farther_and_depth_is_metric():
    for near, far, front in ((3.0, 4.5, 0), (4.5, 3.0, 1)):
        drawn = duo(near, far).draw(19)
        column = drawn.person[:, SIZE[0] // 2]
        assert (column[column >= 0] == front).mean() > 0.9
        middle = drawn.depth[SIZE[1] // 2, SIZE[0] // 2]
        assert 3.0 - 0.2 < middle < 3.0
    assert np.isinf(drawn.depth[drawn.person < 0]).all()
    assert np.isfinite(drawn.depth[drawn.person >= 0]).all()


def test_own_body_hides_the_face_from_behind():
    scene = duo(3.0, 4.5)
    walk = Walk(Anatomy.of_height(1.75), Line((0.0, -3.0), np.pi / 2), 1.0, stop=0.0)
    away = Scene([Person(walk)], scene.looks[:1], scene.view, 10, 20)
    towards = scene.truth()
    nose = BODY17.index("nose")
    assert float(towards[(towards.person == 0) & (towards.frame == 19)].confidence[0, nose]) == 1
    assert float(away.truth().confidence[19, nose]) == pytest.approx(HIDDEN)


def test_the_face_is_drawn_where_the_truth_has_it():
    """Eyes are dark and white on skin: more contrast around the nose from the front than at the back of the head."""
    scene = demo_scene(1, size=(960, 540), people=4)
    waving = 3
    joints = dict(zip(BLAZEPOSE33.names, scene.joints[100, waving], strict=True))
    figures, studio = scene.figures(100), scene.studio
    image = studio([figures[waving]]).image.astype(float).mean(-1)

    def at(*names):
        xyz = torch.from_numpy(np.mean([joints[n] for n in names], 0))
        x, y = scene.view.camera.project(xyz).round().int().tolist()
        return image[y - 1 : y + 2, x - 1 : x + 2]

    cheek = at("left_eye", "mouth_left").mean()
    assert min(at(f"{side}_eye").min() for side in ("left", "right")) < 0.75 * cheek
    left, right = (scene.view.camera.project(torch.from_numpy(joints[f"{s}_ear"]))[0] for s in ("left", "right"))
    assert left > right  # who faces us has their left on our right


def test_truth_is_consistent(truth, scene):
    assert truth.skeleton == BODY17
    torch.testing.assert_close(truth.reproject(), truth.xy, atol=1e-2, rtol=0)
    height = truth.world.height(truth.xyz)
    ankles = height[:, BODY17.indices("left_ankle", "right_ankle")]
    assert 0.05 < float(ankles.min()) < 0.11
    head = height[:, BODY17.index("head_top")]
    assert 1.4 < float(head.min()) < float(head.max()) < 2.0
    np.testing.assert_allclose(float(truth.world.gravity.norm()), 1, atol=1e-6)
    assert float(truth.world.gravity[1]) > 0.9  # down is down in the image
    inside = ((truth.xy > 0) & (truth.xy < torch.tensor(SIZE))).all(-1)
    assert bool((truth.confidence[~inside] <= HIDDEN).all())
    assert bool((truth.box[:, 2:] >= truth.box[:, :2]).all())
    assert scene.truth(BLAZEPOSE33).xy.shape[1] == 33


def test_boxes_hold_the_drawn_people(scene, truth):
    for frame in (0, 9, 18):
        drawn = scene.draw(frame).person
        for row in torch.nonzero(truth.frame == frame)[:, 0].tolist():
            ys, xs = np.nonzero(drawn == int(truth.person[row]))
            if len(ys) > 50:
                x0, y0, x1, y1 = truth.box[row].tolist()
                assert x0 - 2 <= xs.min()
                assert xs.max() <= x1 + 2
                assert y0 - 2 <= ys.min()
                assert ys.max() <= y1 + 2


def test_the_same_seed_gives_the_same_bytes():
    first, again, other = (demo_scene(s, size=(192, 108), seconds=1, people=2) for s in (3, 3, 4))
    one, two, three = (s.draw(7).image for s in (first, again, other))
    assert one.dtype == np.uint8
    assert one.shape == (108, 192, 3)
    assert one.tobytes() == two.tobytes() != three.tobytes()
    torch.testing.assert_close(first.truth().xyz, again.truth().xyz, atol=0, rtol=0)


def test_shadows_darken_the_ground_beside_feet():
    scene = duo(3.0, 4.5)
    with_people, without = scene.draw(19), scene.studio([], frame=19)
    darker = without.image.astype(int).sum(-1) - with_people.image.astype(int).sum(-1)
    ground = (with_people.person < 0) & (np.arange(SIZE[1])[:, None] > 0.8 * SIZE[1])
    assert 0.02 < (darker[ground] > 60).mean() < 0.6
    wall = ~binary_dilation(with_people.person >= 0, iterations=2) & (np.arange(SIZE[1])[:, None] < 0.4 * SIZE[1])
    assert (darker[wall] == 0).all()


def test_a_clip_reads_like_any_video():
    clip = demo_clip(2, size=(192, 108), seconds=0.4, fps=25, people=1)
    assert clip.video.size == (192, 108)
    assert clip.video.fps == pytest.approx(25)
    assert len(clip.video.times) == len(clip.truth.frames) == 10
    np.testing.assert_allclose(clip.video.times, clip.truth.times.numpy())
    chunk = next(iter(clip.video.chunks(4)))
    assert chunk.images.shape == (4, 108, 192, 3)
    assert not chunk.cut.any()
    np.testing.assert_array_equal(clip.video[2], chunk.images[2])
    assert clip.video.camera.focal.tolist() == clip.truth.camera.focal.tolist()


def test_bad_arguments_are_refused():
    with pytest.raises(BadUsage, match="1 to 8 people"):
        demo_clip(people=0)
    with pytest.raises(BadUsage, match="64 px"):
        demo_scene(size=(20, 20))
    clip = demo_clip(size=(192, 108), seconds=0.1, people=1)
    with pytest.raises(BadInput, match="one image size"):
        Clip(clip.video, clip.truth.with_(camera=Camera.guess((10, 10))))
