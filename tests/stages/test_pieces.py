"""People found piece by piece are those found in one go, whoever finds them, and however often it is broken off."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from dyad.core.detection_files import load_detections, save_detections, write_detections
from dyad.core.detections import Detections
from dyad.core.errors import BadInput
from dyad.core.skeleton import BODY17, COCO17
from dyad.core.video import Video
from dyad.stages.pieces import Pieces, Shelf
from tests.core.test_video import encode, ramp
from tests.standin import StandIn

FRAMES, FPS = 130, 25


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 frames whose mean grey differs."""
    return encode(tmp_path_factory.mktemp("clip") / "clip.mp4", [ramp(k % 200) for k in range(FRAMES)])


def same(first: list[Detections], second: list[Detections]) -> bool:
    a, b = io.BytesIO(), io.BytesIO()
    write_detections(a, first)
    write_detections(b, second)
    return a.getvalue() == b.getvalue()


class Forgetful(StandIn):
    """Says nothing that depends on what it saw before."""

    def people(self, video, frame, moment, drift, cut):
        return super().people(video, frame, moment, 0.0, cut)


@pytest.mark.parametrize(("frames", "every"), [(None, 1), (slice(7, 121), 1), (slice(3, None), 3), (None, 50)])
def test_every_frame_comes_once_and_in_order(clip, frames, every) -> None:
    video = Video(clip, frames=frames, every=every)
    found = list(Pieces(detector=Forgetful(), length=16)(video))
    assert [d.frame for d in found] == video.indices.tolist()
    assert same(found, list(Forgetful()(Video(clip, frames=frames, every=every))))


def test_a_clip_of_one_piece_is_seen_in_one_go(clip) -> None:
    assert same(list(Pieces(detector=StandIn(), length=FRAMES)(Video(clip))), list(StandIn()(Video(clip))))


def test_the_detector_sees_frames_before_and_after_a_piece(clip) -> None:
    seen = []

    class Watched(StandIn):
        def __call__(self, video, prior=None):
            start, stop, _ = video.selection
            seen.append((start, stop))
            return super().__call__(video, prior)

    list(Pieces(detector=Watched(), length=50)(Video(clip)))
    overlap = FPS
    assert seen == [(0, 50 + overlap), (50 - overlap, 100 + overlap), (100 - overlap, 150 + overlap)]


def test_what_is_kept_is_not_found_again_and_is_the_same(clip, tmp_path) -> None:
    whole = list(Pieces(detector=StandIn(), length=32)(Video(clip)))
    shelf = Shelf(tmp_path, "k" * 64)
    broken = Pieces(detector=StandIn(), length=32, shelf=shelf)(Video(clip))
    for _ in range(75):
        next(broken)
    broken.close()
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"found-{'k' * 16}-{piece:05}.npz" for piece in range(2)]
    asked = []

    class Watched(StandIn):
        def people(self, video, frame, *rest):
            asked.append(frame)
            return super().people(video, frame, *rest)

    again = list(Pieces(detector=Watched(), length=32, shelf=shelf)(Video(clip)))
    assert same(again, whole)
    assert min(asked) == 64 - FPS


def test_a_damaged_piece_and_one_of_another_key_are_found_anew(clip, tmp_path, caplog) -> None:
    shelf = Shelf(tmp_path, "a" * 64)
    pieces = Pieces(detector=StandIn(), length=64, shelf=shelf)
    whole = list(pieces(Video(clip)))
    shelf.path(1).write_bytes(shelf.path(1).read_bytes()[:300])
    assert same(list(pieces(Video(clip))), whole)
    assert "damaged" in caplog.text
    other = Shelf(tmp_path, "a" * 16 + "b" * 48)
    assert other.path(0) == shelf.path(0)
    assert other.load(0) is None


def test_pieces_found_elsewhere_in_any_order_are_the_same(clip, tmp_path) -> None:
    here = list(Pieces(detector=StandIn(), length=32)(Video(clip)))
    asked: list[int] = []

    def elsewhere(pieces: list[int]):
        asked.extend(pieces)
        packed = {k: Pieces(detector=StandIn(), length=32).packed(Video(clip), k) for k in reversed(pieces)}
        return (packed[k] for k in pieces)

    there = Pieces(detector=StandIn(), length=32, shelf=Shelf(tmp_path, ""), elsewhere=elsewhere)
    assert same(list(there(Video(clip))), here)
    assert asked == [0, 1, 2, 3, 4]
    assert same(list(there(Video(clip))), here)
    assert len(asked) == 5


@pytest.mark.parametrize("missing", ["xyz", "appearance", "none"])
def test_files_of_detections_are_exact(tmp_path, missing) -> None:
    random = torch.Generator().manual_seed(3)

    def frame(k: int, people: int) -> Detections:
        def values(*shape: int) -> torch.Tensor:
            return torch.randn(people, *shape, generator=random)

        xyz, looks = values(17, 3), values(5)
        xyz[:, 2] = torch.nan
        return Detections(
            k,
            k / 3,
            values(4),
            values(),
            values(17, 2),
            values(17),
            BODY17,
            None if missing == "xyz" else xyz,
            None if missing == "appearance" else looks,
            k == 4,
        )

    frames = [frame(0, 2), Detections.none(1, 0.1, BODY17), frame(2, 0), frame(4, 3)]
    save_detections(tmp_path / "found.npz", frames, note="hello")
    again, facts = load_detections(tmp_path / "found.npz")
    assert facts == {"note": "hello"}
    for before, after in zip(frames, again, strict=True):
        assert (before.frame, before.time, before.cut) == (after.frame, after.time, after.cut)
        for name in ("boxes", "scores", "xy", "confidence", "xyz", "appearance"):
            old, new = getattr(before, name), getattr(after, name)
            assert (old is None) == (new is None)
            if old is not None and len(old):
                assert np.array_equal(old.numpy(), new.numpy(), equal_nan=True)


def test_files_that_hold_something_else_are_refused(tmp_path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 nothing")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    for name in ("a.npz", "b.npz", "absent.npz"):
        with pytest.raises(BadInput, match=name):
            load_detections(tmp_path / name)
    mixed = [Detections.none(0, 0.0, BODY17), Detections.none(1, 0.1, COCO17)]
    with pytest.raises(BadInput, match="one skeleton"):
        save_detections(tmp_path / "c.npz", mixed)
