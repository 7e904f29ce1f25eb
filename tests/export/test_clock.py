import numpy as np
import pytest
import torch

from dyad.core.errors import BadUsage
from dyad.export.clock import clock, sampled
from dyad.export.upright import upright
from tests.export.walking import FPS, stacked, tracks_of, walk, walkers


def test_steady_frames_are_taken_as_they_are() -> None:
    space = upright(walkers())
    assert clock(space).rate == pytest.approx(FPS)
    assert clock(space).times == pytest.approx(np.arange(50) / FPS)
    rounded = upright(walkers().with_(times=torch.round(walkers().times, decimals=3)))
    assert len(clock(rounded).times) == 50


def test_unsteady_frames_are_laid_on_a_grid() -> None:
    times = np.cumsum(np.r_[0, np.tile([0.02, 0.04, 0.04], 10)])
    space = upright(tracks_of({0: (list(range(31)), stacked(walk(times)))}, times))
    found = clock(space)
    assert found.rate == pytest.approx(25)
    assert found.times == pytest.approx(np.arange(26) * 0.04)
    joints, sigma = sampled(space, space.people()[0], found.times)
    assert joints == pytest.approx(stacked(walk(found.times)), abs=5e-3)
    assert np.isfinite(sigma).all()


def test_another_rate_is_interpolated_and_gaps_stay_gaps() -> None:
    space = upright(walkers())
    one, other = space.people()
    found = clock(space, 100)
    assert found.times[[0, 1, -1]] == pytest.approx([0, 0.01, 49 / FPS])
    joints, _ = sampled(space, one, found.times)
    # Where the other foot takes over, these walkers have a kink.
    assert joints == pytest.approx(stacked(walk(found.times)), abs=0.03)
    assert joints[::4] == pytest.approx(one.xyz)
    known = np.isfinite(sampled(space, other, found.times)[0]).all((1, 2))
    frames = found.times * FPS
    there = ((frames > 9.99) & (frames < 19.01)) | ((frames > 23.99) & (frames < 44.01))
    assert (known == there).all()


def test_frames_that_were_not_processed_do_not_make_gaps() -> None:
    tracks = walkers(40)
    every = upright(tracks[tracks.frame % 4 == 0].with_(frames=tracks.frames[::4], times=tracks.times[::4]))
    assert clock(every).rate == pytest.approx(FPS / 4)
    joints, _ = sampled(every, every.people()[0], clock(every, FPS).times)
    assert np.isfinite(joints).all()


def test_one_frame_and_none_have_the_nominal_rate() -> None:
    assert clock(upright(walkers(1)[torch.arange(1)]))[1] == FPS
    empty = upright(walkers(2)[torch.zeros(2, dtype=torch.bool)].with_(frames=torch.zeros(0), times=torch.zeros(0)))
    assert len(clock(empty).times) == 0


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf")])
def test_rates_that_are_none_are_refused(fps: float) -> None:
    with pytest.raises(BadUsage, match="above 0"):
        clock(upright(walkers(2)), fps)
