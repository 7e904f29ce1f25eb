"""Somebody who knows the truth finds everyone, somebody who sees nothing finds nobody."""

import pytest

from dyad.bench.rendered import bench_rendered
from dyad.core.skeleton import COCO17
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_tracks import OracleTracker
from dyad.synthetic.random_scenes import Recipe
from dyad.synthetic.scenes import Scene

RECIPE = Recipe(
    people=(2, 2), size=(192, 144), seconds=0.2, fps=10, near=4, far=8, cameras=("static",), lens=0.0, detail="low",
    samples=1, furniture=0,
)  # fmt: skip


class Watching:
    """A recipe that remembers its last scene, so that an oracle can look it up."""

    def __call__(self, seed: int) -> Scene:
        self.scene = RECIPE(seed)
        return self.scene

    def detect(self, video, prior=None):
        return OracleDetector(self.scene.truth(COCO17))(video)

    def track(self, detections, video):
        return OracleTracker(self.scene.truth(COCO17))(detections, video)


def test_whoever_knows_the_truth_finds_everyone() -> None:
    watching = Watching()
    scores = bench_rendered(
        detector=watching.detect, tracker=watching.track, scenes=4, recipe=watching, min_height=20, every=1
    )
    assert scores["people"] >= 4
    assert scores["recall"] == 1
    assert scores["oks"] == pytest.approx(1, abs=1e-6)
    for bins in (scores["by_distance"], scores["by_height"]):
        assert sum(one["people"] for one in bins) <= scores["people"]
    assert (
        sum(one["people"] for name, one in scores["by_clothes"].items() if name.startswith("shirt")) == scores["people"]
    )


def test_whoever_sees_nothing_finds_nobody() -> None:
    watching = Watching()

    def blind(detections, video):
        tracks = watching.scene.truth(COCO17)
        return tracks[tracks.frame < 0]

    scores = bench_rendered(detector=watching.detect, tracker=blind, scenes=4, recipe=watching, min_height=20, every=1)
    assert scores["people"] >= 4
    assert scores["recall"] == 0
    assert scores["oks"] is None
