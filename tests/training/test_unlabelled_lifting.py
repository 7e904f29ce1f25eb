"""Learning from videos without labels: equations 11 and 15 and E_mp, a tiny training, and what it refuses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.models.checkpoints import Checkpoint
from dyad.models.lifting import Lifted, LiftingNetwork
from dyad.models.sight import Sight, sight, turned_back
from dyad.stages.lifting_learned import make_lifter
from dyad.stages.lifting_network import SequenceLifter
from dyad.training import lifting_motion
from dyad.training.lifting import WEIGHTS
from dyad.training.loop import LOG
from dyad.training.recipes import Optimisation
from dyad.training.recipes_lifting import LiftingRecipe
from dyad.training.unlabelled_joints import find_tracks, unlabelled, unlabelled_batches
from dyad.training.unlabelled_lifting import (
    SELF_TRAINING,
    SelfTrainingRecipe,
    perspective,
    reprojection,
    teacher_of,
    train_preset,
    train_ssl,
    weights,
)

from ..datasets.walking import pixels, walk

CAMERA = Camera.from_focal((1280, 720), 1000.0)
SMALL = {"graph": 4, "width": 16, "dilations": (1, 3)}
LESSONS = LiftingRecipe(Optimisation(steps=1), made=2, bodies=2, frames=12, batch=4, held_out=4, **SMALL)
TINY = SelfTrainingRecipe(
    Optimisation(steps=40, rate=3e-3, warm_up=0.1), lessons=LESSONS, frames=12, batch=4, consistent=20.0, judged=8
)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only walks are made, since they are made quickest."""
    monkeypatch.setattr(lifting_motion, "KINDS", {"walk": None})
    monkeypatch.setattr(lifting_motion, "PAIRS", {})
    monkeypatch.setattr(lifting_motion, "_MADE_FRAMES", 40)


def tracks(*, frames: int = 40, people: int = 2, seed: int = 0) -> Tracks:
    """What a detector of 2D joints leaves: no 3D anywhere."""
    xyz = walk(BODY17, frames=frames, people=people, seed=seed)
    frame, person = np.divmod(np.arange(frames * people), people)
    return Tracks.of_rows(
        camera=CAMERA,
        frame=torch.from_numpy(frame),
        person=torch.from_numpy(person),
        xy=torch.from_numpy(pixels(CAMERA, xyz).reshape(-1, 17, 2)),
        confidence=torch.ones(len(frame), 17),
        fps=30.0,
    )


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    Checkpoint.of(LiftingNetwork(**SMALL), "lifting", arguments={**SMALL, "dilations": [1, 3]}).save(file)
    return file


def knowing(pose: Tensor, looks: Sight) -> Lifted:
    """The right answer about joints (N, T, 17, 3) in the camera's axes that are seen as `looks`."""
    n, t = pose.shape[:2]
    inside = turned_back(looks.turn, pose)
    root = inside[:, :, 0]
    relative = inside - root[:, :, None]
    place = torch.cat((root[..., :2] / root[..., 2:] / looks.scale[..., None],), -1)
    place = torch.cat((place, (root[..., 2:] * looks.scale[..., None]).log()), -1)
    blank = torch.zeros(n, t)
    return Lifted(
        relative, relative, place, torch.zeros(n, t, 17, 2), blank, torch.zeros(n, t, 3), torch.zeros(n, t, 2)
    )


