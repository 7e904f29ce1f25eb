"""The pipeline: a video goes in, tracks come out. Every part is passed in and may be replaced."""

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from dyad.core.detections import Detections
from dyad.core.devices import pick_device
from dyad.core.errors import BadUsage
from dyad.core.memory import give_back_memory
from dyad.core.protocols import Detector, FlowEstimator, Lifter, Tracker
from dyad.core.tracks import Tracks
from dyad.core.video import Video
from dyad.estimates.reading import own_people, read_people
from dyad.estimates.seeing import with_joints
from dyad.estimates.several import Estimate, averaged, paths_of
from dyad.estimates.sheet import Advice
from dyad.refinement import agreement
from dyad.refinement.agreement import Agreement
from dyad.refinement.alternate import Refined, Refiner
from dyad.refinement.disagreement import Disagreement
from dyad.refinement.inputs import tracks_on
from dyad.refinement.pose import Dimensions, PoseRefiner
from dyad.refinement.stage_files import weights_of
from dyad.stages import FLOW, LIFTING, make_detector, refuse_options
from dyad.stages.flow import ITERATIONS, make_flow
from dyad.stages.lifting import GeometricLifter
from dyad.stages.lifting_learned import make_lifter
from dyad.stages.plugins import load_plugin
from dyad.stages.shrunk_flow import ShrunkFlow
from dyad.stages.tracking import PoseTracker

T = TypeVar("T")

FLOW_SIDE = 960

# Told now and then how far a stage has come: its name, frames done, frames in all or None where unknown.
Progress = Callable[[str, int, int | None], None]
# Told what was found in each frame, in order, as soon as it is known.
OnFrame = Callable[[Detections], None]
# Told what tracks are like after a stage, by the stage's name: "track", "lift", "refine".
OnStage = Callable[[str, Tracks], None]


@dataclass
class Watch:
    """What a run did: seconds of each stage, how many people were found in all frames, and who is told of it."""

    progress: Progress | None = None
    on_frame: OnFrame | None = None
    on_stage: OnStage | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    detections: int = 0

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Count the time inside as the stage's, less what stages inside it counted as theirs."""
        start, others = time.perf_counter(), sum(self.seconds.values())
        try:
            yield
        finally:
            own = time.perf_counter() - start - (sum(self.seconds.values()) - others)
            self.seconds[name] = self.seconds.get(name, 0.0) + own

    def follow(
        self, name: str, items: Iterable[T], total: int | None, size: Callable[[T], int] = lambda _: 1
    ) -> Iterator[T]:
        """Pass items on; count the time that making them takes, and tell how far it is."""
        source, done = iter(items), 0
        while True:
            with self.stage(name):
                item = next(source, None)
            if item is None:
                return
            done += size(item)
            if self.progress is not None:
                self.progress(name, done, total)
            yield item

    def note(self, detections: Iterable[Detections]) -> Iterator[Detections]:
        """Pass detections on, tell of them, and remember how many there were."""
        for found in detections:
            self.detections += len(found)
            if self.on_frame is not None:
                self.on_frame(found)
            yield found

    def reached(self, stage: str, tracks: Tracks) -> Tracks:
        """Tell what a stage made of the tracks."""
        if self.on_stage is not None:
            self.on_stage(stage, tracks)
        return tracks


