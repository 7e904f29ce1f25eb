import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.bench.integration import BRANCHES, Crowds, Simulated, as_text, bench_integration, camera_of, truth_of
from dyad.bench.integration_published import anonymous, bench_published
from dyad.bench.integration_scores import LEVELS, METRICS, PersonFrames, orderings, person_frames, table
from dyad.bench.stored import NETWORKS, find_stored
from dyad.core.errors import BadInput, BadUsage, MissingWeights
from dyad.core.tracks import Tracks
from dyad.models.fusion import FusionNetwork
from dyad.stages.association import PoseMatching
from dyad.stages.integration import Hard, Learned, Linear
from tests.training.troupes import troupe


@pytest.fixture
def crowds() -> Crowds:
    return Crowds(troupe(), scenes=2, people=(3, 4), frames=6)


def untrained() -> Learned:
    torch.manual_seed(0)
    return Learned(FusionNetwork(width=8, dilations=(1,)))


def true_tracks(crowds: Crowds) -> tuple[Tracks, object]:
    gathering = crowds(0)
    truth = truth_of(gathering)
    frame, person = np.nonzero(truth.counted)
    at = (torch.from_numpy(frame), torch.from_numpy(person))
    xyz, xy = (torch.from_numpy(value)[at] for value in (truth.xyz, truth.xy))
    tracks = Tracks.of_rows(
        camera=camera_of(gathering), frame=at[0], person=at[1], xyz=xyz, xy=xy, frames=torch.arange(6)
    )
    return tracks, truth


def test_the_truth_scores_everything_and_nobody_scores_nothing(crowds: Crowds) -> None:
    tracks, truth = true_tracks(crowds)
    perfect = person_frames(truth, tracks)  # ty: ignore[invalid-argument-type]
    for name in ("pck", "pck_abs", "roots_25cm"):
        assert (perfect.values[name] == 100).all()
    none = person_frames(truth, tracks[torch.zeros(len(tracks), dtype=torch.bool)])  # ty: ignore[invalid-argument-type]
    assert all((none.values[name] == 0).all() for name in METRICS)
    moved = person_frames(truth, tracks.with_(xyz=tracks.xyz + torch.tensor((0.0, 0.0, 0.2))))  # ty: ignore[invalid-argument-type]
    assert (moved.values["pck"] == 100).all()
    assert (moved.values["pck_abs"] == 0).all()
    assert (moved.values["roots_25cm"] == 100).all()


def frames(value: float, hidden: float, count: int = 4) -> PersonFrames:
    return PersonFrames({name: np.full(count, value) for name in METRICS}, np.full(count, hidden))


def test_levels_means_and_intervals() -> None:
    scenes = [frames(40.0, 0.0), frames(60.0, 0.2, 12), frames(0.0, 0.9)]
    row = table({"x": scenes})["x"]
    assert row["all"]["pck"]["value"] == pytest.approx((4 * 40 + 12 * 60) / 20)
    assert (row["open"]["pck"]["value"], row["partly"]["pck"]["value"], row["mostly"]["pck"]["value"]) == (40, 60, 0)
    assert row["partly"]["person_frames"] == 12
    assert row["all"]["pck"]["low"] < row["all"]["pck"]["value"] < row["all"]["pck"]["high"]
    assert set(row) == set(LEVELS)


def test_what_is_better_in_every_scene_holds_and_what_is_not_does_not() -> None:
    base = [frames(value, 0.0) for value in (10.0, 50.0, 90.0, 30.0)]
    better = [frames(value + 5, 0.0) for value in (10.0, 50.0, 90.0, 30.0)]
    mixed = [frames(value, 0.0) for value in (20.0, 40.0, 95.0, 26.0)]
    said = orderings({"a": better, "b": base, "c": mixed}, [("a", "b"), ("c", "b"), ("a", "missing")])
    assert set(said) == {"a > b", "c > b"}
    assert said["a > b"]["all"]["pck"] == {"value": 5.0, "low": 5.0, "high": 5.0, "sign": True, "holds": True}
    assert not said["c > b"]["all"]["pck"]["holds"]


def test_branches_differ_in_what_was_stated_alone(crowds: Crowds) -> None:
    said = Simulated()(crowds(0), 5)
    assert set(said) == set(BRANCHES)
    again = Simulated()(crowds(0), 5)
    assert all(torch.equal(said[n].xyz.nan_to_num(), again[n].xyz.nan_to_num()) for n in said)
    assert min(said["BU (w CH)"].people) >= 1000
    assert max(said["TD (w MP)"].people) < 10


def test_the_tables_have_their_rows(crowds: Crowds) -> None:
    found = bench_integration(crowds, {"TD + BU (IN)": untrained()})
    wanted = {*BRANCHES, *(f"TD + BU ({name})" for name in ("w/o MP,CH", "hard", "linear", "w/o PM", "IN"))}
    assert set(found["rows"]) == wanted
    assert len(found["orderings"]) == 7
    assert "TD + BU (IN) > TD + BU (linear)" in as_text(found)
    json.dumps(found, allow_nan=False)
    second = bench_integration(crowds, {"Rep": Linear(), "MP": Hard()}, table_number=2)
    assert set(second["rows"]) == {"Rep", "MP"}
    assert set(second["orderings"]) == {"Rep > MP"}
    with pytest.raises(BadUsage):
        bench_integration(crowds, {}, table_number=3)


def test_nameless_rows_are_the_same_people(crowds: Crowds) -> None:
    tracks, _ = true_tracks(crowds)
    other = anonymous(tracks)
    assert not set(other.people) & set(tracks.people)
    sure = torch.ones(tracks.xy.shape[:2])
    back = PoseMatching()(tracks.with_(confidence=sure), other.with_(confidence=sure))
    assert torch.equal(back.person, tracks.person)
    assert torch.allclose(back.xyz, tracks.xyz)
    assert len(other) == len(tracks)


def test_published_branches_integrate_to_more_than_either(real: Path) -> None:
    """The shipped network never saw these people, nor errors of this system."""
    try:
        learned = Learned.load()
    except MissingWeights:
        pytest.skip("the weights `integration` are not shipped")
    folder = real / "mupots"
    if not any({NETWORKS["topdown"], NETWORKS["bottomup"]} <= set(s.arrays) for s in find_stored(folder)):
        pytest.skip("no published branch outputs")
    scores = bench_published(folder, rules={"linear": Linear(), "learned": learned}, sequences=["TS10", "TS18"])
    pck = {name: rows["mean"]["pck"] for name, rows in scores.items()}
    assert pck["learned"] > max(pck["topdown"], pck["bottomup"], pck["linear"])


def test_a_folder_without_branches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="TSxx"):
        bench_published(tmp_path, rules={"linear": Linear()})
