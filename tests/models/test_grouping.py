"""Grouping by tags: drawn people come back, and what the published decoders do wrong does not happen."""

import time

import numpy as np
import pytest
import torch

from dyad.models.grouping_parts import tag_grouping
from dyad.models.grouping_released import higherhrnet_grouping
from dyad.models.joints import COCO17, COCO17_TRUNK_OUT, mirrored

OURS = tag_grouping(COCO17, COCO17_TRUNK_OUT)


def drawn(xy: np.ndarray, tag: np.ndarray, *, side: int = 96, seen: np.ndarray | None = None, noise: float = 0.01):
    """Maps (17, side, side) and tags (17, side, side, 1) of people at xy (P, 17, 2), one tag each."""
    random = np.random.default_rng(0)
    heat = (noise * random.random((17, side, side))).astype(np.float32)
    tags = np.zeros((17, side, side, 1), np.float32)
    y, x = np.mgrid[:side, :side]
    for person, joint in np.ndindex(*xy.shape[:2]):
        if seen is not None and not seen[person, joint]:
            continue
        at = xy[person, joint]
        blob = 0.9 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / 8)
        over = (blob > heat[joint]) & (blob > 0.02)
        heat[joint][over] = blob[over]
        tags[joint][over] = tag[person] + 0.05 * random.standard_normal()
    return torch.from_numpy(heat), torch.from_numpy(tags)


def crowd(people: int, side: int, seed: int = 0) -> np.ndarray:
    """Joints (P, 17, 2), those of one kind at least 6 px apart."""
    random = np.random.default_rng(seed)
    out = np.zeros((people, 17, 2))
    for joint in range(17):
        cells = random.permutation((side // 8) ** 2)[:people]
        out[:, joint] = 8 * np.stack(np.divmod(cells, side // 8), -1) + random.uniform(3, 5, (people, 2))
    return out


def matched(groups, xy: np.ndarray) -> np.ndarray:
    """For each person found the number of joints at each drawn person's."""
    off = (groups.xy[:, None] - torch.from_numpy(xy).float()).norm(dim=-1)
    return (off < 1).sum(-1).numpy()


@pytest.mark.parametrize("grouping", [OURS, higherhrnet_grouping()], ids=["ours", "released"])
def test_drawn_people_come_back(grouping) -> None:
    xy = crowd(6, 96)
    groups = grouping(*drawn(xy, 3.0 * np.arange(6)))
    hits = matched(groups._replace(xy=groups.xy - grouping.offset), xy)
    assert sorted(hits.argmax(1).tolist()) == list(range(6))
    assert (hits.max(1) == 17).all()
    assert (groups.scores > 0.7).all()


def test_nobody_and_one_joint() -> None:
    heat, tags = torch.zeros(17, 20, 30), torch.zeros(17, 20, 30, 2)
    groups = OURS(heat, tags)
    assert groups.xy.shape == (0, 17, 2)
    assert groups.tags.shape == (0, 17, 2)
    assert groups.scores.shape == (0,)
    heat[4, 7, 9] = 1
    groups = OURS(heat, tags[..., 0])
    assert torch.isfinite(groups.xy).all(-1).nonzero().tolist() == [[0, 4]]
    assert (groups.xy[0, 4] - torch.tensor([9.0, 7.0])).abs().max() == 0.25


def test_mirrored_maps_give_mirrored_people() -> None:
    xy = crowd(4, 96, seed=3)
    heat, tags = drawn(xy, 3.0 * np.arange(4))
    groups = OURS(heat, tags)
    other = OURS(heat.flip(-1)[mirrored(COCO17)], tags.flip(2)[mirrored(COCO17)])
    back = torch.stack((95 - other.xy[..., 0], other.xy[..., 1]), -1)[:, mirrored(COCO17)]
    hits = matched(groups, back.numpy())
    assert (hits.max(1) == 17).all()


def test_people_with_one_tag_in_their_first_joint_stay_two_people() -> None:
    """Two noses with the very same tag: the released decoder keeps one of them."""
    heat, tags = torch.zeros(17, 40, 40), torch.full((17, 40, 40, 1), 2.0)
    heat[0, 10, 10], heat[0, 30, 30] = 0.9, 0.8
    assert len(higherhrnet_grouping()(heat, tags).xy) == 1
    assert len(OURS(heat, tags).xy) == 2


def test_a_joint_that_is_not_there_stays_missing() -> None:
    """The released decoder fills it with noise or with what belongs to somebody else."""
    xy = crowd(2, 96, seed=1)
    seen = np.ones((2, 17), bool)
    seen[1, COCO17.index("left_wrist")] = False
    maps = drawn(xy, np.array([0.0, 1.3]), seen=seen)
    ours, released = OURS(*maps), higherhrnet_grouping()(*maps)
    wrist = COCO17.index("left_wrist")
    assert torch.isfinite(ours.xy[:, wrist]).all(-1).sum() == 1
    assert torch.isfinite(released.xy[:, wrist]).all(-1).sum() == 2


def test_a_faint_joint_is_completed_from_its_tag() -> None:
    xy = crowd(2, 96, seed=2)
    heat, tags = drawn(xy, np.array([0.0, 4.0]))
    wrist = COCO17.index("left_wrist")
    x, y = np.round(xy[1, wrist]).astype(int)
    near = heat[wrist, y - 7 : y + 8, x - 7 : x + 8]
    near *= 0.08  # below the threshold of detection
    groups = OURS(heat, tags)
    person = int((groups.tags[..., 0].nanmean(1) - 4).abs().argmin())
    assert (groups.xy[person, wrist] - torch.from_numpy(xy[1, wrist])).norm() < 1
    assert 0.05 < groups.confidence[person, wrist] < 0.1
    assert groups.tags[person, wrist].isnan().all()


def test_no_more_people_than_asked_for() -> None:
    few = tag_grouping(COCO17, COCO17_TRUNK_OUT, most_people=3)
    assert len(few(*drawn(crowd(6, 96), 3.0 * np.arange(6))).xy) == 3


def test_thirty_people_are_quick() -> None:
    xy = crowd(30, 128)
    maps = drawn(xy, 3.0 * np.arange(30), side=128)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for _ in range(8):
            start = time.perf_counter()
            groups = OURS(*maps)
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    assert len(groups.xy) == 30
    assert min(times) < 0.02


def test_shapes_and_names_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="expected heatmaps"):
        OURS(torch.zeros(16, 8, 8), torch.zeros(16, 8, 8))
    with pytest.raises(ValueError, match="every joint once"):
        tag_grouping(COCO17, COCO17[:-1])
    with pytest.raises(ValueError, match="positive"):
        tag_grouping(COCO17, COCO17, tag_threshold=0)
