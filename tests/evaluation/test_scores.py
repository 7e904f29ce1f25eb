import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.skeleton import BODY17
from dyad.core.tracks import Tracks
from dyad.evaluation.comparison import compare
from dyad.evaluation.means import Mean
from dyad.evaluation.protocols import PROTOCOLS, Protocol, protocol_of
from dyad.evaluation.scores import CURVE_M, Value, averaged, curve, plain_values, pooled, score
from tests.evaluation.people import moved, nobody, renamed, tracks, walkers

POSES = [p for p in PROTOCOLS if p.measures == "poses"]
SYNTH = protocol_of("dyad-synth")


def rows(truth: Tracks, predicted: Tracks, protocol: Protocol = SYNTH) -> dict[str, Value]:
    return score(
        compare(truth, predicted, joints=protocol.joints, root=protocol.root, matching=protocol.matching), protocol
    )


def values(truth: Tracks, predicted: Tracks, protocol: Protocol = SYNTH) -> dict[str, float]:
    return plain_values(rows(truth, predicted, protocol))


def people_of(protocol: Protocol) -> Tracks:
    return walkers(count=1 if protocol.matching == "alone" else 2)


@pytest.mark.parametrize("protocol", POSES, ids=lambda p: p.name)
def test_the_truth_scores_perfectly(protocol: Protocol) -> None:
    truth = people_of(protocol)
    got = values(truth, truth, protocol)
    assert list(got) == list(protocol.metrics)
    for name, value in got.items():
        if name in ("pck", "pck_abs", "roots_25cm", "root_ap25", "f1_40cm", "f1_80cm", "f1_120cm"):
            assert value == pytest.approx(100), name
        elif name == "auc":
            assert value == pytest.approx(97.5 if protocol.name == "mupots-released" else 100)
        elif name in ("coverage", "precision", "hota", "mota", "idf1"):
            assert value == pytest.approx(1, abs=1e-6), name
        elif name.endswith("mpjpe_mm") or name in ("mrpe_mm", "mpjve_mm", "acceleration_error_m_s2", "id_switches"):
            assert value == pytest.approx(0, abs=1e-2) or math.isnan(value), name
    if "jitter_m_s3" in got:
        assert got["jitter_m_s3"] == pytest.approx(got["jitter_true_m_s3"])


@pytest.mark.parametrize("protocol", POSES, ids=lambda p: p.name)
def test_nobody_found_is_zero_where_everyone_counts_and_nan_where_only_the_found_do(protocol: Protocol) -> None:
    truth = people_of(protocol)
    got = values(truth, nobody(truth), protocol)
    for name, value in got.items():
        if name.startswith(("pck", "auc", "roots", "root_ap", "f1", "coverage", "hota", "mota", "idf1", "id_switches")):
            assert value == 0, name
        elif name == "person_frames":
            assert value == len(truth)
        elif not name.endswith(("_true_m_s3", "_true_mm_s", "_true_mm")):
            assert math.isnan(value), name


@pytest.mark.parametrize("protocol", POSES, ids=lambda p: p.name)
def test_people_where_there_are_none_are_only_wrong(protocol: Protocol) -> None:
    some = people_of(protocol)
    got = values(nobody(some), some, protocol)
    for name, value in got.items():
        if name in ("precision", "f1_40cm", "f1_80cm", "f1_120cm", "person_frames", "id_switches"):
            assert value == 0, name
        else:
            assert math.isnan(value), name
    both = values(nobody(some), nobody(some), protocol)
    assert all(math.isnan(value) or value == 0 for value in both.values())


@pytest.mark.parametrize("protocol", [p for p in POSES if p.matching == "oks"], ids=lambda p: p.name)
def test_order_and_names_of_people_do_not_matter(protocol: Protocol) -> None:
    truth = walkers(5, 3, seed=4)
    rng = np.random.default_rng(0)
    noisy = truth.with_(xyz=truth.xyz + torch.from_numpy(rng.normal(0, 0.06, tuple(truth.xyz.shape))).float())
    noisy = noisy[~((noisy.person == 1) & (noisy.frame < 2))]
    plain = values(truth, noisy, protocol)
    for other in (
        values(truth, renamed(noisy, {0: 8, 1: 3, 2: 5}), protocol),
        values(renamed(truth, {0: 2, 1: 0, 2: 1}), noisy, protocol),
    ):
        assert other == pytest.approx(plain, nan_ok=True, rel=1e-5)


