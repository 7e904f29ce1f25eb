import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.clip import Clip
from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.synthetic.demo import SEED, demo_clip, demo_scene
from dyad.synthetic.scenes import Scene

SMALL = {"size": (192, 108), "seconds": 0.2}


@pytest.fixture(scope="module")
def scene() -> Scene:
    """The whole of it, five frames a second."""
    return demo_scene(size=(480, 270), fps=5)


@pytest.fixture(scope="module")
def truth(scene: Scene) -> Tracks:
    return scene.truth()


def test_four_people_are_in_view_all_the_time_and_large(truth: Tracks) -> None:
    assert truth.people == [0, 1, 2, 3]
    assert len(truth) == 4 * 25
    # At the 540 px of height that the demonstration has.
    assert float((truth.box[:, 3] - truth.box[:, 1]).min()) * 2 > 150
    box = truth.box
    assert float(box[:, (0, 1)].min()) > 1
    assert float(box[:, 2].max()) < 478
    assert float(box[:, 3].max()) < 268


def test_everybody_crosses_somebody(truth: Tracks) -> None:
    """One hides part of another while they go past each other."""
    window = truth.window()
    x, depth = window.xy[:, :, BODY17.index("pelvis"), 0], window.xyz[:, :, BODY17.index("pelvis"), 2]
    crossed = set()
    for i in range(4):
        for j in range(i):
            swaps = torch.diff(torch.sign(x[:, i] - x[:, j])) != 0
            if bool(((depth[:, i] - depth[:, j]).abs()[1:][swaps] > 0.4).any()):
                crossed |= {i, j}
    assert crossed == {0, 1, 2, 3}
    hidden = window.confidence < 0.5
    assert 0.02 < float(hidden.float().mean()) < 0.4


def test_two_meet_and_shake_hands_and_one_waves(scene: Scene) -> None:
    def joint(person: int, name: str) -> np.ndarray:
        return scene.actors[person].joints(BODY17)[:, BODY17.index(name)]

    apart = np.linalg.norm(joint(0, "right_wrist") - joint(1, "right_wrist"), axis=-1)
    assert apart[0] > 1.5
    assert (apart < 0.3).sum() > 5  # of five frames a second
    waves = joint(2, "right_wrist")[:, 1] > joint(2, "right_shoulder")[:, 1]
    assert 5 < waves.sum() < 20
    for person in (0, 1, 2, 3):
        way = joint(person, "pelvis")
        assert np.linalg.norm(way[-1] - way[0]) > 0.8


def test_people_keep_clear_of_one_another(scene: Scene) -> None:
    joints = [actor.joints(BODY17) for actor in scene.actors]
    for i in range(4):
        for j in range(i):
            gap = np.linalg.norm(joints[i][:, :, None] - joints[j][:, None], axis=-1).min()
            assert gap > (0.05 if (i, j) == (1, 0) else 0.3), (i, j)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_other_seeds_show_everybody_too(seed: int) -> None:
    truth = demo_scene(seed, size=(192, 108), fps=2).truth()
    assert len(truth) == 4 * 10
    assert float((truth.box[:, 3] - truth.box[:, 1]).min()) * 5 > 150


def test_the_truth_stands_on_a_floor_below_a_still_camera(truth: Tracks, scene: Scene) -> None:
    torch.testing.assert_close(truth.reproject(), truth.xy, atol=1e-2, rtol=0)
    assert truth.world is not None
    height = truth.world.height(truth.xyz)
    ankles = height[:, BODY17.indices("left_ankle", "right_ankle")]
    assert 0.04 < float(ankles.min()) < 0.13
    assert 1.3 < float(height[:, BODY17.index("head_top")].max()) < 2.0
    assert scene.path.still
    assert truth.camera.source == "given"


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again, other = (demo_scene(s, people=2, threads=t, **SMALL) for s, t in ((3, 1), (3, 2), (4, 1)))
    one, two, three = (s.image(3) for s in (first, again, other))
    assert (one.dtype, one.shape) == (np.uint8, (108, 192, 3))
    assert one.tobytes() == two.tobytes() != three.tobytes()
    torch.testing.assert_close(first.truth().xyz, again.truth().xyz, atol=0, rtol=0)


def test_a_shorter_clip_is_the_beginning_and_fewer_people_are_some_of_them() -> None:
    whole, short = (demo_scene(size=(192, 108), seconds=s) for s in (5.0, 0.2))
    assert whole.image(4).tobytes() == short.image(4).tobytes()
    duo = demo_scene(people=2, **SMALL).truth()
    four = demo_scene(**SMALL).truth()
    torch.testing.assert_close(duo.xyz, four[four.person < 2].xyz, atol=0, rtol=0)


def test_eight_people_find_room() -> None:
    truth = demo_scene(people=8, size=(192, 108), seconds=5, fps=1).truth()
    assert truth.people == list(range(8))


def test_a_clip_reads_like_any_video() -> None:
    clip = demo_clip(2, size=(192, 108), seconds=0.4, fps=25, people=1)
    video, truth = clip.whole()
    assert video.size == (192, 108)
    assert video.fps == pytest.approx(25)
    assert len(video.times) == len(truth.frames) == 10
    np.testing.assert_allclose(video.times, truth.times.numpy())
    chunk = next(iter(video.chunks(4)))
    assert chunk.images.shape == (4, 108, 192, 3)
    assert not chunk.cut.any()
    np.testing.assert_array_equal(video[2], chunk.images[2])
    assert video.camera.focal.tolist() == truth.camera.focal.tolist()


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(BadUsage, match="1 to 8 people"):
        demo_clip(people=0)
    with pytest.raises(BadUsage, match="64 px"):
        demo_scene(size=(20, 20))
    clip = demo_clip(SEED, size=(192, 108), seconds=0.08, people=1)
    with pytest.raises(BadInput, match="one image size"):
        Clip(clip.video, clip.truth.with_(camera=Camera.guess((10, 10))))
