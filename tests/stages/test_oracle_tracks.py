"""Tracker, lifter and integrator that know the truth: perfect without noise, wrong as told with it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.detections import Detections
from dyad.core.errors import BadUsage
from dyad.core.protocols import Detector, Integrator, Lifter, Tracker
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Tracks
from dyad.evaluation.strict import StrictProtocol, StrictScores, TruePoses
from dyad.stages.oracle import Noise, OracleDetector
from dyad.stages.oracle_tracks import (
    OracleIntegrator,
    OracleLifter,
    OracleTracker,
    PoseNoise,
    TrackNoise,
    merged,
)

from .stage_walkers import Walker, clock, line, truth

CROSSING = [Walker(line(-2, 2, 4, 3)), Walker(line(2, -2, 5, 3), phase=0.3), Walker(line(0, 0.5, 7, 3), height=0.8)]
NO_TRACK_NOISE, NO_POSE_NOISE = TrackNoise(exchanged=0, broken=0), PoseNoise(stature=0, depth=0, joints=0)


def through_all(real: Tracks, noise: Noise | None = None, pose: PoseNoise | None = None) -> Tracks:
    """The pipeline's order, all of oracles; top-down lacks what its detector misses, bottom-up sees it."""
    detector: Detector = OracleDetector(real, noise, seed=1)
    tracker: Tracker = OracleTracker(real)
    lifter: Lifter = OracleLifter(real, pose)
    integrator: Integrator = OracleIntegrator(real, pose)
    top = lifter(tracker(detector(None), None))  # type: ignore[arg-type]
    bottom = tracker(OracleDetector(real)(None, prior=top), None)  # type: ignore[arg-type]
    return integrator(top, bottom)


def strict(real: Tracks, found: Tracks) -> StrictScores:
    window = real.window()
    poses = TruePoses(
        xy=window.xy.double().numpy(),
        xyz=window.xyz.double().numpy(),
        occluded=np.zeros(window.xy.shape[:-1], dtype=bool),
        counted=window.present.numpy(),
        skeleton=real.skeleton,
    )
    return StrictProtocol()(poses, found)


def check_perfect(real: Tracks, found: Tracks) -> None:
    scores = strict(real, found)
    assert scores.person_frames == len(real)
    for name in ("pck", "pck_abs", "pck_matched", "pck_abs_matched", "roots_25cm"):
        assert getattr(scores, name) == 100, name
    for name in ("coverage", "coverage_detected", "coverage_clear", "precision", "idf1", "hota", "oks"):
        assert getattr(scores, name) == pytest.approx(1.0, abs=1e-6), name
    assert scores.mpjpe_mm == pytest.approx(0.0, abs=1e-3)
    assert scores.root_error_mm == pytest.approx(0.0, abs=1e-3)
    assert scores.id_switches == 0


def test_all_oracle_scores_perfectly():
    real = truth(CROSSING, clock(3), BODY17)
    check_perfect(real, through_all(real))


def test_it_still_does_where_the_top_down_detector_misses_people():
    real = truth(CROSSING, clock(3), BODY17)
    noise = Noise(jitter=0.0, missed=0.3, hidden=0.0, false_people=0.0)
    tracks = OracleTracker(real)(OracleDetector(real, noise)(None), None)
    assert 0.5 < len(tracks) / len(real) < 0.9
    assert strict(real, OracleLifter(real)(tracks)).coverage == pytest.approx(len(tracks) / len(real))
    check_perfect(real, through_all(real, noise))


def distances(real: Tracks, tracks: Tracks) -> torch.Tensor:
    """Mean distance (N,) of each row's joints from the true ones of its person, in heights."""
    at = {key: row for row, key in enumerate(zip(real.frame.tolist(), real.person.tolist(), strict=True))}
    rows = torch.tensor([at[key] for key in zip(tracks.frame.tolist(), tracks.person.tolist(), strict=True)])
    height = real.box[rows, 3] - real.box[rows, 1]
    return torch.linalg.vector_norm(tracks.xy - real.xy[rows], dim=-1).mean(-1) / height


@pytest.mark.parametrize("seed", range(3))
def test_the_tracker_knows_everyone_under_noise_and_leaves_false_people_out(seed):
    real = truth(CROSSING, clock(3), BODY17)
    found = list(OracleDetector(real, replace(Noise.confused(), mixed=0.0, false_people=0.0), seed=seed)(None))
    tracks = OracleTracker(real)(found, None)
    assert tracks.frames.tolist() == real.frames.tolist()
    assert len(tracks) == sum(len(f) for f in found)
    assert float(distances(real, tracks).max()) < 0.2
    assert float(distances(real, tracks).median()) < 0.04
    crowded = list(OracleDetector(real, replace(Noise.detector(), false_people=0.3), seed=seed)(None))
    tracks = OracleTracker(real)(crowded, None)
    assert sum(len(f) for f in crowded) > 1.2 * len(tracks)
    assert float(torch.quantile(distances(real, tracks), 0.97)) < 0.05


