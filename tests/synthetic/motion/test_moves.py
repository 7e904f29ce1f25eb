import numpy as np
import pytest

from dyad.core.errors import BadUsage
from dyad.synthetic.bodies.body import BodyModel, Phenotype, Shape
from dyad.synthetic.motion.measures import Anatomy
from dyad.synthetic.motion.moves import KINDS, random_take
from dyad.synthetic.motion.takes import Take
from tests.synthetic.people import (
    are_rotations,
    bones_keep_their_length,
    heads,
    joint,
    knees_ahead,
    lowest_points,
    slides,
)

FPS, FRAMES = 100, 400
SEEDS = (0, 1, 2)
UPRIGHT = ("walk", "run", "wave", "talk", "sit", "squat", "jump")


def played(kind: str, seed: int, fps: float = FPS, frames: int = FRAMES) -> tuple[Take, Shape]:
    rng = np.random.default_rng(seed)
    shape = BodyModel.load().shape(Phenotype.random(rng, children=0.3))
    return random_take(shape, rng, frames=frames, fps=fps, kinds=[kind]), shape


@pytest.fixture(scope="module")
def takes() -> dict[tuple[str, int], tuple[Take, Shape]]:
    return {(kind, seed): played(kind, seed) for kind in KINDS for seed in SEEDS}


@pytest.mark.parametrize("kind", KINDS)
def test_takes_are_whole_and_functions_of_the_seed(takes, kind: str) -> None:
    for seed in SEEDS:
        take, shape = takes[kind, seed]
        assert (len(take), take.fps, take.source) == (FRAMES, FPS, f"dyad: {kind}")
        assert np.isfinite(take.translation).all()
        are_rotations(take.rotations)
        bones_keep_their_length(take, shape)
        again, _ = played(kind, seed)
        assert again.rotations.tobytes() == take.rotations.tobytes()
        assert again.translation.tobytes() == take.translation.tobytes()
    assert takes[kind, 0][0].rotations.tobytes() != takes[kind, 1][0].rotations.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_the_motion_is_the_same_at_any_rate(takes, kind: str) -> None:
    """What a seed shows is a function of time: fewer frames a second show fewer moments of it."""
    take, _ = takes[kind, 1]
    coarse, _ = played(kind, 1, fps=FPS / 4, frames=FRAMES // 4)
    np.testing.assert_allclose(coarse.translation, take.translation[::4], atol=2e-3)
    np.testing.assert_allclose(coarse.rotations, take.rotations[::4], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_soles_are_never_under_the_floor(takes, kind: str) -> None:
    for seed in SEEDS:
        assert lowest_points(*takes[kind, seed]).min() > -0.01


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("run", "jump")])
def test_somebody_on_the_ground_stands_on_it_and_does_not_slide(takes, kind: str) -> None:
    for seed in SEEDS:
        take, shape = takes[kind, seed]
        # Who goes from pose to pose may hop; all others have a foot down.
        assert np.quantile(lowest_points(take, shape), 0.9) < (0.06 if kind == "poses" else 0.02)
        speed = slides(take, shape)
        # A sole that rolls on and off is slow; all the rest lies still.
        assert np.quantile(speed, 0.9) < 0.15
        assert np.quantile(speed, 0.99) < 0.4


def test_a_runner_has_both_feet_in_the_air_and_a_walker_never(takes) -> None:
    for seed in SEEDS:
        height = lowest_points(*takes["run", seed])
        assert 0.08 < (height > 0.02).mean() < 0.6
        assert lowest_points(*takes["walk", seed]).max() < 0.02


def test_a_runner_does_not_slide(takes) -> None:
    for seed in SEEDS:
        assert np.quantile(slides(*takes["run", seed]), 0.9) < 0.3


