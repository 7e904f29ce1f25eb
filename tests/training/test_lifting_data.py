"""What lifting networks learn from: the same joints as the bodies', rigid cameras, noise as told, one batch a step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.skeleton import BLAZEPOSE33, BODY17, MUPOTS17
from dyad.synthetic.bodies.body import BONES, BodyModel, Phenotype
from dyad.synthetic.bodies.keypoints import keypoints
from dyad.synthetic.motion.moves import random_take
from dyad.training import lifting_motion
from dyad.training.dice import Dice
from dyad.training.lifting_data import Actors, Changes, Lessons, People, Views, seen_from
from dyad.training.lifting_motion import KEPT, Bodies, Clips, bodies
from dyad.training.lifting_noise import Noise

CPU = torch.device("cpu")
CALM = Changes(
    speed=(1.0, 1.0),
    blended=0,
    loosened=0,
    flung=0,
    limbs=0,
    held=0,
    mixed=0,
    crouched=0,
    tilted=0,
    placed=0,
    slid=0,
    raised=(0.0, 0.0),
)
CLEAN = Noise(white=(1e-6, 1e-6), exact=1.0, burden=0.0, unsure=0.0, lacking=0.0, mistaken=0.0)


@pytest.fixture(scope="module")
def clip() -> Clips:
    """Somebody walks for 4 s."""
    take = random_take(
        BodyModel.load().shape(Phenotype()), np.random.default_rng(3), frames=121, fps=30, kinds=("walk",)
    )
    kept = [BONES.index(name) for name in KEPT]
    turns, places = torch.from_numpy(take.rotations[:, kept]).float(), torch.from_numpy(take.translation).float()
    return Clips(turns, places, torch.tensor((0,)), torch.tensor((121,)), torch.ones(1))


@pytest.fixture(scope="module")
def some() -> Bodies:
    return bodies(6, 0)


def test_joints_are_those_of_the_bodies(clip: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Phenotype, "random", lambda rng, children: Phenotype())
    people = Actors(clip, bodies(1, 0), CALM)(12, 20, Dice.of(1, CPU))
    take = random_take(
        BodyModel.load().shape(Phenotype()), np.random.default_rng(3), frames=121, fps=30, kinds=("walk",)
    )
    shape = BodyModel.load().shape(Phenotype())
    ways = []
    for skeleton in (BODY17, MUPOTS17, BLAZEPOSE33):
        joints = torch.from_numpy(keypoints(shape, take.rotations, take.translation, skeleton)).float()
        converted = skeleton.convert(joints, BODY17)
        if skeleton is MUPOTS17:
            converted[:, BODY17.index("nose")] = joints[:, skeleton.index("head")]
        ways.append(converted - converted[:, :1])
    every = torch.stack(ways)
    for joints in people.joints - people.joints[:, :, :1]:
        # Frames lie between recorded ones and may turn back at the ends: the nearest recorded pose is near.
        off = (every[:, :, None] - joints).norm(dim=-1).mean(-1).amin(1).mean(-1)
        assert off.min() < 0.012, off
    torch.testing.assert_close(people.stature, torch.full((12,), shape.stature).float())


def test_joints_slide_along_limbs_on_both_sides_alike(clip: Clips) -> None:
    left, right = BODY17.indices("left_knee", "right_knee")
    hips = BODY17.indices("left_hip", "right_hip")
    plain, slid = (
        Actors(clip, bodies(1, 0), replace(CALM, slid=slid))(64, 2, Dice.of(1, CPU)).joints for slid in (0.0, 0.1)
    )
    thighs = [(people[:, :, (left, right)] - people[:, :, hips]).norm(dim=-1) for people in (plain, slid)]
    share = (thighs[1] / thighs[0]).mean(1)
    assert 0.06 < float(share.std()) < 0.18
    assert (share[:, 0] - share[:, 1]).abs().mean() < 0.03


def test_definitions_hang_on_the_kept_bones(some: Bodies) -> None:
    torch.testing.assert_close(some.share.sum(-1), torch.ones(some.share.shape[:2]))
    assert some.local.shape == (6, lifting_motion.DEFINITIONS, 17, len(KEPT), 3)
    assert (some.stature > 0.9).all()
    assert (some.stature < 2.2).all()


def test_cameras_move_nobody(clip: Clips, some: Bodies) -> None:
    people = Actors(clip, some)(16, 12, Dice.of(0, CPU))
    xyz, up = seen_from(people, Views(), Dice.of(1, CPU))

    def lengths(joints: torch.Tensor) -> torch.Tensor:
        first, second = BODY17.indices("left_knee", "right_shoulder")
        return (joints[:, :, first] - joints[:, :, second]).norm(dim=-1)

    there, mirrored = lengths(people.joints), lengths(BODY17.flip(people.joints))
    off = torch.minimum((lengths(xyz) - there).abs().amax(-1), (lengths(xyz) - mirrored).abs().amax(-1))
    assert off.max() < 1e-4
    assert xyz[..., 2].min() > 0.9
    torch.testing.assert_close(up.norm(dim=-1), torch.ones(16))
    calm = Actors(clip, some, CALM)(16, 12, Dice.of(0, CPU))
    xyz, up = seen_from(calm, Views(), Dice.of(1, CPU))
    head, ankle = BODY17.indices("head_top", "left_ankle")
    assert (((xyz[:, :, head] - xyz[:, :, ankle]) * up[:, None]).sum(-1) > 1.0 * calm.stature[:, None] / 1.7).all()


def test_noise_is_as_large_as_told() -> None:
    xyz = torch.tensor((0.2, 0.1, 5.0)).expand(64, 96, 17, 3).clone()

    def off(noise: Noise) -> torch.Tensor:
        seen = noise(xyz, Dice.of(0, CPU))
        return (seen.rays - xyz[..., :2] / xyz[..., 2:]) * 5

    assert off(CLEAN).abs().max() < 1e-4
    white = off(replace(CLEAN, white=(0.01, 0.01)))
    assert abs(float(white.std()) - 0.01) < 5e-4
    assert abs(float((white[:, 1:] * white[:, :-1]).mean())) < 1e-5
    rough = replace(CLEAN, exact=0.0, lasting=(0.01, 0.01), outliers=0, swapped=1e-9, missing=1e-9)
    biased = off(rough).mean(1)
    assert 0.012 < float(biased.std()) < 0.03
    gone = off(replace(rough, missing=0.1)).isnan().float().mean()
    assert 0.1 < float(gone) < 0.35
    never = off(replace(CLEAN, lacking=0.1)).isnan().all(1)[..., 0]
    assert abs(float(never.float().mean()) - 0.1) < 0.03
    elsewhere = off(replace(CLEAN, mistaken=0.1)).norm(dim=-1)
    assert abs(float((elsewhere.mean(1) > 0.02).float().mean()) - 0.1) < 0.03
    assert elsewhere.std(1).max() < 1e-4
    hidden = replace(rough, burden=0.5)(xyz, Dice.of(0, CPU))
    doubted = hidden.confidence < 0.35
    errors = ((hidden.rays - xyz[..., :2] / 5) * 5).norm(dim=-1)
    assert errors[doubted].nanmedian() > 2 * errors[~doubted].nanmedian()


def test_lasting_noise_has_variance_one_and_lasts() -> None:
    drawn = Dice.of(0, CPU).lasting(200, 60, 3, width=6)
    assert drawn.shape == (200, 60, 3)
    assert abs(float(drawn.std()) - 1) < 0.03
    near = float((drawn[:, 1:] * drawn[:, :-1]).mean())
    far = float((drawn[:, 30:] * drawn[:, :-30]).mean())
    assert near > 0.9
    assert abs(far) < 0.1


def test_a_batch_belongs_to_its_step(clip: Clips, some: Bodies) -> None:
    lessons = Lessons(Actors(clip, some), Noise(), Views(), 8, 32, 0, cameras=2)
    third = next(lessons(3))
    assert all(torch.equal(value, lessons.at(3)[name]) for name, value in third.items())
    assert not torch.equal(third["joints"], lessons.at(4)["joints"])
    clean = Lessons(Actors(clip, some, CALM), CLEAN, Views(), 8, 32, 0, told=1.0).at(0)
    # What is seen is where the poses are.
    plane = clean["pose"][..., :2] / clean["pose"][..., 2:] / clean["scale"][..., None, None]
    torch.testing.assert_close(clean["joints"][..., :2], plane, atol=2e-3, rtol=0)
    assert (clean["joints"][..., 3] == 1).all()
    assert clean["there"].all()
    # It is told up to a few degrees where up is.
    assert ((clean["frames"][..., 6:9] * clean["up"]).sum(-1) > 0.97).all()


def test_people_before_and_after_their_motion_are_missing(clip: Clips, some: Bodies) -> None:
    lessons = Lessons(Actors(clip, some, replace(CALM, held=1.0, speed=(3.0, 3.0))), CLEAN, Views(), 16, 64, 0)
    batch = lessons.at(0)
    assert not batch["there"].all()
    assert (batch["joints"][~batch["there"]] == 0).all()
    assert isinstance(People(*(batch[name] for name in ("pose", "stature", "there"))), People)