def test_another_skeleton_of_detections_and_a_video_of_fewer_frames():
    real = truth(CROSSING, clock(3))
    at = clock(3).every(5)
    detections = [f.convert(COCO17) for f in OracleDetector(real, cuts=[40])(at)]  # type: ignore[arg-type]
    tracks = OracleTracker(real)(detections, at)  # type: ignore[arg-type]
    assert tracks.skeleton == COCO17
    assert tracks.fps == 6
    assert tracks.cuts == (40,)
    lifted = OracleLifter(real)(tracks)
    assert torch.allclose(lifted.xyz, tracks.xyz, atol=1e-5)
    assert float((lifted.reproject() - lifted.xy).abs().max()) < 0.01


def test_identities_are_exchanged_and_broken_as_often_as_told():
    real = truth([Walker(line(-1, -1, 4, 1)), Walker(line(1, 1, 4, 1))], clock(240, fps=4))
    exact = list(OracleDetector(real)(None))

    def names(noise: TrackNoise, seed: int) -> np.ndarray:
        tracks = OracleTracker(real, noise, seed)(exact, None)
        order = torch.argsort(tracks.frame * 10_000 + tracks.xy[:, 0, 0].long())
        return tracks.person[order].reshape(-1, 2).numpy()

    swapped = [names(TrackNoise(exchanged=5, broken=0), seed) for seed in range(4)]
    assert all({*map(tuple, ids)} == {(0, 1), (1, 0)} for ids in swapped)
    # Left of two is whoever stands left: every change of the pair is an exchange.
    changes = np.mean([(ids[1:, 0] != ids[:-1, 0]).sum() for ids in swapped])
    assert changes == pytest.approx(20, abs=3.5 * np.sqrt(20 / 4))
    broken = [names(TrackNoise(exchanged=0, broken=3), seed) for seed in range(4)]
    assert np.mean([len(np.unique(ids)) for ids in broken]) == pytest.approx(2 + 24, abs=3.5 * np.sqrt(24 / 4))
    assert np.array_equal(names(TrackNoise(), 7), names(TrackNoise(), 7))
    assert not np.array_equal(swapped[0], swapped[1])
    assert np.array_equal(names(NO_TRACK_NOISE, 0), np.tile([0, 1], (960, 1)))


def test_errors_of_poses_are_as_large_as_told_and_sigma_says_so():
    real = truth([Walker(line(-1, -1, 4, 1)), Walker(line(1, 1, 6, 1))], clock(90, fps=10), BODY17)
    noise = PoseNoise(stature=0.0, depth=0.05, joints=0.02, memory=0.2)
    found = OracleLifter(real, noise, seed=1)(real.with_(xyz=torch.full_like(real.xyz, torch.nan)))
    error = found.xyz - real.xyz
    near = real.person == 0
    wrist, hip = BODY17.index("left_wrist"), BODY17.index("left_hip")
    # Across the view the distance hardly matters, along it the share of the distance does.
    assert float(error[:, hip, 1].std()) == pytest.approx(0.02, rel=0.1)
    assert float(error[:, wrist, 0].std()) == pytest.approx(np.hypot(0.04, 0.05), rel=0.15)
    assert float(error[near, hip, 2].std()) == pytest.approx(np.hypot(0.05 * 4, 0.02), rel=0.15)
    assert float(error[~near, hip, 2].std()) == pytest.approx(np.hypot(0.05 * 6, 0.02), rel=0.15)
    inside = (error.abs() < found.sigma).float().mean((0, 1))
    assert inside.tolist() == pytest.approx([0.683] * 3, abs=0.05)
    depth = error[near, :, 2].mean(-1).numpy()
    assert np.corrcoef(depth[:-2], depth[2:])[0, 1] == pytest.approx(np.exp(-1), abs=0.12)


def test_stature_is_off_for_good_and_moves_people_along_their_rays():
    real = truth(CROSSING, clock(2), BODY17)
    found = OracleLifter(real, PoseNoise(stature=0.1, depth=0, joints=0), seed=3)(real)
    share = found.xyz[..., 2] / real.xyz[..., 2]
    for person in real.people:
        rows = share[real.person == person]
        assert float(rows.std()) < 1e-4
        assert abs(float(rows.mean()) - 1) > 1e-3
    assert float((found.reproject() - real.xy).abs().max()) < 0.05
    exact = OracleLifter(real, NO_POSE_NOISE)(real)
    assert torch.allclose(exact.xyz, real.xyz, atol=1e-6)
    assert float(exact.sigma.abs().max()) == 0


