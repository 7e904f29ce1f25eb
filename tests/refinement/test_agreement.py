"""The agreement of pose and flow: people whose truth is known, who move over a still background."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.camera import Camera
from dyad.core.errors import BadInput
from dyad.core.flow import Flow, Lazy, pixels
from dyad.core.skeleton import BODY17
from dyad.core.tracks import Flag, Tracks
from dyad.refinement.agreement import Agreement, account
from dyad.refinement.agreement_swaps import Swaps

from .standing import person

JUDGE = Agreement(joints="xy")


def walkers(
    *, frames: int = 21, fps: float = 25.0, scale: float = 1.0, starts: tuple[float, ...] = (35.0, 115.0)
) -> tuple[Tracks, list[Flow]]:
    """People 60 px tall whose limbs swing as they cross a still image, and the flow of their bodies' pixels."""
    size = (round(160 * scale), round(96 * scale))
    camera = Camera.from_focal(size, 150 * scale)
    at, grid = torch.arange(frames) / fps, pixels(size)
    poses = []
    for number, start in enumerate(starts):
        speed = (45.0, -35.0)[number % 2]
        base = person((0.0, 0.0), 60.0)
        swing = torch.tensor([_swing(name) for name in BODY17.names])
        shift = 12 * swing * torch.sin(2 * torch.pi * 0.9 * at + number)[:, None]
        x = start + speed * at[:, None] + base[:, 0] + shift
        poses.append(torch.stack((x, 47.0 + base[:, 1].expand(frames, -1)), -1) * scale)
    xy = torch.stack(poses)
    flows = []
    for t in range(frames - 1):
        # Each pixel near a body goes with the bone that it is nearest to; the others stand still.
        best, uv = torch.full(grid.shape[:2], torch.inf), torch.zeros(2, *grid.shape[:2])
        for one in xy:
            for a, b in BODY17.bones:
                along = one[t, b] - one[t, a]
                share = (((grid - one[t, a]) @ along) / along.square().sum()).clamp(0, 1)
                apart = torch.linalg.vector_norm(grid - one[t, a] - share[..., None] * along, dim=-1)
                move = torch.lerp(one[t + 1, a] - one[t, a], one[t + 1, b] - one[t, b], share[..., None])
                near = (apart < best) & (apart < 3 * scale)
                best = torch.where(near, apart, best)
                uv = torch.where(near, move.movedim(-1, 0), uv)
        flows.append(Flow(uv))
    people = torch.arange(len(starts))
    tracks = Tracks.of_rows(
        camera=camera,
        frame=torch.arange(frames).repeat(len(starts)),
        person=people.repeat_interleave(frames),
        xy=xy.flatten(0, 1),
        confidence=torch.full((frames * len(starts), len(BODY17)), 0.9),
        fps=fps,
    )
    return tracks, flows


def _swing(name: str) -> float:
    """How far a joint swings forward; the other side swings back."""
    far = {"ankle": 1.0, "knee": 0.5, "wrist": 0.8, "elbow": 0.4}.get(name.split("_")[-1], 0.0)
    return -far if name.startswith("right") == (name.split("_")[-1] in ("ankle", "knee")) else far


@pytest.fixture(scope="module")
def crossing() -> tuple[Tracks, list[Flow]]:
    return walkers()


def marked(tracks: Tracks, flag: Flag) -> set[tuple[int, int]]:
    rows = torch.nonzero((tracks.flags & int(flag)) != 0)[:, 0]
    return set(zip(tracks.person[rows].tolist(), tracks.frame[rows].tolist(), strict=True))


def test_true_people_agree_with_true_flow(crossing):
    found = JUDGE(*crossing)
    known = found.agreement[torch.isfinite(found.agreement)]
    assert torch.isfinite(found.agreement).float().mean() > 0.95
    assert known.mean() > 0.95
    assert known.quantile(0.05) > 0.8
    assert not found.flags.any()
    assert account(found)["mean"] == pytest.approx(float(known.mean()), abs=1e-4)
    assert JUDGE.score(*crossing) == pytest.approx(1 - float(known.double().mean()), abs=1e-6)


def test_a_joint_on_the_background_stands_out(crossing):
    tracks, flows = crossing
    wrist = BODY17.index("left_wrist")
    rows = tracks.rows(0)[8:18]
    xy = tracks.xy.clone()
    # It stays where it is while the person walks on.
    xy[rows, wrist] = xy[rows[0], wrist] + torch.tensor((0.0, 8.0))
    found = JUDGE(tracks.with_(xy=xy), flows).agreement
    others = [j for j in range(len(BODY17)) if j != wrist]
    inner = rows[2:-2]
    assert found[inner, wrist].max() < found[inner][:, others].median()
    # Three times as likely off as the others are, and more.
    assert 1 - found[inner, wrist].mean() > 3 * (1 - found[inner][:, others].median())
    assert found[tracks.rows(1)].nanmean() > 0.95


