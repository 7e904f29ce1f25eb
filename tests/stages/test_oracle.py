"""The oracle errs as it is told, in the same way every time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.core.skeleton import COCO17
from dyad.stages.oracle import Noise, OracleDetector

from .stage_walkers import Walker, clock, line, truth

QUIET = Noise(jitter=0.0, depth=0.0, limbs=0.0, missed=0.0, hidden=0.0, false_people=0.0)
APART = [Walker(line(-1, -1.2, 4, 10)), Walker(line(1, 1.2, 5, 10))]


def test_without_noise_it_tells_the_truth():
    at = clock(1)
    real = truth(APART, at)
    found = list(OracleDetector(real)(None))
    assert [f.frame for f in found] == at.indices.tolist()
    for f in found:
        rows = real[real.frame == f.frame]
        assert torch.equal(f.xy, rows.xy)
        assert torch.equal(f.xyz, rows.xyz)
        assert torch.equal(f.boxes, rows.box)
        assert torch.equal(f.confidence, rows.confidence)
        assert f.scores.tolist() == [1, 1]


def test_filled_rows_are_nobody_and_empty_frames_are_frames():
    real = truth(APART, clock(1))
    hidden = real.with_(filled=real.frame < 10)
    counts = [len(f) for f in OracleDetector(hidden)(None)]
    assert counts == [0] * 10 + [2] * 20
    nobody = truth([], clock(1))
    assert [len(f) for f in OracleDetector(nobody, Noise.harsh())(None)] == [0] * 30


def test_a_video_says_which_frames():
    real = truth(APART, clock(2))
    found = list(OracleDetector(real, cuts=[33])(clock(2).every(5)))  # type: ignore[arg-type]
    assert [f.frame for f in found] == list(range(0, 60, 5))
    assert [f.frame for f in found if f.cut] == [35]


def test_the_same_seed_errs_the_same_and_another_does_not():
    real = truth(APART, clock(2))
    detector = OracleDetector(real, replace(Noise.harsh(), looks=0.1), seed=3)
    for one, two in zip(detector(None), detector(None), strict=True):
        for name in ("boxes", "scores", "xy", "confidence", "xyz", "appearance"):
            assert torch.equal(torch.nan_to_num(getattr(one, name)), torch.nan_to_num(getattr(two, name)))
    other = list(OracleDetector(real, Noise.harsh(), seed=4)(None))
    assert any(len(a) != len(b) or not torch.equal(a.xy, b.xy) for a, b in zip(other, detector(None), strict=True))


def test_jitter_has_the_size_and_the_memory_asked_for():
    real = truth([APART[0]], clock(60))
    found = list(OracleDetector(real, replace(QUIET, jitter=0.01, memory=0.2))(None))
    hip = real.skeleton.index("left_hip")
    wrist = real.skeleton.index("left_wrist")
    error = torch.cat([f.xy for f in found]) - real.xy
    height = (real.box[:, 3] - real.box[:, 1]).mean()
    assert float(error[:, hip].std() / height) == pytest.approx(0.01, rel=0.15)
    assert float(error[:, wrist].std() / error[:, hip].std()) == pytest.approx(2, rel=0.2)
    x = error[:, hip, 0].numpy()
    assert np.corrcoef(x[:-6], x[6:])[0, 1] == pytest.approx(np.exp(-1), abs=0.12)


def test_depth_is_off_by_the_share_asked_for():
    real = truth([APART[0]], clock(60))
    found = list(OracleDetector(real, replace(QUIET, depth=0.1))(None))
    share = torch.cat([f.xyz for f in found])[:, 0, 2] / real.xyz[:, 0, 2] - 1
    assert float(share.std()) == pytest.approx(0.1, rel=0.25)
    assert torch.equal(torch.cat([f.xy for f in found]), real.xy)


@pytest.mark.parametrize("every", [1, 5])
def test_misses_have_the_share_and_the_length_asked_for(every):
    at = clock(200 if every > 1 else 100).every(every)
    real = truth([Walker(line(0, 0, 4, 1))], at, COCO17)
    there = np.array([len(f) for f in OracleDetector(real, replace(QUIET, missed=0.2, burst=0.4))(None)])
    assert 1 - there.mean() == pytest.approx(0.2, abs=0.06)
    starts = np.sum((there[:-1] == 1) & (there[1:] == 0))
    assert (1 - there).sum() / starts * every / 30 == pytest.approx(0.4 + every / 60, rel=0.35)


def test_whoever_is_behind_is_hidden():
    at = clock(4)
    real = truth([Walker(line(0, 0, 4, 1)), Walker(line(-2, 2, 5, 4))], at)
    found = list(OracleDetector(real, replace(QUIET, hidden=1.0))(None))
    assert {len(f) for f in found} == {1, 2}
    alone = [f for f in found if len(f) == 1]
    assert all(float(f.xyz[0, :, 2].mean()) < 4.5 for f in alone)
    assert all(abs(f.time - 2) < 0.6 for f in alone)


def test_false_people_are_small_short_and_doubtful():
    real = truth(APART, clock(60))
    found = list(OracleDetector(real, replace(QUIET, false_people=0.1))(None))
    extra = [f[torch.arange(2, len(f))] for f in found]
    assert 0.1 < np.mean([len(f) for f in extra]) < 0.9
    boxes = torch.cat([f.boxes for f in extra])
    assert float((boxes[:, 3] - boxes[:, 1]).max()) < 0.6 * float((real.box[:, 3] - real.box[:, 1]).max())
    assert float(torch.cat([f.scores for f in extra]).max()) <= 0.7
    assert all(torch.isnan(f.xyz).all() for f in extra if len(f))


def test_noise_that_makes_no_sense_is_refused():
    with pytest.raises(BadUsage, match="shares"):
        Noise(missed=1.0)
    with pytest.raises(BadUsage, match="negative"):
        Noise(jitter=-0.1)
