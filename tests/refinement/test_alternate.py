"""Flow and pose in turns: what is gained, what drifts and what stops it, what is left alone, going on after a kill."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.core.flow import Flow, Flows
from dyad.core.protocols import FlowEstimator
from dyad.core.tracks import Tracks
from dyad.core.video import Chunk, Video
from dyad.models.raft import raft_small
from dyad.refinement.alternate import RECIPES, Refined, Refiner
from dyad.refinement.disagreement import Disagreement
from dyad.refinement.flow import PaperTuning, Tuned
from dyad.refinement.flow_fusion import LimbFusion
from dyad.refinement.gauss_newton import GaussNewton
from dyad.refinement.moves import Moves
from dyad.refinement.pose import DEFAULT_LAMBDAS, PoseRefiner
from dyad.refinement.released_pose import ReleasedPoses
from dyad.refinement.target import LimbSketch
from dyad.refinement.target_paper import DETECTION_BONES, ReleasedSketch
from dyad.stages.flow import NetworkFlow
from dyad.stages.oracle_flow import FlowNoise, OracleFlow
from tests.refinement.scenes import error, image_error, noisy
from tests.refinement.swinging import SIZE, Swing, swing

EXACT = GaussNewton(gain=1e-9, steps=200)
# So much that one cycle gains, in pose and flow, and so little that many lose.
NOISE = FlowNoise(error=0.3, motion=0.08, outliers=0.02)


@pytest.fixture(scope="module")
def world() -> Swing:
    return swing(10)


@pytest.fixture(scope="module")
def given(world: Swing) -> Tracks:
    return noisy(world.truth)


def poor(world: Swing) -> OracleFlow:
    return OracleFlow(world.flows, noise=NOISE, seed=3)


@dataclass
class Watched:
    """An estimator that remembers for which pairs it was asked."""

    inner: FlowEstimator
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        self.asked += zip(first.indices.tolist(), second.indices.tolist(), strict=True)
        return self.inner(first, second)

    def copy(self) -> "Watched":
        return self


@dataclass(frozen=True)
class Given:
    """Flows that are there, by the frame in which they begin."""

    flows: dict[int, Flow]

    def __call__(self, first: Chunk, second: Chunk) -> Flow:
        return Flow.stack([self.flows[frame] for frame in first.indices.tolist()])

    def copy(self) -> "Given":
        return self


@dataclass(frozen=True)
class Overlay:
    """A tuner that fits the sketch as a network does that was tuned for too long; each cycle goes on from the last."""

    share: float = 0.8

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        frames = video.indices.tolist()
        found = {}
        for k in range(len(moves)):
            before = estimator.flows[frames[k]] if isinstance(estimator, Given) else flows[k]
            target = LimbSketch(thickness=3.0, confidence=0.0)(moves[k : k + 1], SIZE)
            drawn = replace(target, weight=self.share * target.weight)
            found[frames[k]] = drawn.over(Flow(before.uv[None]))[0]
        return Tuned(list(found.values()), Given(found))


@dataclass(frozen=True)
class Nothing:
    """A tuner that leaves the flow as it is."""

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        return Tuned([flows[k] for k in range(len(flows))], None)


def drifting(cycles: int, score: Callable[[Tracks, Flows], float] | None = None) -> Refiner:
    return Refiner(pose=PoseRefiner(), tuner=Overlay(), cycles=cycles, anchor="last", score=score)


def joint_error(flows: Flows, world: Swing) -> float:
    """Mean error of the flow at joints, px."""
    xy = world.truth.window().xy
    off = [flows[k].at(xy[k]) - world.flows[k].at(xy[k]) for k in range(len(flows))]
    return float(torch.linalg.vector_norm(torch.stack(off), dim=-1).nanmean())


def part_of(world: Swing, given: Tracks, frames: int) -> tuple[Video, Tracks]:
    """The first few frames of both."""
    video = Video(world.video[0:frames], camera=given.camera, fps=10)
    return video, given[given.frame < frames].with_(frames=given.frames[:frames], times=given.times[:frames])


def test_flow_and_pose_both_gain(world: Swing, given: Tracks) -> None:
    refined = Refiner.fast(score=Disagreement())(world.video, given, poor(world))
    assert refined.cycles == 1
    assert error(refined.tracks, world.truth) < 0.7 * error(given, world.truth)
    assert joint_error(refined.flows, world) < joint_error(refined.estimated, world)
    before, after = refined.scores
    assert after < before
    assert set(refined.seconds) == {"flow", "pose", "tune", "score"}
    # The estimated flow is what the estimator gave, to the precision in which it is kept.
    images = world.video[0:2]
    first, second = (Chunk(np.arange(k, k + 1), np.zeros(1), images[k : k + 1], np.zeros(1, bool)) for k in (0, 1))
    assert torch.allclose(refined.estimated[0].uv, poor(world)(first, second)[0].uv, rtol=1e-3, atol=1e-3)


def test_too_many_cycles_drift_and_the_score_stops_them(world: Swing, given: Tracks) -> None:
    """The supplement's figure 6 a and b: the best pose after the first cycle, and then ever worse, as is the flow."""
    once, often = (drifting(cycles)(world.video, given, poor(world)) for cycles in (1, 4))
    assert error(once.tracks, world.truth) < 0.7 * error(given, world.truth)
    assert error(often.tracks, world.truth) > 1.1 * error(once.tracks, world.truth)
    assert joint_error(once.flows, world) < joint_error(once.estimated, world)
    assert joint_error(often.flows, world) > 1.1 * joint_error(once.flows, world)
    stopped = drifting(4, Disagreement())(world.video, given, poor(world))
    assert stopped.cycles == 1
    assert len(stopped.scores) == 3
    assert torch.equal(stopped.tracks.xyz, once.tracks.xyz)
    assert torch.equal(stopped.flows[4].uv, once.flows[4].uv)


