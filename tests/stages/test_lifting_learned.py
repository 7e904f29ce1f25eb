"""Lifting by a network: mirror images, windows, frame rates and gaps; then metres, floors, cuts, and who is nobody."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from dyad.core.camera import GUESSED_FOCAL_SPREAD, Camera
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.models.checkpoints import Checkpoint
from dyad.models.lifting import LiftingNetwork
from dyad.stages import lifting_network
from dyad.stages.lifting_joints import read_joints
from dyad.stages.lifting_learned import LearnedLifter, make_lifter
from dyad.stages.lifting_network import Estimate, Sequence, SequenceLifter

CAMERA = Camera.from_focal((1280, 720), 1000.0)
# Thigh, shin, trunk and head of `walker`, by their share of people's stature.
STATURE = (0.43 + 0.44 + 0.25 + 0.25 + 0.25) / 0.945
SMALL = {"graph": 4, "width": 32, "dilations": (1, 3)}


def network() -> LiftingNetwork:
    torch.manual_seed(1)
    return LiftingNetwork(**SMALL).eval()


def walker(frames: int = 60, *, fps: float = 30.0, seed: int = 0, depth: float = 4.0) -> Tensor:
    """Joints (T, 17, 3) m in the camera frame of somebody stiff who walks sideways, feet on the plane y = 1."""
    random = np.random.default_rng(seed)
    at = {
        "pelvis": (0, 0.05), "right_hip": (-0.1, 0.05), "left_hip": (0.1, 0.05), "right_knee": (-0.11, 0.48),
        "left_knee": (0.11, 0.48), "right_ankle": (-0.12, 0.92), "left_ankle": (0.12, 0.92), "spine": (0, -0.2),
        "neck": (0, -0.45), "nose": (0, -0.58), "head_top": (0, -0.7), "left_shoulder": (0.18, -0.4),
        "left_elbow": (0.25, -0.12), "left_wrist": (0.28, 0.1), "right_shoulder": (-0.18, -0.4),
        "right_elbow": (-0.25, -0.12), "right_wrist": (-0.28, 0.1),
    }  # fmt: skip
    still = torch.tensor([(*at[name], random.normal() * 0.02) for name in BODY17.names])
    time = torch.arange(frames) / fps
    return still + torch.stack((0.3 * time - 0.3, 0 * time, depth + 0.2 * time), -1)[:, None]


def tracks(*people: Tensor, rows: list[list[int]] | None = None, cuts: tuple[int, ...] = ()) -> Tracks:
    """The 2D joints of people (T, 17, 3), of frames `rows` of each."""
    chosen = rows or [list(range(len(xyz))) for xyz in people]
    frame = torch.tensor([f for each in chosen for f in each])
    person = torch.tensor([i for i, each in enumerate(chosen) for _ in each])
    xyz = torch.cat([one[each] for one, each in zip(people, chosen, strict=True)])
    xy = CAMERA.project(xyz)
    return Tracks.of_rows(
        camera=CAMERA, frame=frame, person=person, xy=xy, confidence=torch.full(xy.shape[:2], 0.9),
        frames=torch.arange(max(len(one) for one in people)), cuts=cuts,
    )  # fmt: skip


class Knowing:
    """Stands for a network that is right but for the person's size, which nobody can see."""

    def __init__(self, people: list[Tensor], *, stature: float = 1.7, fps: float = 30.0) -> None:
        self.people, self.stature, self.fps, self.ups = people, stature, fps, []

    def __call__(self, person: Sequence, times: Tensor, up: Tensor | None = None) -> Estimate:
        self.ups.append(up)
        first = person.rays[0]

        def off(xyz: Tensor) -> float:
            start = xyz[min(round(float(person.time[0]) * self.fps), len(xyz) - 1)]
            return float((start[:, :2] / start[:, 2:] - first).abs().sum())

        xyz = min(self.people, key=off)[(times * self.fps).round().long()] / 1.74
        root = xyz[:, 0]
        spread = torch.full((len(times), 17, 3), 0.02)
        above = torch.tensor((0.0, -1.0, 0.0)).expand(len(times), 3)
        return Estimate(xyz - root[:, None], root, spread, torch.full((len(times),), 0.02), above, self.stature, 0.08)


