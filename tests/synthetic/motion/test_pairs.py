import numpy as np
import pytest

from dyad.core.errors import BadUsage
from dyad.synthetic.bodies.body import BodyModel, Phenotype, Shape
from dyad.synthetic.motion.pairs import PAIRS, TOUCH, deepest, pair_takes
from dyad.synthetic.motion.rotations import unit
from dyad.synthetic.motion.takes import Take
from dyad.synthetic.rendering.fashion import random_look
from tests.synthetic.people import bones_keep_their_length, heads, joint, lowest_points, slides, turned

FPS, FRAMES = 25, 125
SEEDS = (0, 1)
Pair = tuple[tuple[Take, Take], tuple[Shape, Shape]]


def played(kind: str, seed: int) -> Pair:
    rng = np.random.default_rng(seed)
    shapes = BodyModel.load().shape(Phenotype.random(rng, children=0)), BodyModel.load().shape(Phenotype.random(rng))
    return pair_takes(kind, shapes, rng, frames=FRAMES, fps=FPS), shapes


@pytest.fixture(scope="module")
def pairs() -> dict[tuple[str, int], Pair]:
    return {(kind, seed): played(kind, seed) for kind in PAIRS for seed in SEEDS}


def both(pair: Pair, name: str) -> list[np.ndarray]:
    return [joint(take, shape, name) for take, shape in zip(*pair, strict=True)]


def apart(pair: Pair, one: str, two: str) -> np.ndarray:
    """Distances (T,) m of a joint of the first from a joint of the second."""
    (first, second), shapes = pair
    return np.linalg.norm(joint(first, shapes[0], one) - joint(second, shapes[1], two), axis=-1)


@pytest.mark.parametrize("kind", PAIRS)
def test_bodies_reach_into_one_another_by_no_more_than_is_said(pairs, kind: str) -> None:
    for seed in SEEDS:
        assert deepest(*pairs[kind, seed], every=5) <= TOUCH + 0.01


def test_clothes_of_a_short_hug_need_room_too() -> None:
    mesh = BodyModel.load().mesh("low")
    for seed in (0, 7):
        rng = np.random.default_rng(seed)
        first, second = (BodyModel.load().shape(Phenotype.random(rng, children=0)) for _ in range(2))
        one, two = (
            random_look(rng).dressed(shape.rest("low"), mesh.canonical, mesh.faces, mesh.part)
            for shape in (first, second)
        )
        takes = pair_takes("hug", (first, second), rng, frames=24, fps=12, dressed=(one, two))
        assert deepest(takes, (first, second), every=1, dressed=(one, two)) < TOUCH + 0.003


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_are_whole_and_functions_of_the_seed(pairs, kind: str) -> None:
    for seed in SEEDS:
        takes, shapes = pairs[kind, seed]
        for take, shape in zip(takes, shapes, strict=True):
            assert (len(take), take.fps, take.source) == (FRAMES, FPS, f"dyad: {kind}")
            bones_keep_their_length(take, shape)
            lowest = lowest_points(take, shape)
            assert -0.01 < lowest.min() <= lowest.max() < 0.02
            assert np.quantile(slides(take, shape), 0.95) < 0.3
        for one, two in zip(takes, played(kind, seed)[0], strict=True):
            assert one.rotations.tobytes() == two.rotations.tobytes()
            assert one.translation.tobytes() == two.translation.tobytes()


@pytest.mark.parametrize("kind", ["facing", "approach", "handshake", "hug"])
def test_who_meets_looks_at_the_other(pairs, kind: str) -> None:
    for seed in SEEDS:
        hips = both(pairs[kind, seed], "Hips")
        for i, (take, _) in enumerate(zip(*pairs[kind, seed], strict=True)):
            towards = unit((hips[1 - i] - hips[i]) * (1, 0, 1))
            assert ((turned(take, "Hips")[..., 2] * towards).sum(-1)[-50:] > 0.9).all()
        assert 0.2 < np.linalg.norm(hips[0] - hips[1], axis=-1)[-1] < 1.7


@pytest.mark.parametrize("kind", ["approach", "handshake", "hug"])
def test_who_approaches_comes_nearer_and_stays(pairs, kind: str) -> None:
    for seed in SEEDS:
        hips = both(pairs[kind, seed], "Hips")
        gap = np.linalg.norm(hips[0] - hips[1], axis=-1)
        assert gap[0] > gap[-1] + 1.0
        assert np.ptp(gap[-20:]) < 0.05


def test_right_hands_meet_in_a_handshake(pairs) -> None:
    for seed in SEEDS:
        pair = pairs["handshake", seed]
        right = apart(pair, "RightHand", "RightHand")
        held = right < 0.3
        assert held.sum() > FPS  # for more than a second
        for other in (("LeftHand", "LeftHand"), ("LeftHand", "RightHand"), ("RightHand", "LeftHand")):
            assert apart(pair, *other)[held].min() > 0.3
        # They go up and down together, and let go in the end.
        heights = [wrist[held, 1] for wrist in both(pair, "RightHand")]
        assert np.abs(heights[0] - heights[1]).max() < 0.12
        assert right[-1] > 0.4


def test_arms_go_round_the_other_in_a_hug(pairs) -> None:
    for seed in SEEDS:
        takes, shapes = pairs["hug", seed]
        backs = both((takes, shapes), "Spine1")
        for i in (0, 1):
            ahead = turned(takes[1 - i], "Spine1")[-1][:, 2]
            for side in ("Left", "Right"):
                hand = joint(takes[i], shapes[i], f"{side}Hand")[-1]
                # Behind the middle of the other's chest, or beside it.
                assert (hand - backs[1 - i][-1]) @ ahead < 0.05


def test_people_who_pass_keep_clear_and_change_sides(pairs) -> None:
    for seed in SEEDS:
        (first, second), shapes = pairs["pass", seed]
        assert deepest((first, second), shapes, every=2) == 0
        z = [hips[:, 2] for hips in both(((first, second), shapes), "Hips")]
        assert z[0][0] < z[1][0]
        assert z[0][-1] > z[1][-1]
        gap = np.linalg.norm(heads(first, shapes[0])[:, :, None] - heads(second, shapes[1])[:, None], axis=-1)
        assert gap.min() > 0.1


def test_who_carries_keeps_the_distance_and_holds_both_hands_low(pairs) -> None:
    for seed in SEEDS:
        pair = pairs["carry", seed]
        hips = both(pair, "Hips")
        gap = hips[1] - hips[0]
        assert np.ptp(np.linalg.norm(gap, axis=-1)) < 0.2
        assert np.linalg.norm(hips[0][-1] - hips[0][0]) > 2.5
        for left, right in zip(both(pair, "LeftHand"), both(pair, "RightHand"), strict=True):
            # An arm that is too short goes up and down with its shoulder, as much as a walker does.
            assert max(np.ptp(left[:, 1]), np.ptp(right[:, 1])) < 0.1
            assert abs(left[:, 1].mean() - right[:, 1].mean()) < 0.02
            assert left[:, 1].max() < 1.0
            np.testing.assert_allclose(np.linalg.norm(left - right, axis=-1), 0.53, atol=0.12)


def test_an_act_that_nobody_knows_is_refused() -> None:
    shape = BodyModel.load().shape(Phenotype())
    with pytest.raises(BadUsage, match="acts of two people are facing"):
        pair_takes("duel", (shape, shape), np.random.default_rng(0), frames=2, fps=10)
