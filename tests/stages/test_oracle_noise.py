"""Chance that lasts has the deviation, the share and the memory asked for; detections are confused as told."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.core.skeleton import COCO17
from dyad.stages.oracle import OracleDetector
from dyad.stages.oracle_noise import Bursts, Drift, Noise

from .stage_walkers import Walker, clock, line, truth

QUIET = Noise(jitter=0.0, depth=0.0, limbs=0.0, missed=0.0, hidden=0.0, false_people=0.0)
# Two who stand side by side, so that their boxes overlap and their poses do not.
CLOSE = [Walker(line(-0.15, -0.15, 4, 1)), Walker(line(0.15, 0.15, 4, 1), phase=0.5)]


def test_drift_has_deviation_one_and_forgets_in_time():
    drift = Drift(np.random.default_rng(0), memory=0.5)
    values = np.array([drift("a", (40,), 0.1) for _ in range(2000)])
    assert abs(values.mean()) < 0.03
    assert values.std() == pytest.approx(1.0, abs=0.03)
    assert np.mean(values[5:] * values[:-5]) == pytest.approx(np.exp(-1), abs=0.05)


@pytest.mark.parametrize(("share", "step"), [(0.1, 1 / 30), (0.4, 1 / 30), (0.3, 1 / 6)])
def test_bursts_take_their_share_and_their_length(share, step):
    bursts = Bursts(np.random.default_rng(1), share, 0.5)
    states = np.array([[bursts(key, step) for key in range(30)] for _ in range(2000)])
    assert states.mean() == pytest.approx(share, abs=0.03)
    ends = (states[:-1] & ~states[1:]).sum()
    # In steps a burst is a little longer than in time.
    assert states.sum() / ends * step == pytest.approx(step / (1 - np.exp(-step / 0.5)), rel=0.1)


def test_swaps_are_of_whole_bodies_legs_or_arms_and_last():
    real = truth([Walker(line(0, 0, 4, 1))], clock(60), COCO17)
    found = torch.cat([f.xy for f in OracleDetector(real, replace(QUIET, swapped=0.2, burst=0.2), seed=4)(None)])
    moved = (found != real.xy).any(-1).numpy()
    legs = np.array([any(p in name for p in ("hip", "knee", "ankle")) for name in COCO17.names])
    arms = np.array([any(p in name for p in ("shoulder", "elbow", "wrist")) for name in COCO17.names])
    kinds = {tuple(row) for row in moved}
    body = np.arange(17) != COCO17.index("nose")
    assert kinds == {tuple(np.zeros(17, bool)), tuple(legs), tuple(arms), tuple(body)}
    some = moved.any(-1)
    assert some.mean() == pytest.approx(0.2, abs=0.06)
    assert some.sum() / (some[:-1] & ~some[1:]).sum() / 30 == pytest.approx(0.2 + 1 / 60, rel=0.3)
    whole = moved.all(-1) | moved[:, body].all(-1)
    assert torch.equal(found[whole], COCO17.flip(real.xy[whole]))


def test_swaps_take_confidence_and_3d_along():
    real = truth([Walker(line(0, 0, 4, 1))], clock(20), COCO17)
    marked = real.with_(confidence=torch.linspace(0.1, 0.9, 17).expand(len(real), 17))
    found = list(OracleDetector(marked, replace(QUIET, swapped=0.5), seed=1)(None))
    plain = list(OracleDetector(marked, QUIET, seed=1)(None))
    for f, p in zip(found, plain, strict=True):
        moved = (f.xy != p.xy).any(-1)
        where = torch.tensor(COCO17.mirror)
        where = torch.where(moved[0], where, torch.arange(17))
        assert torch.equal(f.xyz[0], p.xyz[0, where])
        assert torch.equal(f.confidence[0], p.confidence[0, where])


def test_mix_ups_give_each_the_other_ones_joints_but_not_the_box():
    real = truth(CLOSE, clock(40))
    exact, mixed = (list(OracleDetector(real, noise, seed=2)(None)) for noise in (QUIET, replace(QUIET, mixed=0.3)))
    exchanged = []
    for e, m in zip(exact, mixed, strict=True):
        assert torch.equal(e.boxes, m.boxes)
        same, other = torch.equal(e.xy, m.xy), torch.equal(e.xy.flip(0), m.xy)
        assert same != other
        assert torch.equal(m.xyz, e.xyz if same else e.xyz.flip(0))
        exchanged.append(other)
    assert np.mean(exchanged) == pytest.approx(0.3, abs=0.1)
    far = truth([Walker(line(-1.5, -1.5, 4, 1)), Walker(line(1.5, 1.5, 4, 1))], clock(20))
    for e, m in zip(*(OracleDetector(far, n, seed=2)(None) for n in (QUIET, replace(QUIET, mixed=0.9))), strict=True):
        assert torch.equal(e.xy, m.xy)


def test_pixels_of_jitter_are_the_same_near_and_far():
    real = truth([Walker(line(-1, -1, 4, 1)), Walker(line(1, 1, 8, 1))], clock(20))
    found = torch.stack([f.xy for f in OracleDetector(real, replace(QUIET, pixels=1.5))(None)])
    exact = torch.stack([f.xy for f in OracleDetector(real)(None)])
    deviation = (found - exact).std((0, 2, 3))
    assert deviation.tolist() == pytest.approx([1.5, 1.5], rel=0.1)


def test_hidden_joints_are_guessed():
    real = truth([Walker(line(0, 0, 4, 1))], clock(20), COCO17)
    half = torch.ones(len(real), 17)
    half[:, COCO17.index("left_hip")] = 0.25
    real = real.with_(confidence=half)
    found = torch.cat([f.xy for f in OracleDetector(real, replace(QUIET, jitter=0.01, guess=4.0))(None)])
    error = (found - real.xy).std((0, 2))
    assert float(error[COCO17.index("left_hip")] / error[COCO17.index("right_hip")]) == pytest.approx(4, rel=0.3)


def test_confusion_survives_missing_joints_and_empty_frames():
    real = truth(CLOSE, clock(3))
    xy, xyz = real.xy.clone(), real.xyz.clone()
    xy[::3, 5], xyz[::3, 5] = torch.nan, torch.nan
    holes = real.with_(xy=xy, xyz=xyz)
    holes = holes[holes.frame % 7 != 0]
    found = list(OracleDetector(holes, Noise.confused(), seed=1)(None))
    assert len(found) == 90
    assert all(len(f) == 0 or f.scores.max() <= 1 for f in found)
    one = truth([], clock(1))
    assert all(len(f) == 0 for f in OracleDetector(one, Noise.confused())(None))


def test_each_kind_of_error_has_its_own_chance():
    real = truth(CLOSE, clock(3))
    jitter = replace(QUIET, jitter=0.01)
    plain = list(OracleDetector(real, jitter, seed=5)(None))
    more = list(OracleDetector(real, replace(jitter, mixed=0.3), seed=5)(None))
    kept = [torch.equal(a.xy, b.xy) or torch.equal(a.xy, b.xy.flip(0)) for a, b in zip(plain, more, strict=True)]
    assert all(kept)


def test_shares_are_shares():
    for wrong in ({"swapped": 1.0}, {"mixed": -0.1}):
        with pytest.raises(BadUsage, match="shares"):
            Noise(**wrong)
    with pytest.raises(BadUsage, match="negative"):
        Noise(pixels=-1.0)
