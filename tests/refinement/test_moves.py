"""Where joints are in pairs of frames: across cuts, of people of whom only 3D is known."""

import torch

from dyad.refinement.moves import Moves
from dyad.refinement.pose import PoseRefiner
from dyad.refinement.target import LimbSketch
from tests.refinement.scenes import scene


def test_nobody_moves_across_a_cut_at_a_frame_that_was_left_out() -> None:
    truth = scene(frames=5, people=1).truth
    # The frames 0, 2, 4, 6 and 8 of a video that is cut before its frame 5.
    tracks = truth.with_(frame=2 * truth.frame, frames=2 * truth.frames, cuts=(5,))
    assert Moves.of(tracks).second.isfinite().all(-1).all(-1)[:, 0].tolist() == [True, True, False, True]
    late = Moves.of(tracks, start=6)
    assert len(late) == 1
    assert late.second.isfinite().all()


def test_people_of_whom_only_3d_is_known_are_drawn_and_read_by_one_rule() -> None:
    exact = scene(frames=4)
    truth = exact.truth
    rows = {"xy": torch.full_like(truth.xy, torch.nan), "confidence": torch.zeros_like(truth.confidence)}
    blind = truth.with_(**rows)
    assert torch.equal(LimbSketch()(Moves.of(blind), (320, 240)).drawn, LimbSketch()(Moves.of(truth), (320, 240)).drawn)
    trusted = PoseRefiner(steady=None).problem(blind, exact.flows)[0].trusted
    assert torch.equal(trusted, Moves.of(blind).confidence.double())
    assert (trusted == 1).all()
    # Who was filled in has not been seen, nor has a joint that the estimator did not find though it found others.
    filled = blind.with_(filled=(truth.frame == 1) & (truth.person == 0))
    assert Moves.of(filled).confidence[:, :, 3].tolist() == [[0, 1], [0, 1], [1, 1]]
    missed = truth.with_(
        xy=truth.xy.index_fill(1, torch.tensor(3), torch.nan),
        confidence=truth.confidence.index_fill(1, torch.tensor(3), 0),
    )
    for told in (Moves.of(missed).confidence, PoseRefiner(steady=None).problem(missed, exact.flows)[0].trusted):
        assert (told[:, :, 3] == 0).all()
        assert (told[:, :, 4] == 1).all()
