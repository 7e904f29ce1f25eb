"""The embedded detector on people whom Dyad draws: who is there is found, when and where he is there."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dyad.core.clip import Clip
from dyad.core.detections import Detections
from dyad.core.skeleton import BLAZEPOSE33, BODY17, COCO17
from dyad.core.video import Video
from dyad.models.blazepose import Region
from dyad.models.blazepose_heads import BlazePoseFinder
from dyad.models.checkpoints import Checkpoint, shipped
from dyad.models.weights import BLAZEPOSE_DETECTOR
from dyad.stages.detection import BlazePose, agreement
from dyad.stages.proposals import Proposals
from dyad.stages.regions import People

from .conftest import Networks

Make = Callable[..., BlazePose]


def distances(truth: Clip, detections: Detections) -> Tensor:
    """Median distance (P, N) of twelve joints between true people and detected ones, over the true height."""
    here = truth.truth[truth.truth.frame == detections.frame]
    names = [f"{side}_{part}" for part in ("shoulder", "elbow", "hip", "knee", "ankle") for side in ("left", "right")]
    real = here.xy[:, here.skeleton.indices(*names)]
    seen = detections.xy[:, detections.skeleton.indices(*names)]
    height = real[..., 1].amax(1) - real[..., 1].amin(1)
    apart = torch.linalg.vector_norm(real[:, None] - seen[None], dim=-1)
    return apart.median(-1).values / height[:, None]


def test_everyone_is_found_in_every_frame(found: list[Detections], drawn: Clip) -> None:
    assert [d.frame for d in found] == drawn.video.indices.tolist()
    np.testing.assert_allclose([d.time for d in found], drawn.video.times)
    assert not any(d.cut for d in found)
    for detections in found:
        assert len(detections) == 2
        nearest = distances(drawn, detections)
        assert nearest.amin(1).max() < 0.06
        assert sorted(nearest.argmin(1).tolist()) == [0, 1]


def test_detections_are_what_they_should_be(found: list[Detections], drawn: Clip) -> None:
    width, height = drawn.video.size
    for d in found:
        assert d.skeleton == BLAZEPOSE33
        assert d.xyz is not None
        assert d.appearance is not None
        for values in (d.boxes, d.scores, d.xy, d.confidence, d.xyz, d.appearance):
            assert torch.isfinite(values).all()
        assert ((d.scores > 0) & (d.scores <= 1)).all()
        assert ((d.confidence >= 0) & (d.confidence <= 1)).all()
        assert (d.boxes[:, 0] > -0.2 * width).all()
        assert (d.boxes[:, 3] < 1.2 * height).all()
        inside = (d.xy >= d.boxes[:, None, :2]) & (d.xy <= d.boxes[:, None, 2:])
        assert inside.all()
        # In the frame of the camera: in front of it, and near where the pixels say.
        off = torch.linalg.vector_norm(drawn.video.camera.project(d.xyz) - d.xy, dim=-1)
        assert (d.xyz[..., 2] > 0.5).all()
        assert off.median() < 0.06 * (d.boxes[:, 3] - d.boxes[:, 1]).mean()
        assert torch.isfinite(d.convert(COCO17).xy).all()


def test_the_distance_is_about_right(found: list[Detections], drawn: Clip) -> None:
    for d in found:
        real = drawn.truth[drawn.truth.frame == d.frame]
        truth = real.xyz[:, real.skeleton.index("pelvis"), 2]
        assert d.xyz is not None
        hips = d.xyz[:, BLAZEPOSE33.indices("left_hip", "right_hip"), 2].mean(1)
        ratio = hips.sort().values / truth.sort().values
        assert ((ratio > 0.65) & (ratio < 1.5)).all()


def test_the_same_clip_gives_the_same_numbers(networks: Make, short: Video) -> None:
    first, second = ([*networks()(short)] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        for name in ("boxes", "scores", "xy", "confidence", "xyz", "appearance"):
            assert torch.equal(getattr(a, name), getattr(b, name))


def test_at_most_so_many_people(networks: Make, short: Video) -> None:
    assert [len(d) for d in networks(max_people=1)(short)] == [1] * 2


def test_every_nth_frame_keeps_its_own_number_and_time(networks: Make, images: np.ndarray) -> None:
    video = Video(images[:8], fps=25, frames=slice(1, 8), every=3)
    seen = list(networks()(video))
    assert [d.frame for d in seen] == [1, 4, 7]
    np.testing.assert_allclose([d.time for d in seen], np.array([1, 4, 7]) / 25)
    assert [len(d) for d in seen] == [2, 2, 2]


def test_nobody_is_carried_over_a_cut(networks: Make, images: np.ndarray) -> None:
    y, x = np.mgrid[0 : images.shape[1], 0 : images.shape[2]]
    waves = np.stack([128 + 90 * np.sin(x / 9 + y / 31), 128 + 90 * np.cos(y / 7), 40 + 0 * x], -1).astype(np.uint8)
    frames = np.concatenate([images[:4], np.repeat(waves[None], 5, 0), images[4:8]])
    seen = list(networks(key_interval=10)(Video(frames, fps=25)))
    assert [d.frame for d in seen if d.cut] == [4, 9]
    assert [len(d) for d in seen] == [2] * 4 + [0] * 5 + [2] * 4


def test_someone_who_comes_later_is_followed_back(networks: Make, images: np.ndarray, drawn: Clip) -> None:
    # Whoever key frame 0 misses, since his place was painted over in it, is there from frame 1 on.
    first = images[0].copy()
    box = drawn.truth[drawn.truth.frame == 0].box[0].round().int().tolist()
    first[max(0, box[1] - 20) : box[3] + 20, max(0, box[0] - 20) : box[2] + 20] = 128
    frames = np.concatenate([first[None], images[1:6]])
    counts = [len(d) for d in networks(key_interval=10)(Video(frames, fps=25))]
    assert counts == [1] + [2] * 5


def test_empty_pictures_and_tiny_ones(networks: Make) -> None:
    for frames in (np.zeros((2, 64, 96, 3), np.uint8), np.full((1, 2, 2, 3), 200, np.uint8)):
        seen = list(networks()(Video(frames, fps=25)))
        assert [len(d) for d in seen] == [0] * len(frames)
        assert all(d.xy.shape == (0, 33, 2) for d in seen)


def test_heads_and_landmarks_agree_where_they_mean_the_same_body() -> None:
    rng = torch.Generator().manual_seed(0)
    xy = 100 * torch.rand(2, 33, 2, generator=rng) + torch.tensor([[[0.0, 0.0]], [[300.0, 0.0]]])
    zeros = torch.zeros(2)
    people = People(xy, torch.zeros(2, 33, 3), torch.ones(2, 33), zeros, zeros, xy[:, 0], xy[:, 1], zeros)
    said = BLAZEPOSE33.convert(xy, BODY17)
    moved = said + torch.tensor([3.0, 4.0])
    told = Proposals(Region(said[:, 0], zeros, zeros), torch.tensor([0.4, 0.7]), zeros == 0, moved)[
        torch.tensor([1, 0])
    ]
    torch.testing.assert_close(agreement(people, told), 5 / people.span)


def test_heads_only_add(networks: Networks, blazepose_folder: Path, images: np.ndarray) -> None:
    """Half the size: whoever is found without heads is found with them, in the same place."""
    heads = Checkpoint.load(shipped()["person-heads"]).build()
    finder = BlazePoseFinder.from_files(blazepose_folder / BLAZEPOSE_DETECTOR.file, heads)
    video = Video(images[:1, ::2, ::2], fps=25)
    (without,), (with_heads,) = networks()(video), BlazePose(finder, networks.landmarks)(video)
    assert len(with_heads) >= len(without) > 0
    assert torch.equal(with_heads.xy[: len(without)], without.xy)
