"""The mean of several estimates: of whom, of what, and by which weights."""

import numpy as np
import pytest
import torch

from dyad.core.errors import BadInput, BadUsage
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.tracks import Flag, Tracks
from dyad.estimates.ensemble import ensemble
from dyad.geometry.alignment import fit_similarity
from tests.estimates.making import truth


def noisy(tracks: Tracks, seed: int, metres: float = 0.06, shift: float = 0.0) -> Tracks:
    generator = torch.Generator().manual_seed(seed)
    xyz = tracks.xyz + metres * torch.randn(tracks.xyz.shape, generator=generator) + torch.tensor([0, 0, shift])
    xy = tracks.xy + 4 * torch.randn(tracks.xy.shape, generator=generator)
    return tracks.with_(xyz=xyz, xy=xy)


def about_pelvis(tracks: Tracks) -> torch.Tensor:
    return tracks.xyz - tracks.xyz[:, :1]


def test_the_mean_of_two_is_between_them() -> None:
    real = truth(2)
    one, two = noisy(real, 1), noisy(real, 2, shift=0.8)
    both = ensemble((one, two))
    assert both.people == real.people
    torch.testing.assert_close(about_pelvis(both), (about_pelvis(one) + about_pelvis(two)) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.xyz[:, 0], (one.xyz[:, 0] + two.xyz[:, 0]) / 2, atol=1e-5, rtol=0)
    torch.testing.assert_close(both.xy, (one.xy + two.xy) / 2)
    assert (both.confidence == 0.8).all()
    heavy = ensemble((one, two), weights=(3, 1), confident=False)
    torch.testing.assert_close(
        about_pelvis(heavy), 0.75 * about_pelvis(one) + 0.25 * about_pelvis(two), atol=1e-5, rtol=0
    )


def test_averaging_independent_estimates_lowers_the_error() -> None:
    """The errors of four independent estimates halve, wherever each of them stands."""
    real = truth(2)
    every = [noisy(real, seed, shift=0.1 * seed) for seed in range(4)]
    error = [
        float((about_pelvis(e) - about_pelvis(real))[:, 1:].norm(dim=-1).mean()) for e in (*every, ensemble(every))
    ]
    assert error[-1] < 0.6 * min(error[:-1])


def test_confident_joints_count_more() -> None:
    real = truth()
    one, two = noisy(real, 1), noisy(real, 2)
    wrist = BODY17.index("left_wrist")
    sure = two.confidence.clone()
    sure[:, wrist] = 0.2
    two = two.with_(confidence=sure)
    both = ensemble((one, two))
    torch.testing.assert_close(both.xy[:, wrist], 0.8 * one.xy[:, wrist] + 0.2 * two.xy[:, wrist])
    torch.testing.assert_close(both.confidence[:, wrist], torch.full((5,), 0.5))
    plain = ensemble((one, two), confident=False)
    torch.testing.assert_close(plain.xy[:, wrist], (one.xy[:, wrist] + two.xy[:, wrist]) / 2)


def test_people_are_matched_whatever_they_are_called() -> None:
    real = truth(3)
    names = torch.tensor([7, 2, 9])
    order = torch.argsort(names[real.person], stable=True)
    other = Tracks.of_rows(
        skeleton=BODY17,
        camera=real.camera,
        frame=real.frame[order],
        person=names[real.person][order],
        xy=real.xy[order],
        xyz=real.xyz[order],
        confidence=real.confidence[order],
        fps=10.0,
    )
    both = ensemble((real, other))
    assert both.people == [0, 1, 2]
    torch.testing.assert_close(both.xyz, real.xyz, atol=1e-5, rtol=0)


def test_who_is_in_one_file_only_stays() -> None:
    real = truth(2)
    alone = real[real.person == 1]
    both = ensemble((real[real.person == 0], alone))
    assert both.people == [0, 1]
    torch.testing.assert_close(both[both.person == 1].xyz, alone.xyz, atol=1e-5, rtol=0)
    torch.testing.assert_close(both[both.person == 0].xyz, real[real.person == 0].xyz, atol=1e-5, rtol=0)


def test_frames_where_identities_are_mixed_up_are_not_averaged() -> None:
    """Two people who change places in one frame of the second file: there the first file counts alone."""
    real = truth(2)
    a, b = (int(real.rows(p)[3]) for p in (0, 1))
    at = torch.arange(len(real))
    at[[a, b]] = at[[b, a]]
    mixed = real.with_(xy=real.xy[at], xyz=real.xyz[at])
    torch.testing.assert_close(ensemble((real, mixed)).xyz, real.xyz, atol=1e-5, rtol=0)


def test_joints_and_rows_that_one_does_not_have() -> None:
    real = truth()
    lacking = real.convert(COCO17).with_(flags=torch.full((5,), int(Flag.BORDER)))
    both = ensemble((real, lacking))
    assert both.skeleton == BODY17
    # COCO has no neck: the middle of the shoulders, 4 cm below it here, does not count beside one.
    # Its hips are others, and come back as the joint adaptation has them, here 3 mm off.
    torch.testing.assert_close(both.xyz, real.xyz, atol=4e-3, rtol=0)
    # Nor a head top, and that it never gives one is no doubt in it.
    torch.testing.assert_close(both.confidence, real.confidence)
    assert (both.flags == int(Flag.BORDER)).all()
    flat = real.with_(xyz=torch.full_like(real.xyz, torch.nan))
    torch.testing.assert_close(ensemble((flat, real)).xyz, real.xyz, atol=1e-5, rtol=0)


def test_bridged_gaps_give_way_to_who_was_seen() -> None:
    real = truth()
    filled = torch.tensor([False, False, True, False, False])
    bridged = real.with_(xyz=real.xyz + filled[:, None, None] * 0.05, filled=filled)
    both = ensemble((bridged, real))
    torch.testing.assert_close(both.xyz, real.xyz, atol=1e-5, rtol=0)
    assert not both.filled.any()
    assert ensemble((bridged, bridged)).filled.tolist() == filled.tolist()


def test_a_turned_estimate_keeps_its_shape() -> None:
    """Averaging an estimate with itself, moved, changes nothing but the place."""
    real = truth()
    moved = real.with_(xyz=real.xyz + torch.tensor([0.1, 0.0, 0.4]))
    both = ensemble((real, moved))
    fit = fit_similarity(both.xyz[0], real.xyz[0])
    torch.testing.assert_close(fit(both.xyz[0]), real.xyz[0], atol=1e-4, rtol=0)
    assert float(fit.scale) == pytest.approx(1, abs=1e-4)


def test_sigma_is_that_of_a_mean() -> None:
    real = truth()
    unsure = real.with_(sigma=torch.full_like(real.xyz, 0.1))
    both = ensemble((unsure, unsure))
    np.testing.assert_allclose(both.sigma, 0.1 / np.sqrt(2), atol=1e-6)


def test_what_cannot_be_averaged() -> None:
    real = truth()
    with pytest.raises(BadUsage):
        ensemble(())
    with pytest.raises(BadUsage):
        ensemble((real, real), weights=(1.0, 0.0))
    with pytest.raises(BadInput, match="one video"):
        ensemble((real, real.with_(camera=real.camera.resize(320, 240))))
