"""The pipeline is its parts, one after the other; the watch knows what happened."""

import time

import pytest
import torch

from dyad.core.devices import pick_device
from dyad.core.errors import BadUsage
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Flag, Tracks
from dyad.pipeline import Pipeline, Watch
from dyad.stages import DETECTORS
from dyad.stages.lifting import GeometricLifter
from dyad.stages.lifting_learned import LearnedLifter
from dyad.stages.oracle import Noise, OracleDetector
from dyad.stages.tracking import PoseTracker

from .stages.stage_walkers import Clock, Walker, clock, line, scores, truth


class Timed(Clock):
    """A clock that knows how long it runs, as videos do."""

    @property
    def expected(self) -> int:
        return len(self.indices)


def walkers(seconds: float = 2.0) -> tuple[Timed, Tracks]:
    beat = clock(seconds)
    video = Timed(beat.indices, beat.times, fps=beat.fps)
    return video, truth([Walker(line(-1.5, 0, 4, seconds)), Walker(line(1.5, 0.5, 5.5, seconds), phase=0.4)], video)


def test_a_pipeline_is_its_parts_in_order() -> None:
    video, real = walkers()
    detector = OracleDetector(real, Noise.mild(), seed=2)
    tracker, lifter = PoseTracker(), GeometricLifter()
    whole = Pipeline(detector, tracker, lifter)(video)
    by_hand = lifter(tracker(detector(video), video))
    assert whole.skeleton == BODY17
    assert torch.equal(whole.xyz, by_hand.xyz)
    assert torch.equal(whole.person, by_hand.person)


def test_all_oracle_finds_everyone_where_they_are() -> None:
    video, real = walkers()
    found = Pipeline(OracleDetector(real), PoseTracker(), GeometricLifter())(video)
    expected = real.convert(BODY17)
    assert scores(expected, found)[0] > 0.99
    assert len(found) == len(expected)
    ratio = found.xyz[:, 0, 2] / expected.xyz[:, 0, 2]
    assert ((ratio - 1).abs() < 0.15).all()


def test_a_detector_of_2d_joints_runs_end_to_end() -> None:
    video, real = walkers()
    flat = real.convert(COCO17)
    flat = flat.with_(xyz=torch.full_like(flat.xyz, torch.nan))
    found = Pipeline(OracleDetector(flat, Noise.mild(), seed=1), PoseTracker(), GeometricLifter())(video)
    assert len(found.people) == 2
    assert torch.isfinite(found.xyz).all()
    assert bool((found.flags & int(Flag.FLAT)).all())
    assert (found.sigma[..., 2] > 0.25).all()


def test_the_watch_knows_what_happened() -> None:
    video, real = walkers(1.0)
    told: list[tuple[str, int, int | None]] = []
    watch = Watch(lambda *what: told.append(what))
    found = Pipeline(OracleDetector(real, cuts=(10,)), PoseTracker(), GeometricLifter())(video, watch)
    assert found.cuts == (10,)
    assert watch.detections == len(real)
    assert set(watch.seconds) == {"detect", "track", "lift"}
    assert all(value >= 0 for value in watch.seconds.values())
    assert told == [("detect", done, 30) for done in range(1, 31)]


def test_time_inside_another_stage_counts_once() -> None:
    watch = Watch()
    with watch.stage("outer"):
        time.sleep(0.03)
        with watch.stage("inner"):
            time.sleep(0.06)
    assert 0.02 < watch.seconds["outer"] < 0.055
    assert watch.seconds["inner"] >= 0.055


def test_a_stage_that_fails_is_still_counted() -> None:
    watch = Watch()
    with pytest.raises(ValueError, match="no"), watch.stage("lift"):
        raise ValueError("no")
    assert "lift" in watch.seconds


@pytest.mark.parametrize(
    "options", [{"height": 0.2}, {"height": 17.0}, {"key_interval": -1.0}, {"detector": "eyes"}, {"device": "gpu7"}]
)
def test_options_that_make_no_sense(options: dict) -> None:
    with pytest.raises(BadUsage):
        Pipeline.default(**options)


@pytest.mark.parametrize("name", [name for name in DETECTORS if name != "blazepose"])
def test_detectors_that_need_files_ask_for_them(name: str) -> None:
    with pytest.raises(BadUsage, match="--weights"):
        Pipeline.default(detector=name)


def test_a_detector_may_be_an_object() -> None:
    _, real = walkers(0.2)
    detector = OracleDetector(real)
    pipeline = Pipeline.default(detector=detector, height=1.8, max_people=1)
    assert pipeline.detector is detector
    assert isinstance(pipeline.lifter, LearnedLifter)
    assert isinstance(Pipeline.default(detector=detector, lifter="geometric").lifter, GeometricLifter)
    assert pipeline.lifter.height == 1.8
    assert isinstance(pipeline.tracker, PoseTracker)
    assert pipeline.tracker.max_people == 1


@pytest.mark.parametrize("options", [{"thorough": True}, {"key_interval": 1.0}, {"weights": ("a.onnx", "b.onnx")}])
def test_options_that_an_own_detector_would_not_hear_of_are_refused(options: dict) -> None:
    detector = OracleDetector(walkers(0.2)[1])
    with pytest.raises(BadUsage, match="--" + next(iter(options)).replace("_", "-")):
        Pipeline.default(detector=detector, lifter="geometric", **options)


def test_weights_of_others_are_not_for_blazepose() -> None:
    with pytest.raises(BadUsage, match=r"transformers or onnx, got a\.onnx for blazepose"):
        Pipeline.default(weights=("a.onnx",))


def test_devices() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in {"cpu", "cuda", "mps"}