def scene(n: int = 3, t: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Poses (N, T, 17, 3) in statures, their rays and confidences."""
    pose = torch.from_numpy(walk(BODY17, frames=t, people=n).swapaxes(0, 1)).float() / 1.7
    confidence = torch.rand(n, t, 17, generator=torch.Generator().manual_seed(1)).clamp(min=0.1)
    return pose, pose[..., :2] / pose[..., 2:], confidence


def test_weights_sum_to_1_and_the_easy_come_first() -> None:
    errors = torch.tensor([3.0, 1.0, 2.0, 6.0])
    for epoch in (1.0, 2.0, 50.0):
        share = weights(errors, epoch)
        assert float(share.sum()) == pytest.approx(1)
        assert share.argsort().tolist() == [3, 0, 2, 1]
    spread = [float(weights(errors, epoch).max() / weights(errors, epoch).min()) for epoch in (1.0, 2.0, 50.0)]
    # exp of the range over the mean over the epoch: at first the easy alone, in the end all alike.
    assert spread == pytest.approx([math.exp(5 / 3 / epoch) for epoch in (1, 2, 50)], rel=1e-4)
    assert weights(1000 * errors, 1.0).tolist() == pytest.approx(weights(errors, 1.0).tolist())
    assert weights(errors, 1.0, hard_first=True).argsort().tolist() == [1, 2, 0, 3]
    assert weights(torch.zeros(4), 1.0).tolist() == [0.25] * 4


def test_reprojection_costs_by_confidence_and_nothing_for_the_truth() -> None:
    pose, rays, confidence = scene()
    looks = sight(rays, confidence, torch.zeros(3, 3))
    found = knowing(pose, looks)
    assert reprojection(found, looks, rays, confidence).max() < 1e-8
    # One joint of the first sequence a fifth of the person's size away, in one frame.
    moved = rays.clone()
    moved[0, 2, 5, 0] += 0.2 * looks.scale[0, 2]
    expected = 0.04 * float(confidence[0, 2, 5]) / confidence[0].numel()
    assert reprojection(found, looks, moved, confidence).tolist() == pytest.approx([expected, 0, 0], abs=1e-7)
    moved[0, 2, 5] = torch.nan
    assert reprojection(found, looks, moved, confidence).max() < 1e-8


def test_a_pose_turned_and_seen_anew_costs_nothing_for_who_knows_the_answer() -> None:
    pose, rays, confidence = scene()
    rays[1, :, 3] = torch.nan
    axis, angle = torch.tensor((0.1, -0.9, 0.2)), torch.tensor((0.0, 1.0, -2.5))
    up = (axis / axis.norm()).expand(3, 3)
    there = torch.ones(3, 8, dtype=torch.bool)
    batch = {"pose": pose, "up": up, "angle": angle, "rays": rays, "confidence": confidence, "there": there}
    turns = torch.from_numpy(Rotation.from_rotvec((up * angle[:, None]).numpy()).as_matrix()).float()
    middle = pose[:, :, :1].mean(1, keepdim=True)
    seen = torch.einsum("nij,ntkj->ntki", turns, pose - middle) + middle

    def answer(off: Tensor):
        def network(joints: Tensor, frames: Tensor) -> Lifted:
            shown = torch.where(rays.isnan(), torch.nan, seen[..., :2] / seen[..., 2:])
            looks = sight(shown, confidence, torch.zeros(3, 3))
            # What it is shown is the turned pose, and no joint that nobody saw.
            assert torch.allclose(joints, looks.joints, atol=1e-4)
            found = knowing(seen, looks)
            return found._replace(pose=found.pose + off)

        return network

    assert perspective(answer(torch.zeros(3)), batch, torch.zeros(3, 3)).max() < 1e-8
    off = torch.tensor((0.1, 0.0, 0.2))
    assert perspective(answer(off), batch, torch.zeros(3, 3)).tolist() == pytest.approx([0.05] * 3, rel=1e-3)


def test_windows_are_of_what_was_seen_and_of_nothing_else(tmp_path: Path, teacher: Path) -> None:
    lift = SequenceLifter(teacher_of(str(teacher))[1])
    found = tracks(frames=40)
    found.save(tmp_path / "a" / "tracks.npz")
    data = unlabelled(tmp_path, lift, frames=24)
    # Of each of two people: windows at 0, 12 and the last 16 frames at 24.
    assert data.there.sum(1).tolist() == [24, 24, 16] * 2
    assert data.rays[2, 16:].isnan().all()
    assert data.pose.isfinite().all()
    rays = found.camera.rays(found.xy[found.rows(1)])[..., :2].float()
    assert data.rays[4].numpy() == pytest.approx(rays[12:36].numpy(), abs=1e-5)
    # A truth beside the 2D joints changes nothing.
    told = found.with_(xyz=torch.randn(len(found), 17, 3))
    told.save(tmp_path / "b.npz")
    other = unlabelled(tmp_path / "b.npz", lift, frames=24)
    assert (other.digest, other.pose.tolist()) == (data.digest, data.pose.tolist())
    assert find_tracks(tmp_path) == [tmp_path / "a" / "tracks.npz"]
    source = unlabelled_batches(data, 4, 0, 0, masked=0.1, steps=100)
    epochs = [float(next(source)["epoch"]) for _ in range(7)]
    assert epochs == [1, 1, 2, 3, 3, 4, 5]


@pytest.mark.usefixtures("few")
def test_a_student_grows_consistent_and_its_teacher_stays(tmp_path: Path, teacher: Path) -> None:
    tracks().save(tmp_path / "joints" / "tracks.npz")
    before = teacher.read_bytes()
    outcome = train_ssl(tmp_path / "out", TINY, joints=tmp_path / "joints", model=str(teacher), device="cpu")
    assert outcome.step == 40
    assert teacher.read_bytes() == before
    checkpoint = Checkpoint.load(tmp_path / "out" / WEIGHTS)
    first = checkpoint.about["teacher"]["metrics"]
    assert outcome.metrics["e_rep"] < 0.5 * first["e_rep"]
    assert {"mpjpe_mm", "e_mp"} < set(outcome.metrics)
    lines = [json.loads(line) for line in (tmp_path / "out" / LOG).read_text().splitlines()]
    assert {"lesson", "taught", "e_rep", "e_mp"} < set(lines[0])
    # What it leaves lifts.
    lifted = make_lifter(str(tmp_path / "out" / WEIGHTS), torch.device("cpu"))(tracks(frames=20))
    assert lifted.xyz.isfinite().all()
    tracks(seed=1).save(tmp_path / "others.npz")
    with pytest.raises(BadUsage, match="joints is"):
        train_ssl(tmp_path / "out", TINY, joints=tmp_path / "others.npz", model=str(teacher), device="cpu")


def test_what_makes_no_sense_is_refused(tmp_path: Path, teacher: Path) -> None:
    with pytest.raises(BadUsage, match="--unlabelled"):
        train_preset(tmp_path, "tiny", {})
    with pytest.raises(BadInput, match=r"holds no tracks\.npz"):
        train_preset(tmp_path / "out", "tiny", {"unlabelled": tmp_path, "model": str(teacher)}, device="cpu")
    with pytest.raises(MissingWeights):
        train_preset(tmp_path, "tiny", {"unlabelled": tmp_path, "model": "nobody"})
    with pytest.raises(BadUsage, match="network that lifts"):
        teacher_of("discriminator")
    with pytest.raises(BadUsage, match="masked"):
        TINY.with_(masked=1.0)
    unseen = tracks().with_(confidence=torch.zeros(80, 17))
    unseen.save(tmp_path / "tracks.npz")
    with pytest.raises(BadInput, match="nobody is seen"):
        unlabelled(tmp_path, SequenceLifter(teacher_of(str(teacher))[1]), frames=16)
    for recipe in SELF_TRAINING.values():
        assert json.loads(json.dumps(recipe.to_json())) == recipe.to_json()
    assert SELF_TRAINING["tiny"].with_(motions=Path("a")).lessons.motions == Path("a")
