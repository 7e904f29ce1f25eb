import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.core.errors import BadInput
from dyad.evaluation.pose3d import mean_error
from dyad.evaluation.released_flow import joint_flow_errors, released_epe_at_joints


def apart(joints: int) -> np.ndarray:
    """(2,J,2): joints on pixels of their own, which move by (1.5, -0.5)."""
    grid = np.stack(np.meshgrid(np.arange(4.0, 60, 10), np.arange(4.0, 60, 10)), -1).reshape(-1, 2)[:joints]
    return np.stack((grid, grid + np.array([1.5, -0.5])))


@pytest.mark.parametrize("joints", [17, 32])
def test_of_joints_apart_only_the_divisor_lowers_the_released_number(joints: int) -> None:
    xy, flow = apart(joints), np.zeros((1, 64, 64, 2))
    honest = mean_error(joint_flow_errors(flow, xy))
    assert honest == pytest.approx(np.hypot(1.5, 0.5))
    assert released_epe_at_joints(flow, xy) == pytest.approx(joints / 32 * honest)
    assert released_epe_at_joints(flow, xy, divisor=joints) == pytest.approx(honest)


def test_of_joints_on_one_pixel_the_last_counts() -> None:
    xy = np.array([[[5.2, 6.4], [4.8, 5.6]], [[7.2, 6.4], [4.8, 5.6]]])
    flow = np.zeros((1, 12, 12, 2))
    assert joint_flow_errors(flow, xy) == pytest.approx(np.array([[2.0, 0.0]]))
    assert released_epe_at_joints(flow, xy, divisor=2) == 0
    assert released_epe_at_joints(flow, xy[:, ::-1], divisor=2) == 1


@given(st.integers(0, 10_000))
def test_the_flow_that_moves_the_joints_has_no_error(seed: int) -> None:
    generator = np.random.default_rng(seed)
    xy = np.concatenate((generator.uniform(0, 30, (1, 8, 2)), np.zeros((1, 8, 2))))
    xy[1] = xy[0] + (2.0, -1.0)
    flow = np.broadcast_to(np.array([2.0, -1.0]), (1, 32, 32, 2))
    assert joint_flow_errors(flow, xy) == pytest.approx(0, abs=1e-9)
    assert joint_flow_errors(flow + np.array([3.0, 4.0]), xy) == pytest.approx(5)
    assert released_epe_at_joints(flow + np.array([3.0, 4.0]), xy) <= 5 * 8 / 32 + 1e-9
    order = generator.permutation(8)
    assert joint_flow_errors(flow, xy[:, order]) == pytest.approx(joint_flow_errors(flow, xy)[:, order])


def test_x_is_the_column_and_only_the_image_counts() -> None:
    flow = np.zeros((1, 4, 6, 2))
    flow[0, 2, 5] = (1.0, 0.0)
    xy = np.array([[[5.0, 2.0], [6.0, 2.0], [-1.0, 0.0], [5.0, 3.6], [np.nan, 1.0], [5.4, 2.4]]] * 2)
    got = joint_flow_errors(flow, xy)[0]
    assert got == pytest.approx([1, np.nan, np.nan, np.nan, np.nan, 1], nan_ok=True)
    assert released_epe_at_joints(flow, xy, divisor=1) == 1
    flow[0, 2, 5] = np.nan
    assert np.isinf(joint_flow_errors(flow, xy)[0, 0])


def test_no_pairs_and_wrong_ones() -> None:
    assert np.isnan(released_epe_at_joints(np.zeros((0, 4, 4, 2)), np.zeros((1, 3, 2))))
    with pytest.raises(BadInput, match="frames"):
        joint_flow_errors(np.zeros((2, 4, 4, 2)), np.zeros((2, 3, 2)))