def test_the_default_hardly_drifts_even_if_nothing_stops_it(world: Swing, given: Tracks) -> None:
    once, often = (Refiner.fast(cycles=cycles)(world.video, given, poor(world)) for cycles in (1, 3))
    assert often.cycles == 3
    assert error(often.tracks, world.truth) < 1.05 * error(once.tracks, world.truth)
    stopped = Refiner.fast(cycles=3, score=Disagreement())(world.video, given, poor(world))
    assert stopped.cycles == 1
    assert torch.equal(stopped.tracks.xyz, once.tracks.xyz)


def test_with_true_pose_and_flow_nothing_drifts(world: Swing) -> None:
    """The supplement's figure 6 c and d."""
    # Their accelerations are no error: the prior on motion is left out.
    pose = PoseRefiner(lambdas=replace(DEFAULT_LAMBDAS, motion=0.0, bone=0.0))
    refined = replace(drifting(3), pose=pose)(world.video, world.truth, OracleFlow(world.flows))
    assert error(refined.tracks, world.truth) < 2e-3
    assert joint_error(refined.flows, world) < 0.1


def test_two_dimensions(world: Swing, given: Tracks) -> None:
    blind = given.with_(xyz=torch.full_like(given.xyz, torch.nan))
    good = OracleFlow(world.flows, noise=FlowNoise(error=0.2, motion=0.05), seed=3)
    refined = Refiner.fast(mode="2d", score=Disagreement(flat=True))(world.video, blind, good)
    assert refined.cycles == 1
    assert image_error(refined.tracks, world.truth) < 0.85 * image_error(given, world.truth)
    assert refined.tracks.xyz.isnan().all()


def test_the_given_network_is_not_touched(world: Swing, given: Tracks) -> None:
    torch.manual_seed(0)
    estimator = NetworkFlow(raft_small(), iterations=1)
    before = {name: value.clone() for name, value in estimator.network.state_dict().items()}
    video, tracks = part_of(world, given, 2)
    paper = replace(Refiner.paper(), pose=PoseRefiner(), tuner=PaperTuning(epochs=1))
    tuned = None
    for refiner in (Refiner.fast(), paper):
        tuned = refiner(video, tracks, estimator).estimator
        after = estimator.network.state_dict()
        assert all(torch.equal(after[name], value) for name, value in before.items())
    assert isinstance(tuned, NetworkFlow)
    assert any(not torch.equal(tuned.network.state_dict()[name], value) for name, value in before.items())