def test_frames_in_another_order_change_no_metric_of_single_frames() -> None:
    truth = walkers()
    rng = np.random.default_rng(0)
    noisy = truth.with_(xyz=truth.xyz + torch.from_numpy(rng.normal(0, 0.06, tuple(truth.xyz.shape))).float())
    order = rng.permutation(6)

    def shuffled(given: Tracks) -> Tracks:
        return tracks(given.xyz.numpy(), order[given.frame.numpy()], given.person.numpy(), frames=given.frames)

    protocol = protocol_of("mupots-strict")
    expected = values(truth, noisy.with_(xy=noisy.reproject()), protocol)
    assert values(shuffled(truth), shuffled(noisy), protocol) == pytest.approx(expected, rel=1e-4)


def test_depth_that_is_off_is_an_absolute_error_only() -> None:
    truth = walkers()
    got = values(truth, moved(truth, (0, 0, 0.2)))
    assert (got["pck"], got["pck_abs"], got["roots_25cm"], got["root_ap25"]) == pytest.approx((100, 0, 100, 100))
    assert got["mrpe_mm"] == pytest.approx(200, abs=0.01)
    assert got["mpjpe_mm"] == pytest.approx(0, abs=1e-3)
    assert values(truth, moved(truth, (0, 0, 0.3)))["roots_25cm"] == 0


def test_f1_counts_joints_in_space_whoever_they_belong_to() -> None:
    truth = walkers(count=2, apart=2.0)
    jta = protocol_of("jta")
    shifted = values(truth, moved(truth, (0, 0, 0.6)), jta)
    assert shifted["f1_80cm"] == pytest.approx(100)
    half = values(truth, truth[truth.person == 0], jta)
    # All that is found is right, half is missed: 2 · 1 · ½ / 1½.
    assert half["f1_40cm"] == pytest.approx(200 / 3)
    late = truth[truth.frame < 3]
    assert values(truth, late, jta)["f1_40cm"] == pytest.approx(50)


def test_roots_are_found_in_space_whoever_matches_in_the_image() -> None:
    truth = walkers(count=1)
    elsewhere = truth.with_(xy=truth.xy + 900)
    got = values(truth, elsewhere)
    assert (got["root_ap25"], got["coverage"], got["pck"]) == (100, 0, 0)
    ghost = moved(truth, (0, 0, 2.0)).with_(person=torch.full_like(truth.person, 5))
    both = tracks(torch.cat((truth.xyz, ghost.xyz)).numpy(), truth.frame.repeat(2).numpy(), np.repeat([0, 5], 6))
    for sure, doubtful, expected in ((slice(0, 6), slice(6, 12), 100.0), (slice(6, 12), slice(0, 6), 50.0)):
        confidence = torch.zeros(12, 17)
        confidence[sure], confidence[doubtful] = 0.9, 0.3
        assert values(truth, both.with_(confidence=confidence))["root_ap25"] == pytest.approx(expected)


def test_sigma_is_held_to_what_it_claims() -> None:
    truth = walkers(60, 2)
    noise = torch.from_numpy(np.random.default_rng(1).normal(0, 0.05, tuple(truth.xyz.shape))).float()
    for claimed, low, high in ((0.05, 0.88, 0.92), (0.02, 0.45, 0.53), (0.5, 1, 1)):
        predicted = truth.with_(xyz=truth.xyz + noise, sigma=torch.full_like(truth.xyz, claimed))
        assert low <= values(truth, predicted)["sigma_90"] <= high
    assert math.isnan(values(truth, truth)["sigma_50"])