@dataclass(frozen=True)
class Pipeline:
    """Everyone in a video: `lifter(tracker(detector(video), video))`."""

    detector: Detector
    tracker: Tracker
    lifter: Lifter

    def __call__(self, video: Video, watch: Watch | None = None) -> Tracks:
        """Tracks in metres, in the frame of the video's camera."""
        watch = watch or Watch()
        detections = watch.follow("detect", watch.note(self.detector(video)), video.expected)
        with watch.stage("track"):
            tracks = self.tracker(detections, video)
        give_back_memory()
        watch.reached("track", tracks)
        with watch.stage("lift"):
            tracks = self.lifter(tracks)
        give_back_memory()
        return watch.reached("lift", tracks)

    @classmethod
    def default(
        cls,
        *,
        detector: str | Detector = "blazepose",
        tracker: str | Tracker | None = None,
        lifter: str | Lifter | None = None,
        weights: tuple[str, ...] = (),
        device: str = "auto",
        thorough: bool = False,
        max_people: int | None = None,
        height: float | None = None,
        key_interval: float | None = None,
    ) -> "Pipeline":
        """The parts that `dyad run` uses.

        Args:
            detector: a name of `dyad.stages.DETECTORS` or of a plug-in, or a detector.
            tracker, lifter: the name of a plug-in (docs/plugins.md), or the thing itself; None for Dyad's own. The
                lifter "geometric" places the detector's own 3D in place of learning from its 2D.
            weights: the files or folders that a named detector other than the default reads.
            device: "auto", "cpu", "cuda", "mps" or any other that torch knows.
            thorough: spend more time to find small and crowded people.
            max_people: keep the most evident ones.
            height: stature of everyone in m; without it a prior on human height acts.
            key_interval: s between the frames in which new people are looked for.
        """
        if height is not None and not 0.4 < height < 2.6:
            raise BadUsage(f"the height is a person's stature in metres, 0.4 to 2.6, got {height}")
        if key_interval is not None and not 0 <= key_interval < math.inf:
            raise BadUsage(f"the key interval is a number of seconds, 0 for every frame, got {key_interval}")
        policy = {"thorough": thorough, "max_people": max_people, "key_interval": key_interval}
        if isinstance(detector, str):
            detector = make_detector(detector, weights, pick_device(device), **policy)
        else:
            refuse_options(weights, **policy)
        if tracker is None:
            tracker = PoseTracker(max_people=max_people)
        elif max_people is not None:
            raise BadUsage("--max-people is a wish to Dyad's own tracker; give it to yours in its own way")
        if lifter is None:
            lifter = make_lifter(LIFTING, pick_device(device), height=height)
        elif lifter == "geometric":
            lifter = GeometricLifter(height=height)
        elif height is not None:
            raise BadUsage("--height is a wish to Dyad's own lifter; give it to yours in its own way")
        return cls(
            detector,
            load_plugin("tracker", tracker) if isinstance(tracker, str) else tracker,
            load_plugin("lifter", lifter) if isinstance(lifter, str) else lifter,
        )