def test_cuts_and_people_who_come_and_go(world: Swing, given: Tracks) -> None:
    """No flow is asked for across a cut or where nobody is; shots are not tied together; who is absent stays so."""
    kept = ((given.person == 0) & (given.frame < 5)) | ((given.person == 1) & ((given.frame < 4) | (given.frame > 6)))
    tracks = given[kept].with_(cuts=(2,))
    estimator = Watched(poor(world))
    refiner = replace(Refiner.fast(), pose=PoseRefiner(solver=EXACT), whole=False)
    refined = refiner(world.video, tracks, estimator)
    assert estimator.asked == [(a, a + 1) for a in (0, 2, 3, 7, 8)]
    assert torch.equal(refined.tracks.frame, tracks.frame)
    assert torch.equal(refined.tracks.xyz.isfinite(), tracks.xyz.isfinite())
    assert not any(refined.flows[k].known.any() for k in (1, 4, 5, 6))
    # Only where somebody is: the flow of a whole image is known everywhere.
    assert 0 < refined.flows[7].known.float().mean() < 0.8
    other = tracks.with_(xyz=torch.where((tracks.frame < 2)[:, None, None], tracks.xyz + 0.05, tracks.xyz))
    apart = (refiner(world.video, other, estimator).tracks.xyz - refined.tracks.xyz).abs().amax((1, 2))
    assert (apart[tracks.frame < 2] > 0.01).all()
    assert (apart[tracks.frame >= 2] < 5e-3).all()


def test_a_cut_at_a_frame_that_was_left_out(world: Swing, given: Tracks) -> None:
    """Of every second frame of a video that is cut before its frame 3."""
    estimator = Watched(Given(dict(enumerate(world.flows))))
    kept = (given.frame % 2 == 0, given.frames % 2 == 0)
    tracks = given[kept[0]].with_(frames=given.frames[kept[1]], times=given.times[kept[1]], cuts=(3,))
    refiner = replace(Refiner.fast(cycles=0), tuner=Nothing())
    refined = refiner(world.video.selected(every=2), tracks, estimator)
    assert estimator.asked == [(0, 2), (4, 6), (6, 8)]
    assert not refined.flows[1].known.any()


def test_a_cut_that_only_the_video_shows() -> None:
    world = swing(10, cut=5)
    estimator = Watched(poor(world))
    refined = replace(Refiner.fast(cycles=0), tuner=Nothing())(world.video, world.truth, estimator)
    assert refined.tracks.cuts == (5,)
    assert estimator.asked == [(a, a + 1) for a in range(9) if a != 4]


class Killed(Exception):
    pass


class Mortal:
    """A tuner that is killed when it is called for the n-th time."""

    def __init__(self, inner: LimbFusion | PaperTuning, last: int) -> None:
        self.inner, self.last, self.calls = inner, last, 0

    def __call__(self, estimator: FlowEstimator, video: Video, moves: Moves, flows: Flows) -> Tuned:
        self.calls += 1
        if self.calls == self.last:
            raise Killed
        return self.inner(estimator, video, moves, flows)


