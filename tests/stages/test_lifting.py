"""Lifting rigid people whose every length is known: exact in, exact out, and what is missing is owned up to."""

import pytest
import torch
from torch import Tensor

from dyad.core.camera import Camera
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17
from dyad.core.tracks import Flag, Tracks
from dyad.geometry.bones import bone_lengths
from dyad.stages.lifting import GeometricLifter

from .stage_walkers import Walker, line, truth
from .stage_walkers import clock as walking_clock
from .standing import CAMERA, FLOOR, clock, people_at, slide

ROOT = BODY17.index("pelvis")
# Stature as the bones of `standing.body(1.7)` give it: knees a little bent, so a little more than 1.7 m.
STATURE = 1.7058


def off(found: Tracks, real: Tracks) -> Tensor:
    """Distance (N, J) m; both have the same rows."""
    assert torch.equal(found.frame, real.frame)
    assert torch.equal(found.person, real.person)
    return torch.linalg.vector_norm(found.xyz - real.xyz, dim=-1)


def jittered(tracks: Tracks, share: float) -> Tracks:
    """As if everyone's apparent size, so his distance, wavered from frame to frame by `share`."""
    generator = torch.Generator().manual_seed(3)
    factor = 1 + share * torch.randn(len(tracks), 1, 1, generator=generator)
    middle = tracks.xy[:, ROOT, None]
    return tracks.with_(xy=middle + factor * (tracks.xy - middle))


def without(tracks: Tracks, person: int, start: float, stop: float) -> Tracks:
    """Nobody saw the person at start < t < stop."""
    return tracks[~((tracks.person == person) & (tracks.time > start) & (tracks.time < stop))]


def test_exact_in_exact_out() -> None:
    times = clock(3)
    real = people_at([slide(times, -1.2, 4), slide(times, 0.8, 5.5, vx=-0.1)], times)
    # Where the estimator puts people does not matter: only its poses, and the pixels.
    moved = real.with_(xyz=real.xyz + torch.tensor([0.3, -0.2, 0.7]))
    found = GeometricLifter(height=STATURE)(moved)
    assert off(found, real).max() < 0.015
    assert found.world is not None
    torch.testing.assert_close(found.world.gravity, torch.tensor([0.0, 1.0, 0.0]).double(), atol=0.02, rtol=0)
    assert found.world.floor[3] == pytest.approx(FLOOR, abs=0.03)
    assert (found.reproject() - real.xy).abs().max() < 1.0


@pytest.mark.parametrize("height", [1.2, 1.7, 2.0])
def test_the_height_fixes_every_length(height: float) -> None:
    times = clock(2)
    real = people_at([slide(times, 0, 4)], times)
    plain, told = GeometricLifter(height=STATURE)(real), GeometricLifter(height=height)(real)
    torch.testing.assert_close(told.xyz, plain.xyz * height / STATURE, rtol=2e-3, atol=2e-3)
    size = torch.linalg.vector_norm(
        told.xyz[:, BODY17.index("head_top")] - told.xyz[:, BODY17.index("left_ankle")], dim=-1
    )
    assert (size / height).mean() == pytest.approx(0.96, abs=0.015)


def test_bones_are_constant_and_equal_on_both_sides() -> None:
    real = truth([Walker(line(-1, 1, 5, 4))], walking_clock(4))
    generator = torch.Generator().manual_seed(0)
    noisy = real.with_(xyz=real.xyz + 0.04 * torch.randn(real.xyz.shape, generator=generator))
    lengths = bone_lengths(GeometricLifter()(noisy).xyz, BODY17.parents)[:, 1:]
    assert lengths.std(0).max() < 1e-5
    both = bone_lengths(GeometricLifter()(noisy).xyz, BODY17.parents).nan_to_num()
    torch.testing.assert_close(both, both[:, list(BODY17.mirror)], atol=1e-5, rtol=0)


def test_a_wavering_distance_is_smoothed() -> None:
    times = clock(6)
    wavering = jittered(people_at([slide(times, 0, 4, vz=0.2)], times), 0.1)
    raw = GeometricLifter(height=STATURE, depth_width=0.0)(wavering).xyz[:, ROOT, 2].double()
    smooth = GeometricLifter(height=STATURE)(wavering).xyz[:, ROOT, 2].double()
    expected = 4 + 0.2 * times
    assert (raw - expected).std() > 0.25
    assert (smooth - expected).std() < 0.12


