import numpy as np
import pytest
import torch

from dyad.core.clip import Clip
from dyad.core.flow import Flow
from dyad.evaluation.flow_scores import FLOW_METRICS, RELEASED, score_flows
from dyad.evaluation.released_flow import released_epe_at_joints
from tests.evaluation.people import nobody, walkers

W, H = 1920, 1080


def flow(u: float, v: float = 0.0, size: tuple[int, int] = (W, H)) -> Flow:
    return Flow(torch.stack((torch.full(size[::-1], u), torch.full(size[::-1], v))))


def test_every_number_is_that_of_the_flow_scores() -> None:
    true = flow(0.0, size=(8, 6))
    clip = Clip(None, walkers(3, 1).with_(camera=walkers().camera.resize(8, 6)), flow=[true, true])
    got = score_flows(clip, [flow(10.0, size=(8, 6)), flow(2.0, size=(8, 6))], tuple(FLOW_METRICS))
    values = {name: mean.value for name, mean in got.items() if mean.count}
    assert values == pytest.approx(
        {"epe": 6, "epe_pairs": 6, "fl_all": 50, "under_1px": 0, "under_3px": 0.5, "under_5px": 0.5, "covered": 1}
    )


def test_the_released_reduction_is_the_published_one_pair_by_pair() -> None:
    truth = walkers(4, 1)
    flows = [flow(3.0, 4.0), flow(0.0), flow(-2.0)]
    got = score_flows(Clip(None, truth), flows, ("epe_joints", RELEASED))
    array = np.stack([f.uv.movedim(0, -1).numpy() for f in flows])
    expected = released_epe_at_joints(array, truth.window().xy[:, 0].numpy())
    assert got[RELEASED].value == pytest.approx(expected)
    assert got["epe_joints"].value > expected
    assert list(got) == ["epe_joints", RELEASED]


def test_without_people_there_is_no_joint() -> None:
    truth = walkers(2, 1)
    got = score_flows(Clip(None, nobody(truth)), [flow(1.0)], ("epe_joints", "joints_covered", RELEASED))
    assert [mean.count for mean in got.values()] == [0, 0, 0]
