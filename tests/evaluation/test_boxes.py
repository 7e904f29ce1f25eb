import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyad.evaluation.boxes import area_of, iou, share_inside

boxes = st.tuples(*[st.floats(-100, 100)] * 2, *[st.floats(0.5, 80)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


def test_area_is_the_given_one_or_a_share_of_the_box() -> None:
    two = [[0, 0, 10, 20], [0, 0, 10, 20]]
    assert area_of(two) == pytest.approx([106, 106])
    assert area_of(two, [33, np.nan]) == pytest.approx([33, 106])


def test_overlap_of_known_boxes() -> None:
    left, right, far = [0, 0, 2, 2], [1, 0, 3, 2], [9, 9, 10, 10]
    assert iou([left, far], [left, right]) == pytest.approx(np.array([[1, 1 / 3], [0, 0]]))
    assert share_inside([[1, 0, 3, 1]], [left, [np.nan] * 4]) == pytest.approx(np.array([[0.5, 0]]))
    assert iou(np.zeros((0, 4)), [left]).shape == (0, 1)
    assert iou([[5, 5, 5, 5]], [[5, 5, 5, 5]])[0, 0] == 0


@given(boxes, boxes)
def test_overlap_is_symmetric_and_at_most_what_is_inside(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert iou([a], [b]) == pytest.approx(iou([b], [a]).T)
    assert 0 <= iou([a], [b])[0, 0] <= share_inside([a], [b])[0, 0] + 1e-9 <= 1 + 2e-9
