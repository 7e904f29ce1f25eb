import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.skeleton import BLAZEPOSE33
from dyad.core.tracks import Tracks
from dyad.viewer.comparison import compare

from .walkers import walkers


def renamed(tracks: Tracks, names: dict[int, int]) -> Tracks:
    """The same people under other identities."""
    given = {name: getattr(tracks, name) for name in ("frame", "xy", "xyz", "confidence", "sigma", "filled", "box")}
    person = torch.tensor([names[one] for one in tracks.person.tolist()])
    kept = {"camera": tracks.camera, "frames": tracks.frames, "times": tracks.times, "world": tracks.world}
    return Tracks.of_rows(person=person, **given, **kept)


def test_a_run_is_as_far_from_itself_as_nothing():
    tracks = walkers(40)
    found = compare(tracks, tracks)
    assert (found.distance, found.pose, found.root) == (0, 0, 0)
    assert found.matched == len(tracks)
    assert found.alone == (0, 0)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(1, 1), (2, 2)]


def test_a_shift_is_measured_and_leaves_the_pose():
    tracks = walkers(40)
    shift = torch.tensor([0.03, 0.0, 0.04])
    found = compare(tracks, renamed(tracks.with_(xyz=tracks.xyz + shift), {1: 7, 2: 3}))
    assert found.distance == pytest.approx(0.05, abs=1e-6)
    assert found.root == pytest.approx(0.05, abs=1e-6)
    assert found.pose == pytest.approx(0, abs=1e-6)
    assert [(pair.first, pair.second) for pair in found.pairs] == [(1, 7), (2, 3)]
    assert found.apart[0] == pytest.approx(np.full(len(tracks), 0.05), abs=1e-6)
    assert found.facts()["distance_mm"] == 50.0


def test_one_joint_counts_as_one_of_all():
    tracks = walkers(40)
    xyz = tracks.xyz.clone()
    xyz[:, tracks.skeleton.index("left_wrist"), 1] += 0.17
    found = compare(tracks, tracks.with_(xyz=xyz))
    assert found.distance == found.pose == pytest.approx(0.01, abs=1e-6)
    assert found.root == 0


def test_who_is_missing_in_one_is_alone_in_the_other():
    tracks = walkers(40)
    found = compare(tracks, tracks[tracks.person == 1])
    there = int((tracks.person == 2).sum())
    assert found.alone == (there, 0)
    assert np.isnan(found.apart[0][tracks.rows(2).numpy()]).all()
    assert compare(tracks[tracks.person == 1], tracks).alone == (0, there)


def test_identities_that_change_make_more_pairs():
    tracks = walkers(40)
    swap = (tracks.frame >= 30).numpy()
    person = np.where(swap, 3 - tracks.person.numpy(), tracks.person.numpy())
    other = Tracks.of_rows(
        person=torch.tensor(person),
        frame=tracks.frame,
        xy=tracks.xyz[..., :2] * 0 + tracks.xy,
        xyz=tracks.xyz,
        camera=tracks.camera,
        frames=tracks.frames,
        times=tracks.times,
    )
    found = compare(tracks, other)
    assert found.distance == 0
    assert {(pair.first, pair.second): pair.frames for pair in found.pairs} == {
        (1, 1): 30,
        (1, 2): 10,
        (2, 2): int(((tracks.person == 2) & (tracks.frame < 30)).sum()),
        (2, 1): int(((tracks.person == 2) & (tracks.frame >= 30)).sum()),
    }


def test_other_frames_sizes_and_skeletons_of_one_video():
    tracks = walkers(40)
    half = tracks[tracks.frame % 2 == 0].with_(frames=tracks.frames[::2], times=tracks.times[::2])
    found = compare(tracks, half)
    assert (found.common, found.distance) == (20, 0)
    assert found.alone == (0, 0)
    assert len(found.second.frames) == 40
    small = tracks.with_(xy=(tracks.xy + 0.5) / 2 - 0.5, camera=tracks.camera.resize(320, 180))
    found = compare(tracks, small)
    assert found.matched == len(tracks)
    assert found.second.xy == pytest.approx(tracks.xy, abs=1e-3)
    assert found.second.camera.size == tracks.camera.size
    other = compare(tracks, tracks.convert(BLAZEPOSE33))
    assert other.second.skeleton == tracks.skeleton
    assert other.distance == pytest.approx(0, abs=0.02)


def test_what_is_not_one_video_is_refused():
    tracks = walkers(10)
    with pytest.raises(BadInput, match="different shapes, 640 × 360 and 480 × 480"):
        compare(tracks, tracks.with_(camera=Camera.guess((480, 480))))
    late = Tracks.of_rows(
        camera=tracks.camera, person=tracks.person, frame=tracks.frame + 50, xyz=tracks.xyz, frames=tracks.frames + 50
    )
    with pytest.raises(BadInput, match="no frame in common"):
        compare(tracks, late)
    slow = walkers(10, times=np.arange(10) * 3.0 + 1)
    with pytest.raises(BadInput, match="no frame in common"):
        compare(tracks, slow)


def test_nobody_on_either_side():
    tracks = walkers(10)
    nobody = tracks[torch.zeros(len(tracks), dtype=torch.bool)]
    for a, b in ((tracks, nobody), (nobody, tracks), (nobody, nobody)):
        found = compare(a, b)
        assert found.matched == 0
        assert found.facts()["distance_mm"] is None
        assert found.alone == (len(a), len(b))


def test_matching_needs_no_joints_in_the_image():
    tracks = walkers(20)
    found = compare(tracks, tracks.with_(xy=torch.full_like(tracks.xy, torch.nan)))
    assert found.matched == len(tracks)


def test_what_a_run_is_like_by_itself():
    tracks = walkers(60)
    calm = compare(tracks, tracks).facts()["runs"][0]
    torch.manual_seed(0)
    noise = 0.02 * torch.randn_like(tracks.xyz)
    wild = compare(tracks, tracks.with_(xyz=tracks.xyz + noise)).facts()["runs"][1]
    assert calm["bones"] < 0.02
    assert calm["reprojection"] < 0.01
    # White noise of σ has second differences of √6 σ, in three axes a mean length of √(8/π) √6 σ.
    assert wild["jitter"] == pytest.approx(np.sqrt(8 / np.pi) * np.sqrt(6) * 0.02 * 30**2, rel=0.1)
    assert wild["bones"] > 3 * calm["bones"]
    assert wild["reprojection"] > 1
    assert calm["agreement"] is None
    assert calm["exchanged"] is None
    told = tracks.with_(agreement=torch.ones_like(tracks.agreement))
    assert compare(told, told).facts()["runs"][0]["exchanged"] == 0
    assert calm["filled"] == pytest.approx(tracks.filled.double().mean().item(), abs=1e-4)