@dataclass(frozen=True)
class Refinement:
    """Flow and pose that agree: tracks in, tracks and flow out.

    Attributes:
        estimator: whose flow it is. name: what it was called.
        refiner: how the two correct each other.
        agreement: judges the joints of the result by the flow as it was estimated.
    """

    estimator: FlowEstimator
    refiner: Refiner
    agreement: Agreement
    name: str = FLOW

    def __call__(
        self, video: Video, tracks: Tracks, watch: Watch | None = None, *, folder: Path | None = None, key: str = ""
    ) -> Refined:
        """See `Refiner`; stages are kept in a folder, under a key that stands for video, tracks and all of this."""
        watch = watch or Watch()
        refined = self.refiner(
            video,
            tracks,
            self.estimator,
            folder=folder,
            key=key,
            progress=watch.progress,
        )
        start = time.perf_counter()
        judged = self.agreement(refined.tracks, refined.estimated)
        spent = dict(refined.seconds)
        spent["score"] = spent.get("score", 0.0) + time.perf_counter() - start
        for name, seconds in spent.items():
            watch.seconds[name] = watch.seconds.get(name, 0.0) + seconds
        return replace(refined, tracks=judged, seconds=spent)

    def account(self, refined: Refined, plain: float = 0.0) -> dict[str, Any]:
        """What `run.json` says of it; `plain` s are what the poses took before."""
        seconds = refined.seconds
        estimate = seconds.get("flow", 0.0)
        base = plain + estimate
        return {
            "flow": self.name,
            "cycles": refined.cycles,
            "scores": [round(value, 6) if math.isfinite(value) else None for value in refined.scores],
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "agreement": agreement.account(refined.tracks),
            "cost_ratio": round(1 + (sum(seconds.values()) - estimate) / base, 3) if base else None,
        }

    @classmethod
    def default(
        cls,
        *,
        flow: str | FlowEstimator = FLOW,
        recipe: str = "fast",
        mode: Dimensions | None = None,
        cycles: int = 1,
        whole: bool = False,
        advice: Advice | None = None,
        flow_side: int = FLOW_SIDE,
        device: str = "auto",
    ) -> "Refinement":
        """The parts that `dyad refine` uses.

        Args:
            flow: weights by name, a folder or .npz of flow, or an estimator.
            recipe: "fast", "paper" or "released"; the last two give a network that is named its 20 iterations, whatever
                it was trained with, for flow and for tuning.
            mode: "3d", or "2d" where the 3D is not to be relied on; by the advice if None.
            cycles: just so many; of the fast recipe at most, for the label-free score may end it sooner.
            whole: estimate and keep flow everywhere, not only where people are.
            flow_side: px; networks see larger images shrunk to this longer side.
            advice: of whoever made the poses; the recipes of the paper follow it in how they treat cameras and motion,
                the fast one in whether the 3D was lifted from the 2D joints (`OWN`).
        """
        mode = mode or (advice or Advice()).mode
        judge = Agreement(joints="xy" if mode == "2d" else "xyz")
        # Not the agreement itself: where nearly all joints are right it no longer tells better from worse.
        fixed = recipe != "fast"
        score = None if fixed else Disagreement(flat=mode == "2d")
        refiner = Refiner.of(recipe, mode=mode, cycles=cycles, score=score)
        if fixed and mode == "3d" and advice is not None:
            refiner = replace(refiner, pose=_advised(refiner.pose, advice))
        if not fixed and advice is not None and advice.lifted:
            refiner = replace(refiner, pose=replace(refiner.pose, lifted=True))
        name = flow if isinstance(flow, str) else type(flow).__name__
        policy = {"iterations": ITERATIONS} if fixed else {}
        estimator = make_flow(flow, pick_device(device), **policy) if isinstance(flow, str) else flow
        if weights_of(estimator):
            estimator = ShrunkFlow(estimator, flow_side)
        return cls(estimator, replace(refiner, whole=whole), judge, name)


def _advised(pose: PoseRefiner, advice: Advice) -> PoseRefiner:
    lambdas = pose.lambdas
    if lambdas is not None and not advice.motion:
        lambdas = replace(lambdas, motion=0.0, camera=0.0, bone=0.0)
    # The paper's term on motion is for poses about their own root, and these need a camera that is refined with them.
    return replace(pose, weak_camera=advice.weak_camera or advice.motion, lambdas=lambdas)


def people_of(
    video: Video, found: Tracks | str | PathLike[str], detections: str | PathLike[str] | None = None
) -> tuple[Tracks, Advice]:
    """Whom others found in a video as tracks, and how to refine them; `detections` are other 2D joints of them.

    Files without identities are tracked; of several files with commas between them it is the mean. Raises BadInput for
    files that cannot be read, are of another video, or do not fit each other.
    """
    if not isinstance(found, Tracks) and len(paths := paths_of(found)) > 1:
        return averaged([Estimate(str(path), *people_of(video, path, detections)) for path in paths])
    if isinstance(found, Tracks):
        people = own_people(tracks_on(found, video))
        if detections is not None:
            people = with_joints(people, read_people(Path(detections), video=video))
    else:
        other = None if detections is None else Path(detections)
        people = read_people(Path(found), video=video, detections=other)
    tracks = people.tracks() if people.identified else PoseTracker()(people.detections(), video)
    return tracks, people.advice