def test_a_mirror_image_is_lifted_to_a_mirror_image() -> None:
    lift = SequenceLifter(network())
    xyz = walker(50)
    time = torch.arange(50) / 30
    rays, sure = xyz[..., :2] / xyz[..., 2:], torch.ones(50, 17)
    flipped = BODY17.flip(rays) * torch.tensor((-1.0, 1.0))
    one, two = (lift(Sequence(time.double(), seen, sure), time) for seen in (rays, flipped))
    torch.testing.assert_close(BODY17.flip(two.pose) * torch.tensor((-1.0, 1.0, 1.0)), one.pose, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(two.root * torch.tensor((-1.0, 1.0, 1.0)), one.root, atol=1e-4, rtol=1e-4)


def test_long_sequences_are_lifted_in_windows_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    lift, xyz, time = SequenceLifter(network(), mirrored=False), walker(150), torch.arange(150).double() / 30
    person = Sequence(time, xyz[..., :2] / xyz[..., 2:], torch.ones(150, 17))
    whole = lift(person, time)
    monkeypatch.setattr(lifting_network, "_AT_ONCE", 40)
    parts = lift(person, time)
    torch.testing.assert_close(parts.pose, whole.pose, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(parts.root, whole.root, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
)
def test_where_memory_does_not_suffice_windows_are_halved_and_the_motion_stays(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lifting_network, "_AT_ONCE", 80)
    net = network()
    seen = tracks(walker(150))
    whole = LearnedLifter(SequenceLifter(net))(seen)
    usual, asked = net.forward, []

    def narrow(joints: torch.Tensor, frames: torch.Tensor):
        asked.append(joints.shape[1])
        if len(asked) == 1:
            raise error
        return usual(joints, frames)

    monkeypatch.setattr(net, "forward", narrow)
    parts = LearnedLifter(SequenceLifter(net))(seen)
    assert "going on with 40" in caplog.text
    assert asked[1] < asked[0]
    assert torch.equal(parts.frame, whole.frame)
    torch.testing.assert_close(parts.xyz, whole.xyz, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(parts.sigma, whole.sigma, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_other_frame_rates_are_brought_to_the_networks(fps: float) -> None:
    lift, count = SequenceLifter(network()), round(2 * fps)
    xyz, time = walker(count, fps=fps), torch.arange(count).double() / fps
    usual, at30 = walker(60), torch.arange(60).double() / 30
    found = lift(Sequence(time, xyz[..., :2] / xyz[..., 2:], torch.ones(count, 17)), time)
    wanted = lift(Sequence(at30, usual[..., :2] / usual[..., 2:], torch.ones(60, 17)), at30)
    middle, same = count // 2, 30
    torch.testing.assert_close(found.pose[middle], wanted.pose[same], atol=5e-3, rtol=0)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_the_shortest_tracks_are_lifted(frames: int) -> None:
    found = LearnedLifter(SequenceLifter(network()))(tracks(walker(frames)))
    assert len(found) == frames
    assert torch.isfinite(found.xyz).all()
    assert torch.isfinite(found.sigma).all()


def test_known_height_gives_metres() -> None:
    people = [walker(60), walker(60, seed=1, depth=6.0)]
    knowing = Knowing(people)
    found = LearnedLifter(knowing, height=STATURE)(tracks(*people))
    for i, xyz in enumerate(people):
        off = (found.xyz[found.rows(i)] - xyz).norm(dim=-1)
        assert off.mean() < 0.02
        assert off.max() < 0.05
    # Asked twice: the second time it is told on what up they agree.
    assert knowing.ups[:2] == [None, None]
    torch.testing.assert_close(knowing.ups[2], torch.tensor((0.0, -1.0, 0.0)))
    assert found.world is not None
    ankles = found.world.height(found.xyz[:, BODY17.index("left_ankle")])
    assert (ankles - 0.08).abs().median() < 0.05
    free = LearnedLifter(Knowing(people))(tracks(*people))
    assert 0.9 < float((free.xyz[..., 2] / torch.cat(people)[..., 2]).median()) < 1.02
    assert free.sigma[..., 2].mean() > 1.7 * found.sigma[..., 2].mean()


def test_a_guessed_focal_length_blurs_the_depth_and_not_the_place_across_the_view() -> None:
    xyz = walker(20)
    seen = tracks(xyz)
    guess = replace(seen.camera, source="guess")
    known, guessed = (LearnedLifter(Knowing([xyz]))(t) for t in (seen, seen.with_(camera=guess)))
    assert torch.equal(known.xyz, guessed.xyz)
    assert torch.equal(known.sigma[..., :2], guessed.sigma[..., :2])
    added = (guessed.sigma[..., 2].square() - known.sigma[..., 2].square()).sqrt()
    torch.testing.assert_close(added, GUESSED_FOCAL_SPREAD * known.xyz[..., 2], rtol=1e-3, atol=1e-3)


def test_short_gaps_are_filled_and_long_ones_stay() -> None:
    xyz = walker(150)
    rows = [*range(40), *range(60, 70), *range(140, 150)]
    found = LearnedLifter(Knowing([xyz]), height=STATURE, longest_gap=1.0)(tracks(xyz, rows=[rows]))
    assert found.frame.tolist() == [*range(70), *range(140, 150)]
    assert found.filled.sum() == 20
    assert (found.confidence[found.filled] == 0).all()
    assert (found.xyz - xyz[found.frame]).norm(dim=-1).mean() < 0.02
    assert found.sigma[found.filled].mean() > found.sigma[~found.filled].mean()
    assert torch.isfinite(found.xy).all()


def test_every_shot_has_its_own_floor_and_nobody_is_nobody() -> None:
    people = [walker(40), walker(80, seed=1)]
    cut = tracks(*people, rows=[list(range(40)), list(range(40, 80))], cuts=(40,))
    knowing = Knowing(people)
    found = LearnedLifter(knowing)(cut)
    assert found.world is None
    assert found.cuts == (40,)
    assert len(found) == 80
    # Two shots, each asked twice.
    assert [up is None for up in knowing.ups] == [True, False, True, False]
    none = Tracks.of_rows(camera=CAMERA, frame=[], person=[], frames=torch.arange(5))
    assert len(LearnedLifter(knowing)(none)) == 0
    blind = cut.with_(confidence=torch.zeros_like(cut.confidence))
    assert len(LearnedLifter(knowing)(blind)) == 0


def test_low_confidence_of_a_frugal_detector_is_taken_for_what_it_is() -> None:
    xyz = walker(40)
    usual = tracks(xyz)
    lifter = LearnedLifter(SequenceLifter(network()))
    low = usual.with_(confidence=0.07 * usual.confidence)
    torch.testing.assert_close(lifter(low).xyz, lifter(usual).xyz)


def test_weights_by_file_and_what_is_no_lifting_network(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    Checkpoint.of(network(), "lifting", arguments={**SMALL, "dilations": [1, 3]}).save(path)
    lifter = make_lifter(str(path), torch.device("cpu"), height=1.8)
    assert lifter.height == 1.8
    assert len(lifter(tracks(walker(10)))) == 10
    with pytest.raises(MissingWeights, match="nothing-such"):
        make_lifter("nothing-such", torch.device("cpu"))
    other = tmp_path / "other.safetensors"
    from dyad.models.tcn import RootTCN

    arguments = {"kernels": [3], "channels": 4}
    Checkpoint.of(RootTCN(kernels=(3,), channels=4), "root-tcn", arguments=arguments).save(other)
    with pytest.raises(BadUsage, match="root-tcn"):
        make_lifter(str(other), torch.device("cpu"))


def test_joints_are_read_from_plain_arrays(tmp_path: Path) -> None:
    xy = np.random.default_rng(0).uniform(10, 500, (6, 2, 17, 2))
    xy[2, 1] = np.nan
    xy[3, 0, 5] = 0
    matrix, size = np.array(((900.0, 0, 320), (0, 900, 240), (0, 0, 1))), np.array((640, 480))
    path = tmp_path / "joints.npz"
    np.savez(path, est_xy=xy, est_confidence=np.full((6, 2, 17), 0.07), K=matrix, image_size=size)
    found = read_joints(path, fps=25)
    assert len(found) == 11
    assert found.fps == 25
    assert found.camera.size == (640, 480)
    assert found.video == "joints"
    assert found.camera.focal.tolist() == [900, 900]
    assert found.confidence[found.rows(0)[3], 5] == 0
    assert found.xy[found.rows(0)[3], 5].isnan().all()
    np.savez(path, xy=xy)
    with pytest.raises(BadUsage, match="--camera"):
        read_joints(path)
    assert (read_joints(path, camera=CAMERA).confidence <= 1).all()
    np.savez(path, xy=xy[..., :5, :])
    with pytest.raises(BadInput, match="17"):
        read_joints(path, camera=CAMERA)
    found.save(tmp_path / "tracks.npz")
    assert len(read_joints(tmp_path)) == 11
    assert read_joints(tmp_path, camera=CAMERA).camera is CAMERA


def test_the_verb_writes_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dyad.cli.lift import lift_command

    weights = tmp_path / "mine.safetensors"
    Checkpoint.of(network(), "lifting", arguments={**SMALL, "dilations": [1, 3]}).save(weights)
    tracks(walker(12)).save(tmp_path / "tracks.npz")
    lift_command(tmp_path / "tracks.npz", output=tmp_path / "out", model=str(weights), device="cpu", json=True)
    assert '"rows": 12' in capsys.readouterr().out
    assert torch.isfinite(Tracks.load(tmp_path / "out").xyz).all()
    with pytest.raises(BadUsage, match="--skeleton"):
        lift_command(tmp_path, output=tmp_path, skeleton="octopus")


def test_a_joint_that_is_elsewhere_for_good_counts_as_missing() -> None:
    xyz = walker(60)
    right, wrong = tracks(xyz), tracks(xyz)
    spine, wrist = BODY17.indices("spine", "left_wrist")
    xy = wrong.xy.clone()
    xy[:, spine] += torch.tensor((190.0, 0.0))
    # For a moment a joint may be anywhere.
    xy[20:30, wrist] += torch.tensor((190.0, 0.0))
    knowing = Knowing([xyz])
    found = LearnedLifter(knowing, height=STATURE)(wrong.with_(xy=xy))
    assert (found.confidence[:, spine] == 0).all()
    assert (found.confidence[:, wrist] > 0).all()
    plain = LearnedLifter(Knowing([xyz]), height=STATURE)(right)
    others = [joint for joint in range(17) if joint != wrist]
    assert (found.xyz[:, others] - plain.xyz[:, others]).norm(dim=-1).max() < 0.02
    assert len(knowing.ups) == 2
