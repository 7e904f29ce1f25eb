"""Where joints are in pairs of frames: across cuts, of people of whom only 3D is known."""

from dyad.refinement.moves import Moves
from tests.refinement.scenes import scene


def test_nobody_moves_across_a_cut_at_a_frame_that_was_left_out() -> None:
    truth = scene(frames=5, people=1).truth
    # The frames 0, 2, 4, 6 and 8 of a video that is cut before its frame 5.
    tracks = truth.with_(frame=2 * truth.frame, frames=2 * truth.frames, cuts=(5,))
    assert Moves.of(tracks).second.isfinite().all(-1).all(-1)[:, 0].tolist() == [True, True, False, True]
    late = Moves.of(tracks, start=6)
    assert len(late) == 1
    assert late.second.isfinite().all()