def test_short_gaps_are_filled_and_marked_and_long_ones_left() -> None:
    times = clock(8)
    real = people_at([slide(times, -1, 4, vx=0.2), slide(times, 1, 5)], times)
    seen = without(without(real, 0, 1.0, 2.6), 1, 2.0, 5.0)
    found = GeometricLifter(height=STATURE)(seen)
    first, second = found.rows(0), found.rows(1)
    assert len(first) == len(times)
    assert torch.equal(found.filled[first], (times > 1.0) & (times < 2.6))
    assert not found.filled[second].any()
    assert len(second) == int(((times <= 2.0) | (times >= 5.0)).sum())
    gap = found[first][found.filled[first]]
    assert (gap.confidence == 0).all()
    assert torch.isfinite(gap.xyz).all()
    assert torch.isfinite(gap.box).all()
    assert (gap.reproject() - gap.xy).abs().max() < 1.0
    whole = GeometricLifter(height=STATURE)(real)
    assert (gap.xyz - whole[whole.rows(0)][found.filled[first]].xyz).abs().max() < 0.02
    # Trust sinks with the time to the nearest sighting, and not elsewhere.
    nearest = torch.minimum(gap.time - 1.0, 2.6 - gap.time)
    order = torch.argsort(nearest)
    assert (gap.sigma[order].diff(dim=0) > -0.01).all()
    assert gap.sigma[order[-1], ROOT, 0] > gap.sigma[order[0], ROOT, 0] + 0.2
    assert (gap.sigma[:, ROOT] > found[first][~found.filled[first]].sigma[:, ROOT].amax(0)).all()


def test_sigma_knows_the_distance_the_joint_and_the_camera() -> None:
    times = clock(2)
    places = [slide(times, 0, 3), slide(times, 0.5, 6)]
    found = GeometricLifter()(people_at(places, times))
    near, far = found.sigma[found.rows(0)].mean(0), found.sigma[found.rows(1)].mean(0)
    assert (far[:, 2] > 1.3 * near[:, 2]).all()
    assert (near[:, 2] > near[:, 0]).all()
    assert near[BODY17.index("left_wrist"), 0] > 1.5 * near[BODY17.index("left_hip"), 0]
    guess = Camera.from_focal(CAMERA.size, 900.0, source="guess")
    guessed = GeometricLifter()(people_at(places, times, camera=guess))
    assert (guessed.sigma[..., 2] > 1.5 * found.sigma[..., 2]).all()
    assert torch.equal(guessed.sigma[..., :2], found.sigma[..., :2])
    told = GeometricLifter(height=STATURE)(people_at(places, times))
    assert (told.sigma[..., 2] < found.sigma[..., 2]).all()
    doubted = people_at(places, times)
    doubted = GeometricLifter()(doubted.with_(confidence=0.3 * doubted.confidence))
    assert (doubted.sigma > found.sigma - 1e-3).all()
    assert doubted.sigma.mean() > 1.1 * found.sigma.mean()


def test_a_shared_floor_tells_who_is_smaller() -> None:
    times = clock(4)
    real = people_at([slide(times, -1, 3, vz=0.75), slide(times, 0.5, 6, vz=-0.75)], times, heights=[1.80, 1.55])
    # The estimator answers with people of one size, as a learned average does.
    same = real.xyz - real.xyz[:, ROOT, None]
    same = same * torch.where(real.person == 0, 1.7 / 1.80, 1.7 / 1.55)[:, None, None] + real.xyz[:, ROOT, None]
    found = GeometricLifter()(real.with_(xyz=same))
    tall, small = (float((found.xyz / real.xyz)[found.rows(person), ROOT, 2].median()) for person in (0, 1))
    # Sizes alone would put the tall one too near by 1.55 / 1.80; the prior on height pulls some of it back.
    assert tall / small == pytest.approx(1, abs=0.06)


def test_uneven_times() -> None:
    generator = torch.Generator().manual_seed(1)
    times = (0.02 + 0.08 * torch.rand(80, generator=generator, dtype=torch.float64)).cumsum(0)
    real = people_at([slide(times, -1, 4, vx=0.3)], times)
    found = GeometricLifter(height=STATURE)(real)
    assert off(found, real).max() < 0.015
    gappy = without(real, 0, float(times[20]), float(times[30]))
    assert off(GeometricLifter(height=STATURE)(gappy), real).max() < 0.02


def test_every_third_frame() -> None:
    times = clock(4)
    place = slide(times, -1, 4, vx=0.3)
    whole = GeometricLifter(height=STATURE)(people_at([place], times))
    frames = torch.arange(0, len(times), 3)
    thin = GeometricLifter(height=STATURE)(people_at([place[::3]], times[::3], frames=frames))
    assert torch.equal(thin.frame, frames)
    assert torch.equal(thin.frames, frames)
    assert (thin.xyz - whole.xyz[::3]).abs().max() < 0.01