def test_the_same_seed_errs_the_same():
    real = truth(CROSSING, clock(2), BODY17)
    for make in (lambda seed: OracleLifter(real, PoseNoise(), seed)(real),
                 lambda seed: OracleIntegrator(real, PoseNoise(), seed)(real, real)):  # fmt: skip
        assert torch.equal(make(1).xyz, make(1).xyz)
        assert not torch.equal(make(1).xyz, make(2).xyz)


def test_rows_of_nobody_and_missing_joints_stay_missing():
    real = truth(CROSSING, clock(1), BODY17)
    xyz, xy = real.xyz.clone(), real.xy.clone()
    xyz[:, 3] = torch.nan
    xy[:, 4] = torch.nan
    holes = real.with_(xyz=xyz, xy=xy)
    stranger = real.with_(xy=real.xy + torch.where(real.person == 1, 5000.0, 0.0)[:, None, None])
    for noise in (None, PoseNoise()):
        found = OracleLifter(holes, noise)(stranger)
        known = torch.isfinite(found.xyz).all(-1)
        assert not known[real.person == 1].any()
        assert known[real.person != 1].all(0).tolist() == [j != 3 for j in range(17)]
        assert torch.equal(torch.isfinite(found.sigma).all(-1), known)
    # A pose beside somebody is not theirs, and whoever the truth only filled in is nobody.
    height = float((real.box[:, 3] - real.box[:, 1]).mean())
    beside = real.with_(xy=real.xy + torch.tensor([0.0, 0.45 * height]))
    assert torch.isnan(OracleLifter(real[real.person == 0])(beside[real.person == 0]).xyz).all()
    filled = real.with_(filled=real.person == 0)
    assert torch.isnan(OracleLifter(filled)(real).xyz).all(-1).all(-1).tolist() == filled.filled.tolist()
    # Without any 2D joint nobody can tell who it is.
    blind = OracleLifter(real)(real.with_(xy=torch.full_like(real.xy, torch.nan)))
    assert torch.isnan(blind.xyz).all()
    # A truth without 2D is seen where its 3D is.
    assert torch.allclose(OracleLifter(real.with_(xy=torch.full_like(real.xy, torch.nan)))(real).xyz, real.xyz)


def test_nobody_anywhere():
    nobody, someone = truth([], clock(1), BODY17), truth(CROSSING, clock(1), BODY17)
    for noise in (None, TrackNoise()):
        empty = OracleTracker(nobody, noise)(OracleDetector(someone)(None), None)
        assert len(empty) == 0
        assert len(empty.frames) == 30
        assert len(OracleTracker(someone, noise)(OracleDetector(nobody)(None), None)) == 0
        assert len(OracleTracker(someone, noise)([], None).frames) == 0
    assert len(OracleLifter(someone, PoseNoise())(nobody)) == 0
    assert len(OracleIntegrator(someone)(nobody, nobody)) == 0
    none_found = [Detections.none(f, f / 30, BODY17) for f in range(3)]
    assert OracleTracker(someone)(none_found, None).frames.tolist() == [0, 1, 2]


def test_merging_keeps_every_row_once_and_prefers_the_first():
    real = truth(CROSSING, clock(1), BODY17)
    first = real[(real.frame < 20) & (real.person != 2)]
    second = real.with_(xy=real.xy + 1)[real.frame >= 10].convert(COCO17)
    both = merged(first, second)
    assert both.skeleton == BODY17
    assert len(both) == 2 * 30 + 20
    early = both.frame < 20
    kept = early & (both.person != 2)
    assert torch.equal(both.xy[kept], first.xy)
    knee = BODY17.index("left_knee")
    later = real[(real.frame >= 20) | ((real.frame >= 10) & (real.person == 2))]
    assert torch.allclose(both.xy[~kept][:, knee], later.xy[:, knee] + 1)
    assert torch.equal(merged(real, real).xyz, real.xyz)
    late = real[real.frame >= 20].with_(frames=real.frames[20:], times=real.times[20:])
    early_only = real[real.frame < 10].with_(frames=real.frames[:10], times=real.times[:10])
    apart = merged(early_only, late)
    assert apart.frames.tolist() == [*range(10), *range(20, 30)]
    assert torch.equal(apart.times, torch.cat((real.times[:10], real.times[20:])))


def test_noise_that_makes_no_sense_is_refused():
    with pytest.raises(BadUsage, match="negative"):
        TrackNoise(broken=-1)
    with pytest.raises(BadUsage, match="memory is positive"):
        PoseNoise(memory=0)