@pytest.mark.parametrize("part", ["whole", "legs"])
def test_sides_that_are_exchanged_for_three_frames_are_flagged_and_nothing_else(crossing, part):
    tracks, flows = crossing
    rows = tracks.rows(1)[10:13]
    other = torch.tensor(BODY17.mirror)
    if part == "legs":
        legs = torch.tensor([any(word in name for word in ("hip", "knee", "ankle")) for name in BODY17.names])
        other = torch.where(legs, other, torch.arange(len(BODY17)))
    xy = tracks.xy.clone()
    xy[rows] = xy[rows][:, other]
    found = JUDGE(tracks.with_(xy=xy), flows)
    assert marked(found, Flag.SWAPPED_SIDES) == {(1, 10), (1, 11), (1, 12)}
    assert marked(found, Flag.SWAPPED_PEOPLE) == set()


def test_people_who_are_exchanged_are_flagged(crossing):
    tracks, flows = crossing
    rows = [tracks.rows(person)[12:16] for person in (0, 1)]
    xy = tracks.xy.clone()
    xy[rows[0]], xy[rows[1]] = tracks.xy[rows[1]], tracks.xy[rows[0]]
    found = JUDGE(tracks.with_(xy=xy), flows)
    assert marked(found, Flag.SWAPPED_PEOPLE) == {(person, frame) for person in (0, 1) for frame in range(12, 16)}
    assert marked(found, Flag.SWAPPED_SIDES) == set()


def test_who_is_hidden_does_not_speak_for_an_exchange_alone():
    # Two people stand close. Between frames 4 to 7 and the others, one's trails lead to the other's joints, while the
    # other's stay nearer to its own: as if that one hid the first. Then both lead to each other's.
    frames, joints, apart, swaps = 14, 6, 3.6, Swaps()
    xy = np.zeros((frames, 2, joints, 2), np.float32)
    xy[..., 0] = 20 * np.arange(joints)
    xy[:, 1, :, 1] += apart
    height, times, amid = np.full((frames, 2), 60.0, np.float32), np.arange(frames) / 25, np.arange(4, 8)

    def marked_where_trails_of_the_other_end(up: float) -> list[list[int]]:
        ends = np.broadcast_to(xy, (6, *xy.shape)).copy()
        for k in range(1, 7):
            crossing = np.isin(np.arange(frames), amid) != np.isin(np.arange(frames) + k, amid)
            ends[k - 1, crossing, 0, :, 1] += apart
            ends[k - 1, crossing, 1, :, 1] -= up
        marks, _ = swaps.of_people(xy, ends, height, times)
        return [np.flatnonzero(marks[:, person]).tolist() for person in (0, 1)]

    assert marked_where_trails_of_the_other_end(1.35) == [[], []]
    assert marked_where_trails_of_the_other_end(apart) == [amid.tolist()] * 2


def test_an_exchange_that_lasts_is_flagged_where_it_begins(crossing):
    tracks, flows = crossing
    after = tracks.frame >= 15
    person = torch.where(after, 1 - tracks.person, tracks.person)
    names = ("xy", "confidence")
    swapped = Tracks.of_rows(
        camera=tracks.camera, frame=tracks.frame, person=person, fps=25.0, **{n: getattr(tracks, n) for n in names}
    )
    lasting = replace(JUDGE, swaps=replace(JUDGE.swaps, lasting=0.2))
    assert {frame for _, frame in marked(lasting(swapped, flows), Flag.SWAPPED_PEOPLE)} == {15}


def test_older_flags_give_way_and_others_stay(crossing):
    tracks, flows = crossing
    before = tracks.with_(flags=torch.full_like(tracks.flags, int(Flag.BORDER | Flag.SWAPPED_SIDES)))
    assert (JUDGE(before, flows).flags == int(Flag.BORDER)).all()


def test_size_does_not_matter(crossing):
    once, twice = (JUDGE(*given).agreement for given in (crossing, walkers(scale=2.0)))
    both = torch.isfinite(once) & torch.isfinite(twice)
    assert both.float().mean() > 0.9
    assert (once - twice)[both].abs().mean() < 0.02