@pytest.mark.parametrize("inner", [LimbFusion(), PaperTuning(epochs=1)], ids=["fast", "paper"])
def test_after_a_kill_it_goes_on_and_gives_the_same_bytes(
    world: Swing, given: Tracks, tmp_path: Path, inner: LimbFusion | PaperTuning
) -> None:
    video, tracks = part_of(world, given, 3)
    torch.manual_seed(0)
    estimator = Watched(NetworkFlow(raft_small(), iterations=1))
    flow = estimator if isinstance(inner, LimbFusion) else estimator.inner

    def refined(folder: Path | None, last: int = 0, key: str = "inputs") -> tuple[Refined, int]:
        tuner = Mortal(inner, last)
        refiner = Refiner(pose=PoseRefiner(), tuner=tuner, flow_first=True, whole=False)
        return refiner(video, tracks, flow, folder=folder, key=key), tuner.calls

    whole, _ = refined(None)
    with pytest.raises(Killed):
        refined(tmp_path / "stages", last=2)
    asked = len(estimator.asked)
    again, calls = refined(tmp_path / "stages")
    # The flow, a correction and the poses were there: one correction was left.
    assert calls == 1
    assert len(estimator.asked) == asked
    for name, found in (("whole", whole), ("again", again)):
        found.tracks.save(tmp_path / f"{name}.npz")
    assert (tmp_path / "whole.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()
    for k in range(2):
        assert torch.equal(whole.flows[k].filled(0), again.flows[k].filled(0))
    assert not list((tmp_path / "stages").glob(".*"))
    # Other inputs find nothing of it.
    if isinstance(inner, LimbFusion):
        assert refined(tmp_path / "stages", key="others")[1] == 2


def test_the_first_cycle_is_refused_where_it_does_harm(world: Swing, given: Tracks) -> None:
    worse = iter((0.1, 0.2))
    refiner = Refiner(pose=PoseRefiner(), tuner=Nothing(), cycles=3, score=lambda tracks, flows: next(worse))
    refined = refiner(world.video, given, poor(world))
    assert (refined.cycles, refined.scores) == (0, (0.1, 0.2))
    assert torch.equal(refined.tracks.xyz, given.xyz)
    assert refined.flows is refined.estimated


def test_cycles_end_when_little_is_gained(world: Swing, given: Tracks) -> None:
    values = iter((0.5, 0.4, 0.395, 0.1))
    refiner = Refiner(pose=PoseRefiner(), tuner=Nothing(), cycles=5, score=lambda tracks, flows: next(values))
    assert refiner(world.video, given, poor(world)).cycles == 2
    flow_alone = Refiner(pose=PoseRefiner(), tuner=Nothing(), cycles=0)(world.video, given, poor(world))
    assert torch.equal(flow_alone.tracks.xyz, given.xyz)


def test_nobody_is_refined_to_nobody(world: Swing, given: Tracks) -> None:
    estimator = Watched(poor(world))
    refiner = replace(Refiner.fast(score=Disagreement()), whole=False)
    refined = refiner(world.video, given[given.frame < 0], estimator)
    assert len(refined.tracks) == 0
    assert estimator.asked == []


def test_what_does_not_belong_together(world: Swing, given: Tracks) -> None:
    refiner, video = Refiner.fast(), world.video
    small = given.with_(camera=given.camera.resize(80, 60))
    with pytest.raises(BadInput, match=r"tracks are about images of 80x60 px and .* is 160x120"):
        refiner(video, small, poor(world))
    with pytest.raises(BadInput, match=r"about 10 frames \(0 to 9\), the video ends after 6"):
        refiner(part_of(world, given, 6)[0], given, poor(world))
    with pytest.raises(BadInput, match=r"about 9 frames \(0 to 8\), the video has frame 9 at place 9"):
        refiner(video, part_of(world, given, 9)[1], poor(world))
    with pytest.raises(BadUsage, match="0 cycles or more, got -1"):
        Refiner.fast(cycles=-1)
    with pytest.raises(BadUsage, match="one of fast, paper, released, got 'quick'"):
        Refiner.of("quick")


@pytest.mark.parametrize("mode", ["3d", "2d"])
def test_recipes(mode: str) -> None:
    made = {recipe: Refiner.of(recipe, mode=mode, cycles=2) for recipe in RECIPES}
    assert {refiner.pose.mode for refiner in made.values()} == {mode}
    assert {refiner.cycles for refiner in made.values()} == {2}
    assert isinstance(made["fast"].tuner, LimbFusion)
    assert isinstance(made["paper"].tuner, PaperTuning)
    assert made["paper"].flow_first
    assert not made["fast"].flow_first
    assert (made["paper"].anchor, made["released"].anchor) == ("initial", "last")
    assert isinstance(made["released"].pose, ReleasedPoses) == (mode == "3d")
    drawn = ReleasedSketch() if mode == "3d" else ReleasedSketch(bones=DETECTION_BONES, confidence=0.6, bounded=True)
    assert isinstance(made["released"].tuner, PaperTuning)
    assert (made["released"].tuner.sketch, made["released"].tuner.mode) == (drawn, mode)
    assert Refiner.paper(reading="end").pose.reading == "end" != made["paper"].pose.reading
    assert Refiner.fast().cycles == Refiner.paper().cycles == 1