def test_motion_that_trembles_is_seen() -> None:
    truth = walkers(40, 1, fps=25.0)
    shake = 0.01 * torch.where(truth.frame % 2 == 0, 1.0, -1.0)[:, None, None] * torch.tensor([1.0, 0, 0])
    whole = values(truth, truth.with_(xyz=truth.xyz + shake))
    # All joints alike: nothing moves against the root, everything in the room.
    assert whole["mpjve_mm"] == pytest.approx(0, abs=1e-3)
    assert whole["jitter_m_s3"] > 1000 > 3 * whole["jitter_true_m_s3"]
    joint = torch.zeros(17, 1)
    joint[BODY17.index("left_wrist")] = 16.0
    wrist = values(truth, truth.with_(xyz=truth.xyz + shake * joint))
    assert wrist["mpjve_mm"] == pytest.approx(20, rel=0.01)
    assert wrist["acceleration_error_m_s2"] == pytest.approx(0.04 * 25**2, rel=0.01)


def test_feet_slide_where_the_true_ones_stand() -> None:
    truth = walkers(10, 1)
    standing = truth.xyz[:1].repeat(10, 1, 1)
    feet = BODY17.indices("left_ankle", "right_ankle")
    standing[:, feet, 1] = 0.92
    still = tracks(standing.numpy(), truth.frame.numpy(), truth.person.numpy(), frames=truth.frames)
    drift = 0.01 * torch.arange(10)[:, None, None] * torch.tensor([1.0, 0, 0])
    got = values(still, still.with_(xyz=still.xyz + drift))
    fps = still.fps
    assert (got["foot_sliding_mm_s"], got["foot_sliding_true_mm_s"]) == pytest.approx((10 * fps, 0), abs=0.05)
    assert math.isnan(values(replace(still, world=None), still)["foot_sliding_mm_s"])


def test_two_people_as_one_thing() -> None:
    truth = walkers(count=2, apart=0.3)
    apart = truth.with_(xyz=truth.xyz + 0.2 * truth.person[:, None, None] * torch.tensor([1.0, 0, 0]))
    got = values(truth, apart)
    assert got["pa_mpjpe_mm"] == pytest.approx(0, abs=0.01)
    assert got["pair_pa_mpjpe_mm"] > 20
    assert got["penetration_mm"] < got["penetration_true_mm"]
    assert math.isnan(values(walkers(apart=3.0), walkers(apart=3.0))["pair_pa_mpjpe_mm"])


def test_pooling_two_clips_is_scoring_all_their_frames() -> None:
    first, second = walkers(4, seed=1), walkers(7, seed=2)
    found = moved(first, (0, 0, 0.1)), second[second.person == 0]
    protocol = replace(protocol_of("3dpw"), metrics=("pck", "mpjpe_mm", "mrpe_mm", "coverage", "person_frames"))
    parts = [rows(first, found[0], protocol), rows(second, found[1], protocol)]
    together = plain_values(pooled(parts))
    assert together["person_frames"] == 22
    assert together["coverage"] == pytest.approx(15 / 22)
    assert together["mrpe_mm"] == pytest.approx(800 / 15, abs=0.01)
    mean = plain_values(averaged(parts))
    assert mean["coverage"] == pytest.approx((1 + 0.5) / 2)
    assert mean["mrpe_mm"] == pytest.approx(50, abs=0.01)
    assert mean["person_frames"] == 22


def test_clips_without_a_value_do_not_pull_the_mean() -> None:
    assert averaged([{"a": Mean(10, 5)}, {"a": Mean()}])["a"] == Mean(2, 1)
    assert pooled([{"a": Mean(10, 5), "n": 3}, {"a": Mean(), "n": 4}]) == {"a": Mean(10, 5), "n": 7}
    with pytest.raises(ValueError, match="no values of one metric"):
        pooled([{"a": 1}, {"a": Mean(1, 1)}])


def test_a_curve_rises_from_nothing_to_everything() -> None:
    truth = walkers()
    got = compare(truth, moved(truth, (0, 0, 0.1)), joints=SYNTH.joints, root=SYNTH.root)
    absolute = [point.value for point in curve(got, absolute=True)]
    assert [v for d, v in zip(CURVE_M, absolute, strict=True) if d < 0.099] == [0] * 20
    assert absolute[-1] == 100
    assert curve(got)[1].value == 100
