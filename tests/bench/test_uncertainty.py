"""Coverage of intervals: a lifter whose sigma is right, one that boasts, and the shipped one on a few crowds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.bench.integration import Crowds
from dyad.bench.uncertainty import bench_uncertainty, claimed, seen
from dyad.bench.uncertainty_plot import reliability
from dyad.core.tracks import Tracks
from dyad.stages.lifting_learned import make_lifter
from tests.training.troupes import troupe


@pytest.fixture(scope="module")
def crowds() -> Crowds:
    return Crowds(troupe(), scenes=3, people=(3, 4), frames=20)


class Honest:
    """Knows the truth but for normal errors of 4 cm, and says so, times `boast`."""

    def __init__(self, crowds: Crowds, boast: float = 1.0) -> None:
        self.scenes = iter([crowds(k) for k in range(crowds.scenes)])
        self.boast = boast

    def __call__(self, tracks: Tracks) -> Tracks:
        gathering = next(self.scenes)
        truth = torch.from_numpy(gathering.xyz)[tracks.frame, tracks.person]
        error = 0.04 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(1))
        return tracks.with_(xyz=truth + error, sigma=torch.full_like(truth, 0.04 * self.boast))


def test_intervals_of_a_right_sigma_hold_what_they_should(crowds: Crowds) -> None:
    scores = bench_uncertainty(Honest(crowds), crowds)
    assert scores["scenes"] == 3
    for kind, told in scores["coverage"].items():
        for share, values in told.items():
            assert values["mean"] == pytest.approx(float(share) / 100, abs=0.08 if kind != "all" else 0.02), kind
    assert {"all", "trunk", "arms", "legs", "head", "in view"} <= set(scores["coverage"])


def test_who_boasts_is_found_out(crowds: Crowds) -> None:
    told = bench_uncertainty(Honest(crowds, boast=0.5), crowds)["coverage"]["all"]
    assert told["90"]["mean"] < 0.65
    assert told["50"]["mean"] < 0.32


def test_what_is_seen_has_a_detectors_errors_and_no_3d(crowds: Crowds) -> None:
    gathering = crowds(0)
    tracks = seen(gathering, 5)
    assert tracks.xyz.isnan().all()
    rays = torch.from_numpy(gathering.rays)[tracks.frame, tracks.person]
    depth = torch.from_numpy(gathering.xyz[..., 2])[tracks.frame, tracks.person]
    off = ((tracks.camera.rays(tracks.xy)[..., :2] - rays).norm(dim=-1) * depth)[tracks.confidence > 0]
    assert 0.005 < off.median() < 0.06
    assert torch.equal(tracks.xy, seen(gathering, 5).xy)
    right = claimed(gathering, Honest(replace(crowds, scenes=1))(tracks))
    assert np.abs(right.truth - right.predicted).mean() < 0.05


def test_the_shipped_lifter_neither_boasts_nor_hides(crowds: Crowds) -> None:
    """Few people, so that chance allows much; `dyad bench uncertainty` holds it to less."""
    told = bench_uncertainty(make_lifter("lifting", torch.device("cpu")), crowds)["coverage"]["all"]
    assert 0.6 < told["90"]["mean"] <= 1
    assert 0.25 < told["50"]["mean"] < 0.85


def test_the_plot_has_a_row_for_each_kind(crowds: Crowds) -> None:
    scores = bench_uncertainty(Honest(crowds), crowds)
    picture = reliability(scores)
    assert picture.count("<circle") == 3 * len(scores["coverage"])
