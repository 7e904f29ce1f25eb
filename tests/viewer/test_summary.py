import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.skeleton import COCO17
from dyad.core.tracks import Flag, Tracks
from dyad.viewer.payload import ground
from dyad.viewer.summary import stature_of, summarise, trust

from .walkers import walkers


def told(tracks: Tracks, run=None) -> dict[int, dict]:
    return {entry["id"]: entry for entry in summarise(tracks, ground(tracks)["up"], run)}


def test_seconds_and_shares():
    tracks = walkers(300)
    found = told(tracks)
    assert found[1]["seconds"] == pytest.approx(10, abs=0.01)
    filled = tracks.filled[tracks.rows(1)].double().mean().item()
    assert found[1]["filled"] == pytest.approx(filled, abs=1e-4)
    assert found[1]["seen"] == pytest.approx(10 * (1 - filled), abs=0.01)
    assert found[2]["share"] == pytest.approx(len(tracks.rows(2)) / 300, abs=1e-4)
    assert (found[2]["from"], found[2]["to"]) == pytest.approx((0, 10), abs=0.01)


def test_walking_is_that_of_the_walkers():
    tracks = walkers(150)
    found = told(tracks)
    # They swing their legs with 0.9 strides a second.
    assert found[1]["cadence"] == pytest.approx(108, abs=1)
    assert found[1]["distance"] == pytest.approx(2.9, abs=0.1)
    assert found[1]["speed_low"] <= found[1]["speed"] <= found[1]["speed_high"]


def test_stature_has_an_uncertainty_that_knowledge_shrinks_and_noise_grows():
    tracks = walkers(60)
    plain, given = told(tracks)[1], told(tracks, {"options": {"height": 1.78}})[1]
    assert plain["stature"] == given["stature"] == pytest.approx(1.78, abs=0.05)
    assert plain["stature_spread"] == pytest.approx(0.05 * 1.79, abs=0.01)
    assert given["stature_spread"] < 0.03
    torch.manual_seed(0)
    noisy = tracks.with_(xyz=tracks.xyz + 0.1 * torch.randn_like(tracks.xyz))
    assert stature_of(noisy, noisy.rows(1), True)[1] > 0.05
    assert told(tracks, {"options": None})[1]["stature_spread"] == plain["stature_spread"]


def test_good_fair_poor_and_why():
    tracks = walkers(60, source="given")
    rows = tracks.rows(2)
    assert trust(tracks, rows) == ("good", [])
    part = torch.zeros(len(tracks), dtype=torch.bool)
    part[rows[: len(rows) // 6]] = True
    grade, (why,) = trust(tracks.with_(filled=part), rows)
    assert grade == "fair"
    assert "filled in" in why
    flags = tracks.flags.clone()
    flags[rows] |= int(Flag.FLAT)
    assert trust(tracks.with_(flags=flags, filled=part), rows)[0] == "poor"
    assert "no 3D" in trust(tracks.with_(flags=flags, filled=part), rows)[1][0]  # the worst comes first
    flags = tracks.flags.clone()
    flags[rows[::20]] |= int(Flag.SWAPPED_SIDES)
    assert trust(tracks.with_(flags=flags), rows)[0] == "fair"
    assert trust(tracks.with_(agreement=torch.full_like(tracks.agreement, 0.5)), rows)[0] == "fair"
    assert trust(tracks.with_(agreement=torch.full_like(tracks.agreement, 0.2)), rows)[0] == "poor"
    assert trust(tracks.with_(confidence=0.3 * tracks.confidence), rows)[0] == "poor"
    grade, (why,) = trust(tracks.with_(sigma=40 * tracks.sigma), tracks.rows(2))
    assert grade == "poor"
    assert "distance from the camera" in why


def test_a_moment_is_little_evidence():
    grade, (why,) = trust(walkers(20, source="given"), walkers(20).rows(2)[:15])
    assert grade == "fair"
    assert "only" in why


def test_other_joints_and_nobody():
    found = told(walkers(60).convert(COCO17))
    assert found[1]["stature"] is None
    assert found[1]["stature_spread"] is None
    empty = Tracks.of_rows(
        camera=Camera.guess((64, 48)), frame=torch.zeros(0, dtype=torch.int64), person=torch.zeros(0, dtype=torch.int64)
    )
    assert summarise(empty, [0, -1, 0]) == []


def test_without_any_3d_nothing_is_made_up():
    tracks = walkers(40)
    found = told(tracks.with_(xyz=torch.full_like(tracks.xyz, torch.nan)))[1]
    assert {found[key] for key in ("stature", "speed", "cadence")} == {None}
    assert found["seen"] > 0