def test_bodies_in_the_air_fall_as_bodies_do(takes) -> None:
    fell = 0
    for seed in SEEDS:
        take, shape = takes["jump", seed]
        # Feet that hang still below somebody in the air fall with the body.
        ankle = joint(take, shape, "LeftFoot")[:, 1]
        high = lowest_points(take, shape) > 0.03
        aloft = high[:-2] & high[1:-1] & high[2:]
        fall = np.diff(ankle, 2) * FPS**2
        assert aloft.sum() > 10
        np.testing.assert_allclose(fall[aloft], -9.81, atol=0.3)
        fell += aloft.sum()
        body = joint(take, shape, "Hips")[:, 1]
        assert body.max() > body[0] + 0.1
    assert fell > 60


@pytest.mark.parametrize("kind", KINDS)
def test_knees_never_bend_backwards(takes, kind: str) -> None:
    for seed in SEEDS:
        assert knees_ahead(*takes[kind, seed]).min() > 0.005


@pytest.mark.parametrize("kind", UPRIGHT)
def test_left_is_left(takes, kind: str) -> None:
    for seed in SEEDS:
        take, shape = takes[kind, seed]
        side = joint(take, shape, "LeftUpLeg") - joint(take, shape, "RightUpLeg")
        for name in ("Leg", "Foot", "Arm"):
            across = joint(take, shape, f"Left{name}") - joint(take, shape, f"Right{name}")
            assert ((across * side).sum(-1) > 0).all(), (kind, seed, name)


@pytest.mark.parametrize(
    ("kind", "most"), [("walk", 9), ("wave", 9), ("talk", 6), ("squat", 6), ("sit", 6), ("run", 14), ("jump", 20)]
)
def test_nothing_is_faster_than_people_are(takes, kind: str, most: float) -> None:
    for seed in SEEDS:
        assert np.linalg.norm(np.diff(heads(*takes[kind, seed]), axis=0), axis=-1).max() * FPS < most  # m/s


def test_each_kind_is_what_its_name_says(takes) -> None:
    for seed in SEEDS:
        for kind, least, most in (("walk", 0.6, 1.8), ("run", 2.0, 4.0), ("talk", -0.05, 0.05), ("squat", -0.1, 0.1)):
            take, shape = takes[kind, seed]
            way = np.linalg.norm((joint(take, shape, "Hips")[-1] - joint(take, shape, "Hips")[0])[[0, 2]])
            assert least < way / 4 < most, (kind, seed)
        for kind, share in (("sit", 0.75), ("squat", 0.75)):
            take, shape = takes[kind, seed]
            a = Anatomy.of(shape)
            assert joint(take, shape, "LeftUpLeg")[:, 1].min() < share * (a.leg + a.ankle)
        take, shape = takes["wave", seed]
        raised = joint(take, shape, "RightHand")[:, 1] - joint(take, shape, "RightArm")[:, 1]
        assert raised.max() > 0.1


def test_walkers_start_at_the_origin_and_head_for_the_viewer() -> None:
    ways = []
    for seed in range(12):
        take, shape = played("walk", seed, fps=10, frames=30)
        hips = joint(take, shape, "Hips")
        assert np.abs(hips[0, [0, 2]]).max() < 0.1
        ways.append(hips[-1] - hips[0])
    assert (np.array(ways)[:, 2] > 1).all()


def test_a_kind_that_nobody_knows_is_refused() -> None:
    shape = BodyModel.load().shape(Phenotype())
    for kinds in (["fly"], []):
        with pytest.raises(BadUsage, match="kinds of motion are walk"):
            random_take(shape, np.random.default_rng(0), frames=2, fps=10, kinds=kinds)


def test_a_take_may_be_as_short_as_one_wants() -> None:
    shape = BodyModel.load().shape(Phenotype())
    for kind in KINDS:
        for seed in range(8):
            assert len(random_take(shape, np.random.default_rng(seed), frames=1, fps=30, kinds=[kind])) == 1
    sources = {random_take(shape, np.random.default_rng(s), frames=2, fps=10).source for s in range(40)}
    assert len(sources) > 5