def test_rate_does_not_matter_much(crossing):
    twice = walkers(frames=41, fps=50.0)
    once, fine = JUDGE(*crossing).agreement, JUDGE(*twice).agreement
    fine = torch.stack([fine[twice[0].rows(p)][::2] for p in (0, 1)]).flatten(0, 1)
    assert (once - fine).abs().nanmean() < 0.05


def test_who_comes_first_does_not_matter(crossing):
    tracks, flows = crossing
    other = tracks.person.neg() + 7
    renamed = Tracks.of_rows(
        camera=tracks.camera, frame=tracks.frame, person=other, fps=25.0, xy=tracks.xy, confidence=tracks.confidence
    )
    found, again = JUDGE(tracks, flows).agreement, JUDGE(renamed, flows).agreement
    for who in (0, 1):
        torch.testing.assert_close(again[renamed.rows(7 - who)], found[tracks.rows(who)], equal_nan=True)


def test_nothing_is_said_where_nothing_tells(crossing):
    tracks, flows = crossing
    nowhere = [Flow(torch.full_like(flow.uv, torch.nan)) for flow in flows]
    assert torch.isnan(JUDGE(tracks, nowhere).agreement).all()
    assert np.isnan(JUDGE.score(tracks, nowhere))
    alone = tracks[(tracks.frame % 8 == 0) | (tracks.person == 1)]
    # A long way from the last frame that shows the person: no flow leads from one to the other.
    apart = JUDGE(alone, [flow if k % 8 == 4 else nowhere[k] for k, flow in enumerate(flows)]).agreement
    assert torch.isnan(apart[alone.rows(0)]).all()
    assert torch.isfinite(apart[alone.rows(1)]).any()
    moved = tracks.with_(xy=tracks.xy + torch.tensor((200.0, 0.0)))
    assert torch.isnan(JUDGE(moved, flows).agreement).all()
    assert account(JUDGE(moved, flows))["mean"] is None


def test_flow_across_a_cut_is_not_asked_for(crossing):
    tracks, flows = crossing
    asked: list[int] = []

    def ask(k: int) -> Flow:
        asked.append(k)
        return flows[k]

    JUDGE(tracks.with_(cuts=(9,)), Lazy(len(flows), ask))
    assert asked == [k for k in range(len(flows)) if k != 8]


def test_people_without_3d_are_judged_by_2d_and_others_by_3d(crossing):
    tracks, flows = crossing
    flat = Agreement()(tracks, flows).agreement
    torch.testing.assert_close(flat, JUDGE(tracks, flows).agreement, equal_nan=True)
    depth = torch.full(tracks.confidence.shape, 4.0)
    solid = tracks.with_(xyz=tracks.camera.unproject(tracks.xy, depth).float(), xy=tracks.xy.roll(3, 0))
    # The 2D joints are of other frames, and yet those of the 3D are right.
    assert Agreement()(solid, flows).agreement[tracks.frame > 3].nanmean() > JUDGE(solid, flows).agreement.nanmean()


def test_nobody_and_single_frames(crossing):
    tracks, flows = crossing
    nobody = tracks[torch.zeros(len(tracks), dtype=torch.bool)]
    assert len(JUDGE(nobody, flows)) == 0
    assert np.isnan(JUDGE.score(nobody, flows))
    first = tracks[tracks.frame == 0].with_(frames=tracks.frames[:1], times=tracks.times[:1])
    assert torch.isnan(JUDGE(first, []).agreement).all()


def test_flows_that_do_not_belong_to_the_tracks(crossing):
    tracks, flows = crossing
    with pytest.raises(BadInput, match="20 flows"):
        JUDGE(tracks, flows[:-1])
    with pytest.raises(BadInput, match="80, 48"):
        JUDGE(tracks, [flow.resize(80, 48) for flow in flows])


def test_flags_are_kept_in_files(crossing, tmp_path):
    tracks, flows = crossing
    found = JUDGE(tracks, flows)
    marks = torch.zeros_like(found.flags)
    marks[3], marks[7] = int(Flag.SWAPPED_SIDES), int(Flag.SWAPPED_PEOPLE | Flag.FLAT)
    found.with_(flags=marks).save(tmp_path / "tracks.npz")
    again = Tracks.load(tmp_path / "tracks.npz")
    assert (again.flags == marks).all()
    torch.testing.assert_close(again.agreement, found.agreement, equal_nan=True)
    assert all(flag.meaning for flag in Flag)
    assert account(again) | {"mean": 0} == {
        "mean": 0,
        "known": pytest.approx(float(torch.isfinite(found.agreement).double().mean()), abs=1e-4),
        "doubtful": pytest.approx(0.0, abs=0.01),
        "swapped_sides": 1,
        "swapped_people": 1,
    }
