import numpy as np

from dyad.geometry.boxes import box_of


def test_a_box_goes_round_the_known_joints() -> None:
    xy = np.array([[[3.0, 4], [np.nan, 100], [1, 9]], [[np.nan, np.nan]] * 3])
    box = box_of(xy)
    assert box[0].tolist() == [1, 4, 3, 9]
    assert np.isnan(box[1]).all()
    assert box_of(np.zeros((0, 3, 2))).shape == (0, 4)
    half = np.array([[[1.0, 2], [np.nan, 7], [np.inf, 3], [4, 5]]])
    assert box_of(half).tolist() == [[1, 2, 4, 5]], "a joint counts with both coordinates or not at all"