def test_nobody_and_hardly_anybody() -> None:
    times = clock(1)
    away = torch.full((len(times), 2), torch.nan, dtype=torch.float64)
    none = GeometricLifter()(people_at([away], times))
    assert len(none) == 0
    assert none.world is None
    assert torch.equal(none.frames, torch.arange(len(times)))
    once = away.clone()
    once[7] = torch.tensor([0.3, 4.0])
    one = people_at([once], times)
    found = GeometricLifter(height=STATURE)(one)
    assert off(found, one).max() < 0.02
    assert torch.isfinite(found.sigma).all()


def test_an_estimator_that_says_nothing_in_some_frames() -> None:
    times = clock(2)
    real = people_at([slide(times, 0, 4)], times)
    xyz = real.xyz.clone()
    xyz[10:20] = torch.nan
    found = GeometricLifter(height=STATURE)(real.with_(xyz=xyz))
    assert off(found, real).max() < 0.02
    assert torch.equal(torch.nonzero(found.filled)[:, 0], torch.arange(10, 20))


def test_other_skeletons_come_out_as_body17() -> None:
    real = truth([Walker(line(-1, 1, 5, 2))], walking_clock(2))
    found = GeometricLifter()(real)
    assert real.skeleton == BLAZEPOSE33
    assert found.skeleton == BODY17
    assert torch.isfinite(found.xyz).all()


def test_without_3d_people_are_flat_where_their_bones_put_them() -> None:
    real = truth([Walker(line(-1, 1, 4, 4)), Walker(line(1, 0.5, 6, 4), phase=0.3)], walking_clock(4), COCO17)
    found = GeometricLifter()(without(real.with_(xyz=torch.full_like(real.xyz, torch.nan)), 1, 1.0, 1.5))
    assert found.people == [0, 1]
    assert bool((found.flags & int(Flag.FLAT)).all())
    assert int(found.filled.sum()) > 10
    for person, distance in ((0, 4.0), (1, 6.0)):
        rows = found[found.rows(person)]
        assert float(rows.xyz[:, ROOT, 2].median()) == pytest.approx(distance, rel=0.12)
        assert float(rows.xyz[..., 2].std(1).max()) < 0.2
        assert (rows.sigma[..., 2] >= 0.25).all()
        assert (rows.sigma[..., 2] > 2 * rows.sigma[..., 0]).all()
    seen = found[~found.filled]
    assert (seen.reproject() - seen.xy).abs().median() < 2.0
    assert not (GeometricLifter()(real.with_(skeleton=COCO17)).flags & int(Flag.FLAT)).any()


def test_flat_people_keep_the_height_they_are_told() -> None:
    times = clock(2)
    real = people_at([slide(times, 0, 4)], times)
    flat = real.with_(xyz=torch.full_like(real.xyz, torch.nan))
    plain, tall = GeometricLifter(height=1.69)(flat), GeometricLifter(height=1.69 * 1.1)(flat)
    torch.testing.assert_close(tall.xyz, plain.xyz * 1.1, rtol=1e-2, atol=5e-3)


def test_people_whom_the_image_border_cuts_are_flagged() -> None:
    times = clock(1)
    # One in the middle, one of whom the left half lies outside.
    people = people_at([slide(times, 0.0, 4), slide(times, -2.85, 4)], times)
    found = GeometricLifter(height=STATURE)(people)
    cut = (found.flags & int(Flag.BORDER)) > 0
    assert not cut[found.person == 0].any()
    assert cut[found.person == 1].all()


def test_each_shot_is_lifted_on_its_own() -> None:
    times = clock(2)
    first = people_at([slide(times, -1.0, 4), slide(times, 0.9, 5.5)], times, heights=[1.7, 1.55])
    # The camera of the second shot hangs 1.1 m higher: on one floor with the first, its people would be giants.
    later = people_at([slide(times, -0.7, 5), slide(times, 0.8, 4)], times, heights=[1.6, 1.75])
    xyz = later.xyz + torch.tensor([0.0, 1.1, 0.0])
    later = later.with_(xyz=xyz, xy=CAMERA.project(xyz))
    count = len(times)
    both = Tracks.of_rows(
        skeleton=BODY17,
        camera=CAMERA,
        frame=torch.cat((first.frame, later.frame + count)),
        person=torch.cat((first.person, later.person + 2)),
        cuts=(count,),
        fps=25.0,
        **{n: torch.cat((getattr(first, n), getattr(later, n))) for n in ("xy", "xyz", "confidence", "box")},
    )
    lift = GeometricLifter()
    found = lift(both)
    for shot, people in ((first, [0, 1]), (later, [2, 3])):
        alone = lift(shot)
        together = found[torch.isin(found.person, torch.tensor(people))]
        torch.testing.assert_close(together.xyz, alone.xyz, atol=2e-3, rtol=0)
        assert alone.world is not None
    assert found.world is None
    assert found.cuts == (count,)
